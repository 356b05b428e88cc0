//! A private key is shown to nobody: of a fleet in which bundles are uploaded, replaced, fought
//! for, kept and deleted, everything that is answered, printed or logged is read, and no line of a
//! key is found.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::host::{Host, STARLING};
use super::uploads::BUNDLES;
use super::watch::{text, until};

impl Host {
    /// In the fleet of another, not started.
    pub fn joined_to(other: &Self) -> Self {
        let host = Self::outside();
        let token = Command::new(STARLING)
            .args(["token", "--state"])
            .arg(other.path("state"))
            .output()
            .expect("it is built")
            .stdout;
        let token = String::from_utf8(token).expect("it is text");
        let join = Command::new(STARLING)
            .args(["join", token.trim(), "--state"])
            .arg(host.path("state"))
            .output();
        assert!(join.expect("the program is built").status.success());
        host
    }

    /// Saying all that it can, linked to `peers`.
    pub fn start_linked(&mut self, peers: &[String]) {
        self.start_keeping(peers, "3600");
    }

    /// The same, with this setting of how long the keys of deleted certificates stay.
    fn start_keeping(&mut self, peers: &[String], keys_kept: &str) {
        let token = self.path("token");
        let mut flags = vec![
            "--api-token-file",
            token.to_str().expect("it is text"),
            "--log",
            "debug",
            "--keys-kept",
            keys_kept,
        ];
        peers.iter().for_each(|peer| flags.extend(["--peer", peer]));
        self.start_as("exec \"$@\"", &flags);
    }

    /// Where peers reach it.
    pub fn address(&self) -> String {
        self.running
            .as_ref()
            .expect("it runs")
            .says("listening on ")
    }
}

/// The lines of the keys, as they stand in the bundles: any three dozen letters of one would be too
/// much.
fn secrets() -> Vec<&'static str> {
    let key = |bundle: &'static str| {
        let lines = bundle
            .lines()
            .skip_while(|line| !line.contains("BEGIN PRIVATE KEY"));
        lines.skip(1).take_while(|line| !line.starts_with("-----"))
    };
    let secrets: Vec<&str> = BUNDLES
        .into_iter()
        .flat_map(key)
        .map(|line| &line[..line.len().min(36)])
        .collect();
    assert!(secrets.len() > BUNDLES.len(), "each key has several lines");
    secrets
}

fn assert_silent(what: &str, words: &str) {
    for secret in secrets() {
        assert!(!words.contains(secret), "{what} shows a key: {words}");
    }
}

