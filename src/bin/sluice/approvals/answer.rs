//! `sluice approvals approve` and `deny`.

use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use sluicegate::approve::{
    self, Approval, DENIAL_NAMESPACE, Denial, GRANT_NAMESPACE, GrantRefusal, MAX_SIGNATURE,
    Statement,
};
use sluicegate::policy::Approver;
use sluicegate::record::EscalationId;
use sluicegate::record::inbox::{self, Kind};
use ssh_key::public::KeyData;
use ssh_key::{PrivateKey, PublicKey};

use super::agent::Agent;
use super::{Desk, Place, Standing, read, show};
use crate::UsageError;
use crate::names::shown;

/// The most bytes of a key file.
const MAX_KEY_FILE: usize = 64 * 1024;

/// Sign a statement and leave the signature in the inbox.
///
/// Shows the statement first and asks. Signs with the key file, or with the SSH agent, which knows
/// keys with a passphrase and security keys.
#[derive(Debug, clap::Args)]
pub struct Approve {
    #[command(flatten)]
    answer: Answer,

    /// Leave this signature, made by `ssh-keygen -Y sign -n sluice-grant`, instead of making one
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    signature: Option<PathBuf>,
}

/// End an escalation.
///
/// The denial is signed as an approval is; one is enough, whatever was approved.
#[derive(Debug, clap::Args)]
pub struct Deny {
    #[command(flatten)]
    answer: Answer,

    /// Why, for those who asked; no regulated data
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, clap::Args)]
struct Answer {
    /// Id of the escalation
    #[arg(value_parser = super::id)]
    id: EscalationId,

    #[command(flatten)]
    place: Place,

    /// The statement as you were sent it, where the state directory is another user's
    #[arg(long, value_name = "FILE")]
    statement: Option<PathBuf>,

    /// A private key in OpenSSH form without a passphrase, or a public key that the agent has
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// Do not ask; for scripts
    #[arg(long)]
    yes: bool,
}

/// Runs `approve`.
pub fn approve(arguments: &Approve) -> anyhow::Result<ExitCode> {
    let answer = &arguments.answer;
    let desk = Desk::open(&answer.place)?;
    let (bytes, statement) = answer.open(&desk)?;
    let made = match &arguments.signature {
        Some(path) => Made::Given(read_signature(path)?),
        None => Made::With(answer.signer(&desk)?),
    };
    let approver = registered(&desk, &made.key()?)?;
    desk.authority().may_approve(&statement, &approver.id).map_err(refused)?;
    answer.ask(&format!("Approve as `{}`?", approver.id))?;
    let signature = match made {
        Made::Given(signature) => signature,
        Made::With(mut signer) => signer.sign(GRANT_NAMESPACE, &bytes)?,
    };
    let time = desk.now.seconds();
    let approval = Approval { approver: approver.id.clone(), time, signature };
    desk.authority().check(&bytes, &approval).map_err(refused)?;
    answer.leave(approver, Kind::Approval, approval.signature.as_bytes())?;
    anstream::eprintln!("signed; it counts when the payload is presented again");
    Ok(ExitCode::SUCCESS)
}

/// Runs `deny`.
pub fn deny(arguments: &Deny) -> anyhow::Result<ExitCode> {
    let answer = &arguments.answer;
    let desk = Desk::open(&answer.place)?;
    let (bytes, statement) = answer.open(&desk)?;
    let mut signer = answer.signer(&desk)?;
    let approver = registered(&desk, signer.key())?;
    answer.ask(&format!("Deny as `{}`?", approver.id))?;
    let denial = Denial {
        id: statement.id,
        statement: Statement::digest(&bytes),
        approver: approver.id.clone(),
        // It is kept and recorded, where no regulated data may be.
        reason: crate::names::clean_message(&arguments.reason, std::iter::empty()),
    };
    let signed = denial.to_bytes().context("the denial cannot be written")?;
    let signature = signer.sign(DENIAL_NAMESPACE, &signed)?;
    desk.authority().check_denial(&bytes, &signed, signature.as_bytes()).map_err(|refusal| {
        match refusal {
            GrantRefusal::Denial => {
                UsageError("a reason has at most 1000 bytes and no control characters".into())
                    .into()
            }
            other => refused(other),
        }
    })?;
    answer.leave(approver, Kind::Denial, &Denial::pack(&signed, &signature))?;
    anstream::eprintln!("denied");
    Ok(ExitCode::SUCCESS)
}

