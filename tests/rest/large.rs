//! Configurations longer than what Unit gets into its Unix socket at once, of which it shows the
//! beginning and then closes: everything is as with short ones, and costs little more.

use std::fs;
use std::os::unix::fs::MetadataExt;

use starlingd::limits::LOOK_BEFORE_MAX;

use super::host::{Host, request};
use super::watch::{parsed, text, until};

/// About so many bytes of routes as people write them, between other members.
fn long(bytes: usize, word: &str) -> String {
    let route = |n: usize| {
        let uri = format!("/{word}/{n}/*");
        format!(
            r#"{{"match":{{"uri":"{uri}","host":["{n}.example.org","www.{n}.example.org"],"method":"GET"}},"action":{{"share":"/srv/www/{n}$uri","fallback":{{"return":404}}}}}}"#
        )
    };
    let mut routes = String::new();
    let mut n = 100_000;
    while routes.len() < bytes {
        routes.push_str(if routes.is_empty() { "" } else { "," });
        routes.push_str(&route(n));
        n += 1;
    }
    format!(
        r#"{{"listeners":{{}},"routes":[{routes}],"settings":{{"http":{{"server_version":false}}}}}}"#
    )
}

fn kept(host: &Host) -> Option<String> {
    fs::read_to_string(host.path(KEPT)).ok()
}

/// What the server itself shows there.
fn runs(host: &Host, path: &str) -> String {
    host.server_door()
        .send(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes())
        .body
}

fn stat(host: &Host, name: &str) -> u64 {
    parsed(&host.server.tell("stats"))[name]
        .as_u64()
        .expect("it is counted")
}

#[test]
fn a_host_that_joins_keeps_what_its_server_ran_however_long_it_is() {
    let one = Host::new();
    one.change(
        "PUT",
        "/config",
        r#"{"listeners":{},"routes":[{"action":{"return":204}}]}"#,
    );
    for bytes in [250_000, 600_000, 900_000] {
        let mut two = Host::joined_to(&one);
        let own = long(bytes, "own");
        two.server.tell(&format!("set {own}"));
        two.start_as("exec \"$@\"", &["--peer", &one.address()]);
        until("its server runs the fleet's document", || {
            runs(&two, "/config/routes/0/action/return") == "204\r\n"
        });
        let kept = kept(&two).expect("it is kept");
        assert_eq!(parsed(&kept), parsed(&own), "{bytes}");
        assert_eq!(
            fs::metadata(two.path(KEPT))
                .map(|file| file.mode() & 0o777)
                .ok(),
            Some(0o600)
        );
    }
}

