//! Networks other than one wire with both IP versions.

use serde_json::Value;

use super::{Pace, change, lab, publish, wait_all_have};

#[test]
fn two_subnets_without_multicast_become_one_fleet_by_a_single_peer_address() {
    lab(6, 2, Pace::Busy, |lab| {
        let all = [1, 2, 3, 4, 5, 6];
        lab.join(&all);
        lab.host_mut(4).flags = vec!["--peer".into(), "10.77.0.1:7117".into()];
        lab.start(&all);
        publish(lab, 1);
        wait_all_have(lab, &all, &[]);
        // Only host 4 was told an address: that 2 and 6 link means that they learnt it.
        lab.wait_linked(&all, 5);
        change(lab, 6, "far");
        change(lab, 6, "farther");
        wait_all_have(lab, &all, &["far", "farther"]);
    });
}

#[test]
fn a_wire_without_ipv4_is_enough() {
    lab(3, 1, Pace::Busy, |lab| {
        let all = [1, 2, 3];
        all.iter().for_each(|i| drop(lab.net(&["noipv4", &i.to_string()])));
        lab.fleet(&all);
        publish(lab, 3);
        wait_all_have(lab, &all, &[]);
        change(lab, 1, "six");
        wait_all_have(lab, &all, &["six"]);
        let addresses: Vec<Value> = all.iter().flat_map(|&i| lab.host(i).links()).map(|link| link["address"].clone()).collect();
        assert!(addresses.iter().all(|a| a.as_str().is_some_and(|a| a.contains(':') && !a.contains("10.77."))), "{addresses:?}");
    });
}
