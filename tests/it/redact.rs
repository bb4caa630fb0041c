//! Redaction: what is left of a payload, and that nothing is found in it again.

use sluicegate::engine::{Options, RedactStream, RedactedStream, Rescanned, redact_and_rescan};
use sluicegate::model::{Attested, Band, Executable, Finding, KernelName};
use sluicegate::policy::Transform;
use sluicegate::record::vault::{Asker, Scope, Vaults};
use sluicegate::respond::{Obligations, RedactError, TokenFailure, Tokens, VaultTokens};
use sluicegate::{Classified, Scanner};

use crate::generated::generator::{Set, documents};
use crate::support::{rules, scanner_with};

const TRANSFORMS: [Transform; 4] =
    [Transform::Generalise, Transform::Tokenize, Transform::Mask, Transform::Drop];

/// Tokens of the form that a vault gives, the same for the same value.
struct Hashed;

impl Tokens for Hashed {
    fn token(
        &mut self,
        category: &str,
        value: &[u8],
        taken: &dyn Fn(&str) -> bool,
    ) -> Result<String, TokenFailure> {
        let seed = category.bytes().chain(value.iter().copied());
        let mut state = seed.fold(7, |sum: u64, byte| step(sum ^ u64::from(byte)));
        let letters = b"bcdfghjkmnpqrstvwxz";
        let drawn: String = (0..20)
            .map(|_| {
                state = step(state);
                letters[(state >> 33) as usize % letters.len()] as char
            })
            .collect();
        let kind = category.replace(['.', '_'], "").to_ascii_uppercase();
        let token = format!("[T:{kind}:{drawn}]");
        assert!(!taken(&token));
        Ok(token)
    }
}

fn step(state: u64) -> u64 {
    state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_041)
}

fn likely(classified: &Classified) -> impl Iterator<Item = &Finding> {
    classified.findings.iter().filter(|it| it.likelihood.band() >= Band::Likely)
}

/// Everything is to be treated like this.
fn all(transform: Transform) -> Obligations {
    rules().taxonomy.iter().map(|(it, _)| (it, transform, Band::Likely)).collect()
}

fn redacted(scanner: &Scanner, payload: &[u8], how: Transform) -> Result<Rescanned, RedactError> {
    let found = scanner.scan(payload);
    redact_and_rescan(scanner, payload, &found, &all(how), &mut Hashed)
}

/// What is found again, as a line a finding.
fn left(scanner: &Scanner, payload: &str, how: Transform) -> Vec<String> {
    let after = match redacted(scanner, payload.as_bytes(), how) {
        // A DICOM file is no text.
        Err(RedactError::NotText(_)) => return Vec::new(),
        after => after.unwrap(),
    };
    let text = String::from_utf8_lossy(&after.bytes);
    likely(&after.again)
        .map(|it| {
            let rule = rules().rule_id(it.rule).to_owned();
            format!("{}: {rule} in {payload:?} -> {text:?}", how.as_str())
        })
        .collect()
}

#[test]
fn nothing_is_found_again_in_the_examples_of_any_rule() {
    let (scanner, rules) = (scanner_with(Options::default()), rules());
    let plain = rules.rules.iter().map(|rule| (&rule.id, &rule.examples));
    let combined = rules.combinations.iter().map(|rule| (&rule.id, &rule.examples));
    let mut again = Vec::new();
    for (id, examples) in plain.chain(combined) {
        for (example, how) in examples.iter().flat_map(|it| TRANSFORMS.map(|how| (it, how))) {
            let found = left(&scanner, &example.text, how).into_iter();
            again.extend(found.map(|line| format!("{id}: {line}")));
        }
    }
    assert!(again.is_empty(), "{}\n{}", again.len(), again.join("\n"));
}

#[test]
fn nothing_is_found_again_in_generated_documents() {
    let scanner = scanner_with(Options::default());
    let mut again = Vec::new();
    for set in [Set::Open, Set::HeldOut] {
        for document in documents(20_261_127, 400, set) {
            for how in TRANSFORMS {
                again.extend(left(&scanner, &document.text, how));
            }
        }
    }
    assert!(again.is_empty(), "{}\n{}", again.len(), again.join("\n"));
}

fn streamed(
    scanner: &Scanner,
    payload: &[u8],
    how: Transform,
    size: usize,
) -> Result<(Vec<u8>, RedactedStream), RedactError> {
    let (mut stream, mut out) = (RedactStream::new(scanner, None, all(how)), Vec::new());
    for piece in payload.chunks(size) {
        stream.push(piece, &mut Hashed, &mut out)?;
    }
    let told = stream.finish(&mut Hashed, &mut out)?;
    Ok((out, told))
}

