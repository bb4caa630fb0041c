//! Signatures that OpenSSH makes and checks.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};
use sluicegate::approve::{self, DENIAL_NAMESPACE, GRANT_NAMESPACE, SignatureError};
use ssh_key::private::Ed25519Keypair;
use ssh_key::public::{KeyData, SkEd25519};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, Signature, SigningKey, SshSig};

use crate::approve as fixture;

/// Whether `ssh-keygen` is there; says so loudly where it is not.
pub fn has_ssh_keygen() -> bool {
    let mut asked = Command::new("ssh-keygen");
    let there = asked.arg("-?").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !there {
        eprintln!("NOT TESTED: ssh-keygen is missing (apt-get install openssh-client)");
    }
    there
}

pub fn ssh_keygen(folder: &Path, arguments: &[&str]) {
    let output = Command::new("ssh-keygen")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("ssh-keygen starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn ssh_keygen_accepts_our_signatures() {
    if !has_ssh_keygen() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = fixture::bytes_of(&fixture::statement());
    let key = fixture::key(1);
    let signature = approve::sign(&key, GRANT_NAMESPACE, &bytes).expect("it signs");
    fs::write(folder.path().join("statement.sig"), signature).expect("written");
    let public = key.public_key().to_openssh().expect("it can be written");
    fs::write(folder.path().join("allowed"), format!("anna {public}\n")).expect("written");
    let verify = |namespace: &str, statement: &[u8]| {
        fs::write(folder.path().join("statement"), statement).expect("written");
        let statement = fs::File::open(folder.path().join("statement")).expect("opened");
        Command::new("ssh-keygen")
            .args(["-Y", "verify", "-f", "allowed", "-I", "anna", "-s", "statement.sig", "-n"])
            .arg(namespace)
            .current_dir(folder.path())
            .stdin(statement)
            .output()
            .expect("ssh-keygen starts")
            .status
            .success()
    };
    assert!(verify(GRANT_NAMESPACE, &bytes));
    assert!(!verify(DENIAL_NAMESPACE, &bytes));
    assert!(!verify(GRANT_NAMESPACE, &bytes[1..]));
}

#[test]
fn signatures_of_ssh_keygen_are_accepted() {
    if !has_ssh_keygen() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let bytes = fixture::bytes_of(&fixture::statement());
    let signed = |kind: &str, bits: &str, options: &[&str]| {
        let _ = fs::remove_file(at("key"));
        let _ = fs::remove_file(at("statement.sig"));
        ssh_keygen(folder.path(), &["-q", "-t", kind, "-b", bits, "-N", "", "-f", "key"]);
        fs::write(at("statement"), &bytes).expect("written");
        let fixed = ["-q", "-Y", "sign", "-f", "key", "-n", GRANT_NAMESPACE];
        ssh_keygen(folder.path(), &[&fixed[..], options, &["statement"]].concat());
        let public = fs::read_to_string(at("key.pub")).expect("read");
        let signature = fs::read(at("statement.sig")).expect("read");
        let key = approve::public_key(&public)?;
        assert_eq!(approve::signer(&signature).as_ref(), Ok(&key));
        assert_eq!(
            approve::verify(&signature, GRANT_NAMESPACE, b"other", &key),
            Err(SignatureError::Wrong)
        );
        approve::verify(&signature, GRANT_NAMESPACE, &bytes, &key)
    };
    assert_eq!(signed("ed25519", "256", &[]), Ok(()));
    assert_eq!(signed("ecdsa", "256", &[]), Ok(()));
    assert_eq!(signed("rsa", "3072", &[]), Ok(()));
    assert_eq!(signed("rsa", "2048", &[]), Err(SignatureError::Bits(2048)));
    let kind = SignatureError::Kind("ecdsa-sha2-nistp384".to_owned());
    assert_eq!(signed("ecdsa", "384", &[]), Err(kind));
    let sha256 = &["-O", "hashalg=sha256"];
    let refused = {
        ssh_keygen(folder.path(), &["-q", "-t", "ed25519", "-N", "", "-f", "second"]);
        fs::write(at("statement"), &bytes).expect("written");
        let _ = fs::remove_file(at("statement.sig"));
        let fixed = ["-q", "-Y", "sign", "-f", "second", "-n", GRANT_NAMESPACE];
        ssh_keygen(folder.path(), &[&fixed[..], sha256, &["statement"]].concat());
        let key = approve::public_key(&fs::read_to_string(at("second.pub")).expect("read"));
        let signature = fs::read(at("statement.sig")).expect("read");
        approve::verify(&signature, GRANT_NAMESPACE, &bytes, &key.expect("a key"))
    };
    assert_eq!(refused, Err(SignatureError::Digest));
}

fn sign_with(key: &impl SigningKey, message: &[u8]) -> Signature {
    key.try_sign(message).expect("it signs")
}

/// What a security key answers (PROTOCOL.u2f): there is none here to ask.
fn security_key(flags: u8, application: &str, message: &[u8]) -> (KeyData, String) {
    let pair = Ed25519Keypair::from_seed(&[8; 32]);
    let key = KeyData::SkEd25519(SkEd25519::new(pair.public, application));
    let data = approve::agent_message(GRANT_NAMESPACE, message).expect("a namespace");
    let trailer = [&[flags][..], &7u32.to_be_bytes()].concat();
    let signed = [&Sha256::digest(application)[..], &trailer, &Sha256::digest(&data)].concat();
    let inner = sign_with(&PrivateKey::from(pair), &signed);
    let whole = [inner.as_bytes(), &trailer].concat();
    let signature = Signature::new(Algorithm::SkEd25519, whole).expect("a signature");
    let signature = SshSig::new(key.clone(), GRANT_NAMESPACE, HashAlg::Sha512, signature);
    (key, signature.and_then(|it| it.to_pem(LineEnding::LF)).expect("it is armored"))
}

#[test]
fn security_keys_have_to_be_touched() {
    let (key, touched) = security_key(1, "ssh:", b"text");
    assert_eq!(approve::verify(touched.as_bytes(), GRANT_NAMESPACE, b"text", &key), Ok(()));
    let (key, untouched) = security_key(0, "ssh:", b"text");
    let refused = approve::verify(untouched.as_bytes(), GRANT_NAMESPACE, b"text", &key);
    assert_eq!(refused, Err(SignatureError::Untouched));
    let (_, elsewhere) = security_key(1, "ssh:elsewhere", b"text");
    let refused = approve::verify(elsewhere.as_bytes(), GRANT_NAMESPACE, b"text", &key);
    assert_eq!(refused, Err(SignatureError::OtherKey));
}