#[test]
fn a_founding_host_keeps_what_its_server_ran_before_the_first_change() {
    let mut host = Host::founded();
    let own = long(600_000, "own");
    host.server.tell(&format!("set {own}"));
    host.start();
    let reply = host.ask("GET", "/config", "");
    assert_eq!(
        (reply.status, parsed(&reply.body) == parsed(&own)),
        (200, true),
        "without a head it shows what the server runs"
    );
    let reply = host.ask("PUT", "/config/routes/7", r#"{"action":{"return":418}}"#);
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(parsed(&kept(&host).expect("it is kept")), parsed(&own));
    assert_eq!(host.config()["routes"][7]["action"]["return"], 418);
    assert_eq!(runs(&host, "/config/routes/7/action/return"), "418\r\n");
}

#[test]
fn a_change_past_starling_in_it_is_shown_by_its_path_said_once_and_can_be_published() {
    let mut host = Host::new();
    let head = host.change("PUT", "/config", &long(500_000, "shop"));
    until("it is applied", || host.verdict() == "applied");
    let theirs = r#"{"action":{"return":418}}"#;
    let put = format!(
        "PUT /config/routes/1500 HTTP/1.1\r\nContent-Length: {}\r\n\r\n{theirs}",
        theirs.len()
    );
    assert_eq!(host.server_door().send(put.as_bytes()).status, 200);
    let drift = |host: &Host| host.json("/fleet")["group"]["drift"].to_string();
    until("it is shown", || {
        drift(&host).contains("/config/routes/1500")
    });
    let seen = stat(&host, "writes");
    let looks = stat(&host, "connections");
    until("it is looked at a few times more", || {
        stat(&host, "connections") > looks + 100
    });
    let said = host.running().log();
    assert_eq!(
        said.matches("has changed the server's own configuration at /config/routes/1500")
            .count(),
        1,
        "{said}"
    );
    let reply = host.ask("POST", "/config", "");
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(stat(&host, "writes"), seen, "it runs that already");
    assert_eq!(host.config()["routes"][1500], parsed(theirs));
    let revisions = host.json("/fleet/revisions");
    assert!(
        revisions[0]["edit"][0]["path"]
            .as_str()
            .is_some_and(|path| path.starts_with("/config/routes")),
        "{}",
        revisions[0]
    );
    assert_eq!(text(&revisions[0]["base"]), head);
    until("nothing differs any more", || drift(&host) == "[]");
}

#[test]
fn a_change_past_starling_in_it_is_adopted_where_that_is_asked_for() {
    let mut host = Host::founded();
    host.start_as("exec \"$@\"", &["--drift", "adopt"]);
    host.change("PUT", "/config", &long(500_000, "shop"));
    until("it is applied", || host.verdict() == "applied");
    let delete = "DELETE /config/routes/1500 HTTP/1.1\r\n\r\n";
    let next = host.config()["routes"][1501].clone();
    assert_eq!(host.server_door().send(delete.as_bytes()).status, 200);
    until("it is published", || host.config()["routes"][1500] == next);
    assert_eq!(host.json("/fleet")["group"]["drift"].to_string(), "[]");
}

/// Nothing at the server's socket tells of it: neither the length nor the beginning, which is all
/// that comes of a look.
#[test]
fn a_change_past_starling_far_inside_is_kept_before_ours_is_put_over_it() {
    let host = Host::new();
    host.change("PUT", "/config", &long(500_000, "shop"));
    until("it is applied", || host.verdict() == "applied");
    let far = "/config/routes/1900/action/fallback/return";
    let theirs = request("PUT", far, "", "418");
    for (n, ours) in ["/config/routes/1900/match/uri", "/config/routes/1900"]
        .into_iter()
        .enumerate()
    {
        assert_eq!(host.server_door().send(&theirs).status, 200);
        let value = if n == 0 {
            r#""/elsewhere/*""#
        } else {
            r#"{"action":{"return":204}}"#
        };
        let reply = host.ask("PUT", ours, value);
        assert_eq!(reply.status, 200, "{}", reply.body);
        let kept = reply
            .header("Starling-Kept")
            .expect("it is kept")
            .to_owned();
        let kept = host.json(&format!("/fleet/drift/{kept}"));
        assert_eq!(
            kept["config"]["routes"][1900]["action"]["fallback"]["return"],
            418
        );
        assert_eq!(kept["paths"].to_string(), format!("[\"{far}\"]"));
    }
    assert_eq!(
        runs(&host, "/config/routes/1900/action"),
        "{\r\n\t\"return\": 204\r\n}\r\n"
    );
}

/// The looks that fall into it are counted too.
#[test]
fn a_change_of_one_value_costs_a_few_dozen_connections_beside_the_looks_before_it() {
    let host = Host::new();
    host.change("PUT", "/config", &long(500_000, "shop"));
    until("it is applied", || host.verdict() == "applied");
    for index in [3, 1500] {
        let before = stat(&host, "connections");
        host.change(
            "PUT",
            &format!("/config/routes/{index}/action/fallback/return"),
            "410",
        );
        let cost = stat(&host, "connections") - before;
        assert!(cost <= LOOK_BEFORE_MAX as u64 + 80, "{cost} connections");
        assert_eq!(
            runs(
                &host,
                &format!("/config/routes/{index}/action/fallback/return")
            ),
            "410\r\n"
        );
    }
}

#[test]
fn a_disk_that_takes_nothing_leaves_the_server_alone_and_says_what_to_do() {
    let mut host = Host::founded();
    let own = long(300_000, "own");
    host.server.tell(&format!("set {own}"));
    // In blocks of 512 bytes; the signal that comes with it is not what a full disk does.
    host.start_as("trap '' 25; ulimit -f 200; exec \"$@\"", &[]);
    let reply = host.ask("PUT", "/config/routes/7", r#"{"action":{"return":418}}"#);
    let body = parsed(&reply.body);
    assert_eq!(
        (reply.status, text(&body["error"])),
        (507, "The server is left alone.".to_owned()),
        "{}",
        reply.body
    );
    assert!(
        text(&body["detail"]).contains("make room in the state directory"),
        "{}",
        reply.body
    );
    assert_eq!(stat(&host, "writes"), 0);
    assert_eq!(host.verdict(), "untouched");
    assert!(text(&host.json("/fleet")["group"]["detail"]).contains("before-starling.json"));
    until("it is logged", || {
        host.running()
            .log()
            .contains("error server: the server is left alone")
    });
    assert_eq!(kept(&host), None);
}

const KEPT: &str = "state/before-starling.json";
