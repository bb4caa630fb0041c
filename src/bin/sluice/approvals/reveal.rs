//! `sluice reveal`: the value behind a token.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use serde_json::json;
use sluicegate::approve::{REVEAL_NAMESPACE, verify};
use sluicegate::record::State;
use sluicegate::record::vault::{Asker, VaultError};

use super::answer::{registered, signer};
use super::{Desk, Place};
use crate::UsageError;
use crate::state::{refused, vaults};

/// Reveal the value behind a token of a redacted payload
///
/// An approver signs the request with the key that is registered in `sluice.toml` for the token's
/// category; who asked, why and for which token is durable in the ledger before the value is printed.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The token, as it stands in the redacted payload
    #[arg(value_name = "TOKEN")]
    token: String,

    #[command(flatten)]
    place: Place,

    /// Why, for the record; no regulated data
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// A private key in OpenSSH form without a passphrase, or a public key that the agent has
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(&arguments.place)?;
    let mut signer = signer(arguments.key.as_deref(), &desk)?;
    let key = signer.key().clone();
    let approver = registered(&desk, &key)?;
    let reason = crate::names::clean_message(&arguments.reason, std::iter::empty());
    let request = json!({
        "v": 1,
        "reveal": arguments.token,
        "approver": approver.id,
        "time": desk.now.seconds(),
        "reason": reason,
    })
    .to_string();
    let signature = signer.sign(REVEAL_NAMESPACE, request.as_bytes())?;
    verify(signature.as_bytes(), REVEAL_NAMESPACE, request.as_bytes(), &key)
        .map_err(|error| UsageError(error.to_string()))?;

    let state = State::open(&arguments.place.state.path()?).map_err(refused)?;
    let vaults = vaults(&state)?;
    let revealed =
        vaults.reveal(&arguments.token, Asker::Approver, desk.now.seconds()).map_err(|error| {
            match error {
                VaultError::Io(_) => anyhow::Error::new(error),
                error => UsageError(error.to_string()).into(),
            }
        })?;
    let ledger = crate::ledger::open(&state)?;
    let category = desk.rules.taxonomy.find(&revealed.category);
    if !category.is_some_and(|category| approver.categories.contains(category)) {
        let fields = [
            ("token", json!(arguments.token)),
            ("category", json!(revealed.category)),
            ("approver", json!(approver.id)),
            ("uid", json!(rustix::process::getuid().as_raw())),
            ("revealed", json!(false)),
        ];
        ledger.append(|sequence| crate::ledger::entry::build(sequence, "reveal", &fields))?;
        let text = format!("`{}` may not see values of `{}`", approver.id, revealed.category);
        return Err(UsageError(text).into());
    }
    let receipt = ledger.append(|sequence| {
        crate::ledger::entry::build(
            sequence,
            "reveal",
            &[
                ("token", json!(arguments.token)),
                ("category", json!(revealed.category)),
                ("revealed", json!(true)),
                ("executor", json!(revealed.scope.workload())),
                ("approver", json!(approver.id)),
                ("approver_uid", json!(approver.uid)),
                ("uid", json!(rustix::process::getuid().as_raw())),
                ("reason", json!(reason)),
                ("request", json!(request)),
                ("signature", json!(signature)),
            ],
        )
    })?;
    anstream::eprintln!("recorded as entry {}", receipt.sequence);
    let mut out = std::io::stdout().lock();
    out.write_all(&revealed.value)
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush())
        .context("cannot write the value")?;
    Ok(ExitCode::SUCCESS)
}
