//! Clients that are many, slow or gone: they take nothing from those that do as they should.

use super::*;

/// Trigger (b): closing with the answer unread sends a reset.
#[test]
fn clients_that_reset_their_connection_harm_nobody() {
    let rig = Rig::open();
    for _ in 0..100 {
        let stream = rig.connect(RequestOrigin::Tcp);
        stream
            .write_all_by(&request("GET", "/", "", ""), &patience())
            .expect("a request is taken");
        let Stream::Tcp(stream) = stream else {
            unreachable!("it is TCP")
        };
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let look = || stream.peek(&mut [0]).map_err(|error| error.kind());
        let there =
            std::iter::repeat_with(look).find(|looked| *looked != Err(ErrorKind::Interrupted));
        assert_eq!(there, Some(Ok(1)), "the answer is there");
        drop(stream);
        drop(rig.connect(RequestOrigin::Tcp));
    }
    rig.still_serves();
}

/// Trigger (d).
#[test]
fn a_body_that_never_comes_is_given_up_and_holds_up_nobody() {
    let rig = Rig::hasty();
    for door in DOORS {
        for framing in ["Content-Length: 2000\r\n", "Transfer-Encoding: chunked\r\n"] {
            let stream = rig.connect(door);
            stream
                .write_all_by(&request("PUT", "/x", framing, ""), &patience())
                .expect("a head is taken");
            rig.still_serves();
            assert!(rest(&stream).starts_with("HTTP/1.1 408 "));
            let stream = rig.connect(door);
            stream
                .write_all_by(&request("PUT", "/x", framing, "7d0\r\nabc"), &patience())
                .expect("a part is taken");
            stream.shutdown(Shutdown::Write);
            assert!(rest(&stream).starts_with("HTTP/1.1 400 "));
        }
    }
}

#[test]
fn a_head_or_body_that_comes_byte_by_byte_must_still_be_there_in_time() {
    let rig = Rig::hasty();
    for door in DOORS {
        for start in [
            "GET / HTTP/1.1\r\nX: ".to_owned(),
            String::from_utf8(request("PUT", "/", "Content-Length: 999999\r\n", "")).expect("text"),
        ] {
            let stream = rig.connect(door);
            stream
                .write_all_by(start.as_bytes(), &patience())
                .expect("the start is taken");
            let begun = Instant::now();
            let pace = Deadline::new(PATIENCE, Duration::from_millis(20));
            // Reading is the pause between two bytes; the answer ends it.
            let mut first = [0; 1];
            while stream.read_by(&mut first, &pace).is_err() {
                assert!(begun.elapsed() < PATIENCE, "still open");
                let _ = stream.write_all_by(b"a", &patience());
            }
            assert!(rest(&stream).starts_with("TTP/1.1 408 "));
        }
    }
}

/// Trigger (e).
#[test]
fn two_hundred_idle_connections_keep_nobody_out() {
    let rig = Rig::open();
    for door in DOORS {
        let idle: Vec<_> = (0..200).map(|_| rig.connect(door)).collect();
        rig.still_serves();
        let refused = rest(&idle[0]);
        assert!(
            refused.starts_with("HTTP/1.1 503 ")
                && refused.contains("\"error\": \"Too many connections"),
            "{refused}"
        );
    }
}

#[test]
fn two_hundred_clients_at_once_each_get_an_answer() {
    let rig = Rig::open();
    for door in DOORS {
        std::thread::scope(|scope| {
            for _ in 0..200 {
                let doors = rig.doors.clone();
                scope.spawn(move || {
                    let answer = doors.ask(
                        door,
                        &request("PUT", "/", "Content-Length: 2000\r\n", &"x".repeat(2000)),
                    );
                    assert!(
                        answer.starts_with("HTTP/1.1 200 ") || answer.starts_with("HTTP/1.1 503 "),
                        "{door:?}: {answer:?}"
                    );
                });
            }
        });
        rig.still_serves();
    }
}

#[test]
fn of_more_bodies_than_may_be_held_together_some_are_refused_and_the_others_served() {
    let rig = Rig::open();
    let (count, length) = (
        limits::GATE_HELD_MAX / limits::GATE_BODY_MAX + 1,
        limits::GATE_BODY_MAX,
    );
    let all = request(
        "PUT",
        "/",
        &format!("Content-Length: {length}\r\n"),
        &"x".repeat(length),
    );
    let streams: Vec<_> = (0..count)
        .map(|_| rig.connect(RequestOrigin::Unix))
        .collect();
    for stream in &streams {
        // One that is refused half-way may not take the rest.
        let _ = stream.write_all_by(&all[..all.len() - 1], &patience());
    }
    let (begun, look) = (Instant::now(), Duration::from_millis(10));
    let refused = |stream: &Stream| {
        stream
            .read_by(&mut [0; "HTTP/1.1 ".len()], &Deadline::new(look, look))
            .is_ok()
    };
    let first = loop {
        assert!(begun.elapsed() < PATIENCE, "all that is held was let in");
        if let Some(at) = streams.iter().position(refused) {
            break at;
        }
    };
    let mut served = 0;
    for (at, stream) in streams.iter().enumerate() {
        let _ = stream.write_all_by(b"x", &patience());
        let answer = rest(stream);
        served += usize::from(answer.starts_with("HTTP/1.1 200 "));
        assert!(
            at != first
                || answer.starts_with("503 Service Unavailable")
                    && answer.contains("Too many large"),
            "{answer}"
        );
    }
    assert!(served > 0, "refusing one made no room for the others");
    rig.expect(RequestOrigin::Unix, &all, 200);
}
