//! What somebody puts on the server past Starling, against the real program: kept before it goes,
//! over restarts and kills, and shown.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::host::Host;
use super::watch::{parsed, text, until};

const OURS: &str = r#"{"listeners":{},"routes":[{"action":{"return":404}}]}"#;
const THEIRS: &str = r#"{"listeners":{},"routes":[{"action":{"return":410}}]}"#;

fn founded() -> Host {
    let host = Host::new();
    host.change("PUT", "/config", OURS);
    host
}

/// The files in the state directory that hold what somebody had put there.
fn files(host: &Host) -> Vec<String> {
    let listed = fs::read_dir(host.path("state"))
        .expect("it is there")
        .map(|entry| entry.expect("so is this").file_name());
    let mut names: Vec<String> = listed
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.retain(|name| name.starts_with("drift-"));
    names.sort();
    names
}

fn past_starling(host: &Host, config: &str) {
    assert_eq!(host.server.tell(&format!("set {config}")), "set");
}

#[test]
fn a_change_keeps_what_it_replaces_and_says_where() {
    let mut host = founded();
    past_starling(&host, THEIRS);
    let reply = host.ask(
        "PUT",
        "/config/listeners",
        r#"{"127.0.0.1:80":{"pass":"routes"}}"#,
    );
    let file = reply
        .header("Starling-Kept")
        .expect("something was replaced")
        .to_owned();
    assert_eq!(
        (reply.status, reply.header("Starling-Changed"), files(&host)),
        (200, Some("yes"), vec![file.clone()])
    );
    let mode = fs::metadata(host.path("state").join(&file))
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(host.running().log().contains(&format!(
        "at /config/routes/0/action/return is replaced; what it ran is kept in {file}"
    )));
    let shown = host.json(&format!("/fleet/drift/{file}"));
    assert_eq!(shown["config"], parsed(THEIRS));
    assert!(
        host.prints(&["status"])
            .contains(&format!("{file}  /config/routes/0/action/return"))
    );
    assert!(
        host.prints(&["drift", "show", &file])
            .contains("/config/routes\n  - [{\"action\":{\"return\":404}}]\n")
    );
    assert_eq!(
        host.prints(&["drift", "acknowledge", &file]),
        format!("{file} is acknowledged\n")
    );
    assert!(!host.prints(&["status"]).contains("drift-"));
    assert!(host.prints(&["drift"]).contains("  yes   "));
    assert!(
        host.prints(&["drift", "adopt", &file])
            .starts_with("published from drift-")
    );
    assert_eq!(host.config()["routes"], parsed(THEIRS)["routes"]);
    assert!(
        host.prints(&["drift", "adopt", &file])
            .starts_with("nothing differs")
    );
    assert_eq!(
        host.ask("GET", "/fleet/drift/../fleet.json", "").status,
        404
    );
}

#[test]
fn after_a_200_the_server_runs_the_head_though_nothing_was_changed() {
    let host = founded();
    let head = text(&host.json("/fleet")["group"]["head"]["id"]);
    past_starling(&host, THEIRS);
    let reply = host.ask("PUT", "/config", OURS);
    assert_eq!(
        (reply.status, reply.header("Starling-Changed")),
        (200, Some("no")),
        "{}",
        reply.body
    );
    assert!(reply.header("Starling-Kept").is_some());
    assert_eq!(host.server_config(), parsed(OURS));
    past_starling(&host, THEIRS);
    assert!(
        host.prints(&["restore", &head])
            .starts_with("nothing differs: the document is as it was\n")
    );
    assert_eq!(host.server_config(), parsed(OURS));
    past_starling(&host, THEIRS);
    assert!(host.prints(&["repair"]).starts_with(
        "the server runs the head\nwhat somebody had put on the server is kept in drift-"
    ));
    assert_eq!(host.server_config(), parsed(OURS));
    assert_eq!(files(&host).len(), 1, "the same is kept once");
    assert_eq!(host.prints(&["repair"]), "the server runs the head\n");
    let reply = host.ask("POST", "/config", "");
    assert_eq!(
        (reply.status, reply.header("Starling-Changed")),
        (200, Some("no"))
    );
}

#[test]
fn what_was_put_there_while_it_was_down_is_kept_and_what_it_put_there_itself_is_not() {
    let mut host = founded();
    until("it is remembered", || {
        host.path("state/applied.json").exists()
    });
    for round in 0..3 {
        host.running.take().expect("it runs").kill();
        if round == 1 {
            past_starling(&host, THEIRS);
        }
        host.start();
        until("its server runs the head", || {
            host.verdict() == "applied" && host.server_config() == parsed(OURS)
        });
        assert_eq!(
            files(&host).len(),
            usize::from(round > 0),
            "after start {round}"
        );
    }
    assert_eq!(
        host.json("/fleet/drift")[0]["paths"],
        parsed(r#"["/config/routes/0/action/return"]"#)
    );
}

#[test]
fn a_kill_between_keeping_and_replacing_loses_nothing() {
    let mut host = founded();
    past_starling(&host, THEIRS);
    // The server does not answer the change: it is kept by then, and not replaced.
    host.server.tell("slow 60000");
    let door = host.door().clone();
    let asked = std::thread::spawn(move || {
        door.send(b"POST /fleet/repair HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
    });
    until("it is kept", || files(&host).len() == 1);
    host.running.take().expect("it runs").kill();
    host.server.tell("ok");
    let _nobody_answers = asked.join();
    host.start();
    until("its server runs the head", || {
        host.server_config() == parsed(OURS) && host.verdict() == "applied"
    });
    let kept = files(&host);
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(
        host.json(&format!("/fleet/drift/{}", kept[0]))["config"],
        parsed(THEIRS)
    );
}

#[test]
fn the_server_of_another_host_is_repaired_by_name_and_all_at_once() {
    let one = founded();
    let mut two = Host::joined_to(&one);
    let address = one.address();
    two.start_as("exec \"$@\"", &["--peer", &address, "--name", "tern"]);
    until("it runs the head", || {
        two.verdict() == "applied" && two.server_config() == parsed(OURS)
    });
    until("it is known", || {
        one.json("/fleet/nodes").to_string().contains("tern")
    });
    past_starling(&two, THEIRS);
    let words = one.prints(&["repair", "tern"]);
    assert!(
        words.starts_with("tern (")
            && words.contains("): runs the head; what it ran is kept there in drift-"),
        "{words}"
    );
    assert_eq!(
        (two.server_config(), files(&two).len(), files(&one).len()),
        (parsed(OURS), 1, 0)
    );
    past_starling(&one, THEIRS);
    past_starling(&two, THEIRS);
    until("both are known to be in the group", || {
        one.prints(&["repair", "--all"]).lines().count() == 2
    });
    assert_eq!(
        (one.server_config(), two.server_config()),
        (parsed(OURS), parsed(OURS))
    );
    assert!(
        one.complains(&["repair", "wren"])
            .contains("no one host is called \"wren\"")
    );
}
