//! Where tokens come from.

use crate::record::state::Random;
use crate::record::vault::{self, Vault};

/// Bytes of the longest value that gets a token; a longer one is masked. Tables and JSON take fewer
/// bytes for the same value, so that a vault can keep it.
pub const MAX_TOKEN_VALUE: usize = vault::MAX_VALUE;

/// Why there is no token.
pub type TokenFailure = Box<dyn std::error::Error + Send + Sync>;

/// Gives tokens for values.
pub trait Tokens {
    /// The token of a value of this category (its id): ASCII letters, digits and `[]:_.-`, at most
    /// 256. One that was never given out before must not be `taken`.
    ///
    /// # Errors
    ///
    /// As the keeper of the tokens fails; then nothing is released.
    fn token(
        &mut self,
        category: &str,
        value: &[u8],
        taken: &dyn Fn(&str) -> bool,
    ) -> Result<String, TokenFailure>;

    /// Makes every token that was given out durable. What was redacted with them must not be
    /// released before.
    ///
    /// # Errors
    ///
    /// As the keeper of the tokens fails; then nothing is released.
    fn commit(&mut self) -> Result<(), TokenFailure> {
        Ok(())
    }

    /// Whether somebody else has the keeper of the tokens just now, so that it is worth to come again.
    fn is_busy(&mut self) -> bool {
        false
    }
}

/// For where no category is tokenized: has no token for anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTokens;

/// Tokens of a vault.
pub struct VaultTokens<'a> {
    /// The vault of the flow.
    pub vault: &'a mut Vault,
    /// Random bytes.
    pub random: &'a mut Random<'a>,
}

/// Nothing that the vault keeps is shown.
impl std::fmt::Debug for VaultTokens<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VaultTokens").field("vault", &self.vault).finish_non_exhaustive()
    }
}

impl Tokens for VaultTokens<'_> {
    fn token(
        &mut self,
        category: &str,
        value: &[u8],
        taken: &dyn Fn(&str) -> bool,
    ) -> Result<String, TokenFailure> {
        Ok(self.vault.token(category, value, taken, self.random)?)
    }

    fn commit(&mut self) -> Result<(), TokenFailure> {
        Ok(self.vault.commit()?)
    }
}

/// Why [`NoTokens`] has none.
#[derive(Debug, thiserror::Error)]
#[error("no vault keeps tokens here; mask the category, or redact where there is a vault")]
struct NoVault;

impl Tokens for NoTokens {
    fn token(
        &mut self,
        _: &str,
        _: &[u8],
        _: &dyn Fn(&str) -> bool,
    ) -> Result<String, TokenFailure> {
        Err(Box::new(NoVault))
    }
}

/// Why a token is refused.
#[derive(Debug, thiserror::Error)]
#[error("the token has characters that a payload may give a meaning to, or is too long")]
struct MalformedToken;

/// The token, if it holds nothing that CSV, JSON or a pipe table gives a meaning to.
pub(super) fn checked(token: String) -> Result<String, TokenFailure> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"[]:_.-".contains(&byte);
    let sound = !token.is_empty() && token.len() <= 256 && token.bytes().all(allowed);
    if sound { Ok(token) } else { Err(Box::new(MalformedToken)) }
}
