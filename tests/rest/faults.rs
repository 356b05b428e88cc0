//! The server behind goes wrong: what clients are told, and that it has the fleet's configuration
//! again as soon as it can have it.

use std::thread;
use std::time::{Duration, Instant};

use super::host::{Host, request};
use super::watch::{parsed, text, until};
use harness::http::Reply;

const CONFIG: &str = r#"{"routes":[{"action":{"return":200}}]}"#;

fn error_of(reply: &Reply) -> (u16, String) {
    (reply.status, text(&parsed(&reply.body)["error"]))
}

fn revisions(host: &Host) -> usize {
    host.json("/fleet/revisions")
        .as_array()
        .expect("a list")
        .len()
}

#[test]
fn while_the_server_is_down_changes_are_503_and_reads_go_on() {
    let mut host = Host::new();
    let head = host.change("PUT", "/config", CONFIG);
    host.server.tell("down");
    for _ in 0..2 {
        let reply = host.ask("PUT", "/config/routes", "[]");
        assert_eq!(
            (error_of(&reply), reply.header("Retry-After")),
            ((503, "The server cannot be reached.".to_owned()), Some("1"))
        );
        assert_eq!(
            host.ask("GET", "/config", "").header("ETag"),
            Some(&format!("\"{head}\"")[..])
        );
    }
    until("the fleet is told", || host.verdict() == "unreachable");
    assert_eq!((revisions(&host), host.config()), (1, parsed(CONFIG)));
    host.server.tell("up");
    until("it is there again", || host.verdict() == "applied");
    host.change("PUT", "/config/routes", "[]");
    assert_eq!(host.server_config(), parsed(r#"{"routes":[]}"#));
    host.is_unharmed();
}

#[test]
fn a_server_that_is_down_from_the_start_shows_nothing_and_is_never_guessed_at() {
    let mut host = Host::founded();
    host.server.tell(&format!("set {CONFIG}"));
    host.server.tell("down");
    host.start();
    assert_eq!(
        error_of(&host.ask("GET", "/config", "")),
        (503, "The server cannot be reached.".to_owned())
    );
    assert_eq!(
        error_of(&host.ask("PUT", "/config/routes/0/action/return", "201")),
        (503, "The server cannot be reached.".to_owned())
    );
    host.server.tell("up");
    until("it is seen", || {
        host.ask("GET", "/config", "").status == 200
    });
    assert_eq!(host.config(), parsed(CONFIG));
    host.change("PUT", "/config/routes/0/action/return", "201");
    assert_eq!(
        host.server_config().to_string(),
        CONFIG.replace("200", "201")
    );
}

#[test]
fn whoever_asks_before_the_server_was_seen_waits_for_what_it_runs() {
    let mut host = Host::founded();
    host.server.tell(&format!("set {CONFIG}"));
    host.server.tell("hang");
    host.start();
    let ask = |target: &'static str| {
        let door = host.door().clone();
        thread::spawn(move || door.send(&request("GET", target, "", "")))
    };
    let early = [
        ask("/config"),
        ask("/config/routes"),
        ask("/config/nothing"),
    ];
    // They come before or after this: it makes no difference.
    assert_eq!(host.verdict(), "pending");
    host.server.tell("ok");
    let [whole, routes, nothing] = early.map(|client| client.join().expect("each is answered"));
    assert_eq!(
        (parsed(&whole.body), whole.header("ETag")),
        (parsed(CONFIG), None)
    );
    assert_eq!(
        (parsed(&routes.body), nothing.status),
        (parsed(CONFIG)["routes"].clone(), 404)
    );
}

#[test]
fn the_first_change_is_made_on_what_the_server_runs_now() {
    let mut host = Host::founded();
    host.start();
    until("it has looked", || host.config() == host.server_config());
    for n in 0..3 {
        host.server
            .tell(&format!("set {{\"routes\":{{\"a\":[],\"n{n}\":[]}}}}"));
    }
    host.change("PUT", "/config/routes/b", "[]");
    assert_eq!(
        host.server_config().to_string(),
        r#"{"routes":{"a":[],"n2":[],"b":[]}}"#
    );
    assert_eq!(host.config(), host.server_config());
}

#[test]
fn while_the_server_is_slow_or_hung_reads_go_on_and_changes_wait_their_turn() {
    let mut host = Host::new();
    host.change("PUT", "/config", CONFIG);
    host.server.tell("slow 60000");
    let changes: Vec<_> = (0..5)
        .map(|n| {
            let (door, body) = (
                host.door().clone(),
                format!("{{\"action\":{{\"return\":{n}}}}}"),
            );
            thread::spawn(move || {
                door.send(&request("POST", "/config/routes", "", &body))
                    .status
            })
        })
        .collect();
    until("the first is under way", || {
        host.server.tell("stats").contains("\"writes\":2")
    });
    for _ in 0..5 {
        let begun = Instant::now();
        assert_eq!(host.config(), parsed(CONFIG));
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "a read waits for the change"
        );
    }
    host.server.tell("hang");
    assert_eq!(host.config(), parsed(CONFIG));
    host.server.tell("ok");
    for change in changes {
        assert_eq!(change.join().expect("each is answered"), 200);
    }
    assert_eq!(host.config()["routes"].as_array().map(Vec::len), Some(6));
    assert_eq!(host.config(), host.server_config());
    host.is_unharmed();
}

