//! Bundles in all the forms in which people have them: taken where a server takes them, refused
//! with what to do where it does not.

use std::process::Command;

use super::host::{Host, request};
use super::skip::skip;
use super::watch::{parsed, text};
use harness::http::{Door, Reply};

fn fixture(name: &str) -> Vec<u8> {
    let file = format!(
        "{}/tests/fixtures/certificates/{name}.pem",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(&file).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn put(door: &Door, name: &str, bundle: &[u8]) -> Reply {
    let head = request("PUT", &format!("/certificates/{name}"), "", "");
    let head = String::from_utf8(head).expect("it is text");
    let head = head.replace(
        "Content-Length: 0",
        &format!("Content-Length: {}", bundle.len()),
    );
    door.send(&[head.as_bytes(), bundle].concat())
}

fn replaced(bundle: &[u8], old: &str, new: &str) -> Vec<u8> {
    let text = String::from_utf8(bundle.to_vec()).expect("the fixtures are text");
    assert!(text.contains(old), "{old}");
    text.replace(old, new).into_bytes()
}

/// The key of a bundle with its END line, and the certificates.
fn parted(bundle: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let text = std::str::from_utf8(bundle).expect("the fixtures are text");
    let (key, chain) = text.split_at(
        text.find("-----BEGIN CERT")
            .expect("they have certificates"),
    );
    (key.as_bytes().to_vec(), chain.as_bytes().to_vec())
}

/// Forms of one bundle, by name.
fn forms() -> Vec<(&'static str, Vec<u8>)> {
    let whole = fixture("rsa");
    let (key, chain) = parted(&whole);
    let first = "-----BEGIN PRIVATE KEY-----\n";
    let mark = b"\xef\xbb\xbf".to_vec();
    let headed = replaced(&key, first, &format!("{first}Bag: x\nlocalKeyID: 1\n\n"));
    let block = |label: &str| {
        format!("-----BEGIN {label}-----\nMIIB\n-----END {label}-----\n").into_bytes()
    };
    vec![
        ("plain", whole.clone()),
        ("mark", [&mark[..], &whole].concat()),
        ("mark-between", [&key[..], &mark, &chain].concat()),
        ("mark-after-text", [b"hello\n", &mark[..], &whole].concat()),
        ("latin-1-before", [b"caf\xe9\n", &whole[..]].concat()),
        (
            "latin-1-between",
            [&key[..], b"Stra\xdfe\n\n", &chain, b"\xff"].concat(),
        ),
        ("latin-1-in-the-line", [b"\xe9", &whole[..]].concat()),
        ("headers", [&headed[..], &chain].concat()),
        (
            "headers-without-end",
            [&replaced(&headed, "1\n\n", "1\n")[..], &chain].concat(),
        ),
        (
            "empty-line-first",
            replaced(&whole, first, &format!("{first}\n")),
        ),
        ("empty-line-in", replaced(&whole, "\nM", "\n\nM")),
        (
            "empty-line-last",
            replaced(&whole, "\n-----END PRIV", "\n\n-----END PRIV"),
        ),
        (
            "x509",
            replaced(&whole, " CERTIFICATE", " X509 CERTIFICATE"),
        ),
        (
            "trusted",
            replaced(&whole, " CERTIFICATE", " TRUSTED CERTIFICATE"),
        ),
        ("pkcs8-as-rsa", replaced(&whole, " PRIVATE", " RSA PRIVATE")),
        (
            "stray-end",
            [&whole[..], b"-----END PRIVATE KEY-----\n"].concat(),
        ),
        ("crlf", replaced(&whole, "\n", "\r\n")),
        ("no-line-ends", replaced(&whole, "\n", "")),
        (
            "request",
            [&whole[..], &block("CERTIFICATE REQUEST")].concat(),
        ),
        ("dh", [&block("DH PARAMETERS")[..], &whole].concat()),
        ("public", [&whole[..], &block("PUBLIC KEY")].concat()),
        ("pkcs7", [&whole[..], &block("PKCS7")].concat()),
        ("crl", [&whole[..], &block("X509 CRL")].concat()),
        (
            "other-certificate",
            replaced(&whole, " CERTIFICATE", " OLD CERTIFICATE"),
        ),
        ("two-keys", [&key[..], &whole].concat()),
        ("unended", whole[..whole.len() - 30].to_vec()),
    ]
}

#[test]
fn a_bundle_is_taken_in_whatever_form_a_server_takes_it_and_in_no_other() {
    let mut host = Host::new();
    let mut taken = 0;
    for (name, bundle) in forms() {
        let (server, reply) = (
            put(&host.server_door(), name, &bundle).status,
            put(host.door(), name, &bundle),
        );
        assert_eq!(reply.status, server, "{name}: {}", reply.body);
        taken += u32::from(server == 200);
    }
    assert_eq!(taken, 12, "as many as real servers took");
    host.is_unharmed();
}

#[test]
fn a_block_that_does_not_belong_is_named_and_lost_line_ends_are_told_of_a_flag() {
    let host = Host::new();
    let detail = |bundle: &[u8]| text(&parsed(&put(host.door(), "a", bundle).body)["detail"]);
    let whole = fixture("rsa");
    let csr = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n";
    let words = detail(&[&whole[..], csr.as_bytes()].concat());
    assert!(
        words.contains("there is a block \"CERTIFICATE REQUEST\" in it")
            && words.contains("remove that block"),
        "{words}"
    );
    let words = detail(&replaced(&whole, "\n", ""));
    assert!(words.contains("--data-binary"), "{words}");
    let secret = std::str::from_utf8(&whole)
        .expect("it is text")
        .lines()
        .nth(1)
        .expect("it has lines")
        .to_owned();
    for bad in [
        replaced(&whole, "KEY-----\n", "KEY"),
        replaced(&whole, "\n", "\r"),
    ] {
        assert!(
            !detail(&bad).contains(&secret[..16]),
            "no line of a key is repeated"
        );
    }
}

#[test]
fn what_openssl_writes_for_a_key_on_a_curve_is_taken_without_what_servers_refuse() {
    let mut host = Host::new();
    let parameters = |curve: &str| {
        Command::new("openssl")
            .args(["ecparam", "-name", curve])
            .output()
    };
    let (Ok(own), Ok(other)) = (parameters("prime256v1"), parameters("secp384r1")) else {
        return skip("openssl");
    };
    let bundle = fixture("p256-sec1");
    let made = [&own.stdout[..], &bundle].concat();
    assert_eq!(
        put(&host.server_door(), "a", &made).status,
        400,
        "a server does not take it as it is"
    );
    assert_eq!(put(host.door(), "a", &made).status, 200);
    host.change("PUT", "/config", r#"{"listeners":{"127.0.0.1:8443":{"pass":"routes","tls":{"certificate":"a"}}},"routes":[]}"#);
    let shown = host.json("/certificates/a");
    assert_eq!(shown["key"], "ECDH");
    let first = host.json("/fleet")["head"].clone();
    assert_eq!(put(host.door(), "a", &bundle).status, 200);
    assert_eq!(
        host.json("/fleet")["head"],
        first,
        "it is the same bundle as without"
    );
    for bad in [
        [&other.stdout[..], &bundle].concat(),
        [&own.stdout[..], &fixture("rsa")].concat(),
    ] {
        let reply = put(host.door(), "b", &bad);
        assert!(
            reply.status == 400 && reply.body.contains("is not of the key's curve"),
            "{}",
            reply.body
        );
    }
    host.is_unharmed();
}
