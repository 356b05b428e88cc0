//! Who holds a socket, as Linux tells it in `/proc` (proc(5)).
//!
//! A process of another user is seen by root only; of others the table names the user at least.

use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::daemon::system::beginning;
use crate::limits::{HOLDER_FILES_MAX, HOLDER_PROCESSES_MAX, SOCKET_TABLE_MAX};

/// The process that holds a socket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// A process, by its number and name.
    Process(u32, String),
    /// A process that may not be looked into, or is gone: its user.
    User(u32),
    /// Not even the user is known.
    Unknown,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(pid, name) => write!(f, "process {pid} ({name})"),
            Self::User(uid) => write!(f, "a process of user {uid}"),
            Self::Unknown => f.write_str("another process"),
        }
    }
}

/// A listening socket of the kernel's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ListeningSocket {
    inode: u64,
    uid: Option<u32>,
}

/// Why nobody can listen at an address, with who does so already.
pub fn words(address: SocketAddr, error: &io::Error) -> String {
    let taken = (error.kind() == io::ErrorKind::AddrInUse)
        .then(|| listening_at(address))
        .flatten();
    taken.map_or_else(
        || error.to_string(),
        |socket| format!("{error}, by {}", socket.holder()),
    )
}

/// The socket that listens where `address` would be bound.
pub(super) fn listening_at(address: SocketAddr) -> Option<ListeningSocket> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    tables
        .into_iter()
        .find_map(|table| in_table(&beginning(table, SOCKET_TABLE_MAX), address))
}

/// The socket that listens at this path.
pub(super) fn listening_at_path(path: &Path) -> Option<ListeningSocket> {
    let table = beginning("/proc/net/unix", SOCKET_TABLE_MAX);
    let mut rows = table
        .lines()
        .map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    rows.find_map(|row| match row[..] {
        // The flags say that it accepts connections.
        [_, _, _, "00010000", _, _, inode, found] if Path::new(found) == path => {
            Some(ListeningSocket {
                inode: inode.parse().ok()?,
                uid: None,
            })
        }
        _ => None,
    })
}

impl ListeningSocket {
    /// Finds out who holds the socket.
    pub fn holder(self) -> Holder {
        let unknown = self.uid.map_or(Holder::Unknown, Holder::User);
        let link = PathBuf::from(format!("socket:[{}]", self.inode));
        let Ok(entries) = fs::read_dir("/proc") else {
            return unknown;
        };
        let pids = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let mut files_left = HOLDER_FILES_MAX;
        for pid in pids.take(HOLDER_PROCESSES_MAX) {
            let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else {
                continue;
            };
            for file in files.flatten().take(files_left) {
                files_left -= 1;
                if fs::read_link(file.path()).is_ok_and(|target| target == link) {
                    let name = beginning(&format!("/proc/{pid}/comm"), NAME_MAX);
                    return Holder::Process(pid, name.trim_end().to_owned());
                }
            }
        }
        unknown
    }
}

fn in_table(table: &str, address: SocketAddr) -> Option<ListeningSocket> {
    table.lines().find_map(|line| {
        let row: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, local, _, LISTENS, _, _, _, uid, _, inode, ..] = row[..] else {
            return None;
        };
        let (ip, port) = local.split_once(':')?;
        let is_port = u16::from_str_radix(port, 16) == Ok(address.port());
        let collides = is_port && collide(parse_ip(ip)?, address.ip());
        collides.then_some(ListeningSocket {
            inode: inode.parse().ok()?,
            uid: uid.parse().ok(),
        })
    })
}

/// Whether nobody can listen at one while somebody does at the other. A socket at `::` may take
/// IPv4, too.
fn collide(held: IpAddr, wanted: IpAddr) -> bool {
    match (held, wanted) {
        (IpAddr::V6(held), IpAddr::V4(wanted)) => {
            held.is_unspecified()
                || held
                    .to_ipv4_mapped()
                    .is_some_and(|held| collide(held.into(), wanted.into()))
        }
        (IpAddr::V4(_), IpAddr::V6(_)) => false,
        _ => held == wanted || held.is_unspecified() || wanted.is_unspecified(),
    }
}

/// An address is written in words of 32 bits, each in the order of the machine.
fn parse_ip(text: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        u32::from_str_radix(text.get(at..at + 8)?, 16)
            .ok()
            .map(u32::to_ne_bytes)
    };
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            <[u8; 16]>::try_from(words.concat())
                .ok()
                .map(|bytes| Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

/// The state of a socket that listens, in the table.
const LISTENS: &str = "0A";
/// The name of a process has fifteen bytes, and a line's end.
const NAME_MAX: u64 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn a_row_of_the_table_is_found_by_whatever_it_collides_with() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                    uid  timeout inode\n";
        let row = |local: &str, state: &str| {
            format!(
                "{head}   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000    33        0 4711 1 0 100\n"
            )
        };
        let found =
            |table: &str, address: &str| in_table(table, address.parse().unwrap()).is_some();
        let loopback = row("0100007F:1F90", "0A");
        assert_eq!(
            in_table(&loopback, "127.0.0.1:8080".parse().unwrap()),
            Some(ListeningSocket {
                inode: 4711,
                uid: Some(33)
            })
        );
        assert!(
            found(&loopback, "0.0.0.0:8080")
                && !found(&loopback, "127.0.0.2:8080")
                && !found(&loopback, "127.0.0.1:8081")
        );
        assert!(
            !found(&row("0100007F:1F90", "01"), "127.0.0.1:8080"),
            "a connection does not listen"
        );
        let six = row("00000000000000000000000000000000:1F90", "0A");
        assert!(found(&six, "127.0.0.1:8080") && found(&six, "[::1]:8080"));
        let one = row("00000000000000000000000001000000:1F90", "0A");
        assert!(
            found(&one, "[::1]:8080") && !found(&one, "127.0.0.1:8080") && found(&one, "[::]:8080")
        );
        assert!(!found("one two\n0: zz:1 0 0A\n", "127.0.0.1:8080"));
    }
}
