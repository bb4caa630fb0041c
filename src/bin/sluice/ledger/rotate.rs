//! `sluice ledger rotate-keys`.

use std::process::ExitCode;

use sluicegate::record::{Signer, State};
use zeroize::Zeroizing;

use super::{entry, open, print, random};
use crate::state::{StateDir, refused};

/// Put a new signing key and a new key for fingerprints in place.
///
/// Both signing keys sign the entry about it, so that whoever trusts the old one can follow. The
/// public keys of both stay; old keys for fingerprints (`keys/mac.*`) stay until somebody removes
/// them, and the log can be verified without them.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    state: StateDir,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let state = State::open(&arguments.state.path()?).map_err(refused)?;
    let mut ledger = open(&state)?;
    let mut seed = Zeroizing::new([0; 32]);
    random(&mut seed[..])?;
    let next = Signer::from_seed(&ledger.origin(), &seed)?;
    let new = next.vkey().to_string();
    let epoch = state.new_mac_epoch(&mut random).map_err(refused)?;
    ledger.rotate(&state, next, |sequence, old, new| {
        let fields = [
            ("old_key", old.to_string().into()),
            ("new_key", new.to_string().into()),
            ("mac_epoch", epoch.into()),
        ];
        entry::build(sequence, "key_rotate", &fields)
    })?;
    ledger.close()?;
    print(format!("new keys; fingerprints are of epoch {epoch} from here on\n{new}\n").as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
