//! What decides: rules, policy and keys, swapped as a whole.

use std::sync::Arc;

use data_encoding::HEXLOWER;

use super::peer::Tokens;
use crate::RuleSet;
use crate::config::{Config, Serve};
use crate::engine::{Control, Options, ScannedNames, Scanner};
use crate::policy::Policy;
use crate::record::Macs;

/// Findings of a payload that is only classified, where the configuration says nothing.
const CLASSIFIED_FINDINGS: usize = 10_000;

/// Findings of a payload that is decided, so that all of them can be redacted.
const DECIDED_FINDINGS: usize = 200_000;

/// What was loaded: rules and a register.
pub struct Loaded {
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// The register and the settings.
    pub config: Config,
    /// The file of the register, as messages name it; none where the defaults decide.
    pub file: Option<String>,
    /// Its path.
    pub path: Option<std::path::PathBuf>,
    /// Bearer tokens of its workflows.
    pub tokens: Tokens,
}

/// Reads rules and register anew. The error is a message for a person.
pub type Loader = Box<dyn Fn() -> Result<Loaded, String> + Send + Sync>;

/// What a request is decided with, from its first byte to its last.
pub struct InForce {
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// Finds with fingerprints under the key of the ledger's epoch.
    pub scanner: Scanner,
    /// Finds with fingerprints under the key of this run.
    pub classifier: Scanner,
    /// Masks regulated data in texts of headers.
    pub names: ScannedNames,
    /// The register.
    pub policy: Policy,
    /// The keyed MACs.
    pub macs: Macs,
    /// Bearer tokens of workflows.
    pub tokens: Tokens,
    /// How the daemon runs.
    pub settings: Serve,
    /// The file of the register.
    pub file: Option<String>,
    /// Counts up with each reload.
    pub generation: u64,
}

impl InForce {
    /// Prepares what was loaded. `run_key` is that of the fingerprints that are shown.
    pub fn new(loaded: Loaded, macs: Macs, run_key: [u8; 32], generation: u64) -> InForce {
        let Loaded { rules, config, file, tokens, .. } = loaded;
        let found = config.settings.max_findings;
        let options = Options {
            max_findings: found.unwrap_or(DECIDED_FINDINGS),
            fingerprint_key: Some(macs.value_key()),
            context_hashes: false,
            ..Options::default()
        };
        let scanner = Scanner::new(Arc::clone(&rules), options);
        let classifier = scanner.with(Options {
            max_findings: found.unwrap_or(CLASSIFIED_FINDINGS),
            fingerprint_key: Some(run_key),
            context_hashes: false,
            ..Options::default()
        });
        let names = ScannedNames::new(&scanner);
        let (policy, settings) = (config.policy, config.settings.serve);
        InForce {
            rules,
            scanner,
            classifier,
            names,
            policy,
            macs,
            tokens,
            settings,
            file,
            generation,
        }
    }

    /// A keyed MAC of all bearer tokens, in hex digits: whether they are other ones than before.
    pub fn tokens_mac(&self) -> String {
        let digest = HEXLOWER.encode(&self.tokens.digest());
        HEXLOWER.encode(&self.macs.claim("tokens", &digest))
    }

    /// What decides a flow.
    pub fn control(&self) -> Control<'_> {
        Control {
            scanner: &self.scanner,
            policy: &self.policy,
            macs: &self.macs,
            names: &self.names,
        }
    }
}
