//! Dials: each that is taken ends with its event, and says why it failed.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{self};
use std::thread;
use std::time::{Duration, Instant};

use starlingd::daemon::dialler::{self, DialEvent, Dialler};
use starlingd::daemon::listener::{Listener, ListenerSettings};
use starlingd::daemon::pulse::Pulse;
use starlingd::limits::DIALS_QUEUED;

use super::{PATIENCE, awake, dial, listener, local, nowhere, wait};

/// A port that nobody listens on, and nobody will be given: it stays bound.
fn dead_port() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket
        .bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into())
        .unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

#[test]
fn while_the_loop_stands_nobody_is_answered_and_nobody_dialled() {
    let (here, there) = (awake(), awake());
    let (sender, arrivals) = mpsc::sync_channel(64);
    let listen = vec!["127.0.0.1:0".parse().unwrap()];
    let settings = ListenerSettings {
        listen,
        local: local(1, 7),
        addresses: nowhere(),
        pulse: here.clone(),
    };
    let listener =
        Listener::start(settings, move |parts| sender.send(parts).unwrap_or(())).unwrap();
    let address = listener.local_addrs()[0];
    let (sender, events) = mpsc::sync_channel(64);
    let tell = move |event| sender.send(event).unwrap_or(());
    let dialler = Dialler::start(local(2, 7), nowhere(), there.clone(), tell).unwrap();
    let fails = |number| {
        assert!(dialler.dial(number, address.to_string()));
        match events.recv_timeout(PATIENCE).unwrap() {
            DialEvent::Failed { reason, .. } => Some(reason),
            DialEvent::Linked(_) => None,
        }
    };
    let stand = |pulse: &Pulse| {
        pulse.promise(Duration::ZERO);
        wait("the loop stands", || pulse.stands());
    };
    assert_eq!(fails(1), None);
    arrivals.recv_timeout(PATIENCE).unwrap();
    stand(&here);
    assert!(fails(2).is_some_and(|reason| reason.contains("no peer of this fleet answers there")));
    stand(&there);
    assert_eq!(fails(3).as_deref(), Some("this host's loop stands"));
    assert!(arrivals.try_recv().is_err());
    [here, there].iter().for_each(Pulse::turn);
    assert_eq!(fails(4), None);
}

#[test]
fn a_dial_says_why_it_failed() {
    let (_bound, address) = dead_port();
    let refused = dial(address, 2, 7).err().unwrap();
    assert!(!refused.is_stranger());
    assert!(
        refused.to_string().starts_with("cannot connect: "),
        "{refused}"
    );
    let (_listener, address, _arrivals) = listener("127.0.0.1:0");
    let oneself = dial(address, 1, 7).err().unwrap();
    assert_eq!(
        (oneself.to_string().as_str(), oneself.is_stranger()),
        ("handshake failed: a connection to oneself", true)
    );
}

#[test]
fn a_server_that_trickles_its_answer_does_not_hold_a_dial() {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = door.local_addr().unwrap();
    thread::spawn(move || {
        let mut stream = door.accept().unwrap().0;
        // The length of a message first, then a byte at a time until the dialler has had enough.
        let mut next = stream.write_all(&[1, 0]);
        while next.is_ok() {
            thread::sleep(Duration::from_millis(50));
            next = stream.write_all(&[0]);
        }
    });
    let before = Instant::now();
    let limit = Duration::from_millis(400);
    let error = dialler::dial(&address.to_string(), &local(2, 7), &nowhere(), limit)
        .err()
        .unwrap();
    assert!(error.is_stranger(), "{error}");
    let took = before.elapsed();
    assert!(took >= limit && took < 2 * limit, "{took:?}");
}

#[test]
fn every_dial_that_is_taken_ends_with_its_event() {
    let (_listener, address, arrivals) = listener("127.0.0.1:0");
    let (_bound, dead) = dead_port();
    let (sender, events) = mpsc::sync_channel(DIALS_QUEUED);
    let dialler = Dialler::start(local(2, 7), nowhere(), awake(), move |event| {
        sender.send(event).unwrap_or(())
    })
    .unwrap();
    let targets = [
        address.to_string(),
        dead.to_string(),
        "no such host".to_owned(),
    ];
    let mut waiting: Vec<u64> = (0..30).collect();
    for id in &waiting {
        assert!(dialler.dial(*id, targets[*id as usize % 3].clone()));
    }
    while !waiting.is_empty() {
        let id = match events.recv_timeout(PATIENCE).unwrap() {
            DialEvent::Linked(parts) => {
                let id = parts.dialled.expect("it was dialled");
                assert_eq!(id % 3, 0);
                id
            }
            DialEvent::Failed {
                id,
                address,
                reason,
                stranger,
            } => {
                assert!(!reason.is_empty());
                assert!(!stranger, "{reason}");
                assert_eq!(address, targets[id as usize % 3]);
                assert_ne!(id % 3, 0, "{reason}");
                id
            }
        };
        waiting.retain(|waits| *waits != id);
    }
    for _ in 0..10 {
        arrivals
            .recv_timeout(PATIENCE)
            .expect("each link has its other end");
    }
}
