//! The key of the fingerprints: from a file, or a new one each run.

use std::io::Read;
use std::path::Path;

use anyhow::Context;

use crate::UsageError;

/// Bytes that are read of a key file; far more than a key has.
const KEY_FILE_BYTES: u64 = 4096;

/// The key in `file`, 32 bytes raw or 64 hex digits; without a file a random one, so that
/// fingerprints of different runs cannot be compared.
pub fn fingerprint_key(file: Option<&Path>) -> anyhow::Result<[u8; 32]> {
    let Some(path) = file else {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|_| anyhow::anyhow!("no random numbers for a key"))?;
        return Ok(key);
    };
    let shown = crate::names::shown(path);
    let mut content = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(KEY_FILE_BYTES).read_to_end(&mut content))
        .map_err(|error| UsageError(error.to_string()))
        .with_context(|| format!("cannot read the key file `{shown}`"))?;
    parse(&content).ok_or_else(|| {
        let text = format!("the key file `{shown}` holds neither 32 bytes nor 64 hex digits");
        UsageError(text).into()
    })
}

fn parse(content: &[u8]) -> Option<[u8; 32]> {
    <[u8; 32]>::try_from(content).ok().or_else(|| {
        let decoded = data_encoding::HEXLOWER_PERMISSIVE.decode(content.trim_ascii()).ok()?;
        <[u8; 32]>::try_from(decoded).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_raw_or_hex() {
        assert_eq!(parse(&[7; 32]), Some([7; 32]));
        let hex = "0Aa1".repeat(16);
        let key = parse(format!("{hex}\n").as_bytes()).expect("64 hex digits");
        assert_eq!(key[..4], [0x0a, 0xa1, 0x0a, 0xa1]);
        for wrong in
            [&b""[..], &[7; 31], &[7; 33], &hex.as_bytes()[..62], "zz".repeat(32).as_bytes()]
        {
            assert_eq!(parse(wrong), None);
        }
    }
}
