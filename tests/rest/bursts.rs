//! Three daemons whose clients append to one array at once: hosts make their changes again
//! themselves.

use std::collections::BTreeSet;
use std::thread;

use super::host::{Host, request};
use super::watch::{text, until};
use harness::http::Door;

/// Clients at each host, and what each of them appends.
const CLIENTS: usize = 4;
const EACH: usize = 10;

/// Appends one element after the other; those that were made, and how many times the client was
/// told to come again.
fn client(door: &Door, name: &str) -> (Vec<String>, usize) {
    let (mut made, mut turned_away) = (Vec::new(), 0);
    for number in 0..EACH {
        let uri = format!("/{name}-{number}");
        let element = format!(r#"{{"match":{{"uri":"{uri}"}},"action":{{"return":204}}}}"#);
        let reply = door.send(&request("POST", "/config/routes", "", &element));
        match reply.status {
            200 => made.push(uri),
            503 => turned_away += 1,
            other => panic!("an append is answered {other}: {}", reply.body),
        }
    }
    (made, turned_away)
}

fn uris(host: &Host) -> Vec<String> {
    let config = host.config();
    let routes = config["routes"].as_array().into_iter().flatten();
    routes.map(|route| text(&route["match"]["uri"])).collect()
}

#[test]
fn all_that_clients_who_append_at_once_were_acknowledged_is_there_once() {
    let mut first = Host::founded();
    first.start_linked(&[]);
    let mut hosts = vec![first];
    for _ in 1..3 {
        let mut host = Host::joined_to(&hosts[0]);
        let peers: Vec<String> = hosts.iter().map(Host::address).collect();
        host.start_linked(&peers);
        until("it has joined", || {
            host.json("/fleet")["peer"]["joined"] == true
        });
        hosts.push(host);
    }
    hosts[0].change(
        "PUT",
        "/config",
        r#"{"listeners":{},"routes":[],"applications":{}}"#,
    );
    until("all have the first document", || {
        hosts.iter().all(|host| host.config()["routes"].is_array())
    });
    let results: Vec<(Vec<String>, usize)> = thread::scope(|scope| {
        let clients = hosts.iter().enumerate().flat_map(|(number, host)| {
            (0..CLIENTS).map(move |client| (number, client, host.door().clone()))
        });
        let clients: Vec<_> = clients
            .map(|(number, name, door)| {
                scope.spawn(move || client(&door, &format!("{number}-{name}")))
            })
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().expect("it is answered"))
            .collect()
    });
    let turned_away: usize = results.iter().map(|(_, turned_away)| turned_away).sum();
    let made: BTreeSet<String> = results.into_iter().flat_map(|(made, _)| made).collect();
    // How many are turned away is a matter of the disk.
    assert_eq!(made.len() + turned_away, 3 * CLIENTS * EACH);
    until("all are everywhere, once", || {
        let there = |host: &Host| {
            let uris = uris(host);
            uris.len() == made.len() && uris.into_iter().collect::<BTreeSet<_>>() == made
        };
        hosts.iter().all(there)
    });
    assert_eq!(
        hosts[0].json("/fleet/conflicts"),
        starlingd::model::json::Value::Array(Vec::new())
    );
}
