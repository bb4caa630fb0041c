//! Who executes a flow, as the kernel attests it.

use std::collections::BTreeSet;

use serde::Serialize;

/// What the kernel says of the process that asks. There is no way from a [`super::Claimed`] text
/// to a field of this type: its parts are numbers, digests and names that the kernel gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attested {
    /// User id of the peer.
    pub uid: u32,
    /// Group id of the peer.
    pub gid: u32,
    /// Supplementary groups of the peer, where the kernel says them.
    pub groups: BTreeSet<u32>,
    /// Process id of the peer.
    pub pid: u32,
    /// When the process started, in clock ticks since boot; with `pid` it names one process.
    pub start_time: u64,
    /// Its control group, as `/proc/PID/cgroup` gives it.
    pub cgroup: KernelName,
    /// The systemd unit that the control group names, where it names one.
    pub unit: Option<KernelName>,
    /// The program that runs.
    pub executable: Executable,
    /// Id of the workflow whose bearer token was presented, where one was.
    pub token_of: Option<TokenOf>,
    /// Whether the process that decides also is the one that asks, so that nobody but its user
    /// answers for what is attested.
    pub self_attested: bool,
}

/// A path or name that was read from the kernel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct KernelName(String);

impl KernelName {
    /// Takes a name that was read from `/proc`. Control characters are replaced by `?`.
    pub fn read(bytes: &[u8]) -> KernelName {
        let text = String::from_utf8_lossy(bytes);
        KernelName(text.chars().map(|c| if c.is_control() { '?' } else { c }).collect())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A workflow whose secret bearer token the peer knew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct TokenOf {
    workflow: String,
}

impl TokenOf {
    /// States that the token of this registered workflow was compared and equal.
    pub fn verified(registered: &str) -> TokenOf {
        TokenOf { workflow: registered.to_owned() }
    }

    /// Id of the workflow.
    pub fn workflow(&self) -> &str {
        &self.workflow
    }
}

/// The program that a process runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Executable {
    /// It could be read.
    Known {
        /// Its path.
        path: KernelName,
        /// SHA-256 of its content, in lower-case hex digits.
        sha256: String,
    },
    /// It could not be read, and why.
    Unavailable(&'static str),
}

impl Attested {
    /// The identity that approvals bind to: the user and, where one is known, the unit.
    pub fn executor(&self) -> String {
        match &self.unit {
            Some(unit) => format!("uid:{} unit:{}", self.uid, unit.as_str()),
            None => format!("uid:{}", self.uid),
        }
    }
}
