//! What becomes of changes that are made past Starling, and of servers that forget, beside an
//! overlay that changes while the daemon runs.

use super::host::Host;
use super::uploads::BUNDLES;
use super::watch::{parsed, text, until};

const SHARED: &str =
    r#"{"listeners":{},"routes":[{"action":{"share":"/srv$uri"}},{"action":{"return":404}}]}"#;

/// Two hosts of one group, each with flags of its own.
fn two_hosts(first: &[&str], second: &[&str]) -> (Host, Host) {
    let mut one = Host::founded();
    one.start_as("exec \"$@\"", first);
    let mut two = Host::joined_to(&one);
    let address = one.address();
    two.start_as("exec \"$@\"", &[second, &["--peer", &address]].concat());
    until("it is in step", || {
        two.json("/fleet")["peer"]["joined"] == true
    });
    (one, two)
}

/// A founded host with an overlay file, running.
fn overlaid(overlay: &str, flags: &[&str]) -> Host {
    let mut host = Host::founded();
    lay(&host, overlay);
    let file = overlay_flag(&host);
    host.start_as("exec \"$@\"", &[&["--overlay", &file], flags].concat());
    host
}

fn lay(host: &Host, overlay: &str) {
    std::fs::write(host.path("overlay.json"), overlay).expect("the directory can be written");
}

fn overlay_flag(host: &Host) -> String {
    host.path("overlay.json")
        .to_str()
        .expect("it is text")
        .to_owned()
}

/// Changes the server past Starling.
fn past_starling(host: &Host, config: &str) {
    assert_eq!(host.server.tell(&format!("set {config}")), "set");
}

fn problems(host: &Host) -> String {
    host.json("/fleet")["problems"].to_string()
}

fn drift(host: &Host) -> String {
    host.json("/fleet")["group"]["drift"].to_string()
}

/// How many revisions there are.
fn revisions(host: &Host) -> usize {
    host.json("/fleet/revisions")
        .as_array()
        .expect("a list")
        .len()
}

/// Waits until the server was read twice more, and so whatever was to be done about what it shows
/// was begun.
fn is_looked_at(host: &Host) {
    let reads = || {
        parsed(&host.server.tell("stats"))["reads"]
            .as_u64()
            .expect("it is counted")
    };
    let seen = reads();
    until("it is looked at twice", || reads() >= seen + 2);
}

