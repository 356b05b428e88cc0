//! What is passed through to the own server: the same status and body as the server's own, but for
//! its defects and its names.

use super::host::{Host, request};
use super::uploads::BUNDLES;
use super::watch::{parsed, text};
use starlingd::model::json;

const APP: &str = r#"{"listeners":{"*:8443":{"pass":"applications/a","tls":{"certificate":"shop"}}},
    "applications":{"a":{"type":"python","path":"/a","module":"wsgi"}},"settings":{"js_module":"m"}}"#;

/// A host whose server has something of everything.
fn furnished() -> Host {
    let host = Host::new();
    assert_eq!(
        host.ask("PUT", "/certificates/shop", BUNDLES[0]).status,
        200
    );
    assert_eq!(
        host.ask("PUT", "/js_modules/m", "export default {}\n")
            .status,
        200
    );
    assert_eq!(host.ask("PUT", "/config", APP).status, 200);
    host
}

fn direct(host: &Host, method: &str, target: &str) -> (u16, String) {
    let reply = host.server_door().send(&request(method, target, "", ""));
    (reply.status, reply.body)
}

fn through(host: &Host, method: &str, target: &str) -> (u16, String) {
    let reply = host.ask(method, target, "");
    (reply.status, reply.body)
}

/// The one name that the server has for the certificate.
fn internal(host: &Host) -> String {
    let listed = parsed(&direct(host, "GET", "/certificates").1);
    let names: Vec<_> = listed
        .as_object()
        .expect("it is a list")
        .keys()
        .cloned()
        .collect();
    assert_eq!(names.len(), 1, "{names:?}");
    names[0].clone()
}

#[test]
fn answers_are_the_servers_own_byte_for_byte() {
    let host = furnished();
    for (method, target) in [
        ("GET", "/status"),
        ("GET", "/status/"),
        ("GET", "/status/applications/a/processes/running"),
        ("GET", "/status/nothing"),
        ("GET", "/js_modules"),
        ("GET", "/js_modules/m"),
        ("GET", "/js_modules/none"),
        ("GET", "/certificates/none"),
        ("GET", "/control/applications/a/restart"),
        ("GET", "/control/applications/none/restart"),
        ("GET", "/control"),
        ("PUT", "/control"),
        ("POST", "/control/"),
        ("DELETE", "/control"),
        ("OPTIONS", "/control"),
        ("PUT", "/control/applications/a/restart"),
        ("PUT", "/status"),
        ("DELETE", "/"),
    ] {
        assert_eq!(
            through(&host, method, target),
            direct(&host, method, target),
            "{method} {target}"
        );
    }
}

#[test]
fn certificates_are_listed_and_asked_for_by_the_names_of_the_document() {
    let host = furnished();
    let internal = internal(&host);
    assert!(internal.starts_with("shop~"), "{internal}");
    let plainly = |(status, body): (u16, String)| (status, body.replace(&internal, "shop"));
    for target in ["/certificates", "/"] {
        assert_eq!(
            through(&host, "GET", target),
            plainly(direct(&host, "GET", target)),
            "{target}"
        );
    }
    for rest in ["", "/key", "/chain/0/subject/common_name", "/chain/9"] {
        let (ours, theirs) = (
            format!("/certificates/shop{rest}"),
            format!("/certificates/{internal}{rest}"),
        );
        assert_eq!(
            through(&host, "GET", &ours),
            direct(&host, "GET", &theirs),
            "{rest}"
        );
    }
    let left = format!("{}~0123456789ab", "shop");
    let put = request("PUT", &format!("/certificates/{left}"), "", BUNDLES[2]);
    assert_eq!(host.server_door().send(&put).status, 200);
    assert!(
        !through(&host, "GET", "/certificates").1.contains('~'),
        "what is not needed any more is not shown"
    );
}

