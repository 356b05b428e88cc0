//! This host's own addresses: the one door to `if-addrs`.
//!
//! What is listed here is told to every peer, so it holds only what others could dial: no loopback unless there is nothing else
//! or it was asked for, and no link-local address, which means nothing without the interface of the one who dials (those travel
//! by mDNS).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use if_addrs::Interface;

use crate::limits::ADDRESSES_MAX;

/// The addresses of interfaces that are up, with `port`; if `only` names interfaces, of those alone. At most [`ADDRESSES_MAX`],
/// global IPv6 first, then IPv4, then what is local to a site, and always in the same order. With many addresses each kind gets
/// its share: a host with ten temporary IPv6 addresses must still be found by IPv4.
pub fn addresses(port: u16, only: &[String]) -> Vec<SocketAddr> {
    let chosen = choose(&listed(), only);
    chosen.into_iter().map(|ip| SocketAddr::new(ip, port)).collect()
}

/// The address of each interface that is up, for people to refer to: its first that is not link-local, IPv4 before IPv6.
pub fn by_name() -> BTreeMap<String, IpAddr> {
    let mut listed: Vec<Interface> = listed().into_iter().filter(|one| one.is_oper_up() && !one.is_link_local()).collect();
    listed.sort_by_key(|interface| (interface.ip().is_ipv6(), interface.ip()));
    let mut named = BTreeMap::new();
    for interface in listed {
        let ip = interface.ip();
        named.entry(interface.name).or_insert(ip);
    }
    named
}

/// The number of the interface called `name`.
pub fn index_of(name: &str) -> Option<u32> {
    listed().into_iter().find(|interface| interface.name == name)?.index
}

/// Notices when interfaces or their addresses come and go.
#[derive(Debug)]
pub struct Watch {
    seen: Vec<(String, IpAddr)>,
}

impl Watch {
    /// From how things are now.
    pub fn new() -> Self {
        Self { seen: snapshot() }
    }

