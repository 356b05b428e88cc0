//! A certificate on all servers of a fleet: uploaded on one host, replaced on another, fetched by
//! who comes later or was away.

use serde_json::Value;

use super::bundles::bundle;
use super::support::host::Host;
use super::support::lab::Lab;
use super::{Pace, SOON, accepted, lab, publish, wait_all_have};
use harness::http;

#[test]
fn a_certificate_is_there_before_it_is_named_and_is_replaced_in_one_step() {
    lab(5, 1, Pace::Busy, |lab| {
        lab.join(&[1, 2, 3, 4, 5]);
        lab.start(&[1, 2, 3, 4]);
        lab.wait_linked(&[1, 2, 3, 4], 3);
        publish(lab, 1);
        wait_all_have(lab, &[1, 2, 3, 4], &[]);
        accepted(
            lab.host(2)
                .put("/certificates/shop", bundle("a").as_bytes()),
        );
        accepted(
            lab.host(2)
                .put("/config/listeners/*:8443", LISTENER.as_bytes()),
        );
        let first = wait_all_run(lab, &[1, 2, 3, 4], None);

        lab.start(&[5]);
        assert_eq!(
            wait_all_run(lab, &[1, 2, 3, 4, 5], None),
            first,
            "who comes late has the same"
        );

        lab.host_mut(4).kill();
        accepted(
            lab.host(1)
                .put("/certificates/shop", bundle("a-renewed").as_bytes()),
        );
        let second = wait_all_run(lab, &[1, 2, 3, 5], Some(&first));
        assert_eq!(
            certificates(lab.host(4)),
            std::slice::from_ref(&first),
            "nobody has told that server"
        );
        lab.host_mut(4).start();
        assert_eq!(
            wait_all_run(lab, &[1, 2, 3, 4, 5], Some(&first)),
            second,
            "who was away has the same"
        );

        for host in &lab.hosts {
            assert_eq!(
                host.json("/config")["listeners"]["*:8443"]["tls"]["certificate"],
                "shop",
                "users see the plain name"
            );
            assert!(
                !host.json("/fleet/revisions").to_string().contains("BEGIN"),
                "a bundle is never shown"
            );
            let said = host.log.tail(usize::MAX);
            assert!(
                !said.contains("BEGIN") && !said.contains("warn server"),
                "host {}:\n{said}",
                host.number
            );
        }
        accepted(lab.host(3).put("/config/listeners", b"{}"));
        accepted(
            http::request(
                &lab.host(3).control_socket(),
                "DELETE",
                "/certificates/shop",
                b"",
            )
            .expect("it answers"),
        );
        lab.wait(SOON, "no server has a certificate", || {
            lab.hosts.iter().all(|host| certificates(host).is_empty())
        });
    });
}

/// Waits until the servers of these hosts have one certificate, the same, which is not `other`, and
/// run what names it. Gives its name.
fn wait_all_run(lab: &Lab, members: &[usize], other: Option<&String>) -> String {
    let run = |host: &Host| match &certificates(host)[..] {
        [name] if Some(name) != other && named(host).as_ref() == Some(name) => Some(name.clone()),
        _ => None,
    };
    let all = || {
        members
            .iter()
            .map(|&i| run(lab.host(i)))
            .collect::<Option<Vec<_>>>()
    };
    let same = || all().filter(|names| names.iter().all(|name| *name == names[0]));
    let state = || {
        members
            .iter()
            .map(|&i| {
                format!(
                    "\n{i}: {:?}, {:?}",
                    certificates(lab.host(i)),
                    named(lab.host(i))
                )
            })
            .collect::<String>()
    };
    lab.wait_for(
        SOON,
        || format!("{members:?} run one certificate, not {other:?}:{}", state()),
        || same().is_some(),
    );
    same().expect("it was so a moment ago")[0].clone()
}

/// The names of what the server itself has.
fn certificates(host: &Host) -> Vec<String> {
    let all = http::request(&host.unit_socket(), "GET", "/certificates", b"")
        .map(|reply| reply.json())
        .unwrap_or_default();
    all.as_object()
        .map(|all| all.keys().cloned().collect())
        .unwrap_or_default()
}

/// What its listener names.
fn named(host: &Host) -> Option<String> {
    let config = host.server_config()?;
    config
        .pointer("/listeners/*:8443/tls/certificate")
        .and_then(Value::as_str)
        .map(str::to_owned)
}

const LISTENER: &str = r#"{"pass":"routes/main","tls":{"certificate":"shop"}}"#;