#[test]
fn a_slash_and_a_percent_sign_in_a_name_stay_as_they_are_written() {
    let host = Host::new();
    for name in ["a%2Fb", "a%25b", "a%2541"] {
        assert_eq!(
            host.ask("PUT", &format!("/certificates/{name}"), BUNDLES[0])
                .status,
            200
        );
        assert_eq!(
            host.ask("PUT", &format!("/js_modules/{name}"), "export default {}\n")
                .status,
            200
        );
        assert_eq!(
            host.ask("GET", &format!("/certificates/{name}/key"), "")
                .body,
            "\"RSA (2048 bits)\"\r\n",
            "{name}"
        );
        assert_eq!(
            host.ask("GET", &format!("/js_modules/{name}"), "").status,
            200,
            "{name}"
        );
        assert!(
            direct(&host, "GET", "/certificates")
                .1
                .contains(&format!("\"{name}~")),
            "{name}"
        );
    }
}

#[test]
fn dots_that_are_encoded_lead_nowhere_on_the_server_either() {
    let host = furnished();
    for target in ["/certificates", "/js_modules", "/status", "/control"] {
        for way in ["", "/config", "/control/applications/a/restart"] {
            let target = format!("{target}/%2E%2e{way}");
            assert_eq!(host.ask("GET", &target, "").status, 404, "{target}");
        }
    }
    assert_eq!(host.ask("GET", "/certificates/shop/%2e", "").status, 404);
    let stats = host.server.tell("stats");
    assert!(stats.contains(r#""asked_restarts":0"#), "{stats}");
}

#[test]
fn an_application_is_restarted_by_post_too() {
    let host = furnished();
    assert_eq!(
        through(&host, "POST", "/control/applications/a/restart"),
        (200, "{\r\n\t\"success\": \"Ok\"\r\n}\r\n".into())
    );
    assert!(host.server.tell("stats").contains(r#""asked_restarts":1"#));
}

#[test]
fn what_the_server_cuts_off_comes_whole_or_not_at_all() {
    let host = furnished();
    let targets = ["/status", "/js_modules", "/certificates", "/"];
    let whole = targets.map(|target| through(&host, "GET", target));
    for bytes in [600, 400] {
        host.server.tell(&format!("cut {bytes}"));
        for (target, whole) in targets.iter().zip(&whole) {
            let (status, body) = through(&host, "GET", target);
            match status {
                200 => assert_eq!(&body, &whole.1, "{target}, cut at {bytes}"),
                _ => assert_eq!(
                    (status, &text(&parsed(&body)["error"])[..]),
                    (502, "The server cut its answer short."),
                    "{target}"
                ),
            }
        }
    }
    host.server.tell("ok");
    host.server.tell("cut 350");
    assert_eq!(
        through(&host, "GET", "/status"),
        whole[0],
        "it is put together from its members"
    );
    host.server.tell("ok");
    let source = format!("export default {{}} // {}\n", "x".repeat(600));
    assert_eq!(host.ask("PUT", "/js_modules/long", &source).status, 200);
    host.server.tell("cut 300");
    let (status, body) = through(&host, "GET", "/js_modules/long");
    assert_eq!((status, body), (200, json::unit_format(&source.into())));
}

#[test]
fn a_server_that_is_not_there_is_told_from_a_path_at_which_it_has_nothing() {
    let host = furnished();
    let long = format!("/status/{}", "x".repeat(1100));
    let (status, body) = through(&host, "GET", &long);
    assert_eq!(
        (status, &text(&parsed(&body)["error"])[..]),
        (404, "Value doesn't exist.")
    );
    host.server.tell("down");
    for target in [
        "/",
        "/status",
        "/certificates",
        "/js_modules/m",
        "/control/applications/a/restart",
    ] {
        let (status, body) = through(&host, "GET", target);
        assert_eq!(
            (status, &text(&parsed(&body)["error"])[..]),
            (503, "The server cannot be reached."),
            "{target}"
        );
    }
    assert_eq!(
        host.ask("GET", "/config", "").status,
        200,
        "the document is there all the same"
    );
}
