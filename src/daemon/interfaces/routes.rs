//! Over which interfaces the rest of the world is reached, as Linux tells it in `/proc/net`
//! (proc(5)).
//!
//! On a system that does not say there are no default routes, and nothing else changes.

use crate::daemon::system::beginning;
use crate::limits::ROUTE_TABLE_MAX;

/// The interfaces of the default routes.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// Names of interfaces; the route that is taken first comes first.
    names: Vec<String>,
}

impl Routes {
    /// Reads the default routes as they are now; there are none if the system does not say.
    pub(super) fn read() -> Self {
        let table = |path| beginning(path, ROUTE_TABLE_MAX);
        Self::of(&table("/proc/net/route"), &table("/proc/net/ipv6_route"))
    }

    /// Whether there is no default route.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The names of the interfaces, the one that is taken first at the front.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.names.iter()
    }

    fn of(four: &str, six: &str) -> Self {
        let mut found: Vec<(u32, &str)> = four
            .lines()
            .filter_map(default_of_four)
            .chain(six.lines().filter_map(default_of_six))
            .collect();
        found.sort_by_key(|(metric, _)| *metric);
        let mut names: Vec<String> = Vec::new();
        for (_, name) in found {
            if !names.iter().any(|other| other == name) {
                names.push(name.to_owned());
            }
        }
        Self { names }
    }

    #[cfg(test)]
    pub(super) fn to(names: &[&str]) -> Self {
        Self {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}

fn default_of_four(line: &str) -> Option<(u32, &str)> {
    let row: Vec<&str> = line.split_ascii_whitespace().collect();
    let [name, "00000000", _, flags, _, _, metric, "00000000", ..] = row[..] else {
        return None;
    };
    leads_somewhere(flags)?;
    Some((metric.parse().ok()?, name))
}

fn default_of_six(line: &str) -> Option<(u32, &str)> {
    let row: Vec<&str> = line.split_ascii_whitespace().collect();
    let [
        "00000000000000000000000000000000",
        "00",
        _,
        "00",
        _,
        metric,
        _,
        _,
        flags,
        name,
    ] = row[..]
    else {
        return None;
    };
    leads_somewhere(flags)?;
    Some((u32::from_str_radix(metric, 16).ok()?, name))
}

fn leads_somewhere(flags: &str) -> Option<()> {
    u32::from_str_radix(flags, 16)
        .is_ok_and(|flags| flags & UP != 0 && flags & REJECT == 0)
        .then_some(())
}

/// Flags of a route (linux/route.h).
const UP: u32 = 0x1;
const REJECT: u32 = 0x200;

#[cfg(test)]
mod tests {
    use super::*;

    const FOUR: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
        wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
        eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
        tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n\
        docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
    const SIX: &str = "\
        20010db8000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth1\n\
        00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000005 00000000 00450003     eth1\n\
        00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n";

    #[test]
    fn the_default_route_with_the_smallest_metric_comes_first() {
        let names =
            |four: &str, six: &str| Routes::of(four, six).names().cloned().collect::<Vec<_>>();
        assert_eq!(names(FOUR, SIX), ["eth0", "wlan0", "eth1"]);
        assert_eq!(names("", SIX), ["eth1"]);
        assert!(Routes::of("one\n\n", "00000000000000000000000000000000 00\n").is_empty());
    }
}
