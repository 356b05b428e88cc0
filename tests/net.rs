//! Links, the listener and the dialler, over real sockets on loopback.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use starlingd::daemon::clock::Clock;
use starlingd::daemon::dialler::{self, Addresses, DialError, DialEvent, Dialler};
use starlingd::daemon::link::{self, LinkEvent, LinkParts, RunningLink};
use starlingd::daemon::listener::{Listener, ListenerSettings};
use starlingd::daemon::pulse::Pulse;
use starlingd::limits::{
    CREDIT_STEP, DIALS_QUEUED, FIRST_FLIGHT_WAIT, FRAME_MAX, HANDSHAKES_FROM_ONE, HANDSHAKES_KEPT,
    HANDSHAKES_MAX, INLINE_MAX, LINK_WINDOW, VERIFIED_FROM_ONE,
};
use starlingd::model::record::RecordId;
use starlingd::model::signature::SecretKey;
use starlingd::wire::fleet::{Fleet, FleetId, FleetKey};
use starlingd::wire::frame::{Frame, charge};
use starlingd::wire::handshake::{Dialling, FIRST_LEN, LocalPeer};

/// Far more than anything here takes; what takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);
const DIAL_WAIT: Duration = Duration::from_secs(5);

fn local(seed: u8, fleet_key: u8) -> Arc<LocalPeer> {
    let owner = FleetId::from_bytes(SecretKey::from_seed(&[200; 32]).public()).unwrap();
    let fleet = Fleet::new(
        "test".to_owned(),
        owner,
        vec![FleetKey::from_bytes([fleet_key; 32])],
    )
    .unwrap();
    let identity = SecretKey::from_seed(&[seed; 32]);
    Arc::new(LocalPeer {
        identity,
        fleet,
        static_secret: [seed; 32],
        run: u64::from(seed),
        features: 0,
    })
}

fn nowhere() -> Addresses {
    Arc::new(|| vec!["192.0.2.1:7117".parse().unwrap()])
}

/// Of a loop that has promised nothing yet.
fn awake() -> Pulse {
    Pulse::new(Clock::new())
}

/// A listener of peer 1, and what it lets in.
fn listener(on: &str) -> (Listener, SocketAddr, Receiver<LinkParts>) {
    let (sender, arrivals) = mpsc::sync_channel(64);
    let settings = ListenerSettings {
        listen: vec![on.parse().unwrap()],
        local: local(1, 7),
        addresses: nowhere(),
        pulse: awake(),
    };
    let listener =
        Listener::start(settings, move |parts| sender.send(parts).unwrap_or(())).unwrap();
    let address = listener.local_addrs()[0];
    (listener, address, arrivals)
}

fn dial(address: SocketAddr, seed: u8, fleet_key: u8) -> Result<LinkParts, DialError> {
    dialler::dial(
        &address.to_string(),
        &local(seed, fleet_key),
        &nowhere(),
        DIAL_WAIT,
    )
}

/// Both ends of a verified connection, the dialler's first.
fn pair(on: &str) -> (LinkParts, LinkParts) {
    let (_listener, address, arrivals) = listener(on);
    let dialled = dial(address, 2, 7).unwrap();
    (dialled, arrivals.recv_timeout(PATIENCE).unwrap())
}

fn start(number: u64, parts: LinkParts) -> (RunningLink, Receiver<LinkEvent>) {
    let (sender, events) = mpsc::sync_channel(1024);
    (
        link::start(number, parts, move |event| sender.send(event).unwrap_or(())).unwrap(),
        events,
    )
}

fn next_frame(events: &Receiver<LinkEvent>) -> Vec<u8> {
    loop {
        match events.recv_timeout(PATIENCE).expect("a frame") {
            LinkEvent::Frame { bytes, .. } => return bytes,
            LinkEvent::Sent { .. } => {}
            LinkEvent::Down { reason, .. } => panic!("the link is down: {reason}"),
        }
    }
}

/// The reason of the one `Down`: the channel ends when both threads have, so a second one would be
/// seen.
fn the_one_down(events: &Receiver<LinkEvent>) -> String {
    let deadline = Instant::now() + PATIENCE;
    let mut reasons = Vec::new();
    loop {
        match events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(LinkEvent::Down { reason, .. }) => reasons.push(reason),
            Ok(_) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                panic!("the link's threads do not end; so far: {reasons:?}")
            }
        }
    }
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    reasons.remove(0)
}

