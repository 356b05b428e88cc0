//! This host's own addresses: the one door to `if-addrs`.
//!
//! What is listed here is told to every peer, so it holds what others could dial, the likeliest
//! first: a host with eight container bridges must still be found at its cable. No loopback unless
//! it was asked for or there is no other interface, and no link-local IPv6 address, which means
//! nothing without the interface of the one who dials (those travel by mDNS). All of it may wait
//! for the kernel a little, so the loop asks the thread of [`super::network`].

mod routes;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use if_addrs::Interface;

use self::routes::Routes;
use crate::limits::ADDRESSES_MAX;

/// The addresses to be told of a host that listens at `listen`: that one, or if it means every
/// address those of the interfaces that are up, with its port; if `only` names interfaces, of those
/// alone. At most [`ADDRESSES_MAX`], always in the same order: the interfaces of the default routes
/// first, of each kind of address one; then one of each other interface; then what is left, of each
/// kind its share. IPv4 alone, if no other is listened at.
pub fn told(listen: SocketAddr, only: &[String]) -> Vec<SocketAddr> {
    if !listen.ip().is_unspecified() {
        return vec![listen];
    }
    let chosen = choose(&listed(), only, &Routes::read());
    let fit = chosen
        .into_iter()
        .filter(|ip| listen.is_ipv6() || ip.is_ipv4());
    fit.take(ADDRESSES_MAX)
        .map(|ip| SocketAddr::new(ip, listen.port()))
        .collect()
}

/// Every address at which a host is reached that listens at `listen`, of use to others or not.
pub fn own(listen: SocketAddr) -> Vec<SocketAddr> {
    if !listen.ip().is_unspecified() {
        return vec![listen];
    }
    listed()
        .into_iter()
        .map(|interface| SocketAddr::new(interface.ip(), listen.port()))
        .collect()
}

/// Those of `named` that no interface bears; an interface without any address is there all
/// the same.
pub fn missing(named: &[String]) -> Vec<String> {
    let is_there = |name: &String| {
        std::path::Path::new("/sys/class/net").join(name).exists() || index_of(name).is_some()
    };
    named
        .iter()
        .filter(|name| !is_there(name))
        .cloned()
        .collect()
}

/// What people are told of interfaces that are missing; `None` if none is.
pub fn words_for_missing(named: &[String]) -> Option<String> {
    let missing = missing(named);
    let names: Vec<&str> = listed_names(&missing)?;
    Some(format!(
        "there is no network interface {}: it is not used until there is (those of this host: ip \
         link)",
        names.join(", ")
    ))
}

fn listed_names(missing: &[String]) -> Option<Vec<&str>> {
    (!missing.is_empty()).then(|| missing.iter().map(String::as_str).collect())
}

/// The address of each interface that is up, for people to refer to: its first that is not
/// link-local, IPv4 before IPv6.
pub fn by_name() -> BTreeMap<String, IpAddr> {
    let mut listed: Vec<Interface> = listed()
        .into_iter()
        .filter(|one| one.is_oper_up() && !one.is_link_local())
        .collect();
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
    listed()
        .into_iter()
        .find(|interface| interface.name == name)?
        .index
}

/// A system that does not say has no interfaces: whoever asks, asks again later.
fn listed() -> Vec<Interface> {
    if_addrs::get_if_addrs().unwrap_or_default()
}

/// The addresses of the interfaces that are up, to notice when one comes or goes. Costs a question
/// to the kernel, some 0.1 ms.
pub fn snapshot() -> Vec<(String, IpAddr)> {
    let up = listed().into_iter().filter(Interface::is_oper_up);
    let mut seen: Vec<_> = up
        .map(|interface| (interface.name.clone(), interface.ip()))
        .collect();
    seen.sort_unstable();
    seen
}

