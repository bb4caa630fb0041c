//! Signatures as `ssh-keygen -Y sign` makes them (OpenSSH, PROTOCOL.sshsig).

use ssh_key::public::KeyData;
use ssh_key::{
    Algorithm, EcdsaCurve, HashAlg, LineEnding, PrivateKey, PublicKey, Signature, SshSig,
};

/// Namespace of an approval's signature.
pub const GRANT_NAMESPACE: &str = "sluice-grant";

/// Namespace of a denial's signature: another one, so that neither can stand in for the other.
pub const DENIAL_NAMESPACE: &str = "sluice-denial";

/// Namespace of the signature of a request to reveal the value of a token.
pub const REVEAL_NAMESPACE: &str = "sluice-reveal";

/// The most bytes of an armored signature; one by an RSA key of 8192 bits has 3.1 KiB.
pub const MAX_SIGNATURE: usize = 8 * 1024;

/// The least bits of an RSA key.
const MIN_RSA_BITS: u32 = 3072;

/// The most bits of an RSA key: the work of a verification grows with them.
const MAX_RSA_BITS: u32 = 8192;

/// The most bytes of a public key's text.
const MAX_KEY: usize = 8 * 1024;

/// Bit of a security key's answer that says somebody touched it (FIDO CTAP 2.1 section 6.2.2, UP).
const PRESENT: u8 = 1;

/// Why a signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The registered key cannot be read.
    #[error("the public key is no line of the form `ssh-ed25519 AAAA...`")]
    Key,
    /// A key of a kind that does not count.
    #[error(
        "keys of kind `{0}` do not count: use ssh-ed25519, ecdsa-sha2-nistp256, ssh-rsa, or a \
         security key of the first two kinds"
    )]
    Kind(String),
    /// An RSA key that is too short or too long.
    #[error("an RSA key has {MIN_RSA_BITS} to {MAX_RSA_BITS} bits, and this one {0}")]
    Bits(u32),
    /// More bytes than [`MAX_SIGNATURE`], or no armored SSH signature.
    #[error("this is no armored SSH signature of at most {MAX_SIGNATURE} bytes")]
    Malformed,
    /// A signature for something else.
    #[error("the signature is for another namespace; sign with `-n {0}`")]
    Namespace(&'static str),
    /// Another digest than SHA-512, or an RSA signature with SHA-1.
    #[error("the signature is made with another digest than sha512")]
    Digest,
    /// A security key that nobody touched.
    #[error("nobody touched the security key")]
    Untouched,
    /// A signature by another key.
    #[error("the signature is by another key")]
    OtherKey,
    /// The signature is not over this text.
    #[error("the signature is not over this statement")]
    Wrong,
    /// The private key cannot sign.
    #[error("the key cannot sign")]
    CannotSign,
}

/// Reads a public key in OpenSSH form and checks that its signatures count.
///
/// # Errors
///
/// See [`SignatureError`].
pub fn public_key(line: &str) -> Result<KeyData, SignatureError> {
    if line.len() > MAX_KEY {
        return Err(SignatureError::Key);
    }
    let key = PublicKey::from_openssh(line.trim()).map_err(|_| SignatureError::Key)?;
    accepted(key.key_data())?;
    Ok(key.key_data().clone())
}

/// The key that an armored signature says it is by. Nothing of the signature was verified.
///
/// # Errors
///
/// It cannot be read.
pub fn signer(armored: &[u8]) -> Result<KeyData, SignatureError> {
    Ok(read(armored)?.public_key().clone())
}

/// Checks that an armored signature is over `message`, by `key`, for `namespace`.
///
/// # Errors
///
/// See [`SignatureError`].
pub fn verify(
    armored: &[u8],
    namespace: &'static str,
    message: &[u8],
    key: &KeyData,
) -> Result<(), SignatureError> {
    accepted(key)?;
    let signature = read(armored)?;
    if signature.public_key() != key {
        return Err(SignatureError::OtherKey);
    }
    if signature.namespace() != namespace {
        return Err(SignatureError::Namespace(namespace));
    }
    let sha1 = signature.algorithm() == Algorithm::Rsa { hash: None };
    if signature.hash_alg() != HashAlg::Sha512 || sha1 {
        return Err(SignatureError::Digest);
    }
    if !signature.reserved().is_empty() || signature.version() != SshSig::VERSION {
        return Err(SignatureError::Malformed);
    }
    let whole = PublicKey::new(key.clone(), "");
    whole.verify(namespace, message, &signature).map_err(|_| SignatureError::Wrong)?;
    // Flags and counter, five bytes, are the last of a security key's signature.
    let flags = signature.signature_bytes().iter().rev().nth(4);
    let touched = flags.is_some_and(|flags| flags & PRESENT == PRESENT);
    if matches!(key, KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_)) && !touched {
        return Err(SignatureError::Untouched);
    }
    Ok(())
}

/// Signs a message with a private key; the signature is armored.
///
/// # Errors
///
/// The key does not count, is encrypted, or is in a device.
pub fn sign(key: &PrivateKey, namespace: &str, message: &[u8]) -> Result<String, SignatureError> {
    accepted(key.public_key().key_data())?;
    let signature = key.sign(namespace, HashAlg::Sha512, message);
    let signature = signature.map_err(|_| SignatureError::CannotSign)?;
    signature.to_pem(LineEnding::LF).map_err(|_| SignatureError::CannotSign)
}

/// What an agent is asked to sign for a message.
///
/// # Errors
///
/// The namespace is empty.
pub fn agent_message(namespace: &str, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
    SshSig::signed_data(namespace, HashAlg::Sha512, message).map_err(|_| SignatureError::CannotSign)
}

/// Arms the signature that an agent answered, in the form of RFC 4253 section 6.6.
///
/// # Errors
///
/// The answer is no signature.
pub fn agent_signature(
    key: &KeyData,
    namespace: &str,
    answer: &[u8],
) -> Result<String, SignatureError> {
    let signature = Signature::try_from(answer).map_err(|_| SignatureError::Malformed)?;
    let signature = SshSig::new(key.clone(), namespace, HashAlg::Sha512, signature);
    let armored = signature.and_then(|signature| signature.to_pem(LineEnding::LF));
    armored.map_err(|_| SignatureError::Malformed)
}

fn read(armored: &[u8]) -> Result<SshSig, SignatureError> {
    if armored.len() > MAX_SIGNATURE {
        return Err(SignatureError::Malformed);
    }
    SshSig::from_pem(armored).map_err(|_| SignatureError::Malformed)
}

fn accepted(key: &KeyData) -> Result<(), SignatureError> {
    match key {
        KeyData::Ed25519(_) | KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => Ok(()),
        KeyData::Ecdsa(key) if key.curve() == EcdsaCurve::NistP256 => Ok(()),
        KeyData::Rsa(key) if (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&key.key_size()) => Ok(()),
        KeyData::Rsa(key) => Err(SignatureError::Bits(key.key_size())),
        other => Err(SignatureError::Kind(other.algorithm().as_str().to_owned())),
    }
}
