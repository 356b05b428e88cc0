//! One document, many hosts: overlays and variables, what a server really gets, drift, and servers
//! that forget.

use std::process::Command;
use std::time::{Duration, Instant};

use starlingd::model::json::Value;

use super::host::{Host, STARLING};
use super::skip::skip;
use super::standstill::{Standstill, held_at_file, lacks, release};
use super::uploads::BUNDLES;
use super::watch::{parsed, text, until};
use harness::http::Reply;

const SHARED: &str = r#"{"listeners":{"*:80":{"pass":"routes"}},"routes":[{"action":{"share":"${starling.var.root}$uri"}}],"applications":{}}"#;

/// A fleet of two, each started with flags of its own.
fn two(one_has: &[&str], two_has: &[&str]) -> (Host, Host) {
    let mut one = Host::founded();
    start(&mut one, one_has);
    let mut two = Host::joined_to(&one);
    let peer = one.address();
    start(&mut two, &[two_has, &["--peer", &peer]].concat());
    until("the second has joined", || {
        two.json("/fleet")["peer"]["joined"] == true
    });
    (one, two)
}

fn start(host: &mut Host, flags: &[&str]) {
    let token = host.path("token");
    host.start_as(
        "exec \"$@\"",
        &[
            &["--api-token-file", token.to_str().expect("it is text")],
            flags,
        ]
        .concat(),
    );
}

fn share(host: &Host) -> Value {
    host.server_config()["routes"][0]["action"]["share"].clone()
}

fn problems(host: &Host) -> String {
    host.json("/fleet")["problems"].to_string()
}

/// Somebody uses the server's own control socket.
fn past_starling(host: &Host, method: &str, target: &str, body: &str) {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let reply = host.server_door().send(head.as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.body);
}

fn effective(host: &Host, more: &[&str]) -> (bool, String) {
    let mut command = Command::new(STARLING);
    command
        .args(["show", "--effective"])
        .args(more)
        .arg("--control")
        .arg(host.path("control.sock"));
    let output = command
        .arg("-f")
        .arg(host.path("empty.conf"))
        .output()
        .expect("the program is built");
    (
        output.status.success(),
        String::from_utf8([output.stdout, output.stderr].concat()).expect("it is text"),
    )
}

fn detail(reply: &Reply) -> String {
    text(&parsed(&reply.body)["detail"])
}

