//! What Unit would not say: why a bundle is refused before a server has it, and what was found out
//! about a refusal.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::process::Command;

use super::host::{Host, STARLING, request};
use super::skip::skip;
use super::watch::{parsed, text, until};
use harness::http::Reply;

fn bundle(name: &str) -> String {
    let file = format!(
        "{}/tests/fixtures/certificates/{name}.pem",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn words(reply: &Reply) -> (u16, String, String) {
    let body = parsed(&reply.body);
    (
        reply.status,
        text(&body["error"]),
        body["detail"].as_str().unwrap_or_default().to_owned(),
    )
}

#[test]
fn a_bundle_that_no_server_could_use_is_refused_with_the_reason() {
    let mut host = Host::new();
    for (name, reason) in [
        (
            "wrong-key-p256",
            "the private key does not belong to the certificate: both are EC P-256, but not the same key",
        ),
        (
            "wrong-order",
            "the chain is not in order: certificate 1 was not issued by certificate 2, which follows it",
        ),
        (
            "leaf-last",
            "the private key belongs to certificate 3 in it, which must be the first",
        ),
        ("two-keys", "there is more than one private key in it"),
    ] {
        let reply = host.ask("PUT", "/certificates/a", &bundle(name));
        assert_eq!(
            words(&reply),
            (400, "Invalid certificate.".to_owned(), reason.to_owned()),
            "{name}"
        );
    }
    let (status, _, detail) = words(&host.ask("PUT", "/certificates/a", &bundle("expired")));
    let (expired, shows) = (
        "the certificate expired on 2021-01-01, and this host's clock shows 20",
        "; with ?force it is taken all the same",
    );
    assert!(
        status == 400 && detail.starts_with(expired) && detail.ends_with(shows),
        "{detail}"
    );
    assert_eq!(
        host.ask("PUT", "/certificates/a?force", &bundle("wrong-order"))
            .status,
        400,
        "only dates are a matter of opinion"
    );
    for (target, name) in [
        ("/certificates/old?force", "expired"),
        ("/certificates/new", "ed25519"),
        ("/certificates/rsa", "rsa-pkcs1"),
    ] {
        let reply = host.ask("PUT", target, &bundle(name));
        assert_eq!(reply.status, 200, "{name}: {}", reply.body);
    }
    host.is_unharmed();
}

#[test]
fn a_refusal_without_a_reason_comes_with_what_was_seen_on_this_host() {
    let mut host = Host::new();
    host.server.tell("fail teapot");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it has one");
    let config = |listener: &str, application: &str| {
        format!(
            r#"{{"listeners":{{"{listener}":{{"pass":"applications/teapot"}}}},
            "applications":{{"teapot":{{"type":"external","executable":"/bin/sh"{application}}}}}}}"#
        )
    };
    let free = format!("unix:{}", host.path("free.sock").display());
    let by = format!("is taken by process {} (", std::process::id());
    for (listener, application, reason) in [
        (address.to_string(), "", format!("{address} {by}")),
        (
            "192.0.2.1:80".to_owned(),
            "",
            "no interface of this host has the address 192.0.2.1".to_owned(),
        ),
        (
            free.clone(),
            r#","user":"nö""#,
            "application \"teapot\": user \"n%C3%B6\" is not in /etc/passwd".to_owned(),
        ),
    ] {
        let reply = host.ask("PUT", "/config", &config(&listener, application));
        let header = reply.header("Starling-Reason").unwrap_or_default();
        assert!(header.starts_with(&reason), "{header}");
        let expected = (
            500,
            "Failed to apply new configuration.".to_owned(),
            header.to_owned(),
        );
        assert_eq!(
            words(&reply),
            expected,
            "clients that show no header show this"
        );
        let is_strings = parsed(&reply.body)
            .as_object()
            .is_some_and(|members| members.values().all(|value| value.is_string()));
        assert!(is_strings, "unitctl reads no other");
    }
    let reply = host.ask("PUT", "/config", &config(&free, ""));
    assert_eq!(
        (reply.status, reply.header("Starling-Reason")),
        (500, None),
        "nothing was found"
    );
    host.server.tell("ok");
    host.change("PUT", "/config", &config(&address.to_string(), ""));
    host.is_unharmed();
}

