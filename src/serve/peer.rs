//! Who is on the other end. (A stand-in until attestation lands.)

use std::os::fd::AsFd;

use crate::model::{Attested, Executable, KernelName, TokenOf};

/// The process on the other end of a connection.
#[derive(Debug)]
pub struct Peer {
    uid: u32,
    gid: u32,
    pid: u32,
}

/// Why nothing is attested.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The kernel does not say.
    #[error("the kernel does not say who connected")]
    Credentials,
}

impl Peer {
    /// The peer of a Unix socket.
    pub fn of(stream: &impl AsFd) -> Result<Peer, PeerError> {
        let found =
            rustix::net::sockopt::socket_peercred(stream).map_err(|_| PeerError::Credentials)?;
        Ok(Peer {
            uid: found.uid.as_raw(),
            gid: found.gid.as_raw(),
            pid: found.pid.as_raw_pid().unsigned_abs(),
        })
    }

    /// The peer of a TCP connection.
    pub fn of_tcp(_stream: &tokio::net::TcpStream) -> Result<Peer, PeerError> {
        Err(PeerError::Credentials)
    }

    /// Its user id.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// What a decision uses.
    pub fn attested(&self, token: Option<TokenOf>) -> Result<Attested, PeerError> {
        Ok(Attested {
            uid: self.uid,
            gid: self.gid,
            groups: Default::default(),
            pid: self.pid,
            start_time: 0,
            cgroup: KernelName::read(b""),
            unit: None,
            executable: Executable::Unavailable("not read"),
            token_of: token,
            self_attested: false,
        })
    }
}

/// Bearer tokens of workflows. (A stand-in.)
#[derive(Debug, Default)]
pub struct Tokens;

impl Tokens {
    /// The workflow of a token.
    pub fn find(&self, _presented: &[u8]) -> Option<TokenOf> {
        None
    }
}
