//! Certificates and modules over REST: codes, words, names and headers, and what the state
//! directory keeps.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::host::{Host, request};
use super::watch::{parsed, text, until};

/// Bundles, each with a key of its own.
pub const BUNDLES: [&str; 3] = [
    include_str!("../fixtures/bundles/a.pem"),
    include_str!("../fixtures/bundles/a-renewed.pem"),
    include_str!("../fixtures/bundles/ec.pem"),
];
const MODULE: &str = "function hello(h) { return '/x' + h.host }\nexport default {hello}\n";
const LISTENER: &str = r#"{"pass": "routes", "tls": {"certificate": ["shop", "x%2Fy"]}}"#;

fn said(host: &Host, method: &str, target: &str, body: &str) -> (u16, String) {
    let reply = host.ask(method, target, body);
    let body = parsed(&reply.body);
    let words = body
        .get("success")
        .or_else(|| body.get("error"))
        .expect("either of them");
    (reply.status, text(words))
}

/// What lies on the server itself.
fn lies_there(host: &Host, kind: &str) -> Vec<String> {
    let shown = host
        .server_door()
        .send(format!("GET /{kind} HTTP/1.1\r\n\r\n").as_bytes())
        .body;
    parsed(&shown)
        .as_object()
        .expect("it is a list by name")
        .keys()
        .cloned()
        .collect()
}

/// A key cannot be read back from a server: what a host takes away there that it has not put there
/// itself is gone for good.
#[test]
fn certificates_of_an_earlier_fleet_stay_and_what_this_directory_gave_goes() {
    let mut host = Host::founded();
    let put = |host: &Host, name: &str, bundle: &str| {
        let path = format!("/certificates/{name}");
        assert_eq!(
            host.server_door()
                .send(&request("PUT", &path, "", bundle))
                .status,
            200
        );
    };
    put(&host, "shop~0123456789ab", BUNDLES[0]);
    put(&host, "mine", BUNDLES[0]);
    host.start();
    assert_eq!(host.ask("PUT", "/config/routes", "[]").status, 200);
    let problem = |host: &Host| host.json("/fleet")["problems"].to_string();
    until("it is named with what to do", || {
        let problem = problem(&host);
        problem.contains("shop~0123456789ab")
            && problem.contains("'http://localhost/certificates/shop~0123456789ab'")
    });
    assert!(
        host.running()
            .log()
            .contains("put there: \"shop~0123456789ab\"; they are left")
    );
    assert_eq!(
        host.ask("PUT", "/certificates/shop", BUNDLES[1]).status,
        200
    );
    until("it is there", || {
        lies_there(&host, "certificates").len() == 3
    });
    let own = lies_there(&host, "certificates")
        .into_iter()
        .find(|name| name.starts_with("shop~") && name != "shop~0123456789ab");
    let own = own.expect("it has another content");
    assert_eq!(host.ask("DELETE", "/certificates/shop", "").status, 200);
    until("ours is gone", || {
        lies_there(&host, "certificates") == ["mine", "shop~0123456789ab"]
    });
    // The server's own backup is put back while this host is down.
    host.running.take().expect("it runs").kill();
    put(&host, &own, BUNDLES[1]);
    host.start();
    until("ours is gone again", || {
        lies_there(&host, "certificates") == ["mine", "shop~0123456789ab"]
    });
    until("the other is named again", || {
        problem(&host).contains("shop~0123456789ab")
    });
    // Nobody tells where the list is cut short: then it is not ours either.
    let cure = request("DELETE", "/certificates/shop~0123456789ab", "", "");
    assert_eq!(host.server_door().send(&cure).status, 200);
    until("nothing is left to be named", || {
        !problem(&host).contains("certificates")
    });
    host.running.take().expect("it runs").kill();
    let list = host.path("state/given.json");
    let text = std::fs::read(&list).expect("it was kept");
    std::fs::write(&list, &text[..text.len() / 2]).expect("it is a file");
    put(&host, &own, BUNDLES[1]);
    host.start();
    until("it is named", || problem(&host).contains(&own));
    assert!(
        problem(&host).contains("given.json is not what Starling writes"),
        "{}",
        problem(&host)
    );
    assert_eq!(lies_there(&host, "certificates"), ["mine", &own]);
}