/// Everything that can be asked of a host, and everything its commands print.
fn assert_host_silent(host: &mut Host) {
    let mut targets: Vec<String> = [
        "/fleet",
        "/fleet/nodes",
        "/fleet/links",
        "/fleet/revisions",
        "/fleet/conflicts",
        "/config",
        "/certificates",
    ]
    .map(str::to_owned)
    .to_vec();
    targets.push("/fleet/blame/certificates/shop".to_owned());
    let ids = |list: &str| {
        let list = host.json(list);
        list.as_array()
            .expect("a list")
            .iter()
            .map(|item| text(&item["id"]))
            .collect::<Vec<_>>()
    };
    let (revisions, conflicts) = (ids("/fleet/revisions"), ids("/fleet/conflicts"));
    let oldest = revisions.last().expect("there are some").clone();
    for id in &revisions {
        targets.extend(["", "?diff"].map(|query| format!("/fleet/revisions/{id}{query}")));
        targets.push(format!("/fleet/revisions/{id}?diff={oldest}"));
    }
    targets.extend(conflicts.iter().map(|id| format!("/fleet/conflicts/{id}")));
    for target in &targets {
        assert_silent(target, &host.ask("GET", target, "").body);
    }
    let mut commands: Vec<Vec<&str>> = vec![
        vec!["log"],
        vec!["conflicts"],
        vec!["status"],
        vec!["blame", "/certificates/shop"],
    ];
    revisions.iter().for_each(|id| {
        commands.extend([
            vec!["show", id],
            vec!["diff", id],
            vec!["diff", id, &oldest],
        ])
    });
    for words in commands {
        for words in [words.clone(), [&words[..], &["--json"]].concat()] {
            let output = host.command(&words);
            assert_silent(
                &words.join(" "),
                &format!("{}{}", text_of(&output.stdout), text_of(&output.stderr)),
            );
        }
    }
    let log = host.running().log().to_owned();
    assert!(
        log.contains("config: revision "),
        "the log tells of changes: {log}"
    );
    assert_silent("the log", &log);
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Nothing if there is none yet.
fn head(host: &Host) -> String {
    host.json("/fleet")["group"]["head"]["id"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// Uploads, and asserts that the answer says nothing of the key either.
fn put(host: &Host, bundle: &str) -> String {
    let reply = host.ask("PUT", "/certificates/shop", bundle);
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_silent("an answer", &reply.body);
    reply
        .header("Starling-Revision")
        .expect("it is a change")
        .to_owned()
}

#[test]
fn no_word_of_a_key_is_answered_printed_or_logged_whatever_becomes_of_it() {
    let (mut one, mut two) = fleet_of_two();
    put(&two, BUNDLES[0]);
    two.change(
        "PUT",
        "/config/listeners/*:8443",
        r#"{"pass": "routes", "tls": {"certificate": "shop"}}"#,
    );
    until("the other host has both", || head(&two) == head(&one));

    // Each replaces it while the other is away.
    end(&mut two);
    put(&one, BUNDLES[1]);
    end(&mut one);
    two.start_linked(&[]);
    put(&two, BUNDLES[2]);
    one.start_linked(&[two.address()]);
    until("one of the two is a conflict on both hosts", || {
        head(&one) == head(&two)
            && [&one, &two]
                .iter()
                .all(|host| host.json("/fleet/conflicts")[0]["state"] == "open")
    });
    let conflict = one.json("/fleet/conflicts")[0].clone();
    assert!(
        text(&conflict["edit"][0]["value"]).starts_with("sha256:"),
        "{conflict}"
    );
    assert_host_silent(&mut one);
    assert_host_silent(&mut two);

    let reply = two.ask(
        "POST",
        &format!("/fleet/conflicts/{}/keep", text(&conflict["id"])),
        "",
    );
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_silent("an answer", &reply.body);
    let spoilt = BUNDLES[0].replace("-----END CERTIFICATE", "-----END DIPLOMA");
    let reply = one.ask("PUT", "/certificates/shop", &spoilt);
    assert_eq!(reply.status, 400, "{}", reply.body);
    assert_silent("a refusal", &reply.body);
    one.change("DELETE", "/config/listeners", "");
    one.change("DELETE", "/certificates/shop", "");
    until("it is gone everywhere", || head(&one) == head(&two));
    assert_host_silent(&mut one);
    assert_host_silent(&mut two);
}

#[test]
fn a_late_joiner_gets_the_bundle_byte_for_byte() {
    let (one, two) = fleet_of_two();
    let uploaded = put(&two, BUNDLES[0]);
    until("the first host has it", || head(&one) == uploaded);
    let mut three = Host::joined_to(&one);
    three.start_linked(&[one.address(), two.address()]);
    until("the third host has it", || {
        three.json("/fleet")["group"]["head"]["id"] == uploaded[..]
    });
    let again = three.ask("PUT", "/certificates/shop", BUNDLES[0]);
    assert_eq!(
        (again.status, again.header("Starling-Revision")),
        (200, Some(&uploaded[..])),
        "it is the same to the byte"
    );
}

/// The files below a directory that hold a line of a key.
fn holding_keys(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory)
        .map(|entries| entries.flatten().collect::<Vec<_>>())
        .unwrap_or_default();
    let below = entries.into_iter().flat_map(|entry| match entry.path() {
        path if path.is_dir() => holding_keys(&path),
        path => vec![path],
    });
    let holds = |path: &PathBuf| {
        let bytes = std::fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        secrets().into_iter().any(|secret| text.contains(secret))
    };
    below.filter(holds).collect()
}

#[test]
fn the_key_of_a_certificate_that_was_deleted_leaves_the_disks_of_all_hosts() {
    let (one, mut two) = fleet_keeping("1");
    let uploaded = put(&two, BUNDLES[0]);
    put(&two, BUNDLES[1]);
    two.change("PUT", "/config/routes", "[]");
    until("the other host has it", || head(&two) == head(&one));
    let old = head(&one);
    let states = [one.path("state"), two.path("state")];
    let is_gone = |state: &PathBuf| holding_keys(state).is_empty();
    end(&mut two);
    one.change("DELETE", "/certificates/shop", "");
    let restored = |id: &str, query: &str| {
        one.ask("POST", &format!("/fleet/revisions/{id}/restore{query}"), "")
    };
    assert_eq!(
        restored(&old, "?path=/certificates/shop").status,
        200,
        "while a host is away it is kept"
    );
    one.change("DELETE", "/certificates/shop", "");
    let diff = format!("/fleet/revisions/{}?diff={uploaded}", head(&one));
    let before = one.json(&diff)["changes"].clone();
    let files = |host: &Host| {
        one.json("/fleet/revisions")
            .as_array()
            .map(Vec::len)
            .filter(|_| host.running.is_some())
    };
    let kept = files(&one);
    two.start_keeping(&[one.address()], "1");
    until("it has left both disks", || states.iter().all(is_gone));
    assert_eq!(files(&one), kept, "no revision is lost for it");
    assert_eq!(
        one.json(&diff)["changes"],
        before,
        "and what was changed is shown as before"
    );
    assert_eq!(
        one.json(&format!("/fleet/revisions/{uploaded}"))["struck"],
        true
    );
    let reply = restored(&old, "");
    assert!(
        reply.status == 410 && reply.body.contains("/certificates/shop was struck out"),
        "{}",
        reply.body
    );
    assert_eq!(
        restored(&old, "?path=/config/routes").status,
        200,
        "all else can be restored"
    );
    let fsck = Command::new(STARLING)
        .args(["fsck", "--state"])
        .arg(&states[0])
        .output()
        .expect("it is built");
    assert!(
        fsck.status.success(),
        "{}",
        String::from_utf8_lossy(&fsck.stdout)
    );
    // A start finds them as they are.
    two.running.take().expect("it runs").kill();
    two.start_keeping(&[one.address()], "1");
    assert_eq!(
        two.json(&format!("/fleet/revisions/{uploaded}"))["struck"],
        true
    );
    one.change("PUT", "/config/routes", r#"[{"action":{"return":204}}]"#);
    until("they go on together", || head(&one) == head(&two));
    assert!(states.iter().all(is_gone), "and it does not come back");
}

/// Ends a daemon, whose log goes with it.
fn end(host: &mut Host) {
    let (_, log) = host.running.take().expect("it runs").terminate();
    assert!(
        log.contains("put /certificates/shop"),
        "the log tells of changes: {log}"
    );
    assert_silent("the log", &log);
}

fn fleet_of_two() -> (Host, Host) {
    fleet_keeping("3600")
}

fn fleet_keeping(keys_kept: &str) -> (Host, Host) {
    let mut one = Host::founded();
    one.start_keeping(&[], keys_kept);
    let mut two = Host::joined_to(&one);
    two.start_keeping(&[one.address()], keys_kept);
    until("it has joined", || {
        two.json("/fleet")["peer"]["joined"] == true
    });
    (one, two)
}
