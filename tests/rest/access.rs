//! Who may ask what over TCP; and that the control socket is its owner's alone.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use super::host::write_private;
use super::host::{Host, STARLING, TOKEN};
use harness::http::Reply;

/// A request over TCP with these headers and no others.
fn tcp(host: &Host, method: &str, target: &str, headers: &str) -> Reply {
    host.doors()[1].send(format!("{method} {target} HTTP/1.1\r\n{headers}\r\n").as_bytes())
}

fn bearing(token: &str) -> String {
    format!("Host: localhost\r\nAuthorization: Bearer {token}\r\n")
}

#[test]
fn the_control_socket_is_for_its_owner_only() {
    let host = Host::new();
    let mode = std::fs::metadata(host.path("control.sock"))
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    // Its mode is the rule: what TCP asks for is not asked for here.
    let reply = host
        .door()
        .send(b"PUT /config HTTP/1.0\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nContent-Length: 2\r\n\r\n{}");
    assert_eq!(reply.status, 200);
}

#[test]
fn over_tcp_the_host_must_be_a_loopback_name() {
    let mut host = Host::founded();
    host.start_as("exec \"$@\"", &[]);
    for name in [
        "localhost",
        "LOCALHOST:80",
        "127.0.0.1",
        "127.0.0.1:8080",
        "127.8.7.6",
        "[::1]:80",
    ] {
        assert_eq!(
            tcp(&host, "GET", "/config", &format!("Host: {name}\r\n")).status,
            200,
            "{name}"
        );
    }
    for name in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "0.0.0.0",
        "",
        "localhost, x",
        "::1",
    ] {
        assert_eq!(
            tcp(&host, "GET", "/config", &format!("Host: {name}\r\n")).status,
            403,
            "{name}"
        );
    }
    for headers in ["", "Host: localhost\r\nHost: evil.example\r\n"] {
        assert_eq!(
            tcp(&host, "GET", "/config", headers).status,
            403,
            "{headers:?}"
        );
    }
    host.is_unharmed();
}

#[test]
fn over_tcp_another_sites_page_is_refused_even_with_the_token() {
    let host = Host::new();
    for origin in [
        "http://evil.example",
        "https://localhost.evil.example",
        "null",
        "http://localhost@evil.example",
        "file://",
    ] {
        let headers = format!("{}Origin: {origin}\r\n", bearing(TOKEN));
        assert_eq!(
            tcp(&host, "GET", "/config", &headers).status,
            403,
            "{origin}"
        );
    }
    for origin in ["http://localhost:3000", "https://127.0.0.1"] {
        let headers = format!("{}Origin: {origin}\r\n", bearing(TOKEN));
        assert_eq!(
            tcp(&host, "GET", "/config", &headers).status,
            200,
            "{origin}"
        );
    }
}

#[test]
fn over_tcp_without_a_token_file_only_get_is_served() {
    let mut host = Host::founded();
    host.start_as("exec \"$@\"", &[]);
    assert_eq!(
        tcp(&host, "GET", "/fleet", "Host: localhost\r\n").status,
        200
    );
    for method in ["PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS", "get"] {
        let reply = tcp(&host, method, "/config", "Host: localhost\r\n");
        assert_eq!(
            (reply.status, reply.header("Allow")),
            (405, Some("GET")),
            "{method}"
        );
    }
    // A token that nobody asked for opens nothing.
    assert_eq!(tcp(&host, "DELETE", "/config", &bearing(TOKEN)).status, 405);
    assert_eq!(
        host.json("/fleet/revisions").as_array().map(Vec::len),
        Some(0)
    );
    host.is_unharmed();
}

#[test]
fn over_tcp_with_a_token_file_whoever_bears_it_may_do_all_and_others_nothing() {
    let mut host = Host::new();
    for headers in [
        "Host: localhost\r\n".to_owned(),
        bearing("wrong"),
        bearing(""),
        bearing("open-sesam"),
        bearing("open-sesame2"),
    ] {
        for (method, target) in [
            ("GET", "/config"),
            ("GET", "/fleet"),
            ("DELETE", "/config"),
            ("GET", "/healthz/../fleet"),
        ] {
            let reply = tcp(&host, method, target, &headers);
            assert_eq!(reply.status, 401, "{method} {target} {headers:?}");
            assert_eq!(
                reply.header("WWW-Authenticate"),
                Some("Bearer realm=\"starling\"")
            );
        }
        assert_eq!(
            tcp(&host, "GET", "/healthz", &headers).status,
            200,
            "a probe has no token"
        );
    }
    let basic = format!("Host: localhost\r\nAuthorization: Basic {TOKEN}\r\n");
    let twice = format!("{}Authorization: Bearer {TOKEN}\r\n", bearing("wrong"));
    for headers in [basic, twice] {
        assert_eq!(
            tcp(&host, "GET", "/config", &headers).status,
            401,
            "{headers:?}"
        );
    }
    assert_eq!(tcp(&host, "DELETE", "/config", &bearing(TOKEN)).status, 200);
    assert_eq!(tcp(&host, "GET", "/config", &bearing(TOKEN)).body, "{}\r\n");
    assert!(
        !host.running().log().contains(TOKEN),
        "the token is in the log"
    );
    host.is_unharmed();
}

#[test]
fn an_address_that_others_can_reach_is_refused_without_a_token_file() {
    let host = Host::founded();
    let run = |flags: &[&str]| -> Output {
        let mut command = Command::new(STARLING);
        command
            .args(["run", "--no-mdns", "--listen", "127.0.0.1:0"])
            .args(host.flags())
            .args(flags);
        command.output().expect("the program is built")
    };
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:3000"] {
        let output = run(&["--api", address]);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success()
                && words.contains("is open to other hosts, so a token is needed"),
            "{words}"
        );
    }
    write_private(&host.path("blank"), "\n");
    std::fs::write(host.path("open"), TOKEN).expect("the directory can be written");
    for (file, why) in [
        ("blank", "the token is empty"),
        ("missing", "token file"),
        ("open", "others can read it: chmod 600"),
    ] {
        let file = host.path(file);
        let output = run(&[
            "--api",
            "127.0.0.1:0",
            "--api-token-file",
            file.to_str().expect("it is text"),
        ]);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && words.contains(why), "{words}");
    }
    assert!(
        !host.path("control.sock").exists(),
        "what did not start left a socket"
    );
}

#[test]
fn an_address_that_others_can_reach_is_served_with_a_token_file_under_any_name() {
    let mut host = Host::founded();
    let token = host.path("token");
    host.start_as(
        "exec \"$@\"",
        &[
            "--api",
            "0.0.0.0:0",
            "--api-token-file",
            token.to_str().expect("it is text"),
        ],
    );
    let headers = format!("Host: gull.example\r\nAuthorization: Bearer {TOKEN}\r\n");
    assert_eq!(tcp(&host, "GET", "/config", &headers).status, 200);
    assert_eq!(
        tcp(&host, "GET", "/config", "Host: gull.example\r\n").status,
        401
    );
}