fn choose(listed: &[Interface], only: &[String], routes: &Routes) -> Vec<IpAddr> {
    let wanted = |interface: &&Interface| {
        interface.is_oper_up() && (only.is_empty() || only.contains(&interface.name))
    };
    let up: Vec<&Interface> = listed.iter().filter(wanted).collect();
    let has_others = up.iter().any(|interface| !interface.is_loopback());
    let may_be_told = |interface: &Interface| {
        !interface.is_loopback() || !has_others || only.contains(&interface.name)
    };
    let mut told: Vec<&Interface> = up
        .iter()
        .copied()
        .filter(|interface| may_be_told(interface) && !interface.is_link_local())
        .collect();
    if told.is_empty() {
        // An IPv4 address that a host has given itself is dialled by its neighbours like any other.
        told = up
            .into_iter()
            .filter(|interface| interface.is_link_local() && interface.ip().is_ipv4())
            .collect();
    }
    told.sort_by_key(|interface| (interface.is_loopback(), interface.index, interface.ip()));
    rank(&told, routes)
}

/// The addresses of these interfaces, the likeliest to be reached first.
fn rank(told: &[&Interface], routes: &Routes) -> Vec<IpAddr> {
    // Without a default route the first interface takes its place: bridges and tunnels are made
    // after it.
    let first = told.first().map(|interface| interface.name.clone());
    let defaults: Vec<&String> = if routes.is_empty() {
        first.iter().collect()
    } else {
        routes.names().collect()
    };
    let default = |interface: &Interface| defaults.iter().position(|name| **name == interface.name);
    let mut turns: BTreeMap<(&str, usize), usize> = BTreeMap::new();
    let mut met: BTreeMap<&str, usize> = BTreeMap::new();
    let mut ranked: Vec<((usize, usize, usize, usize), IpAddr)> = Vec::new();
    let mut by_kind = told.to_vec();
    by_kind.sort_by_key(|interface| kind(&interface.ip()));
    for interface in by_kind {
        let (name, ip) = (interface.name.as_str(), interface.ip());
        if ranked.iter().any(|(_, other)| *other == ip) {
            continue;
        }
        let turn = turns.entry((name, kind(&ip))).or_default();
        let before = met.entry(name).or_default();
        let place = told
            .iter()
            .position(|other| other.name == name)
            .expect("it is one of them");
        let rank = match default(interface) {
            Some(default) if *turn == 0 => (0, 0, default, kind(&ip)),
            None if *before == 0 => (1, 0, place, 0),
            _ => (2, *turn, place, kind(&ip)),
        };
        ranked.push((rank, ip));
        (*turn, *before) = (*turn + 1, *before + 1);
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked
        .into_iter()
        .map(|(_, ip)| ip)
        .take(ADDRESSES_MAX)
        .collect()
}

/// 0: global IPv6, 1: IPv4, 2: IPv6 local to a site (RFC 4193) or to this host.
fn kind(ip: &IpAddr) -> usize {
    match ip {
        IpAddr::V4(_) => 1,
        IpAddr::V6(v6) if v6.is_unique_local() || v6.is_loopback() => 2,
        IpAddr::V6(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use if_addrs::{IfAddr, IfOperStatus, Ifv4Addr, Ifv6Addr};

    use super::*;

    fn interface(name: &str, index: u32, ip: &str) -> Interface {
        let addr = match ip.parse().unwrap() {
            IpAddr::V4(ip) => IfAddr::V4(Ifv4Addr {
                ip,
                netmask: [255, 255, 255, 0].into(),
                prefixlen: 24,
                broadcast: None,
            }),
            IpAddr::V6(ip) => IfAddr::V6(Ifv6Addr {
                ip,
                netmask: [0; 16].into(),
                prefixlen: 64,
                broadcast: None,
            }),
        };
        Interface {
            name: name.to_owned(),
            addr,
            index: Some(index),
            oper_status: IfOperStatus::Up,
            is_p2p: false,
        }
    }

    fn texts(listed: &[Interface], only: &[&str]) -> Vec<String> {
        by_routes(listed, only, &Routes::default())
    }

    fn by_routes(listed: &[Interface], only: &[&str], routes: &Routes) -> Vec<String> {
        let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
        choose(listed, &only, routes)
            .iter()
            .map(IpAddr::to_string)
            .collect()
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
        let both = [
            interface("lo", 1, "127.0.0.1"),
            interface("eth0", 2, "10.0.0.1"),
        ];
        assert_eq!(texts(&both, &["lo"]), ["127.0.0.1"]);
        assert_eq!(texts(&both, &["lo", "eth0"]), ["10.0.0.1", "127.0.0.1"]);
        assert_eq!(texts(&both[..1], &[]), ["127.0.0.1"]);
        assert_eq!(texts(&both, &["eth7"]), [""; 0]);
    }

    #[test]
    fn an_interface_that_is_down_is_left_out() {
        let mut down = interface("eth0", 2, "10.0.0.1");
        down.oper_status = IfOperStatus::Unknown;
        assert_eq!(
            texts(&[down, interface("eth1", 3, "10.0.0.2")], &[]),
            ["10.0.0.2"]
        );
    }

    #[test]
    fn many_addresses_of_one_kind_do_not_push_out_the_others() {
        let mut listed: Vec<_> = (1..=20)
            .map(|n| interface("eth0", 2, &format!("2001:db8::{n:x}")))
            .collect();
        listed.push(interface("eth0", 2, "10.0.0.1"));
        let told = texts(&listed, &[]);
        assert_eq!(told.len(), ADDRESSES_MAX);
        assert!(told.contains(&"10.0.0.1".to_owned()), "{told:?}");
    }

    #[test]
    fn eight_bridges_do_not_push_out_the_cable_whatever_comes_first() {
        for cable in [2, 99] {
            let mut listed: Vec<_> = (1..=9)
                .map(|n| interface(&format!("br-{n}"), 10 + n, &format!("172.{}.0.1", 16 + n)))
                .collect();
            listed.push(interface("eth0", cable, "192.0.2.7"));
            listed.push(interface("eth0", cable, "2001:db8::7"));
            listed.push(interface("eth0", cable, "2001:db8::8"));
            let told = by_routes(&listed, &[], &Routes::to(&["eth0"]));
            assert_eq!(told[..3], ["2001:db8::7", "192.0.2.7", "172.17.0.1"]);
            assert_eq!(told.len(), ADDRESSES_MAX);
        }
        let mut two = vec![
            interface("wlan0", 3, "10.0.0.2"),
            interface("eth0", 2, "10.0.0.1"),
            interface("docker0", 1, "172.17.0.1"),
        ];
        let routes = Routes::to(&["wlan0", "eth0"]);
        assert_eq!(
            by_routes(&two, &[], &routes),
            ["10.0.0.2", "10.0.0.1", "172.17.0.1"]
        );
        two.push(interface("docker0", 1, "172.17.0.2"));
        two.push(interface("tun0", 9, "10.8.0.1"));
        let told = by_routes(&two, &[], &routes);
        assert_eq!(
            told[2..],
            ["172.17.0.1", "10.8.0.1", "172.17.0.2"],
            "one of each before the second of any"
        );
    }

    #[test]
    fn a_host_with_link_local_addresses_only_does_not_tell_the_loopback() {
        let six = [
            interface("lo", 1, "127.0.0.1"),
            interface("eth0", 2, "fe80::1"),
        ];
        assert_eq!(texts(&six, &[]), [""; 0]);
        let four = [
            interface("lo", 1, "127.0.0.1"),
            interface("eth0", 2, "169.254.7.7"),
            interface("eth0", 2, "fe80::1"),
        ];
        assert_eq!(texts(&four, &[]), ["169.254.7.7"]);
    }

    #[test]
    fn an_interface_that_is_not_there_is_named() {
        assert_eq!(missing(&["lo".into(), "nosuch7".into()]), ["nosuch7"]);
        assert!(words_for_missing(&["lo".into()]).is_none());
        assert!(
            words_for_missing(&["nosuch7".into()])
                .unwrap()
                .starts_with("there is no network interface nosuch7")
        );
    }
}
