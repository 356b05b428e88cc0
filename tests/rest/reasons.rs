//! What Unit would not say: why a bundle is refused before a server has it, and what was found out about a refusal.

use std::net::TcpListener;

use super::host::Host;
use super::http::Reply;
use super::watch::{parsed, text};

fn bundle(name: &str) -> String {
    let file = format!("{}/tests/fixtures/certificates/{name}.pem", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn words(reply: &Reply) -> (u16, String, String) {
    let body = parsed(&reply.body);
    (reply.status, text(&body["error"]), body["detail"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_bundle_that_no_server_could_use_is_refused_with_the_reason() {
    let mut host = Host::new();
    for (name, reason) in [
        ("wrong-key-p256", "the private key does not belong to the certificate: both are EC P-256, but not the same key"),
        ("wrong-order", "the chain is not in order: certificate 1 was not issued by certificate 2, which follows it"),
        ("leaf-last", "the private key belongs to certificate 3 in it, which must be the first"),
        ("two-keys", "there is more than one private key in it"),
        ("expired", "the certificate expired on 2021-01-01; with ?force it is taken all the same"),
    ] {
        let reply = host.ask("PUT", "/certificates/a", &bundle(name));
        assert_eq!(words(&reply), (400, "Invalid certificate.".to_owned(), reason.to_owned()), "{name}");
    }
    assert_eq!(
        host.ask("PUT", "/certificates/a?force", &bundle("wrong-order")).status,
        400,
        "only dates are a matter of opinion"
    );
    for (target, name) in
        [("/certificates/old?force", "expired"), ("/certificates/new", "ed25519"), ("/certificates/rsa", "rsa-pkcs1")]
    {
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
        ("192.0.2.1:80".to_owned(), "", "no interface of this host has the address 192.0.2.1".to_owned()),
        (free.clone(), r#","user":"nö""#, "application \"teapot\": user \"n%C3%B6\" is not in /etc/passwd".to_owned()),
    ] {
        let reply = host.ask("PUT", "/config", &config(&listener, application));
        assert_eq!(words(&reply), (500, "Failed to apply new configuration.".to_owned(), String::new()));
        let header = reply.header("Starling-Reason").unwrap_or_default();
        assert!(header.starts_with(&reason), "{header}");
    }
    let reply = host.ask("PUT", "/config", &config(&free, ""));
    assert_eq!((reply.status, reply.header("Starling-Reason")), (500, None), "nothing was found");
    host.server.tell("ok");
    host.change("PUT", "/config", &config(&address.to_string(), ""));
    host.is_unharmed();
}
