//! Many short texts in one piece: those that ship with the program are used where they stand in it.

use std::borrow::Cow;

use super::list::{part, push_end};

/// Texts by position; they do not change.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Texts {
    bytes: Cow<'static, [u8]>,
    ends: Cow<'static, [[u8; 4]]>,
}

impl Texts {
    /// Texts that were packed into the program: one after the other, and where each ends.
    pub(crate) fn stored(bytes: &'static [u8], ends: &'static [[u8; 4]]) -> Texts {
        Texts { bytes: Cow::Borrowed(bytes), ends: Cow::Borrowed(ends) }
    }

    /// What [`Texts::stored`] takes.
    pub(crate) fn pack(&self) -> (&[u8], &[u8]) {
        (&self.bytes, self.ends.as_flattened())
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
