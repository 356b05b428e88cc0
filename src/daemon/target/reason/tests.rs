use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use super::*;
use crate::model::json;

fn why(document: &str, running: &str) -> String {
    let document = Document::parse(document.as_bytes()).unwrap();
    let running = json::parse(running.as_bytes()).unwrap();
    Finder::default().find(&Control::Unix("/nowhere".into()), &document, Some(running))
}

fn listeners(members: &str) -> String {
    format!(r#"{{"config":{{"listeners":{{{members}}}}},"certificates":{{}},"js_modules":{{}}}}"#)
}

fn fixture(name: &str) -> String {
    fs::read_to_string(format!(
        "{}/tests/fixtures/certificates/{name}.pem",
        env!("CARGO_MANIFEST_DIR")
    ))
    .unwrap()
}

#[test]
fn a_port_that_somebody_has_is_named_with_the_process() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mine = format!("is taken by process {} (", std::process::id());
    let reason = why(
        &listeners(&format!(r#""{address}":{{"pass":"routes"}}"#)),
        "{}",
    );
    assert!(reason.starts_with(&format!("{address} {mine}")), "{reason}");
    let reason = why(
        &listeners(&format!(r#""*:{}":{{"pass":"routes"}}"#, address.port())),
        "{}",
    );
    assert!(
        reason.starts_with(&format!("0.0.0.0:{} {mine}", address.port())),
        "{reason}"
    );
    drop(taken);
    assert_eq!(
        why(
            &listeners(&format!(r#""{address}":{{"pass":"routes"}}"#)),
            "{}"
        ),
        ""
    );
}

#[test]
fn what_the_server_runs_already_is_no_reason() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listener = format!(r#""{}":{{"pass":"routes"}}"#, taken.local_addr().unwrap());
    assert_eq!(
        why(
            &listeners(&listener),
            &format!(r#"{{"listeners":{{{listener}}}}}"#)
        ),
        ""
    );
    let document = Document::parse(listeners(&listener).as_bytes()).unwrap();
    let unknown = Finder::default().find(&Control::Unix("/nowhere".into()), &document, None);
    assert_eq!(unknown, "", "the server itself may be who holds it");
}

#[test]
fn a_listener_that_changes_is_not_taken_by_its_own_server() {
    let own = TcpListener::bind("127.0.0.1:0").unwrap();
    let listener = |pass: &str| format!(r#""{}":{{"pass":"{pass}"}}"#, own.local_addr().unwrap());
    assert_eq!(
        why(
            &listeners(&listener("routes")),
            &format!(r#"{{"listeners":{{{}}}}}"#, listener("routes/a"))
        ),
        ""
    );
}

#[test]
fn an_address_of_another_host_and_a_listener_without_a_destination_are_named() {
    let reason = why(
        &listeners(r#""192.0.2.1:8080":{"pass":"routes"},"[2001:db8::1]:1":{}"#),
        "{}",
    );
    let expected = "no interface of this host has the address 192.0.2.1; listener \"[2001:db8::1]:1\" has no \"pass\"";
    assert!(reason.starts_with(expected), "{reason}");
}

#[test]
fn a_listener_at_a_path_needs_a_directory_and_nobody_there() {
    let dir = std::env::temp_dir().join(format!("starling-reason-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let at = |name: &str| {
        why(
            &listeners(&format!(
                r#""unix:{}":{{"pass":"routes"}}"#,
                dir.join(name).display()
            )),
            "{}",
        )
    };
    assert_eq!(at("free.sock"), "");
    assert_eq!(
        at("no/a.sock"),
        format!("the directory {} does not exist", dir.join("no").display())
    );
    fs::write(dir.join("file"), "").unwrap();
    assert_eq!(
        at("file"),
        format!("{} exists and is no socket", dir.join("file").display())
    );
    assert_eq!(
        at("file/a.sock"),
        format!("{} is no directory", dir.join("file").display())
    );
    let taken = UnixListener::bind(dir.join("taken.sock")).unwrap();
    let expected = format!(
        "{} is taken by process {} (",
        dir.join("taken.sock").display(),
        std::process::id()
    );
    assert!(
        at("taken.sock").starts_with(&expected),
        "{}",
        at("taken.sock")
    );
    drop(taken);
    let left = dir.join("taken.sock").display().to_string();
    let expected = format!(
        "{left} is a socket that a crash left, and nobody listens at it: remove it, rm {left}"
    );
    assert_eq!(at("taken.sock"), expected);
    let listener = format!(r#""unix:{left}":{{"pass":"routes"}}"#);
    let runs = format!(r#"{{"listeners":{{{listener}}}}}"#);
    assert_eq!(
        why(&listeners(&listener), &runs),
        expected,
        "whatever the server says that it runs"
    );
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn a_bundle_that_cannot_work_and_names_that_nothing_bears_are_named() {
    let document = |certificates: &Value| {
        let listener = r#""127.0.0.1:0":{"pass":"routes","tls":{"certificate":["a","b"]}}"#;
        listeners(listener).replace(
            r#""certificates":{}"#,
            &format!(r#""certificates":{certificates}"#),
        )
    };
    let bundles =
        |a: &str| Value::Object([("a".to_owned(), fixture(a).into())].into_iter().collect());
    let missing = "Certificate \"b\" is not held by the fleet";
    assert_eq!(
        why(&document(&bundles("wrong-key-p256")), "{}"),
        format!(
            "{missing}; certificate \"a\": {}",
            bundle::BadBundle::WrongKey {
                key: bundle::KeyKind::P256,
                certificate: bundle::KeyKind::P256
            }
        )
    );
    assert_eq!(why(&document(&bundles("p256")), "{}"), missing);
}

#[test]
fn a_reason_fits_a_header_whatever_it_names() {
    let application = |n: u32| format!(r#""ä{n}\r\nX: y":{{"user":"no-{n}-{}"}}"#, "u".repeat(40));
    let applications = (0..20).map(application).collect::<Vec<_>>().join(",");
    let text = format!(
        r#"{{"config":{{"applications":{{{applications}}}}},"certificates":{{}},"js_modules":{{}}}}"#
    );
    let reason = why(&text, "{}");
    assert!(
        reason.starts_with("application \"%C3%A40%0D%0AX: y\": user"),
        "{reason}"
    );
    assert!(
        reason.len() <= REFUSAL_REASON_MAX
            && reason.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        "{reason}"
    );
    assert!(reason.matches("; application").count() < REASONS_MAX);
}

#[test]
fn a_server_elsewhere_is_not_judged_by_this_host() {
    for (address, expected) in [
        ("127.0.0.1:80", true),
        ("localhost:80", true),
        ("192.0.2.1:80", false),
        ("unit:80", false),
    ] {
        assert_eq!(
            is_here(&Control::Tcp(address.to_owned())),
            expected,
            "{address}"
        );
    }
}