impl Answer {
    /// The statement, shown to whoever is about to answer. One that nobody can answer any more is
    /// refused.
    fn open(&self, desk: &Desk) -> anyhow::Result<(Vec<u8>, Statement)> {
        let (bytes, kept) = desk.statement(&self.place, self.id, self.statement.as_deref())?;
        let statement = Statement::parse(&bytes)?;
        let standing = kept.map(|kept| Standing::of(desk, &kept));
        let text = standing.as_ref().map(Standing::text);
        anstream::eprint!("{}", show::human(desk, &statement, &bytes, text.as_deref())?);
        let over = desk.now.seconds() >= statement.expires;
        match standing {
            Some(Standing { word: "used" | "denied" | "expired", .. }) => {
                Err(UsageError(format!("the escalation is {}", text.unwrap_or_default())).into())
            }
            _ if over => Err(UsageError("the time to answer is over".into()).into()),
            _ => Ok((bytes, statement)),
        }
    }

    fn signer(&self, desk: &Desk) -> anyhow::Result<Signer> {
        signer(self.key.as_deref(), desk)
    }

    fn ask(&self, question: &str) -> anyhow::Result<()> {
        if self.yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            let text = "there is no terminal to ask on; a script says --yes";
            return Err(UsageError(text.into()).into());
        }
        anstream::eprint!("{question} [y/N] ");
        std::io::stderr().flush()?;
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        if matches!(line.trim(), "y" | "Y" | "yes") {
            return Ok(());
        }
        Err(UsageError("nothing was signed".into()).into())
    }

    fn leave(&self, approver: &Approver, kind: Kind, content: &[u8]) -> anyhow::Result<()> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| anyhow::anyhow!("no random numbers"))?;
        let (state, random) = (self.place.state.path()?, u64::from_le_bytes(random));
        inbox::leave(&state, self.id, &approver.id, kind, content, random)
            .with_context(|| format!("cannot use the inbox of `{}`", shown(&state)))
    }
}

/// What signs: a key file, or the agent.
pub fn signer(key: Option<&Path>, desk: &Desk) -> anyhow::Result<Signer> {
    let Some(path) = key else {
        let mut agent = connect()?;
        let key = agent_key(desk, &mut agent)?;
        return Ok(Signer::Agent(agent, key));
    };
    let name = shown(path);
    let cannot = || UsageError(format!("cannot read the key file `{name}`"));
    let content = zeroize::Zeroizing::new(read(path, MAX_KEY_FILE).with_context(cannot)?);
    let Ok(private) = PrivateKey::from_openssh(&*content) else {
        let line = std::str::from_utf8(&content).ok();
        let key = line.and_then(|line| PublicKey::from_openssh(line.trim()).ok());
        let text = || UsageError(format!("`{name}` is no key in OpenSSH form"));
        return through_agent(key.with_context(text)?.key_data(), &name);
    };
    let device = matches!(
        private.public_key().key_data(),
        KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_)
    );
    if private.is_encrypted() || device {
        return through_agent(private.public_key().key_data(), &name);
    }
    if std::fs::metadata(path)?.mode() & 0o077 != 0 {
        let text = format!("others can read `{name}`; run `chmod 600` on it");
        return Err(UsageError(text).into());
    }
    Ok(Signer::File(Box::new(private)))
}

/// A signature that is there, or what makes one.
enum Made {
    Given(String),
    With(Signer),
}

