//! What belongs to a destination.

/// What a matcher looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatcherKind {
    /// Host and path of a URL.
    Url,
    /// A bucket of an object store.
    Bucket,
    /// The domain of an e-mail address.
    EmailDomain,
    /// The name of a tool.
    Tool,
    /// A path of a file.
    Path,
}

/// One way in which a destination is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    kind: MatcherKind,
    text: String,
}

/// Why a text is no matcher.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MatcherError {
    /// It is empty.
    #[error("a matcher is empty")]
    Empty,
}

impl Matcher {
    /// Reads a matcher.
    ///
    /// # Errors
    ///
    /// See [`MatcherError`].
    pub fn parse(kind: MatcherKind, text: &str) -> Result<Matcher, MatcherError> {
        if text.is_empty() {
            return Err(MatcherError::Empty);
        }
        Ok(Matcher { kind, text: text.to_owned() })
    }

    /// How special the matcher is for this destination; none where it does not match.
    pub(super) fn matches(&self, destination: &str) -> Option<u64> {
        (self.text == destination).then_some(u64::MAX)
    }

    /// A matcher that reaches just as far, for finding ties.
    pub(super) fn key(&self) -> (MatcherKind, String) {
        (self.kind, self.text.clone())
    }
}