#[test]
fn a_head_that_did_not_fit_is_applied_once_the_overlay_is_mended() {
    let host = overlaid(r#"{"routes": {"1": {"action": {"return": 403}}}}"#, &[]);
    host.change("PUT", "/config", SHARED);
    lay(&host, r#"{"routes": {"7": null}}"#);
    until("it does not fit", || host.verdict() == "refused");
    lay(&host, r#"{"routes": {"0": null}}"#);
    until("it fits again", || host.verdict() == "applied");
    assert_eq!(
        host.server_config()["routes"],
        parsed(r#"[{"action":{"return":404}}]"#)
    );
}

#[test]
fn with_repair_the_server_is_given_the_document_again() {
    let host = overlaid("{}", &["--drift", "repair"]);
    host.change("PUT", "/config", SHARED);
    for _ in 0..2 {
        past_starling(&host, r#"{"listeners":{},"routes":[]}"#);
        until("it is put back", || host.server_config() == parsed(SHARED));
        until("nothing is said any more", || drift(&host) == "[]");
    }
    assert_eq!(
        (revisions(&host), host.verdict()),
        (1, "applied".to_owned())
    );
}

#[test]
fn with_adopt_the_change_is_published_and_a_factory_default_never() {
    let (one, two) = two_hosts(&["--drift", "adopt"], &[]);
    let first = one.change("PUT", "/config", SHARED);
    until("both run it", || {
        two.json("/fleet")["group"]["applied"] == first[..]
    });
    let edited =
        r#"{"listeners":{},"routes":[{"action":{"share":"/srv$uri"}},{"action":{"return":410}}]}"#;
    past_starling(&one, edited);
    until("it is on the other server", || {
        two.server_config() == parsed(edited)
    });
    assert_eq!(
        (one.config(), drift(&one), revisions(&one)),
        (parsed(edited), "[]".to_owned(), 2)
    );
    one.server.tell("factory");
    until("it is given it again", || {
        one.server_config() == parsed(edited)
    });
    assert_eq!((two.server_config(), revisions(&one)), (parsed(edited), 2));
}

/// A path that is shown is one that `starling blame` takes.
#[test]
fn where_the_server_differs_is_shown_with_a_path_of_the_document() {
    let host = overlaid("{}", &[]);
    host.change("PUT", "/config", SHARED);
    past_starling(&host, &SHARED.replace("404", "410"));
    until("it is noticed", || {
        drift(&host) == r#"["/config/routes/1/action/return"]"#
    });
    past_starling(&host, r#"{"listeners":{},"routes":[],"settings":{}}"#);
    until("the rest is noticed", || {
        drift(&host) == r#"["/config/routes","/config/settings"]"#
    });
}

#[test]
fn what_cannot_be_adopted_is_told_until_it_is_gone() {
    let host = overlaid(
        r#"{"routes": {"1": {"action": {"return": 403}}}}"#,
        &["--drift", "adopt"],
    );
    host.change("PUT", "/config", SHARED);
    let ours = host.server_config().to_string();
    past_starling(&host, &ours.replace("403", "410"));
    until("it is told", || {
        problems(&host).contains("overlay or variables act")
    });
    let asked = host.ask("POST", "/config", "");
    assert_eq!(asked.status, 409, "{}", asked.body);
    is_looked_at(&host);
    assert!(
        host.server_config().to_string().contains("410"),
        "the server is left alone"
    );
    past_starling(&host, &ours);
    until("it is gone", || {
        problems(&host) == "[]" && drift(&host) == "[]"
    });
    past_starling(
        &host,
        r#"{"listeners":{"*:443":{"pass":"routes","tls":{"certificate":"ours"}}},"routes":[]}"#,
    );
    until("it is told", || {
        problems(&host).contains("cannot be published")
    });
    assert_eq!((revisions(&host), host.config()), (1, parsed(SHARED)));
    past_starling(
        &host,
        &ours.replace(
            "\"listeners\":{}",
            "\"listeners\":{\"127.0.0.1:80\":{\"pass\":\"routes\"}}",
        ),
    );
    until("what others may have is published", || {
        revisions(&host) == 2
    });
    assert_eq!(
        host.config(),
        parsed(&SHARED.replace("{},", r#"{"127.0.0.1:80":{"pass":"routes"}},"#))
    );
    until("nothing is left to be told", || {
        problems(&host) == "[]" && drift(&host) == "[]"
    });
}

#[test]
fn what_is_a_hosts_own_is_never_published_with_its_neighbours() {
    let overlay = r#"{"routes": {"1": {"action": {"return": 403}}}}"#;
    let host = overlaid(overlay, &[]);
    host.change("PUT", "/config", SHARED);
    let ours = host.server_config().to_string();
    // Both come to a change of the whole array, in which the overlay has a place.
    for theirs in [
        ours.replace("/srv$uri", "/var$uri"),
        ours.replace("]}", r#",{"action":{"return":500}}]}"#),
    ] {
        past_starling(&host, &theirs);
        until("it is noticed", || drift(&host).contains("routes"));
        let asked = host.ask("POST", "/config", "");
        assert!(
            asked.status == 409 && asked.body.contains("overlay or variables act"),
            "{}",
            asked.body
        );
        assert_eq!((revisions(&host), host.config()), (1, parsed(SHARED)));
    }
}

#[test]
fn what_a_server_forgot_is_never_adopted() {
    let (one, two) = two_hosts(&["--drift", "adopt"], &[]);
    one.change("PUT", "/config", r#"{"listeners":{},"routes":[]}"#);
    one.change("PUT", "/certificates/shop", BUNDLES[0]);
    one.change("PUT", "/js_modules/m", "export default {}");
    let head = one.change("PUT", "/config", SHARED);
    until("both run it", || {
        two.json("/fleet")["group"]["applied"] == head[..]
    });
    for fault in [
        "restart-default",
        "restart-older",
        "restart-wiped",
        "factory",
    ] {
        one.server.tell(fault);
        until("it has all again", || {
            let names = one
                .server_door()
                .send(b"GET /certificates HTTP/1.1\r\n\r\n")
                .body;
            one.server_config() == parsed(SHARED)
                && names.contains("shop~")
                && one.verdict() == "applied"
        });
        is_looked_at(&one);
        assert_eq!(
            (
                revisions(&one),
                text(&one.json("/fleet")["group"]["head"]["id"])
            ),
            (4, head.clone()),
            "{fault}"
        );
        assert_eq!(
            (two.server_config(), drift(&one)),
            (parsed(SHARED), "[]".to_owned()),
            "{fault}"
        );
    }
}
