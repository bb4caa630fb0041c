//! Where something is in a payload.

/// A half-open range of bytes, `start..end`, counted from the first byte of the original payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u64,
    /// Offset behind the last byte; never below `start`.
    pub end: u64,
}

impl Span {
    /// The span from `start` to `end`.
    pub fn new(start: u64, end: u64) -> Span {
        debug_assert!(start <= end);
        Span { start, end }
    }

    /// Length in bytes.
    pub fn len(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether the span holds no byte.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether `other` lies wholly inside this span; a span contains itself.
    pub fn contains(self, other: Span) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Bytes between the two spans; 0 where they touch or overlap.
    pub fn distance(self, other: Span) -> u64 {
        if self.end <= other.start {
            other.start - self.end
        } else {
            self.start.saturating_sub(other.end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_is_symmetric_and_zero_on_overlap() {
        let (a, b) = (Span::new(0, 5), Span::new(8, 10));
        assert_eq!((a.distance(b), b.distance(a)), (3, 3));
        assert_eq!(a.distance(Span::new(4, 9)), 0);
        assert!(a.contains(a) && !a.contains(b));
    }
}
