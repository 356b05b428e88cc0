//! The nine ways in which one request, or a few, can stop an HTTP server: each by both doors, and
//! then somebody else is served.
//!
//! Each of them has stopped, aborted or blocked the server of tiny_http 0.12, which is why it is
//! not run.

use std::io::Write;
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;
use starlingd::limits::GATE_HEAD_WAIT;

use super::host::{Host, TOKEN, request};
use super::watch::until;
use harness::http::{Door, Stream};

#[test]
fn a_a_length_beyond_all_memory_is_refused_unread() {
    let mut host = Host::new();
    for door in host.doors() {
        for length in [
            "9000000000000000000",
            "18446744073709551615",
            "99999999999999999999999999",
            "6291457",
        ] {
            for target in ["/config", "/nowhere", "/fleet"] {
                let reply = door.send(&head(
                    "POST",
                    target,
                    &format!("Content-Length: {length}\r\n"),
                ));
                assert_eq!(reply.status, 413, "{}", reply.body);
            }
        }
    }
    host.is_unharmed();
}

#[test]
fn b_connections_that_are_reset_in_bursts_harm_nobody() {
    let mut host = Host::new();
    let [unix, tcp] = host.doors();
    for round in 0..1500 {
        let mut stream = tcp.connect();
        let _ = stream.write_all(&request("GET", "/healthz", "", ""));
        let Stream::Tcp(stream) = stream else {
            unreachable!("that door is TCP")
        };
        if round % 10 == 0 {
            let _ = stream.peek(&mut [0]);
        }
        // Closing then sends a reset at once, whatever is on its way.
        SockRef::from(&stream)
            .set_linger(Some(Duration::ZERO))
            .expect("it is open");
    }
    for _ in 0..200 {
        let _ = unix
            .connect()
            .write_all(&request("GET", "/healthz", "", ""));
    }
    host.is_unharmed();
}

