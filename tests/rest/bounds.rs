//! What is too long, too slow or not HTTP is refused by both doors, with the status that says
//! which.

use std::io::Write;
use std::time::Instant;

use super::host::{Host, TOKEN, request};
use super::watch::parsed;
use super::watch::text;
use harness::http::Reply;

#[test]
fn a_body_beyond_the_bound_is_413_whether_declared_or_chunked() {
    let mut host = Host::new();
    let twenty = "x".repeat(20 << 20);
    for door in host.doors() {
        let reply = door.send(&request("PUT", "/config", "", &twenty));
        is_error(&reply, 413, "The request's body is too large.");
        let mut stream = door.connect();
        let _ = stream.write_all(&bare("PUT", "Transfer-Encoding: chunked\r\n"));
        let chunk = format!("100000\r\n{}\r\n", &twenty[..1 << 20]);
        let _sent = (0..20)
            .take_while(|_| stream.write_all(chunk.as_bytes()).is_ok())
            .count();
        is_error(&stream.reply(), 413, "The request's body is too large.");
        let one = format!("{:x}\r\n", 20 << 20);
        is_error(
            &door.send(
                &[
                    &bare("PUT", "Transfer-Encoding: chunked\r\n"),
                    one.as_bytes(),
                ]
                .concat(),
            ),
            413,
            "The request's body is too large.",
        );
    }
    host.is_unharmed();
}

#[test]
fn a_document_beyond_the_bound_is_413_and_one_below_it_is_taken() {
    let mut host = Host::new();
    let document = |length: usize| format!("{{\"routes\":{{\"{}\":[]}}}}", "r".repeat(length));
    let reply = host.ask("PUT", "/config", &document(5 << 20));
    assert_eq!(
        (reply.status, text(&parsed(&reply.body)["error"])),
        (413, "The document is too large.".to_owned())
    );
    let head = host.change("PUT", "/config", &document(3 << 20));
    assert_eq!(
        host.ask(
            "PUT",
            "/config/routes/more",
            &format!("\"{}\"", "s".repeat(2 << 20))
        )
        .status,
        413
    );
    let reply = host.ask("GET", "/config", "");
    assert_eq!(reply.header("ETag"), Some(&format!("\"{head}\"")[..]));
    assert!(reply.body.len() > 3 << 20);
    host.is_unharmed();
}

#[test]
fn a_long_head_or_too_many_lines_are_431() {
    let mut host = Host::new();
    for door in host.doors() {
        for headers in [
            format!("X: {}\r\n", "a".repeat(32 << 10)),
            "a: b\r\n".repeat(100),
        ] {
            is_error(
                &door.send(&request("GET", "/config", &headers, "")),
                431,
                "The request's head is too large.",
            );
        }
        let target = format!("/config?{}", "a".repeat(32 << 10));
        is_error(
            &door.send(&request("GET", &target, "", "")),
            431,
            "The request's head is too large.",
        );
        assert_eq!(
            door.send(&request(
                "GET",
                "/config",
                &format!("X: {}\r\n", "a".repeat(31 << 10)),
                ""
            ))
            .status,
            200
        );
    }
    host.is_unharmed();
}

#[test]
fn a_head_that_comes_too_slowly_is_408() {
    let mut host = Host::new();
    let begun = Instant::now();
    let slow = host.doors().map(|door| {
        let mut stream = door.connect();
        stream
            .write_all(b"GET /config HTTP/1.1\r\nHost: local")
            .expect("a start is taken");
        stream
    });
    for mut stream in slow {
        is_error(&stream.reply(), 408, "The request did not arrive in time.");
    }
    assert!(
        begun.elapsed().as_secs() >= 5,
        "an honest client on a slow line was cut off"
    );
    host.is_unharmed();
}

