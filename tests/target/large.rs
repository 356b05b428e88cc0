//! Configurations that do not come whole over a Unix socket: read in parts, and no more of them
//! than it takes.

use starlingd::daemon::unit::{Control, RequestFailure, Unit};
use starlingd::limits::{LOOK_BEFORE_MAX, ROUND_LOOKS};
use starlingd::model::document::Document;
use starlingd::model::json;
use starlingd::model::shown::ShownConfig;
use starlingd::node::input::Outcome;

use super::bench::{Bench, document, scratch};
use super::standin::{Setup, StandIn};

/// 589 kB as Unit prints them, of 2 420 routes.
fn long() -> Document {
    let route = |n: usize| {
        let uri = format!("/shop/{n:04}/*");
        format!(
            r#"{{"match":{{"uri":"{uri}","host":["{n}.example.org","www.{n}.example.org"]}},"action":{{"share":"/srv/www/{n}$uri","fallback":{{"return":404}}}}}}"#
        )
    };
    let routes: Vec<_> = (1000..3420).map(route).collect();
    document(&format!(
        r#"{{"listeners":{{}},"routes":[{}],"applications":{{}},"settings":{{"http":{{"server_version":false}}}}}}"#,
        routes.join(",")
    ))
}

/// The same with one text in place of another, once.
fn with(was: &str, is: &str) -> Document {
    let text = json::compact(long().config());
    assert!(text.contains(was));
    document(&text.replacen(was, is, 1))
}

impl Bench {
    /// How many connections something takes.
    fn cost(&self, of: impl FnOnce(&Self)) -> u64 {
        let before = self.stat("connections");
        of(self);
        self.stat("connections") - before
    }