impl Made {
    fn key(&self) -> anyhow::Result<KeyData> {
        match self {
            Made::Given(signature) => {
                let signer = approve::signer(signature.as_bytes());
                Ok(signer.map_err(|error| UsageError(error.to_string()))?)
            }
            Made::With(signer) => Ok(signer.key().clone()),
        }
    }
}

/// What makes signatures.
pub enum Signer {
    File(Box<PrivateKey>),
    Agent(Agent, KeyData),
}

impl Signer {
    /// Its public key.
    pub fn key(&self) -> &KeyData {
        match self {
            Signer::File(key) => key.public_key().key_data(),
            Signer::Agent(_, key) => key,
        }
    }

    /// Signs a message in a namespace.
    pub fn sign(&mut self, namespace: &str, message: &[u8]) -> anyhow::Result<String> {
        match self {
            Signer::File(key) => Ok(approve::sign(key, namespace, message)?),
            Signer::Agent(agent, key) => {
                let wire = PublicKey::new(key.clone(), "").to_bytes()?;
                if matches!(key, KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_)) {
                    anstream::eprintln!("touch the security key");
                }
                let answer = agent.sign(&wire, &approve::agent_message(namespace, message)?)?;
                Ok(approve::agent_signature(key, namespace, &answer)?)
            }
        }
    }
}

fn connect() -> anyhow::Result<Agent> {
    let socket = std::env::var_os("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty());
    let text = "no --key FILE, and no SSH agent either (SSH_AUTH_SOCK is not set)";
    let socket = socket.ok_or_else(|| UsageError(text.into()))?;
    Agent::connect(Path::new(&socket)).map_err(|error| UsageError(format!("{error:#}")).into())
}

/// The one key of the agent that an approver is registered with.
fn agent_key(desk: &Desk, agent: &mut Agent) -> anyhow::Result<KeyData> {
    let keys = agent.keys()?.into_iter().filter_map(|wire| {
        let key = PublicKey::from_bytes(&wire).ok()?.key_data().clone();
        desk.authority().approver_of(&key).map(|_| key)
    });
    let mut keys: Vec<KeyData> = keys.collect();
    match (keys.pop(), keys.is_empty()) {
        (Some(key), true) => Ok(key),
        (None, _) => {
            let text = "the SSH agent has no key of a registered approver; see `ssh-add -L`";
            Err(UsageError(text.into()).into())
        }
        (Some(_), false) => {
            let text = "the SSH agent has keys of several approvers; name one with --key FILE.pub";
            Err(UsageError(text.into()).into())
        }
    }
}

/// A key that is in the agent, since the file alone cannot sign.
fn through_agent(key: &KeyData, name: &str) -> anyhow::Result<Signer> {
    let wire = PublicKey::new(key.clone(), "").to_bytes()?;
    let hint = || {
        let text = format!(
            "`{name}` cannot sign by itself: it has a passphrase, is in a device, or is the public \
             half; use ssh-agent (`ssh-add`), or `ssh-keygen -Y sign -n {GRANT_NAMESPACE}` and \
             --signature FILE"
        );
        UsageError(text)
    };
    let mut agent = connect().with_context(hint)?;
    if !agent.keys()?.contains(&wire) {
        return Err(hint().into());
    }
    Ok(Signer::Agent(agent, key.clone()))
}

fn read_signature(path: &Path) -> anyhow::Result<String> {
    let cannot = || UsageError(format!("cannot read the signature `{}`", shown(path)));
    let bytes = read(path, MAX_SIGNATURE).with_context(cannot)?;
    String::from_utf8(bytes).with_context(cannot)
}

pub fn registered<'a>(desk: &'a Desk, key: &KeyData) -> anyhow::Result<&'a Approver> {
    let text = "no approver is registered with this key; see `[[approver]]` in sluice.toml";
    desk.authority().approver_of(key).ok_or_else(|| UsageError(text.into()).into())
}

fn refused(refusal: GrantRefusal) -> anyhow::Error {
    UsageError(refusal.to_string()).into()
}
