//! Who gets in, and who takes no place that an honest caller needs.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use starlingd::daemon::listener::{Listener, ListenerSettings};
use starlingd::limits::{
    FIRST_FLIGHT_WAIT, HANDSHAKES_FROM_ONE, HANDSHAKES_KEPT, HANDSHAKES_MAX, VERIFIED_FROM_ONE,
};
use starlingd::wire::handshake::Dialling;

use super::{PATIENCE, awake, dial, heard, listener, local, nowhere, raw, wait};

#[test]
fn a_stranger_gets_not_one_byte() {
    let (_listener, address, arrivals) = listener("127.0.0.1:0");
    let other_key = Dialling::begin(&local(2, 8)).unwrap().1;
    let mut own_key_altered = Dialling::begin(&local(2, 7)).unwrap().1;
    *own_key_altered.last_mut().unwrap() ^= 1;
    let http = b"GET / HTTP/1.1\r\nHost: example.org\r\nUser-Agent: a scanner of some kind\r\n\r\n"
        .to_vec();
    let short = b"\r\n".to_vec();
    for bytes in [other_key, own_key_altered, http, short, vec![0; 4096]] {
        let mut stream = raw(address);
        stream.write_all(&bytes).unwrap();
        assert_eq!(heard(stream), [0; 0], "after {bytes:?}");
    }
    let refused = dial(address, 2, 8).err().unwrap();
    assert!(refused.is_stranger(), "{refused}");
    assert!(arrivals.try_recv().is_err());
}

#[test]
fn a_silent_connection_is_closed_after_its_second() {
    let (_listener, address, _arrivals) = listener("127.0.0.1:0");
    let before = Instant::now();
    let mut half = raw(address);
    half.write_all(b"STAR").unwrap();
    assert_eq!(heard(raw(address)), [0; 0]);
    assert_eq!(heard(half), [0; 0]);
    let took = before.elapsed();
    assert!(
        took >= FIRST_FLIGHT_WAIT && took < 3 * FIRST_FLIGHT_WAIT,
        "{took:?}"
    );
}

#[test]
fn two_hundred_idle_connections_do_not_stop_an_honest_dial() {
    let (_listener, address, arrivals) = listener("127.0.0.1:0");
    let idle: Vec<TcpStream> = (0..200).map(|_| raw(address)).collect();
    let before = Instant::now();
    dial(address, 2, 7).unwrap();
    arrivals.recv_timeout(PATIENCE).unwrap();
    assert!(
        before.elapsed() < FIRST_FLIGHT_WAIT,
        "not by waiting for the idle ones to go: {:?}",
        before.elapsed()
    );
    drop(idle);
}

#[test]
fn a_replayed_first_flight_gets_nothing() {
    let (_listener, address, _arrivals) = listener("127.0.0.1:0");
    let first = Dialling::begin(&local(2, 7)).unwrap().1;
    let mut recorded = raw(address);
    recorded.write_all(&first).unwrap();
    recorded
        .read_exact(&mut [0; 2])
        .expect("the first time it is answered");
    let mut replayed = raw(address);
    replayed.write_all(&first).unwrap();
    assert_eq!(heard(replayed), [0; 0]);
}

/// Connects from another address of the loopback, and sends a first flight, or plays it back.
fn open_from(last: u8, address: SocketAddr, flight: &[u8]) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from(([127, 0, 0, last], 0)).into())
        .unwrap();
    socket.connect(&address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(flight).unwrap();
    stream
}

fn flight() -> Vec<u8> {
    Dialling::begin(&local(2, 7)).unwrap().1
}

#[test]
fn half_open_handshakes_take_no_more_than_their_places_and_give_them_back() {
    let (_listener, address, _arrivals) = listener("127.0.0.1:0");
    let open = |last: u8| open_from(last, address, &flight());
    let mut places: Vec<TcpStream> = (0..HANDSHAKES_MAX - HANDSHAKES_KEPT)
        .map(|number| open(2 + number as u8))
        .collect();
    for stream in &mut places {
        stream.read_exact(&mut [0; 2]).expect("an answer");
    }
    let mut next = open(200);
    next.set_nonblocking(true).unwrap();
    // Whoever is turned away after it has been looked at after it.
    assert_eq!(heard_of_a_stranger(address), [0; 0]);
    assert!(
        next.read(&mut [0; 2])
            .is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock),
        "it waits"
    );
    places.pop();
    next.set_nonblocking(false).unwrap();
    next.read_exact(&mut [0; 2])
        .expect("an answer, once there is a place");
}

/// Recorded on the wire at other hosts, so that this one has not seen them.
#[test]
fn first_flights_that_are_played_back_keep_nobody_out() {
    let (_listener, address, arrivals) = listener("127.0.0.1:0");
    let recorded: Vec<Vec<u8>> = (0..80).map(|_| flight()).collect();
    let played: Vec<TcpStream> = recorded
        .iter()
        .map(|flight| open_from(3, address, flight))
        .collect();
    let is_turned_away = |stream: &&TcpStream| matches!(stream.peek(&mut [0; 2]), Ok(0));
    played
        .iter()
        .for_each(|stream| stream.set_nonblocking(true).unwrap());
    // Which ones is not said: the flights of connections that are made at once are read in any
    // order.
    let most = 80 - HANDSHAKES_FROM_ONE - VERIFIED_FROM_ONE;
    wait("the others are turned away", || {
        played.iter().filter(is_turned_away).count() >= most
    });
    dial(address, 2, 7).expect("it is let in meanwhile");
    arrivals
        .recv_timeout(PATIENCE)
        .expect("and its link is there");
    let from_many: Vec<TcpStream> = recorded
        .iter()
        .zip(10..)
        .map(|(_, last)| open_from(last, address, &flight()))
        .collect();
    // Somebody who was met has places that nobody else is given.
    dial(address, 2, 7).expect("it is let in before all of these");
    arrivals
        .recv_timeout(PATIENCE)
        .expect("and its link is there");
    drop((played, from_many));
}

fn heard_of_a_stranger(address: SocketAddr) -> Vec<u8> {
    let mut stranger = raw(address);
    stranger
        .write_all(&Dialling::begin(&local(2, 8)).unwrap().1)
        .unwrap();
    heard(stranger)
}

#[test]
fn a_listener_that_is_stopped_lets_go_of_its_port() {
    let (listener, address, _arrivals) = listener("127.0.0.1:0");
    let _idle = raw(address);
    listener.stop();
    let settings = ListenerSettings {
        listen: vec![address],
        local: local(1, 7),
        addresses: nowhere(),
        pulse: awake(),
    };
    let again = Listener::start(settings, |_| ()).unwrap();
    let settings = ListenerSettings {
        listen: vec![address],
        local: local(1, 7),
        addresses: nowhere(),
        pulse: awake(),
    };
    let taken = Listener::start(settings, |_| ()).err().unwrap().to_string();
    assert!(
        taken.starts_with(&format!("cannot listen on {address}")),
        "{taken}"
    );
    assert!(
        taken.contains(&format!("by process {} ", std::process::id())),
        "{taken}"
    );
    drop(again);
}
