//! `?dry-run`: the server's own answer, and no trace of it.

use std::io::Write;
use std::thread;

use super::host::{Host, request};
use super::watch::{parsed, text, until};
use harness::http::Reply;

const CONFIG: &str = r#"{"listeners":{"*:81":{"pass":"routes"}},"routes":[{"action":{"return":200}}],"applications":{"shop":{"type":"external","executable":"/a"}}}"#;
const MERGE: &str = "Content-Type: application/merge-patch+json\r\n";

fn configured() -> (Host, String) {
    let host = Host::new();
    let head = host.change("PUT", "/config", CONFIG);
    (host, head)
}

fn error_of(reply: &Reply) -> (u16, String) {
    (reply.status, text(&parsed(&reply.body)["error"]))
}

fn writes(host: &Host) -> u64 {
    parsed(&host.server.tell("stats"))["writes"]
        .as_u64()
        .expect("it is counted")
}

/// The head is what it was, the server runs it, and no file is left of the try.
fn is_as_before(host: &Host, head: &str) {
    let read = host.ask("GET", "/config", "");
    assert_eq!(
        (read.header("ETag"), read.header("Starling-Applied")),
        (Some(&format!("\"{head}\"")[..]), Some(head))
    );
    assert_eq!(
        (parsed(&read.body), host.server_config()),
        (parsed(CONFIG), parsed(CONFIG))
    );
    assert_eq!(
        (
            host.verdict(),
            host.json("/fleet/revisions").as_array().map(Vec::len)
        ),
        ("applied".to_owned(), Some(1))
    );
    until("nothing is pending", || {
        std::fs::read_dir(host.path("state/pending/default")).map_or(0, Iterator::count) == 0
    });
}

#[test]
fn each_way_to_change_something_can_be_tried_and_leaves_everything_as_it_was() {
    let (mut host, head) = configured();
    for (method, target, headers, body) in [
        ("PUT", "/config/routes?dry-run", "", "[]"),
        (
            "PUT",
            "/config/listeners/*:82?dry-run=1",
            "",
            r#"{"pass":"routes"}"#,
        ),
        (
            "POST",
            "/config/routes?dry-run",
            "",
            r#"{"action":{"return":404}}"#,
        ),
        (
            "POST",
            "/config/applications?a&dry-run=true#x",
            "",
            r#"{"other":{"type":"external","executable":"/b"}}"#,
        ),
        (
            "PATCH",
            "/config?dry-run",
            MERGE,
            r#"{"listeners":null,"routes":[]}"#,
        ),
        ("DELETE", "/config/listeners/*:81?dry-run", "", ""),
    ] {
        let before = writes(&host);
        let reply = host.ask_with(method, target, headers, body);
        assert_eq!(
            (reply.status, text(&parsed(&reply.body)["success"])),
            (
                200,
                "The server takes the change. Nothing was published.".to_owned()
            ),
            "{method} {target}: {}",
            reply.body
        );
        assert_eq!(reply.header("Starling-Dry-Run"), Some("accepted"));
        assert_eq!(
            (reply.header("ETag"), reply.header("Starling-Revision")),
            (Some(&format!("\"{head}\"")[..]), None)
        );
        assert_eq!(
            writes(&host),
            before + 2,
            "it was really tried, and taken back"
        );
        is_as_before(&host, &head);
    }
    let before = writes(&host);
    let reply = host.ask("PUT", "/config/routes/0/action/return?dry-run", "200");
    assert_eq!(
        (reply.status, reply.header("Starling-Dry-Run")),
        (200, Some("unchanged"))
    );
    assert_eq!(writes(&host), before);
    host.is_unharmed();
}

#[test]
fn a_module_can_be_tried_and_is_not_there_afterwards() {
    let (host, head) = configured();
    for (method, target, body, status) in [
        ("PUT", "/js_modules/m?dry-run", "export default {}", 200),
        ("DELETE", "/js_modules/m?dry-run", "", 404),
        ("PUT", "/js_modules/m", "export default {}", 200),
        ("DELETE", "/js_modules/m?dry-run", "", 200),
        ("DELETE", "/js_modules/m", "", 200),
    ] {
        let reply = host.ask(method, target, body);
        assert_eq!(reply.status, status, "{method} {target}: {}", reply.body);
        let accepted = (status == 200 && target.ends_with("?dry-run")).then_some("accepted");
        assert_eq!(
            reply.header("Starling-Dry-Run"),
            accepted,
            "{method} {target}"
        );
    }
    assert_eq!(
        host.json("/fleet/revisions").as_array().map(Vec::len),
        Some(3),
        "two of them were changes"
    );
    assert_eq!(
        (host.config(), host.server_config()),
        (parsed(CONFIG), parsed(CONFIG))
    );
    assert_ne!(
        host.ask("GET", "/config", "").header("ETag"),
        Some(&format!("\"{head}\"")[..])
    );
}

