//! Discovery, by real multicast on this host's loopback interface.

use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use starlingd::daemon::discovery::{Deaths, Discovery, DiscoveryEvent, DiscoverySettings};
use starlingd::limits::{BROWSE_FOR, DEAF_AFTER, MDNS_DEATHS_MAX};
use starlingd::model::peer_id::PeerId;
use starlingd::model::signature::SecretKey;
use starlingd::wire::fleet::{Fleet, FleetId, FleetKey};

const PATIENCE: Duration = Duration::from_secs(10);

fn key(first: u8) -> FleetKey {
    // Its own for each run: other tests may be on this wire at the same time.
    let mut key = [first; 32];
    key[1..5].copy_from_slice(&std::process::id().to_be_bytes());
    FleetKey::from_bytes(key)
}

fn settings(seed: u8, keys: &[u8]) -> DiscoverySettings {
    let owner = FleetId::from_bytes(SecretKey::from_seed(&[200; 32]).public()).unwrap();
    let fleet = Fleet::new(
        "test".to_owned(),
        owner,
        keys.iter().map(|first| key(*first)).collect(),
    )
    .unwrap();
    let peer = PeerId::from_bytes(SecretKey::from_seed(&[seed; 32]).public()).unwrap();
    DiscoverySettings {
        fleet,
        peer,
        interfaces: vec!["lo".to_owned()],
        deaths: Deaths::default(),
    }
}

fn instance(settings: &DiscoverySettings) -> String {
    settings
        .fleet
        .key()
        .instance(settings.fleet.id(), &settings.peer)
}

fn start(
    settings: DiscoverySettings,
    port: u16,
) -> (Discovery, Receiver<(Instant, DiscoveryEvent)>) {
    let (sender, events) = mpsc::sync_channel(64);
    let discovery = Discovery::start(settings, move |event| {
        sender.send((Instant::now(), event)).unwrap_or(())
    })
    .unwrap();
    assert!(discovery.announce(port));
    (discovery, events)
}

/// `wanted` is found at `port`: when, and whether it has heard of the finder. Anybody else is a
/// mistake.
fn found(events: &Receiver<(Instant, DiscoveryEvent)>, wanted: &str, port: u16) -> (Instant, bool) {
    let (when, event) = events.recv_timeout(PATIENCE).expect("it is found");
    let DiscoveryEvent::Found {
        instance,
        addresses,
        unheard,
    } = event
    else {
        panic!("{event:?}")
    };
    assert_eq!(instance, wanted);
    assert_eq!(addresses, [SocketAddr::from(([127, 0, 0, 1], port))]);
    (when, unheard)
}

#[test]
fn hosts_of_one_fleet_find_each_other_and_nobody_else() {
    let names = [instance(&settings(1, &[1])), instance(&settings(2, &[1]))];
    let (_stranger, strange) = start(settings(3, &[9]), 3);
    let (_one, at_one) = start(settings(1, &[1]), 1);
    let begun = Instant::now();
    let (two, at_two) = start(settings(2, &[1]), 2);
    let (seen, unheard) = found(&at_one, &names[1], 2);
    assert!(
        unheard,
        "it was announced a moment before the other could hear it"
    );
    let (sees, _) = found(&at_two, &names[0], 1);
    println!(
        "the second host is found after {:?}, finds the first after {:?}",
        seen - begun,
        sees - begun
    );
    assert!(
        at_one.try_recv().is_err() && at_two.try_recv().is_err() && strange.try_recv().is_err()
    );
    let before = Instant::now();
    two.stop();
    assert!(
        before.elapsed() < Duration::from_millis(500),
        "the goodbye was sent, not waited out"
    );
    // Gone and come back on another port: that is news.
    let (_two, _at_two) = start(settings(2, &[1]), 22);
    found(&at_one, &names[1], 22);
}

#[test]
fn any_key_in_common_is_enough() {
    let names = [
        instance(&settings(4, &[2])),
        instance(&settings(5, &[3, 2])),
    ];
    let (_old, at_old) = start(settings(4, &[2]), 4);
    let (_both, at_both) = start(settings(5, &[3, 2]), 5);
    found(&at_old, &names[1], 5);
    found(&at_both, &names[0], 4);
}

