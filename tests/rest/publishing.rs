//! `POST /config` with an empty body: what the server runs becomes the fleet's document, if
//! somebody means it.

use super::host::Host;
use super::watch::{parsed, text, until};
use harness::http::Reply;

fn publish(host: &Host, query: &str) -> Reply {
    host.ask("POST", &format!("/config{query}"), "")
}

fn error_of(reply: &Reply) -> (u16, String) {
    (reply.status, text(&parsed(&reply.body)["error"]))
}

#[test]
fn what_the_server_ran_before_becomes_the_first_revision_without_being_sent_to_it() {
    let host = Host::founded();
    let config = r#"{"listeners":{},"routes":[{"action":{"return":2e2}}]}"#;
    host.server.tell(&format!("set {config}"));
    let mut host = host;
    host.start();
    until("it has seen its server", || host.config() == parsed(config));
    let reply = host.ask_with("POST", "/config", "Starling-Note: as found\r\n", "");
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(
        reply.header("ETag"),
        host.ask("GET", "/config", "").header("ETag")
    );
    assert_eq!(host.config().to_string(), config);
    assert!(
        host.server.tell("stats").contains("\"writes\":0"),
        "it runs that already"
    );
    assert_eq!(text(&host.json("/fleet/revisions")[0]["note"]), "as found");
}

#[test]
fn an_edit_made_at_the_servers_own_socket_is_published_as_just_that_edit() {
    let host = Host::new();
    let head = host.change(
        "PUT",
        "/config",
        r#"{"routes":{"a":[],"b":[]},"listeners":{}}"#,
    );
    host.server
        .tell(r#"set {"routes":{"a":[],"b":[{"action":{"return":204}}]},"listeners":{}}"#);
    let reply = publish(&host, "");
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(host.config(), host.server_config());
    let revisions = host.json("/fleet/revisions");
    assert_eq!(
        (
            text(&revisions[0]["base"]),
            revisions[0]["edit"].as_array().map(Vec::len)
        ),
        (head, Some(1))
    );
    assert_eq!(text(&revisions[0]["edit"][0]["path"]), "/config/routes/b");
    assert!(
        host.server.tell("stats").contains("\"writes\":1"),
        "it runs that already"
    );
    until("nothing differs any more", || {
        host.json("/fleet")["group"]["drift"]
            .as_array()
            .is_some_and(Vec::is_empty)
    });
}

#[test]
fn with_nothing_to_publish_the_head_stays() {
    let host = Host::new();
    let head = host.change("PUT", "/config", r#"{"routes":[]}"#);
    let reply = publish(&host, "");
    assert_eq!(
        (reply.status, reply.header("Starling-Revision")),
        (200, Some(&head[..]))
    );
    let guarded = host.ask_with("POST", "/config", "If-Match: \"else\"\r\n", "");
    assert_eq!(
        error_of(&guarded),
        (412, "The document has changed.".to_owned())
    );
    assert_eq!(
        host.ask_with("POST", "/config", &format!("If-Match: \"{head}\"\r\n"), "")
            .status,
        200
    );
}

/// Every two seconds Starling may notice by itself, and give the server its configuration again:
/// then there is nothing to refuse.
#[test]
fn a_factory_default_is_published_only_if_that_is_forced() {
    let host = Host::new();
    let config = parsed(r#"{"routes":[{"action":{"return":204}}]}"#);
    for default in ["factory", "set {}"] {
        let head = host.change("PUT", "/config", &config.to_string());
        until("publishing it is refused", || {
            host.server.tell(default);
            let reply = publish(&host, "");
            if reply.status == 409 {
                assert_eq!(error_of(&reply).1, "The server shows its factory default.");
            }
            reply.status == 409
        });
        assert_eq!(host.config(), config);
        until("the server has its configuration again", || {
            host.server_config() == config
        });
        until("publishing it is forced", || {
            host.server.tell(default);
            let reply = publish(&host, "?force");
            if reply.status != 200 {
                assert_eq!(
                    error_of(&reply),
                    (
                        409,
                        "Nothing of the fleet's has been applied here yet.".to_owned()
                    )
                );
            }
            reply.status == 200 && reply.header("Starling-Revision") != Some(&head[..])
        });
        assert_eq!(host.config(), host.server_config());
        assert_ne!(host.config(), config);
    }
}

#[test]
fn a_server_that_is_away_has_nothing_to_publish() {
    let host = Host::new();
    let head = host.change("PUT", "/config", r#"{"routes":[]}"#);
    host.server.tell("down");
    let reply = publish(&host, "");
    assert_eq!(
        (error_of(&reply), reply.header("Retry-After")),
        ((503, "The server cannot be reached.".to_owned()), Some("1"))
    );
    host.server.tell("up");
    until("it can be published", || {
        publish(&host, "").header("Starling-Revision") == Some(&head[..])
    });
}

#[test]
fn a_host_without_a_server_has_nothing_to_publish() {
    let mut host = Host::founded();
    host.start_as("exec \"$@\"", &["--unit", "none"]);
    host.change("PUT", "/config", r#"{"routes":[]}"#);
    assert_eq!(
        error_of(&publish(&host, "")),
        (409, "There is nothing to publish.".to_owned())
    );
    assert_eq!(host.json("/fleet/revisions")[0]["untried"], true);
    assert_eq!(host.verdict(), "none");
}