#[test]
fn each_server_gets_its_own_and_all_hosts_hold_one_document() {
    let files = Host::outside();
    let overlay = files.path("overlay.json");
    std::fs::write(
        &overlay,
        r#"{"listeners":{"*:80":null,"*:81":{"pass":"routes"}}, /* mine */ "routes":{"-":{"action":{"return":404}}}}"#,
    )
    .unwrap();
    let overlay = overlay.to_str().unwrap();
    let (one, two) = two(
        &["--overlay", overlay, "--variable", "root=/one"],
        &["--variable", "root=/two"],
    );
    let head = one.change("PUT", "/config", SHARED);
    until("the second server has its own", || {
        share(&two) == "/two$uri"
    });
    assert_eq!(share(&one), "/one$uri");
    assert_eq!(
        one.server_config()["listeners"],
        parsed(r#"{"*:81":{"pass":"routes"}}"#)
    );
    assert_eq!(
        one.server_config()["routes"][1],
        parsed(r#"{"action":{"return":404}}"#)
    );
    assert_eq!(
        (one.config(), two.config()),
        (parsed(SHARED), parsed(SHARED))
    );
    until("both are in step", || {
        [&one, &two].iter().all(|host| host.verdict() == "applied")
    });

    let shown = one.json("/fleet/effective");
    assert_eq!(
        (&shown["config"], text(&shown["revision"])),
        (&one.server_config(), head)
    );
    assert_eq!(
        shown["overlay"],
        parsed(r#"["/config/listeners/*:80","/config/listeners/*:81/pass","/config/routes/1"]"#)
    );
    assert_eq!(
        two.json("/fleet/effective")["variables"],
        parsed(r#"[{"path":"/config/routes/0/action/share","name":"var.root","value":"/two"}]"#)
    );
    let (done, page) = effective(&two, &[]);
    assert!(
        done && page.contains("${starling.var.root} at /config/routes/0/action/share is /two\n"),
        "{page}"
    );
    assert_eq!(
        parsed(&effective(&two, &["--json"]).1),
        two.json("/fleet/effective")
    );
    let (done, words) = effective(&two, &["abcd1234"]);
    assert!(!done && words.contains("not of a revision"), "{words}");
}

#[test]
fn an_overlay_is_taken_up_when_it_is_saved_and_a_bad_one_changes_nothing() {
    let files = Host::outside();
    let path = files.path("overlay.json");
    let save = |text: &str| std::fs::write(&path, text).unwrap();
    save(r#"{"settings":{"http":{"max_body_size":1}}}"#);
    let mut host = Host::founded();
    start(&mut host, &["--overlay", path.to_str().unwrap()]);
    host.change("PUT", "/config/routes", "[]");
    let size = |host: &Host| host.server_config()["settings"]["http"]["max_body_size"].clone();
    assert_eq!(size(&host), 1);
    save(r#"{"settings":{"http":{"max_body_size":22}}}"#);
    until("the new one is applied", || size(&host) == 22);
    save("{\n \"settings\": nothing }");
    until("the bad one is reported", || {
        problems(&host).contains("line 2, column 14")
    });
    assert_eq!(
        (size(&host), host.verdict()),
        (22.into(), "applied".to_owned())
    );
    host.change("PUT", "/config/routes", r#"["still"]"#);
    save(r#"{"routes":{"5":null}}"#);
    until("it does not fit", || host.verdict() == "refused");
    assert!(
        text(&host.json("/fleet")["group"]["detail"])
            .contains("element 5 of /config/routes, which has 1")
    );
    assert_eq!(host.ask("GET", "/fleet/effective", "").status, 409);
    save(r#"{"routes":{"0":"mine"}}"#);
    until("it fits", || host.server_config()["routes"][0] == "mine");
    until("that is all", || {
        host.verdict() == "applied" && problems(&host) == "[]"
    });
    host.is_unharmed();
}

#[test]
fn a_start_with_a_bad_overlay_is_refused_by_file_and_place() {
    let host = Host::founded();
    let path = host.path("overlay.json");
    let pipe = Command::new("mkfifo").arg(&path).status();
    assert!(pipe.expect("coreutils are there").success());
    for (content, words) in [
        (None, "it is no file"),
        (Some("{\"a\":\n 1,,}"), "line 2"),
        (Some("[]"), "it is no object"),
    ] {
        if let Some(content) = content {
            let _ = std::fs::remove_file(&path);
            std::fs::write(&path, content).unwrap();
        }
        let output = Command::new(STARLING)
            .args(["run", "--no-mdns"])
            .args(host.flags())
            .arg("--overlay")
            .arg(&path)
            .output();
        let output = output.expect("the program is built");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains("overlay.json") && said.contains(words),
            "{said}"
        );
    }
}

#[test]
fn an_overlay_that_cannot_be_read_keeps_a_start_from_giving_the_server_anything() {
    if let Some(need) = lacks() {
        return skip(&need);
    }
    let mut host = Host::founded();
    let path = host.path("overlay.json");
    std::fs::write(&path, r#"{"settings":{"http":{"max_body_size":1}}}"#).unwrap();
    let flags = ["--overlay", path.to_str().unwrap()];
    start(&mut host, &flags);
    host.change("PUT", "/config/routes", "[]");
    let runs = host.server_config();
    host.running.take().expect("it runs").terminate();
    host.start_as(&held_at_file(&path), &flags);
    until("it says so", || {
        problems(&host).contains("its file system does not answer, and is waited for")
    });
    for (method, target) in [
        ("PUT", "/config/routes"),
        ("PUT", "/config/routes?dry-run"),
        ("POST", "/config"),
    ] {
        let reply = host.ask(
            method,
            target,
            if method == "PUT" { r#"["other"]"# } else { "" },
        );
        assert_eq!(
            (reply.status, text(&parsed(&reply.body)["error"])),
            (503, "This host's overlay is not known.".to_owned())
        );
    }
    assert_eq!(
        (
            host.verdict(),
            host.ask("GET", "/fleet/effective", "").status
        ),
        ("pending".to_owned(), 503)
    );
    assert_eq!(host.server_config(), runs);
    release(host.running().child.id());
    until("it is read, and applied", || {
        host.verdict() == "applied" && problems(&host) == "[]"
    });
    host.change("PUT", "/config/routes", r#"["other"]"#);
    assert_eq!(host.server_config()["settings"]["http"]["max_body_size"], 1);
    host.is_unharmed();
}

#[test]
fn an_overlay_whose_file_system_stops_answering_stops_nothing_and_is_told_of() {
    if let Some(need) = lacks() {
        return skip(&need);
    }
    let mut host = Host::founded();
    let path = host.path("overlay.json");
    std::fs::write(&path, r#"{"settings":{"http":{"max_body_size":1}}}"#).unwrap();
    start(&mut host, &["--overlay", path.to_str().unwrap()]);
    let held = Standstill::of_file(host.running().child.id(), &path);
    let late = Instant::now() + Duration::from_secs(90);
    let mut count = 0;
    while !problems(&host).contains("its file system does not answer, and is waited for") {
        assert!(Instant::now() < late, "nothing is told");
        count += 1;
        host.change("PUT", "/config/routes", &format!("[\"{count}\"]"));
    }
    assert_eq!(host.server_config()["settings"]["http"]["max_body_size"], 1);
    std::fs::write(&path, r#"{"settings":{"http":{"max_body_size":2}}}"#).unwrap();
    drop(held);
    until("it is read, and applied", || {
        host.server_config()["settings"]["http"]["max_body_size"] == 2
    });
    until("that is all", || problems(&host) == "[]");
    host.is_unharmed();
}

#[test]
fn what_a_host_has_no_value_for_is_refused_there_and_shown_by_all() {
    let (one, two) = two(&["--variable", "root=/one"], &[]);
    let reply = two.ask("PUT", "/config", SHARED);
    assert_eq!(reply.status, 400);
    assert_eq!(
        detail(&reply),
        "this host has no value for ${starling.var.root} at /config/routes/0/action/share."
    );
    assert!(reply.header("Starling-Reason").is_some());
    one.change("PUT", "/config", SHARED);
    until("the second refuses it", || two.verdict() == "refused");
    until("the first shows that", || {
        let nodes = one.json("/fleet/nodes");
        nodes.as_array().unwrap().iter().any(|node| {
            node["verdict"] == "refused" && node["detail"].to_string().contains("starling.var.root")
        })
    });
    let barred = two.ask("PUT", "/config/settings", "{}");
    let said = detail(&barred);
    let is_told = said.contains("in step; this one is not: ")
        && said.contains("no value for ${starling.var.root}");
    assert!(barred.status == 409 && is_told, "{}", barred.body);
    assert!(
        two.server_config()["routes"]
            .as_array()
            .is_some_and(Vec::is_empty),
        "its server runs what it ran"
    );
    one.change("PUT", "/config/routes", r#"["plain"]"#);
    until("both run it", || {
        two.server_config()["routes"][0] == "plain" && two.verdict() == "applied"
    });
}

#[test]
fn a_dry_run_is_tried_with_the_overlay_and_gives_it_back() {
    let (one, _two) = two(&["--variable", "root=/one"], &["--variable", "root=/two"]);
    one.change("PUT", "/config", SHARED);
    let reply = one.ask(
        "PUT",
        "/config/routes?dry-run",
        r#"[{"action":{"share":"${starling.var.root}/x"}}]"#,
    );
    assert_eq!(
        (reply.status, reply.header("Starling-Dry-Run")),
        (200, Some("accepted")),
        "{}",
        reply.body
    );
    assert_eq!(share(&one), "/one$uri");
    assert_eq!(
        one.ask(
            "PUT",
            "/config/routes?dry-run",
            r#"["${starling.var.nope}"]"#
        )
        .status,
        400
    );
}

#[test]
fn drift_is_reported_repaired_or_adopted_as_it_is_set() {
    let (one, two) = two(&["--drift", "adopt"], &["--drift", "repair"]);
    one.change(
        "PUT",
        "/config",
        r#"{"listeners":{},"routes":[],"applications":{}}"#,
    );
    until("both run it", || {
        [&one, &two].iter().all(|host| host.verdict() == "applied")
    });
    past_starling(
        &two,
        "PUT",
        "/config/settings",
        r#"{"http":{"max_body_size":5}}"#,
    );
    until("it is repaired", || {
        two.server_config().get("settings").is_none()
    });
    assert!(
        one.config().get("settings").is_none(),
        "and nobody else hears of it"
    );
    past_starling(
        &one,
        "PUT",
        "/config/settings",
        r#"{"http":{"max_body_size":7}}"#,
    );
    until("it is adopted", || {
        two.server_config()["settings"]["http"]["max_body_size"] == 7
    });
    assert_eq!(
        one.json("/fleet/revisions")[0]["note"],
        "changed on the server itself"
    );
    // What has crashed is no operator, and its default nobody's wish.
    assert_eq!(one.server.tell("factory"), "set");
    until("it is given back", || {
        one.server_config().get("settings").is_some()
    });
    assert!(one.config().get("settings").is_some());
}

#[test]
fn what_lies_where_the_overlay_acts_is_not_adopted_and_that_is_said_while_it_lasts() {
    let (one, two) = two(
        &["--drift", "adopt", "--variable", "root=/one"],
        &["--variable", "root=/two"],
    );
    let head = one.change("PUT", "/config", SHARED);
    past_starling(&one, "PUT", "/config/routes/0/action/share", "\"/mine\"");
    until("it is said", || {
        problems(&one).contains("overlay or variables act")
    });
    assert_eq!(text(&one.json("/fleet")["group"]["head"]["id"]), head);
    assert_eq!(share(&one), "/mine", "the server is left alone");
    let reply = one.ask("POST", "/config", "");
    assert_eq!(reply.status, 409, "{}", reply.body);
    past_starling(&one, "PUT", "/config/routes/0/action/share", "\"/one$uri\"");
    until("it is not said any more", || problems(&one) == "[]");
    assert_eq!(two.config(), parsed(SHARED));
}

#[test]
fn a_server_that_forgets_is_given_all_again_and_nobody_else_is_told() {
    let (one, two) = two(&[], &[]);
    let bundle = include_str!("../fixtures/bundles/a.pem");
    one.change("PUT", "/certificates/a", bundle);
    let first = r#"{"listeners":{"*:443":{"pass":"routes","tls":{"certificate":"a"}}},"routes":["old"],"applications":{}}"#;
    one.change("PUT", "/config", first);
    let head = one.change("PUT", "/config/routes", r#"["new"]"#);
    until("both run it", || {
        [&one, &two]
            .iter()
            .all(|host| host.server_config()["routes"][0] == "new")
    });
    for fault in [
        "restart-default",
        "restart-older",
        "restart-wiped",
        "factory",
    ] {
        assert!(
            !two.server.tell(fault).starts_with("what is"),
            "{fault} is no fault"
        );
        until(fault, || {
            two.server_config()["routes"][0] == "new" && two.verdict() == "applied"
        });
        let held = two
            .server_door()
            .send(b"GET /certificates HTTP/1.1\r\n\r\n")
            .body;
        assert!(held.contains("a~"), "{fault}: {held}");
    }
    assert_eq!(text(&one.json("/fleet")["group"]["head"]["id"]), head);
    // What an operator does without any restart is his, unless it is set otherwise.
    past_starling(&two, "PUT", "/config/routes", r#"["by hand"]"#);
    until("it is shown", || {
        two.json("/fleet")["group"]["drift"]
            .to_string()
            .contains("/routes")
    });
    assert_eq!(two.server_config()["routes"][0], "by hand");
    two.server.tell("restart-older");
    until("a new server is given the document", || {
        two.server_config()["routes"][0] == "new"
    });
}

#[test]
fn a_certificate_only_an_overlay_names_stays_there_when_it_is_deleted_elsewhere() {
    let files = Host::outside();
    let overlay = files.path("overlay.json");
    std::fs::write(
        &overlay,
        r#"{"listeners":{"*:81":{"pass":"routes","tls":{"certificate":"shop"}}}}"#,
    )
    .unwrap();
    let (one, two) = two(&["--overlay", overlay.to_str().unwrap()], &[]);
    two.change(
        "PUT",
        "/config",
        r#"{"listeners":{},"routes":[],"applications":{}}"#,
    );
    until("it is refused for want of the certificate", || {
        one.verdict() == "refused"
    });
    two.change("PUT", "/certificates/shop", BUNDLES[0]);
    until("it is applied", || one.verdict() == "applied");
    let runs = one.server_config();
    assert!(
        runs["listeners"]["*:81"]["tls"]["certificate"]
            .as_str()
            .is_some_and(|name| name.starts_with("shop~"))
    );
    let detail_of = |reply: &Reply| (reply.status, detail(reply));
    let refused = one.ask("DELETE", "/certificates/shop", "");
    assert_eq!(
        detail_of(&refused),
        (400, "Certificate \"shop\" is not found.".into())
    );
    two.change("DELETE", "/certificates/shop", "");
    until("it is refused", || one.verdict() == "refused");
    assert_eq!(one.server_config(), runs, "it goes on with what it has");
    two.change("PUT", "/certificates/shop", BUNDLES[1]);
    until("it is applied again, with the new one", || {
        one.verdict() == "applied" && one.server_config() != runs
    });
}
