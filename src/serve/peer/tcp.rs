//! Whose socket is at the other end of a connection over loopback: `/proc/net/tcp` and `tcp6`.

use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The most bytes that are read of each table; a row has 150 to 180.
const MAX_TABLE: u64 = 64 << 20;

/// A table may miss rows while others come and go.
const ATTEMPTS: usize = 3;

/// Who holds the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    /// User id of whoever made the socket.
    pub uid: u32,
    /// Its number; it is not used again while the connection lasts.
    pub inode: u64,
}

/// An address of IPv4 where it is one, mapped or not, and a port.
type Address = (IpAddr, u16);

/// Looks the other end up. None where no process holds it.
pub(super) fn holder(local: SocketAddr, peer: SocketAddr) -> std::io::Result<Option<Holder>> {
    for _ in 0..ATTEMPTS {
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            let file = match std::fs::File::open(table) {
                Ok(file) => file,
                // A kernel without IPv6 has no second table.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if let Some(found) = find(BufReader::new(file.take(MAX_TABLE)), local, peer)? {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

/// The row of the other end: there the peer's address is the local one. A connection over IPv4 from
/// a socket of IPv6 stands in the second table, with mapped addresses.
fn find(
    mut table: impl BufRead,
    local: SocketAddr,
    peer: SocketAddr,
) -> std::io::Result<Option<Holder>> {
    let mut line = Vec::new();
    while table.read_until(b'\n', &mut line)? > 0 {
        let row = std::str::from_utf8(&line).ok().and_then(row);
        if let Some((from, to, holder)) = row
            && from == plain(peer)
            && to == plain(local)
        {
            return Ok(Some(holder));
        }
        line.clear();
    }
    Ok(None)
}

/// One row (proc_pid_net(5), `tcp`): its own address, the other one, and who holds it. Rows of sockets
/// that no process holds any more say user 0, which must not be taken for root: they have no inode.
fn row(line: &str) -> Option<(Address, Address, Holder)> {
    let mut fields = line.split_ascii_whitespace();
    let from = address(fields.nth(1)?)?;
    let to = address(fields.next()?)?;
    // Established, or one side has said that it sends no more (net/tcp_states.h).
    let state = fields.next()?;
    if !matches!(state, "01" | "04" | "05" | "08") {
        return None;
    }
    let uid = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    (inode != 0).then_some((from, to, Holder { uid, inode }))
}

/// Addresses are printed as numbers of 32 bits in the order of the machine, ports as numbers.
fn address(text: &str) -> Option<Address> {
    let (ip, port) = text.split_once(':')?;
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if port.len() != 4 || !is_hex(port) || !is_hex(ip) {
        return None;
    }
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let text = ip.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(text, 16).ok()?.to_ne_bytes())
    };
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(words).ok()?)).to_canonical()
        }
        _ => return None,
    };
    Some((ip, port))
}

fn plain(address: SocketAddr) -> Address {
    (address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    fn here(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// What a little-endian machine prints.
    fn table(rows: &[(&str, &str, &str, u32, u64)]) -> String {
        let rows = rows.iter().enumerate().map(|(at, (from, to, state, uid, inode))| {
            format!("{at:4}: {from} {to} {state} 00000000:00000000 02:000A 00000000 {uid:5} 0 {inode} 2 0 20\n")
        });
        HEAD.to_owned() + &rows.collect::<String>()
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn the_row_is_that_of_the_other_end() {
        let (own, other) = ("0100007F:1F90", "0100007F:D431");
        let rows = table(&[(own, other, "01", 0, 7), (other, own, "01", 1000, 8)]);
        let (local, peer) = (here(8080), here(54321));
        let found = |rows: &str| find(rows.as_bytes(), local, peer).expect("it is read");
        assert_eq!(found(&rows), Some(Holder { uid: 1000, inode: 8 }));
        assert_eq!(found(HEAD), None);
        // TIME_WAIT, SYN_SENT, and a socket that its process has closed: user 0 is nobody's there.
        for (state, inode) in [("06", 0), ("02", 8), ("05", 0), ("01", 0)] {
            assert_eq!(found(&table(&[(other, own, state, 0, inode)])), None, "{state} {inode}");
        }
        let half_closed = table(&[(other, own, "05", 1000, 8)]);
        assert_eq!(found(&half_closed), Some(Holder { uid: 1000, inode: 8 }));
        let mapped = |port| format!("0000000000000000FFFF00000100007F:{port}");
        let mapped = table(&[(&mapped("D431"), &mapped("1F90"), "01", 5, 9)]);
        assert_eq!(found(&mapped), Some(Holder { uid: 5, inode: 9 }));
    }

    #[test]
    fn a_real_connection_is_found() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let local = listener.local_addr().expect("an address");
            let client = TcpStream::connect(local).expect("it connects");
            let (stream, peer) = listener.accept().expect("it connects");
            let found = holder(local, peer).expect("proc is there").expect("it is held");
            assert_eq!(found.uid, rustix::process::geteuid().as_raw());
            drop(client);
            assert_eq!(holder(local, peer).expect("proc is there"), None, "nobody holds it");
            drop(stream);
        }
    }

    proptest! {
        #[test]
        fn any_table_is_read_without_a_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            lines in proptest::collection::vec("( *[0-9]+: )?[0-9A-Fé]{0,33}:?[0-9A-F+]{0,5} [0-9A-F:]{0,40} 0[1-9]( [0-9:]{1,9}){0,8}", 0..6),
        ) {
            let _ = find(&bytes[..], here(1), here(2));
            let _ = find(lines.join("\n").as_bytes(), here(1), here(2));
        }
    }
}