#[test]
fn what_would_be_refused_is_refused_in_the_same_words() {
    let (mut host, head) = configured();
    host.server.tell("fail teapot");
    for (method, target, headers, body) in [
        ("PUT", "/config/listeners/*:82", "", r#"{"pass":"nowhere"}"#),
        ("PUT", "/config/teapot", "", "{}"),
        ("PUT", "/config/routes", "", "["),
        ("PUT", "/config/no/where", "", "1"),
        ("PUT", "/config/routes", "If-Match: \"x\"\r\n", "[]"),
        (
            "PUT",
            "/config/settings",
            "Starling-Settles: abcd\r\n",
            "{}",
        ),
        ("POST", "/config/listeners", "", r#"{"*:81":{}}"#),
        ("POST", "/config", "", "{}"),
        ("PATCH", "/config", "Content-Type: text/plain\r\n", "{}"),
        ("DELETE", "/config/settings", "", ""),
    ] {
        let wet = host.ask_with(method, target, headers, body);
        let dry = host.ask_with(method, &format!("{target}?dry-run"), headers, body);
        assert!(wet.status >= 400, "{method} {target}");
        assert_eq!(
            (dry.status, &dry.body),
            (wet.status, &wet.body),
            "{method} {target}"
        );
        assert_eq!(dry.header("Starling-Dry-Run"), None);
    }
    host.server.tell("ok");
    is_as_before(&host, &head);
    host.is_unharmed();
}

#[test]
fn an_application_that_runs_is_left_alone() {
    let (host, head) = configured();
    let before = writes(&host);
    for (method, target, body, what) in [
        (
            "PUT",
            "/config/applications/shop/processes?dry-run",
            "4",
            "\"shop\" would be restarted",
        ),
        (
            "PUT",
            "/config/applications/shop?dry-run",
            r#"{"executable":"/a","type":"external"}"#,
            "\"shop\" would be restarted",
        ),
        (
            "DELETE",
            "/config/applications/shop?dry-run",
            "",
            "\"shop\" would be stopped",
        ),
        ("DELETE", "/config?dry-run", "", "\"shop\" would be stopped"),
    ] {
        let reply = host.ask(method, target, body);
        assert_eq!(
            error_of(&reply),
            (409, "Running applications would be disturbed.".to_owned())
        );
        assert_eq!(text(&parsed(&reply.body)["detail"]), what);
    }
    assert_eq!(writes(&host), before, "the server has not heard of it");
    is_as_before(&host, &head);
}

/// Who asks for a dry run must not get a change.
#[test]
fn where_nothing_can_be_tried_a_dry_run_is_refused() {
    let (host, head) = configured();
    for (method, target) in [
        ("POST", "/config?dry-run".to_owned()),
        ("PUT", "/config/routes?dry-run=no".to_owned()),
        ("PUT", "/config/routes?dry-run=0".to_owned()),
        ("PUT", "/config/routes?dry_run".to_owned()),
        ("PUT", "/config/routes?DryRun=1".to_owned()),
        ("PUT", "/config/routes?a&dry%2Drun".to_owned()),
        (
            "GET",
            "/control/applications/shop/restart?dry-run".to_owned(),
        ),
        ("POST", format!("/fleet/revisions/{head}/restore?dry-run")),
        ("POST", "/fleet/conflicts/abcd/drop?dry-run".to_owned()),
    ] {
        let body = if method == "PUT" { "[]" } else { "" };
        assert_eq!(
            error_of(&host.ask(method, &target, body)),
            (400, "Invalid dry run.".to_owned()),
            "{method} {target}"
        );
    }
    is_as_before(&host, &head);
    assert_eq!(
        host.ask("GET", "/config?dry-run", "").status,
        200,
        "a look changes nothing anyway"
    );
}

#[test]
fn a_dry_run_takes_a_head_a_server_that_runs_it_and_nobody_who_has_changed_that() {
    let host = Host::new();
    let reply = host.ask("PUT", "/config/routes?dry-run", "[{}]");
    assert_eq!(
        error_of(&reply),
        (409, "There is no revision yet to be put back.".to_owned())
    );
    host.change("PUT", "/config", CONFIG);
    let theirs = CONFIG.replace("200", "299");
    host.server.tell(&format!("set {theirs}"));
    let reply = host.ask("PUT", "/config/routes?dry-run", "[]");
    assert_eq!(
        error_of(&reply),
        (
            409,
            "The server runs something else than the head.".to_owned()
        )
    );
    assert_eq!(host.server_config(), parsed(&theirs));
    host.server.tell("down");
    let reply = host.ask("PUT", "/config/routes?dry-run", "[]");
    assert_eq!(
        error_of(&reply),
        (503, "The server cannot be reached.".to_owned())
    );
    let mut alone = Host::founded();
    alone.start_as("exec \"$@\"", &["--unit", "none"]);
    alone.change("PUT", "/config", CONFIG);
    let reply = alone.ask("PUT", "/config/routes?dry-run", "[]");
    assert_eq!(
        error_of(&reply),
        (
            409,
            "This host has no server to try the change on.".to_owned()
        )
    );
}

/// Begins a dry run that the server takes until it is told "ok".
fn begin(host: &Host) -> thread::JoinHandle<Vec<u8>> {
    let before = writes(host);
    host.server.tell("slow 60000");
    let door = host.door().clone();
    let client = thread::spawn(move || {
        let mut stream = door.connect();
        Write::write_all(
            &mut stream,
            &request("PUT", "/config/routes?dry-run", "", "[]"),
        )
        .expect("a request is taken");
        stream.rest()
    });
    until("it is under way", || writes(host) == before + 1);
    client
}

#[test]
fn changes_wait_for_the_end_of_a_dry_run_and_know_nothing_of_it() {
    let (host, head) = configured();
    let dry = begin(&host);
    let door = host.door().clone();
    let change = thread::spawn(move || door.send(&request("PUT", "/config/settings", "", "{}")));
    assert_eq!(
        host.ask("GET", "/config", "").header("ETag"),
        Some(&format!("\"{head}\"")[..]),
        "reads go on"
    );
    host.server.tell("ok");
    let answer = dry.join().expect("it is answered");
    assert!(
        answer.starts_with(b"HTTP/1.1 200 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    assert_eq!(change.join().expect("it is answered").status, 200);
    let wanted = parsed(&CONFIG.replace("}}}", r#"}},"settings":{}}"#));
    assert_eq!(
        (host.config(), host.server_config()),
        (wanted.clone(), wanted)
    );
}

#[test]
fn after_a_kill_during_a_dry_run_the_server_is_given_the_head_again() {
    let (mut host, head) = configured();
    let client = begin(&host);
    host.running.take().expect("it runs").kill();
    assert_eq!(client.join().expect("its connection is closed"), b"");
    host.server.tell("ok");
    until("the server has taken it", || {
        host.server_config()["routes"] == parsed("[]")
    });
    host.start();
    until("the server runs the head", || {
        host.server_config() == parsed(CONFIG)
    });
    until("it is told so", || host.verdict() == "applied");
    is_as_before(&host, &head);
}

#[test]
fn a_server_that_does_not_take_back_what_it_ran_is_told_of_and_given_it_again() {
    let (host, head) = configured();
    host.server.tell("refuse return");
    let reply = host.ask("PUT", "/config/routes?dry-run", "[]");
    assert_eq!(
        error_of(&reply),
        (
            500,
            "The server took the change, and was not given back what it ran.".to_owned()
        )
    );
    assert!(
        text(&parsed(&reply.body)["detail"]).starts_with("Invalid configuration."),
        "{}",
        reply.body
    );
    until("it is shown", || host.verdict() == "refused");
    assert_eq!(
        error_of(&host.ask("PUT", "/config/routes?dry-run", "[]")).0,
        409,
        "until it runs the head again"
    );
    host.server.tell("ok");
    until("it has it again", || host.verdict() == "applied");
    is_as_before(&host, &head);
}