    fn sees(&self) -> ShownConfig {
        match self.observe().outcome {
            Outcome::Observed { config, .. } => config,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_long_configuration_is_seen_whole_and_then_known_by_its_beginning_and_length() {
    let bench = Bench::new();
    bench.tell(&format!("set {}", json::compact(long().config())));
    let Err(RequestFailure::Cut { received, expected }) =
        bench.unit.request("GET", "/config", None)
    else {
        panic!("it is cut off")
    };
    assert!(
        received.len() < 220_000 && (580_000..650_000).contains(&expected),
        "{} {expected}",
        received.len()
    );
    assert_eq!(*bench.sees(), *long().config());
    let cost = bench.cost(|bench| assert_eq!(bench.observe().outcome, Outcome::Unchanged));
    assert!(cost <= 40, "a look costs {cost} connections");
}

#[test]
fn a_change_of_one_value_costs_a_few_connections_beside_the_looks_wherever_it_lies() {
    let bench = Bench::new();
    assert_eq!(bench.apply(&long()).outcome, Outcome::Applied);
    for (place, (was, is)) in [
        ("/shop/1001/*", "/shop/else/and/longer/*"),
        ("/shop/2700/*", "/shop/else/*"),
        ("\"server_version\":false", "\"server_version\":true"),
        (
            "],\"applications\"",
            ",{\"action\":{\"return\":404}}],\"applications\"",
        ),
        (
            "\"applications\":{}",
            "\"applications\":{},\"upstreams\":{}",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let document = with(was, is);
        // As a client's change, which is not looked for first, and as one that came over a link.
        let job = |bench: &Bench| {
            let report = if place % 2 == 0 {
                bench.attempt(&document)
            } else {
                bench.apply(&document)
            };
            assert_eq!(report.outcome, Outcome::Applied);
        };
        let cost = bench.cost(job);
        assert!(
            cost <= LOOK_BEFORE_MAX as u64 + 12,
            "{is}: {cost} connections"
        );
        let look = bench.cost(|bench| assert_eq!(*bench.sees(), *document.config()));
        assert!(look <= 40, "{is}: {look} connections for the look after it");
        let back = bench.cost(|bench| assert_eq!(bench.apply(&long()).outcome, Outcome::Applied));
        assert!(
            back <= LOOK_BEFORE_MAX as u64 + 12,
            "{is}: {back} connections to put it back"
        );
    }
}

#[test]
fn what_the_server_has_not_taken_as_it_was_given_is_noticed() {
    let bench = Bench::new();
    assert_eq!(bench.apply(&long()).outcome, Outcome::Applied);
    for (was, is, path) in [
        (
            "/shop/2700/*",
            "/shop/XXXX/*",
            "/config/routes/1700/match/uri",
        ),
        ("/shop/1001/*", "/shop/XXXX/*", "/config/routes/1/match/uri"),
    ] {
        let changed = with(was, is);
        let (matches, _) = bench
            .unit
            .verify(changed.config(), Some(long().config()))
            .unwrap();
        assert_eq!(matches, super::Match::Differs(vec![path.to_owned()]));
    }
}

#[test]
fn a_change_past_starling_is_seen_whole() {
    let bench = Bench::new();
    assert_eq!(bench.apply(&long()).outcome, Outcome::Applied);
    bench.sees();
    for (was, is) in [
        ("/shop/2700/*", "/shop/elsewhere/*"),
        (
            "],\"applications\"",
            ",{\"action\":{\"return\":404}}],\"applications\"",
        ),
        (
            "\"applications\":{}",
            "\"applications\":{},\"upstreams\":{}",
        ),
    ] {
        let changed = with(was, is);
        bench.tell(&format!("set {}", json::compact(changed.config())));
        assert_eq!(*bench.sees(), *changed.config(), "{is}");
        assert_eq!(bench.observe().outcome, Outcome::Unchanged);
    }
}

#[test]
fn a_change_of_equal_length_beyond_what_comes_is_found_within_two_minutes_of_looks() {
    let bench = Bench::new();
    assert_eq!(bench.apply(&long()).outcome, Outcome::Applied);
    bench.sees();
    let changed = with("/shop/2800/*", "/shop/XXXX/*");
    bench.tell(&format!("set {}", json::compact(changed.config())));
    let seen = (0..=ROUND_LOOKS)
        .map(|_| bench.observe().outcome)
        .find(|outcome| *outcome != Outcome::Unchanged);
    assert!(matches!(seen, Some(Outcome::Observed { config, .. }) if *config == *changed.config()));
}

/// Some 400 kB, in as many routes by name or in one array of longer ones as are all looked at
/// before a change.
fn coarse(is_named: bool) -> String {
    let route = |n: usize| {
        format!(
            r#"{{"match":{{"uri":"/{n}/{}"}},"action":{{"return":{n}}}}}"#,
            "x".repeat(900)
        )
    };
    let named = |n: usize| format!(r#""r{n}":[{}]"#, route(n));
    let (open, close) = if is_named { ("{", "}") } else { ("[", "]") };
    let routes: Vec<String> = (100..500)
        .map(|n| if is_named { named(n) } else { route(n) })
        .collect();
    format!(
        r#"{{"listeners":{{}},"routes":{open}{}{close},"settings":{{"http":{{"server_version":false}}}}}}"#,
        routes.join(",")
    )
}

#[test]
fn what_somebody_changed_far_inside_without_changing_its_length_is_seen() {
    for text in [coarse(false), coarse(true), json::compact(long().config())] {
        let ours = |was: &str, is: &str| document(&text.replacen(was, is, 1));
        let far = if text.contains("/shop/") {
            "/shop/3400/*"
        } else {
            "\"return\":490"
        };
        let theirs = if text.contains("/shop/") {
            "/shop/XXXX/*"
        } else {
            "\"return\":999"
        };
        // In one array of more routes than are looked at, theirs is in the same route as ours.
        let (was, is) = match text.contains("/shop/") {
            true => ("3400.example.org", "3400.example.net"),
            false => ("\"server_version\":false", "\"server_version\":true"),
        };
        let bench = Bench::new();
        assert_eq!(bench.apply(&ours("", "")).outcome, Outcome::Applied);
        bench.sees();
        let changed = ours(far, theirs);
        bench.tell(&format!("set {}", json::compact(changed.config())));
        let writes = bench.stat("writes");
        for report in [bench.attempt(&ours(was, is)), bench.apply(&ours(was, is))] {
            let Outcome::Found { config, .. } = report.outcome else {
                panic!("{:?}", report.outcome)
            };
            assert_eq!(*config, *changed.config());
        }
        assert_eq!(bench.stat("writes"), writes, "nothing was put over it");
    }
}

#[test]
fn a_configuration_changed_again_and_again_is_looked_at_to_its_end_all_the_same() {
    let bench = Bench::new();
    assert_eq!(bench.apply(&long()).outcome, Outcome::Applied);
    let changed = |is: &str| with("/shop/1001/*", is);
    let ours = |n: usize| {
        if n == 0 {
            long()
        } else {
            changed(&format!("/shop/x{n:03}/*"))
        }
    };
    // The looks before a change begin where the last ones have ended, and so come to the end of the
    // routes.
    let found = (0..4).any(|n| {
        let theirs = json::compact(ours(n).config()).replacen("/shop/3400/*", "/shop/XXXX/*", 1);
        bench.tell(&format!("set {theirs}"));
        matches!(bench.apply(&ours(n + 1)).outcome, Outcome::Found { .. })
    });
    assert!(found, "the end is never looked at");
}

#[test]
fn members_that_nobody_knew_of_are_found_by_what_refers_to_them() {
    let filler = "x".repeat(1000);
    let route =
        |pass: &str| format!(r#"{{"match":{{"uri":"/{filler}"}},"action":{{"pass":"{pass}"}}}}"#);
    let mut steps: Vec<String> = (0..300).map(|_| route("upstreams/u")).collect();
    steps.push(route("routes/b%2Fc"));
    let config = format!(
        r#"{{"listeners":{{}},"settings":{{}},"routes":{{"main":[{}],"b/c":[{{"action":{{"pass":"applications/a"}}}}]}},"upstreams":{{"u":{{"servers":{{"127.0.0.1:1":{{}}}}}}}},"applications":{{"a":{{"type":"external","executable":"/bin/true"}}}}}}"#,
        steps.join(",")
    );
    let bench = Bench::new();
    bench.tell(&format!("set {config}"));
    assert_eq!(*bench.sees(), *document(&config).config());
}

#[test]
fn members_that_nothing_tells_of_leave_it_unread_with_what_to_do() {
    let filler = "x".repeat(1000);
    let steps = vec![format!(r#"{{"action":{{"location":"/{filler}"}}}}"#); 300].join(",");
    let bench = Bench::new();
    bench.tell(&format!(
        r#"set {{"listeners":{{}},"routes":{{"main":[{steps}],"nobody-goes-here":[]}}}}"#
    ));
    let Outcome::Unreadable(why) = bench.observe().outcome else {
        panic!("it cannot be read")
    };
    assert!(
        why.contains("/config/routes") && why.contains("net.core.wmem_default"),
        "{why}"
    );
    assert!(
        matches!(
            bench.apply(&super::routes("a")).outcome,
            Outcome::Unreadable(_)
        ),
        "and nothing is put over it"
    );
    assert_eq!(bench.stat("writes"), 0);
    bench.tell(&format!(
        r#"set {{"listeners":{{}},"routes":[{{"action":{{"location":"/{}"}}}}]}}"#,
        filler.repeat(300)
    ));
    let Outcome::Unreadable(why) = bench.observe().outcome else {
        panic!("nor can this")
    };
    assert!(why.contains("/config/routes/0/action/location"), "{why}");
}

#[test]
fn what_is_cut_off_on_every_level_is_read_within_the_threads_stack() {
    let bench = Bench::new();
    bench.tell("cut 60");
    let deep = |levels: usize| {
        format!(
            r#"{{"routes":{}{{"action":{{"return":200}}}}{}}}"#,
            "{\"x\":[".repeat(levels),
            "]}".repeat(levels)
        )
    };
    let document = document(&deep(6));
    bench.tell(&format!("set {}", json::compact(document.config())));
    assert_eq!(*bench.sees(), *document.config());
    bench.tell(&format!("set {}", deep(12)));
    assert!(matches!(bench.observe().outcome, Outcome::Unreadable(_)));
}

#[test]
fn over_tcp_it_comes_whole() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let standin = StandIn::start(Setup {
        socket: scratch("tcp"),
        port: Some(port),
        ..Setup::default()
    })
    .unwrap();
    standin.tell(&format!("set {}", json::compact(long().config())));
    let unit = Unit::new(Control::Tcp(format!("127.0.0.1:{port}")));
    let seen = unit.see(None, None).unwrap();
    assert_eq!(**seen.config(), *long().config());
    let connections =
        json::parse_own(standin.tell("stats").as_bytes()).unwrap()["connections"].as_u64();
    assert_eq!(connections, Some(1));
}
