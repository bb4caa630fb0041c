//! Findings that do not count, and what says so.

use super::Finding;

/// What excepts a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExceptionKind {
    /// `sluice:allow RULE reason` on its line.
    Inline,
    /// An `[[exception]]` of the register of the machine.
    Register,
    /// An `[[exception]]` of the repository's `sluice.toml`.
    Repository,
    /// A line of `.sluice-baseline`.
    Baseline,
    /// A line of `.gitleaksignore`.
    GitleaksIgnore,
    /// `gitleaks:allow` on its line.
    GitleaksAllow,
    /// An entry of `.secrets.baseline` of detect-secrets.
    SecretsBaseline,
    /// `pragma: allowlist secret` on its line, or `nextline` before it.
    AllowlistSecret,
}

impl ExceptionKind {
    /// The word used in output and records.
    pub fn as_str(self) -> &'static str {
        match self {
            ExceptionKind::Inline => "inline",
            ExceptionKind::Register => "register",
            ExceptionKind::Repository => "repository",
            ExceptionKind::Baseline => "baseline",
            ExceptionKind::GitleaksIgnore => "gitleaksignore",
            ExceptionKind::GitleaksAllow => "gitleaks:allow",
            ExceptionKind::SecretsBaseline => "secrets.baseline",
            ExceptionKind::AllowlistSecret => "allowlist-secret",
        }
    }

    /// Whether it was written for another program. Such ones except secrets alone.
    pub fn is_foreign(self) -> bool {
        matches!(
            self,
            ExceptionKind::GitleaksIgnore
                | ExceptionKind::GitleaksAllow
                | ExceptionKind::SecretsBaseline
                | ExceptionKind::AllowlistSecret
        )
    }
}

/// A finding that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excepted {
    /// The finding.
    pub finding: Finding,
    /// What excepts it.
    pub kind: ExceptionKind,
    /// Why, in the words of who wrote the exception, with regulated data masked; to be escaped where
    /// it is shown. Empty where the kind has no reason.
    pub reason: String,
}