#[test]
fn certificates_are_answered_in_the_words_of_unit() {
    let mut host = Host::new();
    let key = &BUNDLES[0][..BUNDLES[0]
        .find("-----BEGIN CERTIFICATE")
        .expect("the key comes first")];
    let certificate = &BUNDLES[0][key.len()..];
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY") + certificate;
    for (method, target, body, status, words) in [
        (
            "PUT",
            "/certificates/shop",
            BUNDLES[0],
            200,
            "Certificate chain uploaded.",
        ),
        (
            "PUT",
            "/certificates/x%2Fy",
            BUNDLES[1],
            200,
            "Certificate chain uploaded.",
        ),
        (
            "PUT",
            "/certificates/sp%20ace/",
            BUNDLES[1],
            200,
            "Certificate chain uploaded.",
        ),
        (
            "PUT",
            "/certificates/b",
            certificate,
            400,
            "Invalid certificate.",
        ),
        ("PUT", "/certificates/b", key, 400, "Invalid certificate."),
        (
            "PUT",
            "/certificates/b",
            &encrypted,
            400,
            "Invalid certificate.",
        ),
        (
            "PUT",
            "/certificates/b",
            "hello",
            400,
            "Invalid certificate.",
        ),
        ("PUT", "/certificates/b", "", 400, "Invalid certificate."),
        (
            "PUT",
            "/certificates/x/y",
            BUNDLES[0],
            400,
            "Invalid certificate name.",
        ),
        (
            "PUT",
            "/certificates",
            BUNDLES[0],
            400,
            "Invalid certificate name.",
        ),
        (
            "PUT",
            "/certificates/%2E%2E",
            BUNDLES[0],
            400,
            "Invalid certificate name.",
        ),
        (
            "PATCH",
            "/certificates",
            "",
            400,
            "Invalid certificate name.",
        ),
        (
            "POST",
            "/certificates/b",
            BUNDLES[0],
            405,
            "Invalid method.",
        ),
        (
            "PUT",
            "/config/listeners/*:1",
            LISTENER,
            200,
            "Reconfiguration done.",
        ),
        (
            "DELETE",
            "/certificates/shop",
            "",
            400,
            "Certificate is used in the configuration.",
        ),
        (
            "DELETE",
            "/certificates/x%2Fy",
            "",
            400,
            "Certificate is used in the configuration.",
        ),
        (
            "DELETE",
            "/certificates/zz",
            "",
            404,
            "Certificate doesn't exist.",
        ),
        (
            "PUT",
            "/certificates/shop",
            BUNDLES[2],
            200,
            "Certificate chain uploaded.",
        ),
        (
            "DELETE",
            "/config/listeners/*:1",
            "",
            200,
            "Reconfiguration done.",
        ),
        (
            "DELETE",
            "/certificates/shop",
            "",
            200,
            "Certificate deleted.",
        ),
        (
            "DELETE",
            "/certificates/shop",
            "",
            404,
            "Certificate doesn't exist.",
        ),
    ] {
        assert_eq!(
            said(&host, method, target, body),
            (status, words.to_owned()),
            "{method} {target} {body}"
        );
    }
    let long = format!("/certificates/{}", "n".repeat(241));
    assert_eq!(
        said(&host, "PUT", &long, BUNDLES[0]).1,
        "Invalid certificate name."
    );
    let mut binary = request("PUT", "/certificates/b", "", "??");
    let end = binary.len() - 2;
    binary[end..].copy_from_slice(&[0xff, 0xfe]);
    let reply = host.door().send(&binary);
    assert_eq!(
        (reply.status, &parsed(&reply.body)["detail"]),
        (
            400,
            &"it is UTF-16, which no server reads: save it as ASCII or UTF-8".into()
        )
    );
    host.is_unharmed();
}

#[test]
fn modules_are_answered_in_the_words_of_unit() {
    let host = Host::new();
    let using = r#"{"js_module": ["m1"]}"#;
    for (method, target, body, status, words) in [
        ("PUT", "/js_modules/m1", MODULE, 200, "JS module uploaded."),
        (
            "PUT",
            "/js_modules/m1",
            MODULE,
            400,
            "JS module already exists.",
        ),
        (
            "PUT",
            "/js_modules/a/b",
            MODULE,
            400,
            "Invalid JS module name.",
        ),
        ("DELETE", "/js_modules", "", 400, "Invalid JS module name."),
        ("POST", "/js_modules/m1", MODULE, 405, "Invalid method."),
        (
            "PUT",
            "/config/settings",
            using,
            200,
            "Reconfiguration done.",
        ),
        (
            "DELETE",
            "/js_modules/m1",
            "",
            400,
            "JS module is used in the configuration.",
        ),
        (
            "DELETE",
            "/config/settings",
            "",
            200,
            "Reconfiguration done.",
        ),
        ("DELETE", "/js_modules/m1", "", 200, "JS module deleted."),
        (
            "DELETE",
            "/js_modules/m1",
            "",
            404,
            "JS module doesn't exist.",
        ),
        (
            "PUT",
            "/config/settings",
            using,
            400,
            "Invalid configuration.",
        ),
    ] {
        assert_eq!(
            said(&host, method, target, body),
            (status, words.to_owned()),
            "{method} {target} {body}"
        );
    }
}

#[test]
fn a_configuration_that_names_what_was_not_uploaded_is_refused_with_the_reason() {
    let host = Host::new();
    let reply = host.ask("PUT", "/config/listeners/*:1", LISTENER);
    assert_eq!(
        (reply.status, &parsed(&reply.body)["detail"]),
        (400, &"Certificate \"shop\" is not found.".into())
    );
    assert!(
        reply
            .header("Starling-Reason")
            .is_some_and(|reason| reason.contains("upload it through Starling first"))
    );
    assert_eq!(
        host.ask("GET", "/fleet/revisions", "").body,
        "[]\r\n",
        "nothing was published"
    );
}