#[test]
fn a_socket_that_a_crash_left_in_a_listeners_place_is_named_with_what_to_do() {
    let mut host = Host::new();
    let left = host.path("app.sock");
    drop(UnixListener::bind(&left).expect("the directory is ours"));
    let config = format!(
        r#"{{"listeners":{{"unix:{}":{{"pass":"routes"}}}},"routes":[]}}"#,
        left.display()
    );
    let reply = host.ask("PUT", "/config", &config);
    let expected = format!(
        "{0} is a socket that a crash left, and nobody listens at it: remove it, rm {0}",
        left.display()
    );
    assert_eq!(
        words(&reply),
        (
            500,
            "Failed to apply new configuration.".to_owned(),
            expected
        )
    );
    std::fs::remove_file(&left).expect("it is ours");
    host.change("PUT", "/config", &config);
    host.is_unharmed();
}

#[test]
fn a_bundle_that_the_server_refuses_comes_with_what_is_known_of_it() {
    let mut host = Host::new();
    host.change("PUT", "/config", r#"{"listeners":{},"routes":[]}"#);
    host.server.tell("refuse-upload shop");
    let reply = host.ask("PUT", "/certificates/shop", &bundle("p256"));
    let (status, error, detail) = words(&reply);
    assert_eq!((status, error.as_str()), (400, "Invalid certificate."));
    assert!(
        detail.starts_with("the server does not take certificate \"shop\": ")
            && detail.contains("its key is EC P-256"),
        "{detail}"
    );
    host.server.tell("ok");
    host.is_unharmed();
}

#[test]
fn what_freeunit_says_of_the_place_and_of_an_empty_name_comes_through() {
    let mut host = Host::new();
    host.server.tell("freeunit");
    let reply = host.ask(
        "PUT",
        "/config",
        r#"{"listeners":{"*:80":{"pass":"routes/nope"}}}"#,
    );
    assert_eq!(
        (reply.status, &parsed(&reply.body)["location"]["path"]),
        (400, &"/listeners/*:80/pass".into())
    );
    for (config, name) in [
        (r#"{"settings":{"js_module":""}}"#, "js_module"),
        (
            r#"{"listeners":{"*:80":{"pass":"routes","tls":{"certificate":""}}},"routes":[]}"#,
            "certificate",
        ),
    ] {
        let reply = host.ask("PUT", "/config", config);
        let expected = (
            400,
            "Invalid configuration.".to_owned(),
            format!("The \"{name}\" value must not be empty."),
        );
        assert_eq!(words(&reply), expected);
    }
    host.server.tell("ok");
    let (_, _, detail) = words(&host.ask("PUT", "/config", r#"{"settings":{"js_module":""}}"#));
    assert_eq!(detail, "JS module \"\" is not found.", "as Unit says it");
    host.is_unharmed();
}

/// The same requests at the server's own socket, which has none of these either, and at ours.
#[test]
fn a_name_that_the_fleet_does_not_hold_is_refused_as_the_server_would() {
    let mut host = Host::new();
    let listener = r#""*:80":{"pass":"routes","tls":{"certificate":["shop"]}}"#;
    let settings = r#""settings":{"js_module":["m"]}"#;
    let cases = [
        (
            format!(r#"{{"listeners":{{{listener}}},{settings},"routes":[]}}"#),
            "/listeners/*:80/tls/certificate/0",
        ),
        (
            format!(r#"{{{settings},"listeners":{{{listener}}},"routes":[]}}"#),
            "/settings/js_module/0",
        ),
        (
            r#"{"settings":{"js_module":"m"}}"#.to_owned(),
            "/settings/js_module",
        ),
    ];
    for software in ["freeunit", "ok", "freeunit"] {
        host.server.tell(software);
        // The next answer of the server says which it is: one that took the other's place is
        // noticed without a change.
        let is_freeunit = software == "freeunit";
        let says_where = |host: &Host| {
            !parsed(&host.ask("PUT", "/config", &cases[2].0).body)["location"].is_null()
        };
        until("it is known which server that is", || {
            says_where(&host) == is_freeunit
        });
        for (config, place) in &cases {
            let theirs = host
                .server_door()
                .send(&request("PUT", "/config", "", config));
            let ours = host.ask("PUT", "/config", config);
            assert_eq!(
                (ours.status, &ours.body),
                (theirs.status, &theirs.body),
                "{software}: {config}"
            );
            let location = is_freeunit.then_some(*place);
            assert_eq!(
                parsed(&ours.body)["location"]["path"].as_str(),
                location,
                "{software}: {config}"
            );
        }
    }
    host.server.tell("ok");
    host.is_unharmed();
}

#[test]
fn whoever_looks_at_the_fleet_sees_the_reason_of_a_host_that_does_not_follow() {
    let host = Host::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it has one");
    host.change(
        "PUT",
        "/config",
        &format!(r#"{{"listeners":{{"{address}":{{"pass":"routes"}}}},"routes":[]}}"#),
    );
    host.server.tell("fail routes");
    host.server.tell("factory");
    until("it is refused", || host.verdict() == "refused");
    let expected = format!(
        "Failed to apply new configuration. ({address} is taken by process {} (",
        std::process::id()
    );
    until("its record says so", || {
        host.json("/fleet/nodes")[0]["verdict"] == "refused"
    });
    let nodes = host.json("/fleet/nodes");
    let detail = text(&nodes[0]["detail"]);
    assert!(detail.starts_with(&expected), "{detail}");
    let status = Command::new(STARLING)
        .args(["status", "--control"])
        .arg(host.path("control.sock"))
        .output();
    let page = String::from_utf8_lossy(&status.expect("the program is built").stdout).into_owned();
    assert!(page.contains(&expected), "{page}");
}

#[test]
fn a_user_that_is_not_let_in_is_told_whose_the_socket_is() {
    if !std::fs::metadata("/proc/self").is_ok_and(|found| found.uid() == 0) {
        return skip("root, to become another user");
    }
    let mut host = Host::founded();
    let (dir, state) = (host.path(""), host.path("state"));
    let how = format!(
        "chown 65534:65534 {}; chown -R 65534:65534 {}; exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"",
        dir.display(),
        state.display()
    );
    host.start_as(&how, &["--control-mode", "660", "--control-group", "65534"]);
    let mode = std::fs::metadata(host.path("control.sock"))
        .expect("it is there")
        .mode();
    assert_eq!(mode & 0o7777, 0o660);
    let reply = host.ask("PUT", "/config", "{}");
    let (status, _, detail) = words(&reply);
    assert_eq!(status, 503);
    assert!(
        detail.contains("is user 0's and group 0's, and this user (65534) may not write to it"),
        "{detail}"
    );
    // FreeUnit lets everybody connect, and closes at once on whom it does not want.
    let socket = host.path("unit.sock");
    host.server.tell("down");
    let _ = std::fs::remove_file(&socket);
    let closing = UnixListener::bind(&socket).expect("the server's place is free");
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o777)).expect("it is ours");
    std::thread::spawn(move || closing.incoming().for_each(drop));
    let (status, _, detail) = words(&host.ask("PUT", "/config", "{}"));
    assert_eq!(status, 503);
    assert!(
        detail.contains(
            "it talks to root and its own user only, and this is user 65534, the socket is user 0's"
        ),
        "{detail}"
    );
}