#[test]
fn of_changes_that_wait_for_a_slow_server_64_find_a_place_and_the_next_is_503() {
    let host = Host::new();
    host.change("PUT", "/config", r#"{"routes":[]}"#);
    host.server.tell("slow 60000");
    let [unix, tcp] = host.doors();
    // The gate has 64 places at each door.
    let send = |n: usize| {
        let door = if n < 40 { unix.clone() } else { tcp.clone() };
        thread::spawn(move || {
            door.send(&request(
                "POST",
                "/config/routes",
                "",
                "{\"action\":{\"return\":1}}",
            ))
        })
    };
    let changes: Vec<_> = (0..80).map(send).collect();
    until("some are turned away", || {
        changes.iter().filter(|change| change.is_finished()).count() >= 15
    });
    host.server.tell("ok");
    let replies: Vec<Reply> = changes
        .into_iter()
        .map(|change| change.join().expect("each is answered"))
        .collect();
    let done = replies.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(done, 65, "one is in hand, and 64 wait");
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        assert_eq!(
            (error_of(reply), reply.header("Retry-After")),
            ((503, "Too many changes are waiting.".to_owned()), Some("1"))
        );
    }
    assert_eq!(host.config()["routes"].as_array().map(Vec::len), Some(done));
}

#[test]
fn an_answer_that_never_came_is_settled_by_looking() {
    let mut host = Host::new();
    host.change("PUT", "/config", CONFIG);
    host.server.tell("close 1");
    assert_eq!(
        error_of(&host.ask("PUT", "/config/routes", "[]")),
        (503, "The server cannot be reached.".to_owned())
    );
    assert_eq!((revisions(&host), host.config()), (1, parsed(CONFIG)));
    host.server.tell("close-applied 1");
    host.change("PUT", "/config/routes", "{}");
    assert_eq!(
        (revisions(&host), host.server_config()),
        (2, parsed(r#"{"routes":{}}"#))
    );
    host.server.tell("close 1");
    assert_eq!(host.ask("DELETE", "/config", "").status, 503);
    host.change("DELETE", "/config", "");
    host.is_unharmed();
}

#[test]
fn a_long_document_comes_whole_though_the_servers_answers_are_cut_off() {
    let mut host = Host::new();
    let route = |n: usize| {
        format!(
            "{{\"match\":{{\"uri\":\"/{n}/{}\"}},\"action\":{{\"return\":{n}}}}}",
            "x".repeat(1000)
        )
    };
    let routes: Vec<String> = (0..500).map(route).collect();
    let config = format!("{{\"routes\":[{}]}}", routes.join(","));
    let begun = Instant::now();
    host.change("PUT", "/config", &config);
    host.change("PUT", "/config/routes/499/action/return", "1");
    let whole = host.ask("GET", "/config", "");
    assert!(whole.body.len() > 500_000 && begun.elapsed() < Duration::from_secs(20));
    assert_eq!(
        parsed(&whole.body).to_string(),
        config.replace("\"return\":499", "\"return\":1")
    );
    assert_eq!(host.verdict(), "applied");
    host.server.tell("cut 16000000");
    assert_eq!(host.server_config(), parsed(&whole.body));
    host.is_unharmed();
}

#[test]
fn a_server_that_shows_its_factory_default_is_given_its_configuration_again() {
    let mut host = Host::new();
    let head = host.change("PUT", "/config", CONFIG);
    for default in ["factory", "set {}"] {
        host.server.tell(default);
        until("it has it again", || host.server_config() == parsed(CONFIG));
    }
    assert_eq!(
        host.ask("GET", "/config", "").header("ETag"),
        Some(&format!("\"{head}\"")[..])
    );
    assert_eq!(revisions(&host), 1);
    until("that is told", || host.verdict() == "applied");
    assert!(
        host.running()
            .log()
            .contains("the server has lost its configuration and is given it again")
    );
}

#[test]
fn an_edit_at_the_servers_own_socket_is_reported_and_left_alone() {
    let mut host = Host::new();
    let head = host.change("PUT", "/config", r#"{"routes":[],"listeners":{}}"#);
    let edited = r#"{"routes":[],"listeners":{"127.0.0.1:80":{"pass":"routes"}}}"#;
    let reply = host
        .server_door()
        .send(&request("PUT", "/config", "", edited));
    assert_eq!(reply.status, 200, "{}", reply.body);
    until("it is noticed", || {
        host.json("/fleet")["group"]["drift"]
            .as_array()
            .is_some_and(|paths| !paths.is_empty())
    });
    assert!(
        text(&host.json("/fleet")["group"]["drift"][0]).contains("listeners"),
        "{}",
        host.json("/fleet")["group"]
    );
    until("the fleet is told", || {
        host.json("/fleet/nodes")[0]["drift"] == true
    });
    let reads = |host: &Host| {
        parsed(&host.server.tell("stats"))["reads"]
            .as_u64()
            .expect("it is counted")
    };
    let (seen, writes) = (
        reads(&host),
        parsed(&host.server.tell("stats"))["writes"].clone(),
    );
    until("it has been looked at again", || reads(&host) >= seen + 2);
    assert_eq!(
        (
            host.server_config(),
            parsed(&host.server.tell("stats"))["writes"].clone()
        ),
        (parsed(edited), writes)
    );
    let read = host.ask("GET", "/config", "");
    assert_eq!(read.header("ETag"), Some(&format!("\"{head}\"")[..]));
    let told = "somebody has changed the server's own configuration at ";
    assert_eq!(
        host.running().log().matches(told).count(),
        1,
        "it is said once"
    );
    host.server_door().send(&request(
        "PUT",
        "/config",
        "",
        r#"{"listeners":{},"routes":[]}"#,
    ));
    until("it is gone", || {
        host.json("/fleet")["group"]["drift"]
            .as_array()
            .is_some_and(Vec::is_empty)
    });
}

#[test]
fn a_server_that_comes_back_with_another_configuration_is_given_the_fleets() {
    let host = Host::new();
    let head = host.change("PUT", "/config", CONFIG);
    for other in [r#"set {"routes":[]}"#, "factory"] {
        host.server.tell("down");
        until("its absence is noticed", || host.verdict() == "unreachable");
        host.server.tell(other);
        host.server.tell("up");
        until("it has it again", || host.server_config() == parsed(CONFIG));
        until("that is told", || host.verdict() == "applied");
    }
    assert_eq!(
        host.ask("GET", "/config", "").header("Starling-Applied"),
        Some(&head[..])
    );
    assert_eq!(revisions(&host), 1);
}

#[test]
fn a_server_that_refuses_the_head_after_a_restart_is_told_of_and_asked_again() {
    let mut host = Host::new();
    let head = host.change(
        "PUT",
        "/config",
        r#"{"routes":[{"match":{"uri":"teapot"}}]}"#,
    );
    host.running.take().expect("it runs").terminate();
    host.server.tell("refuse teapot");
    host.server.tell("factory");
    host.start();
    until("it is refused", || host.verdict() == "refused");
    let group = host.json("/fleet")["group"].clone();
    assert!(
        text(&group["detail"]).contains("The word \"teapot\" is refused here."),
        "{group}"
    );
    assert_eq!(
        (text(&group["head"]["id"]), group["applied"].is_null()),
        (head.clone(), true)
    );
    let read = host.ask("GET", "/config", "");
    assert_eq!(
        (read.header("ETag"), read.header("Starling-Applied")),
        (Some(&format!("\"{head}\"")[..]), None)
    );
    let reply = host.ask("PUT", "/config/settings", "{}");
    assert_eq!(
        error_of(&reply),
        (
            409,
            "This host does not run the fleet's revision.".to_owned()
        )
    );
    assert!(
        reply.body.contains("teapot") && reply.header("Starling-Revision") == Some(&head[..]),
        "{}",
        reply.body
    );
    host.server.tell("ok");
    until("it is asked again", || host.verdict() == "applied");
    assert_eq!(host.server_config(), host.config());
    host.change("PUT", "/config/routes", "[]");
    host.is_unharmed();
}

/// There may be no other host that could.
#[test]
fn a_head_that_the_server_refuses_is_mended_on_that_host() {
    let mut host = Host::new();
    let first = host.change("PUT", "/config", r#"{"routes":[]}"#);
    for way in ["put", "restore"] {
        host.change("PUT", "/config/routes", r#"[{"match":{"uri":"teapot"}}]"#);
        host.running.take().expect("it runs").terminate();
        host.server.tell("refuse teapot");
        host.server.tell("factory");
        host.start();
        until("it is refused", || host.verdict() == "refused");
        let reply = match way {
            "put" => host.ask("PUT", "/config/routes", "[]"),
            _ => host.ask("POST", &format!("/fleet/revisions/{first}/restore"), ""),
        };
        assert_eq!(reply.status, 200, "{way}: {}", reply.body);
        until("it is applied", || host.verdict() == "applied");
        assert_eq!(host.server_config(), host.config());
        host.server.tell("ok");
    }
    host.is_unharmed();
}

#[test]
fn without_a_head_nothing_is_ever_sent_to_the_server() {
    let host = Host::founded();
    host.server.tell(&format!("set {CONFIG}"));
    let mut host = host;
    host.start();
    host.server.tell("factory");
    until("it has looked twice", || {
        parsed(&host.server.tell("stats"))["reads"].as_u64() >= Some(2)
    });
    until("it shows what the server runs", || {
        host.config() == host.server_config()
    });
    assert!(host.server.tell("stats").contains("\"writes\":0"));
    assert_eq!(revisions(&host), 0);
}
