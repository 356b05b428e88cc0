//! What the gate takes, and from whom.

use std::os::unix::fs::MetadataExt;

use super::super::head::Head;
use super::*;

#[test]
fn what_concerns_the_connection_only_is_not_passed_on() {
    let head = Head::parse(
        b"GET / HTTP/1.1\r\nCONNECTION: keep-alive\r\nTE: chunked\r\nX: y\r\nUpgrade: h2c\r\n\r\n",
    )
    .expect("it is well-formed");
    assert_eq!(
        head.lasting().collect::<Vec<_>>(),
        [&("X".to_owned(), "y".to_owned())]
    );
}

#[test]
fn a_client_that_is_refused_early_may_send_on_and_then_read_why() {
    let rig = Rig::new(
        Timing {
            linger: PATIENCE,
            ..Timing::default()
        },
        Some(TOKEN),
    );
    for door in DOORS {
        let stream = rig.connect(door);
        let body = "x".repeat(limits::GATE_BODY_MAX + 1);
        let all = request(
            "PUT",
            "/",
            &format!("Content-Length: {}\r\n", body.len()),
            &body,
        );
        stream
            .write_all_by(&all, &patience())
            .expect("a connection that is refused stays open for a while");
        assert!(rest(&stream).starts_with("HTTP/1.1 413 "));
    }
}

#[test]
fn a_chunked_body_is_decoded_up_to_its_bound() {
    let rig = Rig::open();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(1 << 16));
    for door in DOORS {
        let upload = |body: &str| request("PUT", "/", "Transfer-Encoding: chunked\r\n", body);
        let answer = rig.expect(
            door,
            &upload(&format!("{}0\r\n\r\n", chunk.repeat(32))),
            200,
        );
        assert!(answer.contains(&format!(" {} [", 2 << 20)), "{answer}");
        rig.expect(
            door,
            &upload(&format!("{}0\r\n\r\n", chunk.repeat(97))),
            413,
        );
        for bad in [
            "x\r\n",
            "\r\n",
            "-1\r\n",
            "3\nabc\n0\n\n",
            "3\r\nabcd\r\n",
            "+3\r\nabc\r\n0\r\n\r\n",
            &"0".repeat(9000),
        ] {
            rig.expect(door, &upload(bad), 400);
        }
        rig.expect(door, &upload("ffffffffffffffffffffff\r\n"), 413);
    }
    rig.still_serves();
}

#[test]
fn a_client_that_asks_for_leave_to_send_gets_it_first() {
    let rig = Rig::open();
    for door in DOORS {
        let stream = rig.connect(door);
        let head = request(
            "PUT",
            "/",
            "Content-Length: 2000\r\nExpect: 100-Continue\r\n",
            "",
        );
        stream
            .write_all_by(&head, &patience())
            .expect("a head is taken");
        let mut interim = vec![0; 25];
        let mut filled = 0;
        while filled < interim.len() {
            filled += stream
                .read_by(&mut interim[filled..], &patience())
                .expect("leave is given");
        }
        assert_eq!(interim, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream
            .write_all_by("x".repeat(2000).as_bytes(), &patience())
            .expect("the body is taken");
        let answer = rest(&stream);
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.contains(" 2000 ["),
            "{answer}"
        );
        rig.expect(
            door,
            &request(
                "PUT",
                "/",
                "Content-Length: 99999999\r\nExpect: 100-continue\r\n",
                "",
            ),
            413,
        );
    }
}

#[test]
fn what_could_be_read_two_ways_is_refused() {
    let rig = Rig::open();
    for door in DOORS {
        let bad = |headers: &str| request("PUT", "/", headers, "abc");
        for headers in [
            "Content-Length: 3\r\nContent-Length: 3\r\n",
            "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: 3, 3\r\n",
            "Content-Length: +3\r\n",
            "Content-Length: \r\n",
            "Content-Length : 3\r\n",
            "X: a\r\n b\r\n",
            "X: \u{e9}\r\n",
            "no colon\r\n",
        ] {
            rig.expect(door, &bad(headers), 400);
        }
        rig.expect(door, &bad("Transfer-Encoding: gzip, chunked\r\n"), 501);
        for line in [
            "GET http://localhost/ HTTP/1.1",
            "OPTIONS * HTTP/1.1",
            "GET  / HTTP/1.1",
            "G(T / HTTP/1.1",
            "\x01",
        ] {
            rig.expect(door, format!("{line}\r\n\r\n").as_bytes(), 400);
        }
        for version in ["HTTP/2.0", "HTTP/1.2", "HTTP/0.9"] {
            rig.expect(door, format!("GET / {version}\r\n\r\n").as_bytes(), 505);
        }
        let old = format!("GET / HTTP/1.0\nHost: localhost\nAuthorization: bearer {TOKEN}\n\n");
        rig.expect(door, old.as_bytes(), 200);
        assert!(
            rig.expect(door, &request("POST", "/", "", ""), 200)
                .contains(" 0 ["),
            "no length is no body"
        );
    }
    rig.still_serves();
}