/// What a stranger announces, who has copied the tag of a host.
fn announce(daemon: &mdns_sd::ServiceDaemon, instance: &str, port: u16, tag: &str) {
    let txt = [("v", "1"), ("t", tag)];
    let host = format!("{instance}.local.");
    let service = mdns_sd::ServiceInfo::new(
        "_starling._tcp.local.",
        instance,
        &host,
        "127.0.0.1",
        port,
        &txt[..],
    );
    let mut service = service.unwrap();
    service.set_requires_probe(false);
    daemon.register(service).unwrap();
}

#[test]
fn a_tag_that_was_copied_to_another_instance_or_port_is_nobodys() {
    let (_one, at_one) = start(settings(6, &[5]), 6);
    let real = settings(7, &[5]);
    let tag = real.fleet.key().tag(real.fleet.id(), &instance(&real), 7);
    let daemon = mdns_sd::ServiceDaemon::new().unwrap();
    daemon
        .enable_interface(mdns_sd::IfKind::Name("lo".to_owned()))
        .unwrap();
    for number in 0..20 {
        announce(&daemon, &format!("{number:020x}"), 7, &tag);
    }
    announce(&daemon, &instance(&settings(8, &[5])), 7, &tag);
    // The last, and the only one that holds.
    announce(&daemon, &instance(&real), 7, &tag);
    found(&at_one, &instance(&real), 7);
    assert!(at_one.try_recv().is_err());
    // The same host, said to be at another port.
    announce(&daemon, &instance(&real), 77, &tag);
    let next = settings(9, &[5]);
    let (_next, _at_next) = start(settings(9, &[5]), 9);
    found(&at_one, &instance(&next), 9);
    daemon.shutdown().unwrap();
}

#[test]
fn a_host_looks_again_when_it_is_told_of_another_network() {
    let names = [instance(&settings(10, &[6])), instance(&settings(11, &[6]))];
    let (one, at_one) = start(settings(10, &[6]), 10);
    let (_two, at_two) = start(settings(11, &[6]), 11);
    found(&at_one, &names[1], 11);
    found(&at_two, &names[0], 10);
    one.set_missing(false);
    assert!(one.announce(10));
    found(&at_one, &names[1], 11);
}

#[test]
fn a_host_that_has_stopped_to_look_answers_those_who_do() {
    let name = instance(&settings(12, &[7]));
    let (one, at_one) = start(settings(12, &[7]), 12);
    one.set_missing(false);
    assert!(
        at_one
            .recv_timeout(BROWSE_FOR + Duration::from_secs(1))
            .is_err(),
        "nobody else is there"
    );
    let (_two, at_two) = start(settings(13, &[7]), 13);
    let (_, unheard) = found(&at_two, &name, 12);
    assert!(unheard, "who has just come dials at once");
    assert!(at_one.try_recv().is_err(), "it does not listen any more");
}

/// The next word of trouble, or of its end, that comes within `patience`.
fn trouble(
    events: &Receiver<(Instant, DiscoveryEvent)>,
    patience: Duration,
) -> Option<Option<String>> {
    let end = Instant::now() + patience;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match events.recv_timeout(left).ok()?.1 {
            DiscoveryEvent::Trouble(why) => return Some(why),
            DiscoveryEvent::Found { .. } => {}
        }
    }
}

#[test]
fn where_its_thread_has_died_another_is_started_a_few_times() {
    let own = settings(14, &[8]);
    let deaths = own.deaths.clone();
    let (one, at_one) = start(own, 14);
    let (_two, _at_two) = start(settings(15, &[8]), 15);
    found(&at_one, &instance(&settings(15, &[8])), 15);
    deaths.note();
    // Which wakes it.
    one.set_missing(false);
    assert!(trouble(&at_one, PATIENCE).is_some_and(|why| why.is_some()));
    assert_eq!(trouble(&at_one, PATIENCE), Some(None), "it works again");
    (0..MDNS_DEATHS_MAX).for_each(|_| deaths.note());
    one.set_missing(true);
    assert!(trouble(&at_one, PATIENCE).is_some_and(|why| why.is_some()));
    let again = trouble(&at_one, 2 * DEAF_AFTER);
    assert_eq!(again, None, "no more are started");
}
