//! Many short texts in one piece: those that ship with the program are used where they stand in it.

use std::borrow::Cow;

/// Texts by position; they do not change.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Texts {
    bytes: Cow<'static, [u8]>,
    ends: Cow<'static, [[u8; 4]]>,
}

impl Texts {
    /// Texts that were packed into the program: one after the other, and where each ends;
    /// none where that is not four bytes each.
    pub(crate) fn stored(bytes: &'static [u8], ends: &'static [u8]) -> Option<Texts> {
        let (ends, []) = ends.as_chunks() else { return None };
        Some(Texts { bytes: Cow::Borrowed(bytes), ends: Cow::Borrowed(ends) })
    }

    /// What [`Texts::stored`] takes.
    pub(crate) fn pack(&self) -> (&[u8], &[u8]) {
        (&self.bytes, self.ends.as_flattened())
    }

    /// As [`Texts::pack`], in one piece.
    ///
    /// # Errors
    ///
    /// None that is known: all of it can be written.
    #[allow(dead_code, reason = "it is for the build script")]
    pub(crate) fn pack_whole(&self) -> postcard::Result<Vec<u8>> {
        postcard::to_stdvec(&self.pack())
    }

    /// What [`Texts::pack_whole`] made; none where the bytes are no such thing.
    #[allow(dead_code, reason = "the build script has no such bytes")]
    pub(crate) fn stored_whole(bytes: &'static [u8]) -> Option<Texts> {
        let (bytes, ends): (&[u8], &[u8]) = postcard::from_bytes(bytes).ok()?;
        Texts::stored(bytes, ends)
    }

    /// Whether these are texts that ship with the program.
    pub(crate) fn is_built_in(&self) -> bool {
        matches!(self.bytes, Cow::Borrowed(_))
    }

    /// The text at a position, if it is UTF-8.
    pub fn get(&self, position: usize) -> Option<&str> {
        std::str::from_utf8(self.bytes(position)?).ok()
    }

    /// The bytes of the text at a position.
    #[inline]
    pub fn bytes(&self, position: usize) -> Option<&[u8]> {
        part(&self.bytes, &self.ends, position)
    }

    /// Number of texts.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All texts, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map_while(|position| self.get(position))
    }
}

impl<S: AsRef<[u8]>> FromIterator<S> for Texts {
    fn from_iter<I: IntoIterator<Item = S>>(texts: I) -> Texts {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for text in texts {
            bytes.extend_from_slice(text.as_ref());
            push_end(&mut ends, bytes.len());
        }
        Texts { bytes: Cow::Owned(bytes), ends: Cow::Owned(ends) }
    }
}

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The bytes at a position of parts that stand one after the other.
fn part<'a>(bytes: &'a [u8], ends: &[[u8; 4]], position: usize) -> Option<&'a [u8]> {
    let end = |position: usize| ends.get(position).map(|end| u32::from_le_bytes(*end) as usize);
    let start = match position.checked_sub(1) {
        Some(before) => end(before)?,
        None => 0,
    };
    bytes.get(start..end(position)?)
}

/// Adds an end to those of parts that stand one after the other.
fn push_end(ends: &mut Vec<[u8; 4]>, end: usize) {
    ends.push(u32::try_from(end).unwrap_or(u32::MAX).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_as_they_were() {
        let words = ["social security", "", "größe", "я"];
        let texts: Texts = words.iter().collect();
        assert!(texts.iter().eq(words) && texts.len() == 4 && !texts.is_built_in());
        assert_eq!((texts.get(2), texts.get(4)), (Some("größe"), None));
        assert_eq!(texts.bytes(1), Some(&b""[..]));
        assert!(Texts::default().is_empty() && Texts::default().get(0).is_none());
    }
}
