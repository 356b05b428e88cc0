//! Links that are up: frames in both directions, credit, and every way in which one ends.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use starlingd::daemon::link::LinkEvent;
use starlingd::limits::{CREDIT_STEP, FRAME_MAX, INLINE_MAX, LINK_WINDOW};
use starlingd::model::record::RecordId;
use starlingd::wire::frame::{Frame, charge};
use starlingd::wire::handshake::FIRST_LEN;

use super::{PATIENCE, dial, listener, next_frame, nowhere, pair, start, the_one_down};

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
