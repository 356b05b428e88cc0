//! The server's part alone: what it asks for, how it stands, and what it says of that.

use super::*;
use crate::model::json;
use crate::node::effect::Effect;
use crate::node::input::{Outcome, Ticket};
use crate::node::local::Local;
use crate::node::testing;
use crate::node::waiting::Waiting;

/// Takes out what was asked of the server, and what it is for.
fn asked(cx: &mut Context) -> Option<(Ticket, ServerPurpose)> {
    let place = cx
        .effects
        .iter()
        .position(|effect| matches!(effect, Effect::Server(..)))?;
    let Effect::Server(ticket, _) = cx.effects.remove(place) else {
        return None;
    };
    match cx.tickets.remove(&ticket) {
        Some(Waiting::Server(purpose)) => Some((ticket, purpose)),
        _ => None,
    }
}

fn debug_lines(cx: &mut Context) -> Vec<String> {
    let said = |effect| match effect {
        Effect::Say(Level::Debug, "server", text) => Some(text),
        _ => None,
    };
    std::mem::take(&mut cx.effects)
        .into_iter()
        .filter_map(said)
        .collect()
}

/// The pause after so many reports like this one.
fn pause_after(server: &mut Server, count: u32, report: &ServerReport) -> Duration {
    (0..count).for_each(|_| server.heard(report, Duration::ZERO));
    server.observe_at
}

fn shown() -> Outcome {
    Outcome::Observed {
        config: ShownConfig::from(json::parse(br#"{"listeners":{},"routes":[]}"#).unwrap()),
        missing: Vec::new(),
        restarted: false,
    }
}

#[test]
fn a_server_is_looked_at_first_and_asked_for_one_thing_at_a_time() {
    let mut cx = testing::context(1);
    let store = testing::store(&cx);
    let mut local = Local::new(true, true);
    assert!(local.server.is_unseen() && local.server.is_free());
    local.serve_server(&mut cx, &store);
    let (_, purpose) = asked(&mut cx).unwrap();
    assert_eq!(purpose.word(), "look");
    assert!(!local.server.is_free());
    local.serve_server(&mut cx, &store);
    assert!(asked(&mut cx).is_none());
    local.server.end(&mut cx, &purpose);
    local.observed(&mut cx, &store, shown(), false);
    assert!(local.server.is_free() && !local.server.is_unseen());
    assert_eq!(local.server.word(), "pending");
}

#[test]
fn each_change_of_state_is_logged_with_its_reason_and_a_look_is_not() {
    let mut cx = testing::context(1);
    let mut server = Server::new(true, true);
    server.begin(&mut cx, &ServerPurpose::Observe);
    server.end(&mut cx, &ServerPurpose::Observe);
    assert!(debug_lines(&mut cx).is_empty());
    server.begin(&mut cx, &ServerPurpose::Try);
    assert!(server.stand(
        &mut cx,
        Verdict::Unreachable("no route".into()),
        "it is away"
    ));
    assert!(!server.stand(
        &mut cx,
        Verdict::Unreachable("no route".into()),
        "it is away"
    ));
    server.end(&mut cx, &ServerPurpose::Try);
    assert_eq!(
        debug_lines(&mut cx),
        [
            "the server was idle, unseen, and is busy, unseen: try",
            "the server was busy, unseen, and is busy, unreachable: it is away",
            "the server was busy, unreachable, and is idle, unreachable: try",
        ]
    );
}

#[test]
fn where_there_is_no_server_nothing_is_asked_and_nothing_makes_one() {
    let mut cx = testing::context(1);
    let store = testing::store(&cx);
    let mut local = Local::new(false, true);
    local.serve_server(&mut cx, &store);
    local.server.begin(&mut cx, &ServerPurpose::Observe);
    local
        .server
        .stand(&mut cx, Verdict::Applied, "it cannot be");
    assert!(asked(&mut cx).is_none());
    assert_eq!((local.server.word(), local.server.due()), ("none", None));
}

#[test]
fn a_server_that_nobody_changes_is_looked_at_rarely_until_something_is_new() {
    let mut cx = testing::context(1);
    let mut server = Server::new(true, true);
    let watched = |outcome| ServerReport {
        is_watched: true,
        ..ServerReport::new(1, outcome)
    };
    let same = watched(Outcome::Unchanged);
    let many = 10 * OBSERVES_CLOSE;
    assert_eq!(
        pause_after(&mut server, many, &same),
        OBSERVE_EVERY,
        "nothing was applied yet"
    );
    server.stand(&mut cx, Verdict::Applied, "it runs the head");
    assert_eq!(
        pause_after(&mut server, 1, &watched(Outcome::Applied)),
        OBSERVE_EVERY
    );
    assert_eq!(
        pause_after(&mut server, OBSERVES_CLOSE - 1, &same),
        OBSERVE_EVERY
    );
    assert_eq!(pause_after(&mut server, 1, &same), OBSERVE_CALM_EVERY);
    let unwatched = ServerReport::new(1, Outcome::Unchanged);
    assert_eq!(pause_after(&mut server, 1, &unwatched), OBSERVE_EVERY);
    assert_eq!(pause_after(&mut server, 1, &same), OBSERVE_CALM_EVERY);
    server.drift = vec!["/routes".to_owned()];
    assert_eq!(pause_after(&mut server, 1, &same), OBSERVE_EVERY, "drift");
    server.drift.clear();
    assert_eq!(
        pause_after(&mut server, 1, &watched(shown())),
        OBSERVE_EVERY
    );
    // It is gone: at once.
    pause_after(&mut server, many, &same);
    server.look_soon(Duration::ZERO);
    assert_eq!(
        server.due(),
        Some(Duration::from_millis(1).min(server.observe_at))
    );
}