#[test]
fn an_upload_is_a_change_with_all_its_headers_and_made_again_makes_no_revision() {
    let host = Host::new();
    let target = "/certificates/shop";
    let reply = host.ask_with(
        "PUT",
        target,
        "Starling-Note: from the shop\r\n",
        BUNDLES[0],
    );
    let first = reply
        .header("Starling-Revision")
        .expect("it is a change")
        .to_owned();
    assert_eq!(reply.header("ETag"), Some(&format!("\"{first}\"")[..]));
    assert_eq!(
        host.ask("GET", "/config", "").header("ETag"),
        Some(&format!("\"{first}\"")[..])
    );
    let again = host.ask("PUT", target, BUNDLES[0]);
    assert_eq!(
        (again.status, again.header("Starling-Revision")),
        (200, Some(&first[..]))
    );
    assert_eq!(
        said(&host, "PUT", target, BUNDLES[0]),
        (200, "Certificate chain uploaded.".to_owned())
    );
    let guard = |id: &str| format!("If-Match: \"{id}\"\r\n");
    let second = host.ask_with("PUT", target, &guard(&first), BUNDLES[1]);
    assert_eq!(second.status, 200);
    assert_eq!(
        host.ask_with("PUT", target, &guard(&first), BUNDLES[2])
            .status,
        412
    );
    assert_eq!(
        host.ask_with("DELETE", target, &guard(&first), "").status,
        412
    );
    let log = host.json("/fleet/revisions");
    assert_eq!(
        (log.as_array().map(Vec::len), text(&log[1]["note"])),
        (Some(2), "from the shop".to_owned())
    );
    assert_eq!(text(&log[0]["edit"][0]["path"]), target);
}

#[test]
fn a_revision_is_restored_with_its_uploads_or_one_of_them_by_its_path() {
    let host = Host::new();
    let uploaded = host.change("PUT", "/certificates/shop", BUNDLES[0]);
    host.change("PUT", "/js_modules/m1", MODULE);
    let full = host.change("PUT", "/config/routes", "[1]");
    for target in ["/certificates/shop", "/js_modules/m1", "/config/routes"] {
        host.change("DELETE", target, "");
    }
    let restored = |query: &str, id: &str| {
        host.ask("POST", &format!("/fleet/revisions/{id}/restore{query}"), "")
            .status
    };
    assert_eq!(restored("?path=/certificates/shop", &uploaded), 200);
    assert_eq!(said(&host, "PUT", "/certificates/shop", BUNDLES[0]).0, 200);
    let head = |host: &Host| text(&host.json("/fleet")["group"]["head"]["id"]);
    let document =
        |host: &Host, id: &str| host.json(&format!("/fleet/revisions/{id}"))["document"].clone();
    let present = document(&host, &head(&host));
    assert_eq!(
        (
            &present["js_modules"],
            present["certificates"].as_object().map(|held| held.len())
        ),
        (&parsed("{}"), Some(1))
    );
    assert_eq!(restored("", &full), 200);
    assert_eq!(document(&host, &head(&host)), document(&host, &full));
    let changes =
        host.json(&format!("/fleet/revisions/{}?diff={full}", head(&host)))["changes"].clone();
    assert_eq!(changes, parsed("[]"));
    let blame = host.json("/fleet/blame/js_modules/m1");
    assert_eq!(
        (&blame["value"], text(&blame["revision"]["id"])),
        (&MODULE.into(), head(&host))
    );
}

#[test]
fn whatever_holds_a_bundle_is_its_owners_alone_and_outlives_the_process() {
    let mut host = Host::new();
    let id = host.change("PUT", "/certificates/shop", BUNDLES[0]);
    let key = BUNDLES[0].lines().nth(1).expect("a line of the key");
    let mut holding = 0;
    let mut look = |path: &Path| {
        let mode = std::fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        let bytes = std::fs::read(path).expect("it is ours");
        holding += usize::from(String::from_utf8_lossy(&bytes).contains(key));
    };
    each_file(&host.path("state"), &mut look);
    assert_eq!(holding, 1, "it stands in the one revision");
    host.running.take().expect("it runs").kill();
    host.start();
    let again = host.ask("PUT", "/certificates/shop", BUNDLES[0]);
    assert_eq!(
        (again.status, again.header("Starling-Revision")),
        (200, Some(&id[..]))
    );
}

fn each_file(at: &Path, look: &mut dyn FnMut(&Path)) {
    for entry in std::fs::read_dir(at).expect("it is ours").flatten() {
        if entry.path().is_dir() {
            each_file(&entry.path(), look)
        } else {
            look(&entry.path())
        }
    }
}
