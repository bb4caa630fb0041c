//! The few messages of an SSH agent that a signature needs (draft-ietf-sshm-ssh-agent).

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};

/// The most bytes of a message, as OpenSSH has it.
const MAX_MESSAGE: usize = 256 * 1024;

/// The most keys that are looked at.
const MAX_KEYS: usize = 1024;

/// How long an answer is waited for: a security key waits to be touched.
const ANSWER: Duration = Duration::from_secs(120);

const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// Flag of a request to sign with RSA and SHA-512.
const RSA_SHA2_512: u32 = 4;

/// A connection to an agent.
pub struct Agent<S = UnixStream>(S);

impl Agent {
    /// Connects to the agent that listens at a socket.
    pub fn connect(socket: &Path) -> anyhow::Result<Agent> {
        let stream = UnixStream::connect(socket).context("the SSH agent does not answer")?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_write_timeout(Some(ANSWER))?;
        Ok(Agent(stream))
    }
}

impl<S: Read + Write> Agent<S> {
    /// The public keys that it can sign with, in wire form.
    pub fn keys(&mut self) -> anyhow::Result<Vec<Vec<u8>>> {
        let answer = self.ask(&[REQUEST_IDENTITIES])?;
        let mut rest = body(&answer, IDENTITIES_ANSWER).context("the SSH agent lists no keys")?;
        let count = usize::try_from(number(&mut rest)?)?;
        let mut keys = Vec::new();
        for _ in 0..count.min(MAX_KEYS) {
            keys.push(string(&mut rest)?.to_vec());
            let _comment = string(&mut rest)?;
        }
        Ok(keys)
    }

    /// A signature of `data` by one of its keys, in wire form.
    pub fn sign(&mut self, key: &[u8], data: &[u8]) -> anyhow::Result<Vec<u8>> {
        let mut request = vec![SIGN_REQUEST];
        for part in [key, data] {
            request.extend(u32::try_from(part.len())?.to_be_bytes());
            request.extend(part);
        }
        request.extend(RSA_SHA2_512.to_be_bytes());
        let answer = self.ask(&request)?;
        let mut rest = body(&answer, SIGN_RESPONSE).context("the SSH agent refuses to sign")?;
        Ok(string(&mut rest)?.to_vec())
    }

    fn ask(&mut self, request: &[u8]) -> anyhow::Result<Vec<u8>> {
        self.0.write_all(&u32::try_from(request.len())?.to_be_bytes())?;
        self.0.write_all(request)?;
        self.0.flush()?;
        let mut length = [0; 4];
        self.0.read_exact(&mut length).context("the SSH agent gives no answer")?;
        let length = usize::try_from(u32::from_be_bytes(length))?;
        ensure!(length <= MAX_MESSAGE, "the SSH agent answers with more than {MAX_MESSAGE} bytes");
        let mut answer = vec![0; length];
        self.0.read_exact(&mut answer).context("the SSH agent breaks off its answer")?;
        Ok(answer)
    }
}

/// What stands behind the kind of a message, if it is of that kind.
fn body(message: &[u8], kind: u8) -> Option<&[u8]> {
    message.split_first().and_then(|(first, rest)| (*first == kind).then_some(rest))
}

fn number(rest: &mut &[u8]) -> anyhow::Result<u32> {
    let (head, tail) = rest.split_first_chunk::<4>().context("the SSH agent's answer is cut")?;
    *rest = tail;
    Ok(u32::from_be_bytes(*head))
}

fn string<'a>(rest: &mut &'a [u8]) -> anyhow::Result<&'a [u8]> {
    let length = usize::try_from(number(rest)?)?;
    let (head, tail) = rest.split_at_checked(length).context("the SSH agent's answer is cut")?;
    *rest = tail;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An agent that says one thing.
    struct Said(Vec<u8>, Vec<u8>);

    impl Read for Said {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let length = buffer.len().min(self.0.len());
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.0.drain(..length);
            Ok(length)
        }
    }

    impl Write for Said {
        fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
            self.1.extend(buffer);
            Ok(buffer.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn agent(message: &[u8]) -> Agent<Said> {
        let length = u32::try_from(message.len()).expect("short").to_be_bytes();
        Agent(Said([&length[..], message].concat(), Vec::new()))
    }

    #[test]
    fn messages_have_the_form_of_the_protocol() {
        let mut one = agent(b"\x0c\0\0\0\x01\0\0\0\x03key\0\0\0\x02me");
        assert_eq!(one.keys().expect("one"), [b"key"]);
        assert_eq!(one.0.1, b"\0\0\0\x01\x0b");
        let mut signs = agent(b"\x0e\0\0\0\x03sig");
        assert_eq!(signs.sign(b"key", b"data").expect("signed"), b"sig");
        assert_eq!(signs.0.1, b"\0\0\0\x14\x0d\0\0\0\x03key\0\0\0\x04data\0\0\0\x04");
    }

    #[test]
    fn an_agent_that_lies_is_refused() {
        for wrong in [
            &b""[..],
            b"\x05",
            b"\x0c",
            b"\x0c\0\0\0\x01",
            b"\x0c\0\0\0\x01\xff\xff\xff\xffkey",
            b"\x0c\xff\xff\xff\xff\0\0\0\x01k\0\0\0\0",
        ] {
            assert!(agent(wrong).keys().is_err());
        }
        assert!(agent(b"\x05").sign(b"key", b"data").is_err());
        let mut large = Agent(Said(vec![0xff; 8], Vec::new()));
        assert!(large.keys().is_err());
        let mut cut = Agent(Said(b"\0\0\0\x09\x0c".to_vec(), Vec::new()));
        assert!(cut.keys().is_err());
    }
}