fn raw(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// All that the other side says before it closes. A reset is a close, too: it has bytes of ours
/// that it did not care to read.
fn heard(mut stream: TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    match stream.read_to_end(&mut heard) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("{error}"),
        _ => heard,
    }
}

#[test]
fn frames_go_both_ways_in_order() {
    for on in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
        let (dialled, accepted) = pair(on);
        assert!(dialled.outgoing && !accepted.outgoing);
        assert_eq!(dialled.hello.run, 1);
        assert_eq!(accepted.hello.run, 2);
        assert_eq!(accepted.hello.addresses, nowhere()());
        assert_eq!(accepted.address.ip(), dialled.address.ip());
        let ((one, from_two), (two, from_one)) = (start(1, dialled), start(2, accepted));
        for n in 0..100_u32 {
            assert!(one.send(n.to_be_bytes().to_vec()));
            assert!(two.send((!n).to_be_bytes().to_vec()));
        }
        for n in 0..100_u32 {
            assert_eq!(next_frame(&from_one), n.to_be_bytes());
            assert_eq!(next_frame(&from_two), (!n).to_be_bytes());
        }
    }
}

#[test]
fn the_largest_frames_pass_and_credit_comes_back() {
    let (dialled, accepted) = pair("127.0.0.1:0");
    let ((one, from_two), (_two, from_one)) = (start(1, dialled), start(2, accepted));
    let frame: Vec<u8> = (0..FRAME_MAX).map(|n| n as u8).collect();
    let mut window = LINK_WINDOW;
    for _ in 0..50 {
        while window < charge(frame.len()) {
            match from_two.recv_timeout(PATIENCE).unwrap() {
                LinkEvent::Sent { link: 1, credit } if credit >= CREDIT_STEP => window += credit,
                other => panic!("{other:?}"),
            }
        }
        window -= charge(frame.len());
        assert!(one.send(frame.clone()));
        assert_eq!(next_frame(&from_one), frame);
    }
}

#[test]
fn a_small_frame_passes_pieces_that_wait_for_a_slow_reader_and_these_stay_in_order() {
    let (dialled, accepted) = pair("127.0.0.1:0");
    socket2::SockRef::from(&dialled.stream)
        .set_send_buffer_size(16 << 10)
        .unwrap();
    socket2::SockRef::from(&accepted.stream)
        .set_recv_buffer_size(16 << 10)
        .unwrap();
    let (one, _from_two) = start(1, dialled);
    let piece = |n: u8| {
        Frame::Piece {
            id: RecordId([n; 32]),
            offset: 0,
            bytes: vec![n; INLINE_MAX],
        }
        .encode()
    };
    let pieces: Vec<Vec<u8>> = (0..15).map(piece).collect();
    assert!(
        LINK_WINDOW > 15 * charge(pieces[0].len()) + charge(1),
        "all that is sent here is within the window"
    );
    assert!(pieces.iter().all(|piece| one.send(piece.clone())));
    assert!(one.send(b"small".to_vec()));
    // Only now does the other side begin to read.
    let (_two, from_one) = start(2, accepted);
    let arrived: Vec<Vec<u8>> = (0..16).map(|_| next_frame(&from_one)).collect();
    let at = arrived
        .iter()
        .position(|frame| frame == b"small")
        .expect("it arrives");
    assert!(at < 10, "it waited for {at} pieces");
    assert_eq!(
        arrived
            .into_iter()
            .filter(|frame| frame != b"small")
            .collect::<Vec<_>>(),
        pieces
    );
}

#[test]
fn a_frame_beyond_the_bound_ends_the_link_on_the_side_that_sends_it() {
    let (dialled, accepted) = pair("127.0.0.1:0");
    let ((one, at_one), (two, at_two)) = (start(1, dialled), start(2, accepted));
    assert!(one.send(vec![0; FRAME_MAX + 1]));
    assert!(the_first_down(&at_one).contains("more than a frame may have"));
    assert!(the_first_down(&at_two).contains("closed by the peer"));
    drop((one, two));
}

fn the_first_down(events: &Receiver<LinkEvent>) -> String {
    loop {
        if let LinkEvent::Down { reason, .. } =
            events.recv_timeout(PATIENCE).expect("the link goes down")
        {
            return reason;
        }
    }
}

#[test]
fn what_is_queued_goes_out_before_a_link_closes() {
    let (dialled, accepted) = pair("127.0.0.1:0");
    let ((one, at_one), (two, at_two)) = (start(1, dialled), start(2, accepted));
    for n in 0..50_u8 {
        assert!(one.send(vec![100 + n; 1000]));
        assert!(
            two.send(vec![n; 1000]),
            "so that the other side's bytes lie unread in the socket"
        );
    }
    one.close();
    for n in 0..50_u8 {
        assert_eq!(next_frame(&at_two), vec![100 + n; 1000]);
    }
    assert_eq!(the_first_down(&at_two), "closed by the peer");
    drop(two);
    assert_eq!(the_one_down(&at_one), "closed");
}

