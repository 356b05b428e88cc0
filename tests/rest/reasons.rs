//! What Unit would not say: why a bundle is refused before a server has it, and what was found out about a refusal.

use super::host::Host;
use super::http::Reply;
use super::watch::{parsed, text};

fn bundle(name: &str) -> String {
    let file = format!("{}/tests/fixtures/certificates/{name}.pem", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn words(reply: &Reply) -> (u16, String, String) {
    let body = parsed(&reply.body);
    (reply.status, text(&body["error"]), text(&body["detail"]))
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
