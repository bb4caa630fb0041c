//! The name of an escalation.

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};

/// Names one escalation, and the grant that may come of it: 128 random bits, written as 26 letters
/// and digits of base32 (RFC 4648 section 6) in lower case, so that it can be a file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct EscalationId([u8; 16]);

/// A text that is no [`EscalationId`]. Holds nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an escalation id has 26 characters, a to z and 2 to 7")]
pub struct NoEscalationId;

impl EscalationId {
    /// Takes 128 random bits as a name.
    pub const fn new(random: [u8; 16]) -> EscalationId {
        EscalationId(random)
    }

    /// Reads the one written form.
    ///
    /// # Errors
    ///
    /// The text is anything else.
    pub fn parse(text: &str) -> Result<EscalationId, NoEscalationId> {
        // The length first: what follows makes copies.
        if text.len() != 26 || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(NoEscalationId);
        }
        let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes());
        let bytes = bytes.ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(EscalationId).ok_or(NoEscalationId)
    }
}

impl std::fmt::Display for EscalationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl From<EscalationId> for String {
    fn from(id: EscalationId) -> String {
        id.to_string()
    }
}

impl TryFrom<String> for EscalationId {
    type Error = NoEscalationId;

    fn try_from(text: String) -> Result<EscalationId, NoEscalationId> {
        EscalationId::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_written_form() {
        let id = EscalationId::new(*b"0123456789abcdef");
        let text = id.to_string();
        assert_eq!(text, "gaytemzugu3doobzmfrggzdfmy");
        assert_eq!(EscalationId::parse(&text), Ok(id));
        let wrong = [
            "",
            "gaytemzugu3doobzmfrggzdfm",
            "GAYTEMZUGU3DOOBZMFRGGZDFMY",
            "../../../../../etc/passwdx",
            // Bits behind the 128th.
            "gaytemzugu3doobzmfrggzdfmz",
            "gaytemzugu3doobzmfrggzdfm1",
        ];
        for wrong in wrong {
            assert_eq!(EscalationId::parse(wrong), Err(NoEscalationId), "{wrong}");
        }
    }
}