#[test]
fn every_end_is_told_exactly_once() {
    let (dialled, accepted) = pair("127.0.0.1:0");
    let ((one, at_one), (two, at_two)) = (start(1, dialled), start(2, accepted));
    one.abort();
    assert_eq!(the_one_down(&at_one), "aborted");
    assert_eq!(the_first_down(&at_two), "closed by the peer");
    two.close();
    assert!(
        at_two.recv_timeout(PATIENCE).is_err(),
        "nothing after the end"
    );
    let (dialled, accepted) = pair("127.0.0.1:0");
    let ((one, at_one), (two, at_two)) = (start(1, dialled), start(2, accepted));
    one.close();
    two.close();
    // Which of the two is the first to notice is anybody's guess.
    assert!(the_one_down(&at_one).starts_with("closed"));
    assert!(the_one_down(&at_two).starts_with("closed"));
}

/// Passes everything on but flips one bit in the dialler's fourth message, its first frame.
fn tamper(target: SocketAddr) -> SocketAddr {
    fn message(from: &mut TcpStream) -> Vec<u8> {
        let mut length = [0; 2];
        from.read_exact(&mut length).unwrap();
        let mut message = vec![0; 2 + usize::from(u16::from_be_bytes(length))];
        message[..2].copy_from_slice(&length);
        from.read_exact(&mut message[2..]).unwrap();
        message
    }
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = door.local_addr().unwrap();
    thread::spawn(move || {
        let (mut near, mut far) = (
            door.accept().unwrap().0,
            TcpStream::connect(target).unwrap(),
        );
        let mut first = [0; FIRST_LEN];
        near.read_exact(&mut first).unwrap();
        far.write_all(&first).unwrap();
        near.write_all(&message(&mut far)).unwrap();
        far.write_all(&message(&mut near)).unwrap();
        let mut frame = message(&mut near);
        *frame.last_mut().unwrap() ^= 1;
        far.write_all(&frame).unwrap();
        let _until_closed = far.read_to_end(&mut Vec::new());
    });
    address
}

#[test]
fn one_altered_bit_ends_the_link() {
    let (_listener, address, arrivals) = listener("127.0.0.1:0");
    let dialled = dial(tamper(address), 2, 7).unwrap();
    let (one, at_one) = start(1, dialled);
    let (two, at_two) = start(2, arrivals.recv_timeout(PATIENCE).unwrap());
    assert!(one.send(b"pay Alice".to_vec()));
    assert_eq!(the_first_down(&at_two), "a message does not verify");
    drop(two);
    the_first_down(&at_one);
}

#[test]
fn a_peer_that_stops_reading_stalls_nobody_and_is_left_behind() {
    let (dialled, never_read) = pair("127.0.0.1:0");
    // Else the kernel takes ten megabytes before it lets anybody wait.
    socket2::SockRef::from(&dialled.stream)
        .set_send_buffer_size(16 << 10)
        .unwrap();
    socket2::SockRef::from(&never_read.stream)
        .set_recv_buffer_size(16 << 10)
        .unwrap();
    let (one, events) = start(1, dialled);
    let mut window = LINK_WINDOW;
    let exhausted = loop {
        while window >= charge(FRAME_MAX) {
            window -= charge(FRAME_MAX);
            assert!(
                one.send(vec![0; FRAME_MAX]),
                "within the window the queue has room"
            );
        }
        match events.recv_timeout(Duration::from_millis(500)) {
            Ok(LinkEvent::Sent { credit, .. }) => window += credit,
            Ok(other) => panic!("{other:?}"),
            Err(_) => break window,
        }
    };
    assert!(exhausted < charge(FRAME_MAX));
    let before = Instant::now();
    one.close();
    assert!(
        before.elapsed() < Duration::from_millis(50),
        "closing waits for nobody"
    );
    let reason = the_one_down(&events);
    // The kernel may find room for the rest after all; then it is closed in the ordinary way.
    assert!(
        reason == "closed" || reason.contains("cannot write"),
        "{reason}"
    );
    assert!(
        before.elapsed() < Duration::from_secs(3),
        "{:?}",
        before.elapsed()
    );
}

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

/// Waits for a condition.
fn wait(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
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