    /// Whether anything has changed since the last call. Costs one question to the kernel, some 0.1 ms.
    pub fn changed(&mut self) -> bool {
        let now = snapshot();
        let changed = now != self.seen;
        self.seen = now;
        changed
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

/// A system that does not say has no interfaces: whoever asks, asks again later.
fn listed() -> Vec<Interface> {
    if_addrs::get_if_addrs().unwrap_or_default()
}

fn snapshot() -> Vec<(String, IpAddr)> {
    let up = listed().into_iter().filter(Interface::is_oper_up);
    let mut seen: Vec<_> = up.map(|interface| (interface.name.clone(), interface.ip())).collect();
    seen.sort_unstable();
    seen
}

fn choose(listed: &[Interface], only: &[String]) -> Vec<IpAddr> {
    let wanted = |interface: &&Interface| interface.is_oper_up() && (only.is_empty() || only.contains(&interface.name));
    let asked_for = |interface: &Interface| !interface.is_loopback() || only.contains(&interface.name);
    let candidates: Vec<&Interface> = listed.iter().filter(wanted).collect();
    let reachable: Vec<&Interface> = candidates.iter().copied().filter(|one| asked_for(one) && !one.is_link_local()).collect();
    let kept = if reachable.is_empty() { candidates } else { reachable };
    let mut kept: Vec<&Interface> = kept.into_iter().filter(|interface| !interface.is_link_local()).collect();
    kept.sort_by_key(|interface| (interface.index, interface.ip()));
    fair(kept.into_iter().map(Interface::ip))
}

/// At most [`ADDRESSES_MAX`], taken from each kind in turn, in the order of kinds.
fn fair(addresses: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut counts = [0; KINDS];
    let mut ranked: Vec<(usize, usize, IpAddr)> = Vec::new();
    for ip in addresses {
        let kind = kind(&ip);
        if !ranked.iter().any(|(_, _, listed)| *listed == ip) {
            ranked.push((counts[kind], kind, ip));
            counts[kind] += 1;
        }
    }
    ranked.sort_by_key(|(turn, kind, _)| (*turn, *kind));
    ranked.truncate(ADDRESSES_MAX);
    ranked.sort_by_key(|(turn, kind, _)| (*kind, *turn));
    ranked.into_iter().map(|(_, _, ip)| ip).collect()
}

/// 0: global IPv6, 1: IPv4, 2: IPv6 local to a site (RFC 4193) or to this host.
fn kind(ip: &IpAddr) -> usize {
    match ip {
        IpAddr::V4(_) => 1,
        IpAddr::V6(v6) if v6.is_unique_local() || v6.is_loopback() => 2,
        IpAddr::V6(_) => 0,
    }
}

const KINDS: usize = 3;

#[cfg(test)]
mod tests {
    use if_addrs::{IfAddr, IfOperStatus, Ifv4Addr, Ifv6Addr};

    use super::*;

    fn interface(name: &str, index: u32, ip: &str) -> Interface {
        let addr = match ip.parse().unwrap() {
            IpAddr::V4(ip) => IfAddr::V4(Ifv4Addr { ip, netmask: [255, 255, 255, 0].into(), prefixlen: 24, broadcast: None }),
            IpAddr::V6(ip) => IfAddr::V6(Ifv6Addr { ip, netmask: [0; 16].into(), prefixlen: 64, broadcast: None }),
        };
        Interface { name: name.to_owned(), addr, index: Some(index), oper_status: IfOperStatus::Up, is_p2p: false }
    }

    fn texts(listed: &[Interface], only: &[&str]) -> Vec<String> {
        let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
        choose(listed, &only).iter().map(IpAddr::to_string).collect()
    }

    #[test]
    fn others_are_told_what_they_can_dial_in_a_stable_order() {
        let mut listed = vec![
            interface("lo", 1, "127.0.0.1"),
            interface("eth0", 2, "fd00::1"),
            interface("eth0", 2, "10.0.0.1"),
            interface("eth0", 2, "fe80::1"),
            interface("eth0", 2, "2001:db8::1"),
        ];
        let expected = ["2001:db8::1", "10.0.0.1", "fd00::1"];
        assert_eq!(texts(&listed, &[]), expected);
        listed.reverse();
        assert_eq!(texts(&listed, &[]), expected);
    }

    #[test]
    fn loopback_is_told_only_when_asked_for_or_alone() {
        let both = [interface("lo", 1, "127.0.0.1"), interface("eth0", 2, "10.0.0.1")];
        assert_eq!(texts(&both, &["lo"]), ["127.0.0.1"]);
        assert_eq!(texts(&both, &["lo", "eth0"]), ["127.0.0.1", "10.0.0.1"]);
        assert_eq!(texts(&both[..1], &[]), ["127.0.0.1"]);
        assert_eq!(texts(&both, &["eth7"]), [""; 0]);
    }

    #[test]
    fn an_interface_that_is_down_is_left_out() {
        let mut down = interface("eth0", 2, "10.0.0.1");
        down.oper_status = IfOperStatus::Unknown;
        assert_eq!(texts(&[down, interface("eth1", 3, "10.0.0.2")], &[]), ["10.0.0.2"]);
    }

    #[test]
    fn many_addresses_of_one_kind_do_not_push_out_the_others() {
        let mut listed: Vec<_> = (1..=20).map(|n| interface("eth0", 2, &format!("2001:db8::{n:x}"))).collect();
        listed.push(interface("eth0", 2, "10.0.0.1"));
        let told = texts(&listed, &[]);
        assert_eq!(told.len(), ADDRESSES_MAX);
        assert_eq!(told.last().unwrap(), "10.0.0.1");
    }

    #[test]
    fn nothing_changes_while_nothing_changes() {
        let mut watch = Watch { seen: vec![("eth9".to_owned(), [192, 0, 2, 9].into())] };
        assert!(watch.changed(), "an interface that is not there any more");
        assert!(!Watch::new().changed());
    }
}