#[test]
fn what_is_not_http_is_refused_with_the_reason() {
    let mut host = Host::new();
    for door in host.doors() {
        for (bytes, status, why) in NOT_HTTP {
            let bytes = bytes.replace(
                "HOST",
                &format!("Host: localhost\r\nAuthorization: Bearer {TOKEN}"),
            );
            let reply = door.send(bytes.as_bytes());
            assert_eq!(reply.status, *status, "{bytes:?}: {}", reply.body);
            is_error(&reply, *status, why);
        }
        is_error(
            &door.send(b"GET / HTTP/1.1\r\nX: \xff\xfe\r\n\r\n"),
            400,
            "A header of the request is not ASCII.",
        );
        let noise: Vec<u8> = (0..=255).rev().chain(*b"\r\n\r\n").collect();
        is_error(&door.send(&noise), 400, MALFORMED);
    }
    host.is_unharmed();
}

/// Bytes, and what they are answered.
const NOT_HTTP: &[(&str, u16, &str)] = &[
    (
        "GET /config HTTP/2.0\r\nHOST\r\n\r\n",
        505,
        "Only HTTP/1.0 and HTTP/1.1 are spoken here.",
    ),
    (
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        505,
        "Only HTTP/1.0 and HTTP/1.1 are spoken here.",
    ),
    (
        "PUT /config HTTP/1.1\r\nHOST\r\nTransfer-Encoding: gzip\r\n\r\n",
        501,
        CODINGS,
    ),
    (
        "PUT /config HTTP/1.1\r\nHOST\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        501,
        CODINGS,
    ),
    (
        "PUT /config HTTP/1.1\r\nHOST\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
        AMBIGUOUS,
    ),
    (
        "PUT /config HTTP/1.1\r\nHOST\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        400,
        AMBIGUOUS,
    ),
    (
        "PUT /config HTTP/1.0\r\nHOST\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
        AMBIGUOUS,
    ),
    (
        "PUT /config HTTP/1.1\r\nHOST\r\nContent-Length: +2\r\n\r\n{}",
        400,
        "Content-Length is invalid.",
    ),
    (
        "PUT /config HTTP/1.1\r\nHOST\r\nContent-Length: -1\r\n\r\n",
        400,
        "Content-Length is invalid.",
    ),
    (
        "PUT /config HTTP/1.1\r\nHOST\r\nContent-Length: 2, 2\r\n\r\n{}",
        400,
        "Content-Length is invalid.",
    ),
    (
        "PUT /config HTTP/1.1\r\nHOST\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        400,
        CHUNKS,
    ),
    (
        "PUT /config HTTP/1.1\r\nHOST\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        400,
        CHUNKS,
    ),
    (
        "PUT /config HTTP/1.1\r\nHOST\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n",
        400,
        CHUNKS,
    ),
    (
        "GET http://localhost/config HTTP/1.1\r\nHOST\r\n\r\n",
        400,
        "The request's target must be a path.",
    ),
    (
        "GET * HTTP/1.1\r\nHOST\r\n\r\n",
        400,
        "The request's target must be a path.",
    ),
    ("GET /config\r\n\r\n", 400, MALFORMED),
    ("GET  HTTP/1.1\r\nHOST\r\n\r\n", 400, MALFORMED),
    (
        "GET /config HTTP/1.1\r\nHOST\r\nno colon\r\n\r\n",
        400,
        MALFORMED,
    ),
    (
        "GET /config HTTP/1.1\r\nHOST\r\nX: a\0b\r\n\r\n",
        400,
        MALFORMED,
    ),
    (
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\r\n\r\n",
        400,
        MALFORMED,
    ),
];
const CODINGS: &str = "Of the transfer encodings only chunked is known here.";
const AMBIGUOUS: &str = "The length of the request's body is ambiguous.";
const CHUNKS: &str = "The request's chunks are malformed.";
const MALFORMED: &str = "The request is malformed.";

fn bare(method: &str, headers: &str) -> Vec<u8> {
    format!("{method} /config HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n{headers}\r\n").into_bytes()
}

fn is_error(reply: &Reply, status: u16, words: &str) {
    assert_eq!(
        (reply.status, text(&parsed(&reply.body)["error"])),
        (status, words.to_owned())
    );
}