#[test]
fn c_want_of_descriptors_passes() {
    let mut host = Host::founded();
    let token = host.path("token");
    host.start_as(
        "ulimit -n 60; exec \"$@\"",
        &["--api-token-file", token.to_str().expect("it is text")],
    );
    let [unix, tcp] = host.doors();
    let is_served = |door: &Door| door.send(&request("GET", "/config", "", "")).status == 200;
    for door in [&unix, &tcp] {
        let mut many: Vec<Stream> = (0..80).map(|_| door.connect()).collect();
        assert_eq!(many[0].reply().status, 503, "descriptors are short by now");
        let begun = Instant::now();
        until("somebody else is served beside them", || is_served(door));
        assert!(
            begun.elapsed() < GATE_HEAD_WAIT,
            "only when {} idle connections had been given up",
            many.len()
        );
    }
    until("it has descriptors again", || {
        is_served(&unix) && is_served(&tcp)
    });
    host.change("PUT", "/config", r#"{"routes":[]}"#);
    host.goes_on();
    let log = host.running().log();
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn d_bodies_that_never_come_hold_up_nobody_and_are_given_up() {
    let mut host = Host::new();
    let mut waiting = Vec::new();
    for door in host.doors() {
        for framing in ["Content-Length: 2000\r\n", "Transfer-Encoding: chunked\r\n"] {
            for target in ["/config", "/nowhere"] {
                let mut stream = door.connect();
                stream
                    .write_all(&head("PUT", target, framing))
                    .expect("a head is taken");
                waiting.push(stream);
                let mut stream = door.connect();
                stream
                    .write_all(&[head("PUT", target, framing), b"7d0\r\n{".to_vec()].concat())
                    .expect("a part is taken");
                waiting.push(stream);
            }
        }
    }
    host.is_unharmed();
    host.change("PUT", "/config", r#"{"routes":[]}"#);
    for mut stream in waiting {
        let reply = stream.reply();
        assert_eq!(
            (reply.status, &reply.body[..]),
            (408, error("The request did not arrive in time.").as_str())
        );
    }
    host.is_unharmed();
}

#[test]
fn e_hundreds_of_idle_connections_keep_nobody_out() {
    let mut host = Host::new();
    for door in host.doors() {
        let mut idle: Vec<Stream> = (0..200).map(|_| door.connect()).collect();
        host.is_unharmed();
        let first = idle[0].reply();
        assert_eq!(
            (first.status, &first.body[..]),
            (503, error("Too many connections. Try again.").as_str())
        );
    }
    host.is_unharmed();
}

#[test]
fn e_two_hundred_clients_at_once_are_each_answered() {
    let mut host = Host::new();
    for door in host.doors() {
        let clients: Vec<_> = (0..200)
            .map(|_| {
                let door = door.clone();
                thread::spawn(move || {
                    door.send(&request("GET", "/config", "Connection: keep-alive\r\n", ""))
                        .status
                })
            })
            .collect();
        for client in clients {
            let status = client.join().expect("each gets an answer");
            assert!(matches!(status, 200 | 503), "{status}");
        }
    }
    host.is_unharmed();
}

#[test]
fn f_a_header_line_without_end_is_cut_off_at_the_bound() {
    let mut host = Host::new();
    for door in host.doors() {
        let before = host.running().memory_kib("VmHWM");
        let mut stream = door.connect();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
            .expect("a start is taken");
        let megabyte = vec![b'a'; 1_000_000];
        let taken = (0..60)
            .take_while(|_| stream.write_all(&megabyte).is_ok())
            .count();
        let after = host.running().memory_kib("VmHWM");
        assert!(
            after - before < 8 << 10,
            "{taken} MB were taken, and {} KiB were held",
            after - before
        );
        let mut stream = door.connect();
        let _ = stream.write_all(&[b"GET / HTTP/1.1\r\nX: ", &megabyte[..40_000]].concat());
        assert_eq!(stream.reply().status, 431);
    }
    host.is_unharmed();
}

/// Streams of events are not served by this version. What matters stays: an answer is sent when it
/// is there, and the connection ends with it though the client keeps its side open.
#[test]
fn g_an_answer_is_not_kept_back_and_the_connection_ends_with_it() {
    let mut host = Host::new();
    for door in host.doors() {
        for (target, status) in [("/fleet/events", 404), ("/healthz", 200)] {
            let mut stream = door.connect();
            stream
                .write_all(&request(
                    "GET",
                    target,
                    "Accept: text/event-stream\r\nConnection: keep-alive\r\n",
                    "",
                ))
                .expect("taken");
            let reply = stream.reply();
            assert_eq!(
                (reply.status, reply.header("Connection")),
                (status, Some("close"))
            );
        }
    }
    host.is_unharmed();
}

#[test]
fn h_a_stop_with_clients_connected_leaves_no_socket_and_the_next_start_succeeds() {
    let mut host = Host::new();
    for _ in 0..3 {
        let mut idle: Vec<Stream> = host.doors().iter().map(|door| door.connect()).collect();
        for stream in &mut idle {
            stream
                .write_all(&head("PUT", "/config", "Content-Length: 10\r\n"))
                .expect("a head is taken");
        }
        let (status, log) = host.running.take().expect("it runs").terminate();
        assert_eq!(status, Some(0), "{log}");
        assert!(!log.contains("panicked"), "{log}");
        let left = std::fs::read_dir(host.path("control.sock").parent().expect("it is below one"))
            .expect("it is there");
        let sockets = left.flatten().filter(|left| {
            left.file_name()
                .to_string_lossy()
                .starts_with("control.sock")
        });
        assert_eq!(sockets.count(), 0);
        host.start();
    }
    host.is_unharmed();
}

#[test]
fn i_a_body_that_nobody_reads_is_not_taken_for_the_next_request() {
    let mut host = Host::new();
    host.change("PUT", "/config", r#"{"routes":[]}"#);
    let smuggled = String::from_utf8(request("DELETE", "/config", "", "")).expect("it is text");
    let chunk = format!("{:x}\r\n{smuggled}\r\n0\r\n\r\n", smuggled.len());
    for door in host.doors() {
        for (target, status) in [("/nowhere", 404), ("/fleet", 405)] {
            let framings = [
                ("Transfer-Encoding: chunked\r\n".to_owned(), &chunk),
                (length(&smuggled), &smuggled),
            ];
            for (framing, body) in framings {
                let bytes = [
                    head("POST", target, &framing),
                    body.clone().into_bytes(),
                    smuggled.clone().into_bytes(),
                ]
                .concat();
                // One answer, or it would not be as long as it says.
                assert_eq!(door.send(&bytes).status, status);
            }
        }
    }
    assert_eq!(
        host.ask("GET", "/config", "").body,
        "{\r\n\t\"routes\": []\r\n}\r\n"
    );
    host.is_unharmed();
}

#[test]
fn a_request_cut_off_at_any_byte_is_answered_or_closed() {
    let mut host = Host::new();
    let whole = request("PUT", "/config", "", r#"{"routes":[]}"#);
    for door in host.doors() {
        for end in 0..whole.len() {
            let mut stream = door.connect();
            stream.write_all(&whole[..end]).expect("a part is taken");
            match &stream {
                Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
                Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            }
            .expect("it is open");
            match end {
                0 => assert_eq!(stream.rest(), b""),
                _ => assert_eq!(stream.reply().status, 400, "after {end} bytes"),
            }
        }
    }
    assert_eq!(
        host.json("/fleet/revisions").as_array().map(Vec::len),
        Some(0)
    );
    host.is_unharmed();
}

fn head(method: &str, target: &str, headers: &str) -> Vec<u8> {
    format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n{headers}\r\n").into_bytes()
}

fn length(body: &str) -> String {
    format!("Content-Length: {}\r\n", body.len())
}

fn error(text: &str) -> String {
    format!("{{\r\n\t\"error\": \"{text}\"\r\n}}\r\n")
}