#[test]
fn over_tcp_a_token_is_required_and_a_foreign_page_gets_nowhere() {
    let rig = Rig::open();
    let ask = |head: &str, status| {
        rig.expect(
            RequestOrigin::Tcp,
            format!("{head}\r\n\r\n").as_bytes(),
            status,
        )
    };
    let good = format!("Authorization: Bearer {TOKEN}");
    for host in [
        "localhost",
        "LOCALHOST:80",
        "127.0.0.1:3000",
        "[::1]:1",
        "[::1]",
    ] {
        ask(&format!("GET / HTTP/1.1\r\n{good}\r\nHost: {host}"), 200);
    }
    for host in [
        "Host: evil.example",
        "Host: localhost.evil.example:1",
        "Host: 10.0.0.1",
        "Host: ",
        "X: y",
        "Host: localhost\r\nHost: evil",
    ] {
        assert!(
            ask(&format!("GET / HTTP/1.1\r\n{good}\r\n{host}"), 403)
                .contains("{\r\n\t\"error\": \"The Host header must be")
        );
    }
    ask(
        &format!("GET / HTTP/1.1\r\n{good}\r\nHost: localhost\r\nOrigin: http://localhost:8080"),
        200,
    );
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost.evil.example",
        "localhost",
    ] {
        ask(
            &format!("GET / HTTP/1.1\r\n{good}\r\nHost: localhost\r\nOrigin: {origin}"),
            403,
        );
    }
    for bad in [
        "X: y",
        "Authorization: Bearer open-sesamE",
        "Authorization: Bearer open",
        "Authorization: Basic open-sesame",
        "Authorization: Bearer ",
    ] {
        let answer = ask(
            &format!("PUT /config HTTP/1.1\r\nHost: localhost\r\n{bad}\r\nContent-Length: 5000000"),
            401,
        );
        assert!(answer.contains("\r\nWWW-Authenticate: Bearer"), "{answer}");
    }
    ask("GET /healthz?x HTTP/1.1\r\nHost: localhost", 200);
    ask("GET /healthz/x HTTP/1.1\r\nHost: localhost", 401);
    ask("POST /healthz HTTP/1.1\r\nHost: localhost", 401);
    rig.expect(
        RequestOrigin::Unix,
        b"PUT / HTTP/1.1\r\nHost: evil\r\nOrigin: null\r\n\r\n",
        200,
    );
}

#[test]
fn over_tcp_without_a_token_only_reading_is_served() {
    let rig = Rig::new(Timing::default(), None);
    rig.expect(
        RequestOrigin::Tcp,
        b"GET /config HTTP/1.1\r\nHost: localhost\r\n\r\n",
        200,
    );
    for method in ["PUT", "POST", "DELETE", "HEAD", "get", "PATCH"] {
        let answer = rig.expect(
            RequestOrigin::Tcp,
            format!("{method} /config HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes(),
            405,
        );
        assert!(
            answer.contains("\r\nAllow: GET\r\n") && answer.contains("token file"),
            "{answer}"
        );
    }
}

#[test]
fn the_gate_does_not_open_where_it_must_not() {
    let rig = Rig::open();
    let open = |control: PathBuf, api: Option<(&str, Option<&str>)>| {
        let api = api.map(|(listen, token)| TcpApi {
            listen: listen.parse().expect("an address"),
            token: token.map(str::to_owned),
        });
        start(
            GateSettings {
                control,
                rights: Rights::PRIVATE,
                api,
            },
            echo,
        )
    };
    assert!(matches!(
        open(rig.control(), None),
        Err(GateError::InUse(_))
    ));
    rig.still_serves();
    let other = || rig.directory.join("other");
    assert!(matches!(
        open(other(), Some(("0.0.0.0:0", None))),
        Err(GateError::TokenMissing(_))
    ));
    assert!(matches!(
        open(other(), Some(("127.0.0.1:0", Some("")))),
        Err(GateError::TokenEmpty)
    ));
    std::fs::write(other(), "precious").expect("a file");
    assert!(matches!(open(other(), None), Err(GateError::NotASocket(_))));
    std::fs::remove_file(other()).expect("it is still there");
    let taken = rig.doors.api.to_string();
    assert!(matches!(
        open(other(), Some((&taken, None))),
        Err(GateError::Api(..))
    ));
    assert!(matches!(
        open(rig.directory.join("no/such/home"), None),
        Err(GateError::Control(..))
    ));
    drop(UnixListener::bind(other()).expect("a socket that nobody listens on"));
    open(other(), Some(("0.0.0.0:0", Some(TOKEN))))
        .expect("a dead socket is replaced")
        .stop();
    assert!(!other().exists());
}

#[test]
fn the_control_socket_has_the_rights_that_were_asked_for() {
    let directory = std::env::temp_dir().join(format!("starling-rights-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory for the test");
    let control = directory.join("control.sock");
    let own = std::fs::metadata("/proc/self")
        .expect("this is Linux")
        .gid();
    for (mode, group) in [(0o660, Some(own)), (0o620, None), (0o600, None)] {
        let settings = GateSettings {
            control: control.clone(),
            rights: Rights { mode, group },
            api: None,
        };
        let gate = start(settings, echo).expect("the gate opens");
        let found = std::fs::metadata(&control).expect("it is there");
        assert_eq!((found.mode() & 0o7777, found.gid()), (mode, own));
        gate.stop();
    }
    let settings = GateSettings {
        control: directory.join("no/no/c"),
        rights: Rights::PRIVATE,
        api: None,
    };
    assert!(matches!(start(settings, echo), Err(GateError::Control(..))));
    assert_eq!(
        std::fs::read_dir(&directory).expect("it is there").count(),
        0,
        "nothing is left behind"
    );
    std::fs::remove_dir_all(&directory).expect("it is empty");
}

#[test]
fn the_control_socket_may_have_a_name_of_103_bytes_and_no_more() {
    let directory = std::env::temp_dir().join(format!("starling-long-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory for the test");
    let open = |length: usize| {
        let room = length - directory.as_os_str().len() - 1;
        start(
            GateSettings {
                control: directory.join("c".repeat(room)),
                rights: Rights::PRIVATE,
                api: None,
            },
            echo,
        )
    };
    open(103).expect("it is as long as may be").stop();
    assert!(matches!(open(104), Err(GateError::Control(..))));
    std::fs::remove_dir_all(&directory).expect("it is there");
}