/// Promise 1, for the bytes that go out.
#[test]
fn redacted_streams_are_the_same_however_they_are_cut() {
    let scanner = scanner_with(Options::default());
    let mut texts: Vec<Vec<u8>> = documents(20_261_128, 40, Set::Open)
        .into_iter()
        .map(|document| document.text.into_bytes())
        .collect();
    // Past the bytes that decide the format.
    texts.push(texts.concat());
    texts.push(Vec::new());
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    texts.push(wide("\u{feff}name,ssn\nAda,219-09-9998\nBob,078-05-1121\n"));
    for text in &texts {
        for how in TRANSFORMS {
            let whole = redacted(&scanner, text, how).unwrap();
            for size in [1, 7, 64, 4096, usize::MAX] {
                if text.len() > 4096 && size == 1 && how != Transform::Tokenize {
                    continue;
                }
                let (bytes, told) = streamed(&scanner, text, how, size).unwrap();
                let shown = String::from_utf8_lossy(text);
                assert_eq!(bytes, whole.bytes, "{} {size} {shown}", how.as_str());
                assert_eq!((&told.done, &told.again), (&whole.done, &whole.again), "{shown}");
                assert_eq!(told.before, scanner.scan(text));
            }
        }
    }
}

#[test]
fn a_payload_with_more_findings_than_are_kept_is_not_redacted() {
    let options = Options { max_findings: 3, ..Options::default() };
    let scanner = scanner_with(options);
    let text = "ssn 219-09-9998\n".repeat(50);
    let whole = redacted(&scanner, text.as_bytes(), Transform::Mask);
    assert!(matches!(whole, Err(RedactError::Truncated(47))), "{whole:?}");
    for size in [1, 100, 5000] {
        let cut = streamed(&scanner, text.as_bytes(), Transform::Mask, size);
        assert!(matches!(cut, Err(RedactError::Truncated(_))));
    }
}

#[test]
fn tokens_of_a_vault_can_be_revealed() {
    let (scanner, folder) = (scanner_with(Options::default()), tempfile::tempdir().unwrap());
    let vaults = Vaults::new(std::fs::File::open(folder.path()).unwrap().into(), &[3; 32]);
    let attested = Attested {
        uid: 1000,
        gid: 1000,
        groups: Default::default(),
        pid: 1,
        start_time: 1,
        cgroup: KernelName::read(b"/"),
        unit: None,
        executable: Executable::Unavailable("test"),
        token_of: None,
        self_attested: false,
    };
    let scope = Scope::new(&attested, "run", "mail");
    let mut random = |bytes: &mut [u8]| getrandom::fill(bytes).map_err(std::io::Error::other);
    let text = b"{\"ssn\": \"219-09-9998\", \"again\": \"ssn 219-09-9998\"}";
    let found = scanner.scan(text);
    let mut vault = vaults.open(&scope, 900, 1, &mut random).unwrap();
    let tokens = &mut VaultTokens { vault: &mut vault, random: &mut random };
    let after = redact_and_rescan(&scanner, text, &found, &all(Transform::Tokenize), tokens);
    vault.commit().unwrap();
    let after: serde_json::Value = serde_json::from_slice(&after.unwrap().bytes).unwrap();
    let token = after["ssn"].as_str().unwrap();
    assert_eq!(after["again"], format!("ssn {token}"));
    let revealed = vaults.reveal(token, Asker::Owner(&scope), 2).unwrap();
    assert_eq!(&revealed.value[..], b"219-09-9998");
}

/// Bytes that a redacted stream may hold: three rounds of what a scan has not decided and of what
/// findings that overlap cover.
const MOST_HELD: usize = 3 * ((24 << 10) + (64 << 10));

#[test]
fn a_redacted_stream_holds_little() {
    let scanner = scanner_with(Options::default());
    let pem = ["-----BEGIN PRIVATE KEY-----", &"ssn 219-09-9998 ".repeat(1100)].concat();
    let mut most = 0;
    for (word, piece) in [
        ("text", "a@a@"),
        ("text", "1234567890"),
        ("text", "password="),
        ("text", "ssn a@b.de diagnosis "),
        ("text", &pem),
        ("json", "[1"),
        ("json", "{\"a\":1},"),
        ("json", "\"\\"),
        ("json", "7777777777"),
        ("csv", "\","),
        ("utf-16le", "a\0"),
    ] {
        let format = sluicegate::decode::Format::declared(word);
        let mut stream = RedactStream::new(&scanner, format, all(Transform::Mask));
        let mut out = Vec::new();
        for bytes in piece.repeat((128 << 10) / piece.len()).as_bytes().chunks(997) {
            // More findings than are kept end it.
            if stream.push(bytes, &mut Hashed, &mut out).is_err() {
                break;
            }
            most = most.max(stream.held());
        }
    }
    assert!(most <= MOST_HELD, "{most}");
    println!("{most} bytes held at most");
}
