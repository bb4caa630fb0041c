//! What is recorded and told beside a decision: the policy that came into force, and the paths that
//! hear of escalations and decisions.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use data_encoding::HEXLOWER;
use serde_json::json;
use sluicegate::RuleSet;
use sluicegate::engine::{self, Settled};
use sluicegate::policy::{EventPath, Policy};
use sluicegate::record::{Ledger, State};
use sluicegate::rules::Taxonomy;
use sluicegate::serve::clock;
use sluicegate::serve::messenger::{self, Told};

use crate::ledger::entry;
use crate::register::Loaded;

/// What was in force last, in the state directory.
const LAST: &str = "policy_load";

/// Records that another policy or other rules are in force than at the last decision.
pub fn policy(
    state: &State,
    ledger: &Ledger,
    loaded: &Loaded,
    rules: &RuleSet,
) -> anyhow::Result<()> {
    let policy = &loaded.config.policy;
    let digests = (HEXLOWER.encode(&policy.digest()), HEXLOWER.encode(&rules.digest));
    let last = format!("{} {}\n", digests.0, digests.1);
    let path = state.path().join(LAST);
    let before = fs::read_to_string(&path).unwrap_or_default();
    if before == last {
        return Ok(());
    }
    ledger.append(|sequence| {
        entry::build(
            sequence,
            "policy_load",
            &[
                ("file", json!(loaded.file)),
                ("policy_digest", json!(digests.0)),
                ("rule_digest", json!(digests.1)),
                ("engine_version", json!(crate::register::ENGINE)),
                ("destinations", json!(policy.destinations().len())),
                ("workflows", json!(policy.workflows().len())),
                ("rules", json!(policy.rules().len())),
                ("approvers", json!(policy.approvers().len())),
                ("previous", json!(before.split(' ').next().filter(|it| !it.is_empty()))),
            ],
        )
    })?;
    replace(&path, last.as_bytes()).context("cannot note the policy in the state directory")
}

/// Forgets what was in force last: a daemon records what it loads itself, so whoever decides after it
/// has to say again what is.
pub fn forget_policy(state: &State) {
    let _ = fs::remove_file(state.path().join(LAST));
}

/// Writes a file of the state directory whole or not at all.
fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

/// Tells the paths of the workflow. Whatever goes wrong with that is recorded, and changes nothing
/// of the decision.
pub fn paths(state: &State, settled: &Settled, policy: &Policy, taxonomy: &Taxonomy) {
    for (id, event) in engine::events_of(settled, policy, taxonomy) {
        tell(state, policy, id, event);
    }
}

fn tell(
    state: &State,
    policy: &Policy,
    id: &str,
    event: serde_json::Map<String, serde_json::Value>,
) {
    let Some(path) = policy.paths().iter().find(|path| path.id == id) else { return };
    let problem = match told(state, path, event) {
        Ok(Told::Yes(_) | Told::HeldBack(_)) => return,
        Err(problem) => format!("{problem:#}"),
    };
    anstream::eprintln!("sluice: path `{id}` was not told: {problem}");
    let recorded = crate::ledger::open(state).and_then(|ledger| {
        let fields = [("path", json!(id)), ("problem", json!(problem))];
        Ok(ledger.append(|sequence| entry::build(sequence, "path_failed", &fields))?)
    });
    if let Err(error) = recorded {
        anstream::eprintln!("sluice: that cannot be recorded: {error:#}");
    }
}

fn told(
    state: &State,
    path: &EventPath,
    event: serde_json::Map<String, serde_json::Value>,
) -> anyhow::Result<Told> {
    let now = clock::now()?.seconds();
    Ok(messenger::tell(path, event, &state.path().join("pending"), now)?)
}
