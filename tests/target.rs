//! The target thread and the control API's client against the stand-in, with everything going wrong
//! that has been seen to go wrong.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use starlingd::daemon::unit::{Control, Match, Patience, RequestFailure, Unit, get};
use starlingd::limits::TARGET_QUEUE;
use starlingd::model::document::{Document, is_factory};
use starlingd::model::fingerprint::Fingerprint;
use starlingd::model::json;
use starlingd::node::effect::ServerJob;
use starlingd::node::input::{Outcome, Refusal, ServerReport};
use starlingd::node::over::Over;

#[path = "target/bench.rs"]
mod bench;
#[path = "target/large.rs"]
mod large;
#[path = "target/resources.rs"]
mod resources;
#[path = "standin/server.rs"]
mod standin;
#[path = "target/uploads.rs"]
mod uploads;

use bench::{Bench, DEADLINE, SHORT, document, routes, scratch, wait_until};
use standin::{Setup, StandIn};

#[test]
fn a_document_is_applied_once_and_read_back() {
    let bench = Bench::new();
    let first = bench.apply(&routes("a"));
    assert_eq!(first.outcome, Outcome::Applied);
    let again = bench.apply(&routes("a"));
    assert_eq!(again.outcome, Outcome::Applied);
    assert_eq!(
        bench.stat("writes"),
        1,
        "what runs already is not sent again"
    );
    assert_eq!(bench.attempt(&routes("b")).outcome, Outcome::Applied);
    assert_eq!(bench.unit.read_config().as_ref(), Ok(routes("b").config()));
}

#[test]
fn a_refusal_is_handed_on_byte_for_byte() {
    let bench = Bench::new();
    bench.tell("refuse teapot");
    bench.tell("fail kettle");
    let words = "{\r\n\t\"error\": \"Invalid configuration.\",\r\n\t\"detail\": \"The word \\\"teapot\\\" is refused here.\"\r\n}\r\n";
    let refused = |status, words: &str| {
        Outcome::Refused(Refusal {
            status,
            body: words.as_bytes().to_vec(),
            reason: String::new(),
        })
    };
    assert_eq!(
        bench.attempt(&routes("teapot")).outcome,
        refused(400, words)
    );
    let words = "{\r\n\t\"error\": \"Failed to apply new configuration.\"\r\n}\r\n";
    assert_eq!(bench.apply(&routes("kettle")).outcome, refused(500, words));
    assert!(
        is_factory(&bench.unit.read_config().unwrap()),
        "a refusal leaves the server as it was"
    );
}

#[test]
fn a_server_that_is_down_is_unreachable_until_it_is_up() {
    let bench = Bench::new();
    bench.tell("down");
    for report in [
        bench.attempt(&routes("a")),
        bench.apply(&routes("a")),
        bench.observe(),
    ] {
        assert!(
            matches!(report.outcome, Outcome::Unreachable(_)),
            "{report:?}"
        );
    }
    bench.tell("up");
    assert_eq!(bench.apply(&routes("a")).outcome, Outcome::Applied);
}

#[test]
fn a_change_that_a_restart_cut_short_is_known_not_to_have_been_taken() {
    let bench = Bench::new();
    for job in [Bench::try_job, Bench::apply_job] {
        bench.tell("slow 60000");
        let writes = bench.stat("writes");
        bench.submit(job(&routes("a")));
        bench.until("the change is under way", || bench.stat("writes") > writes);
        bench.tell("down");
        bench.tell("ok");
        bench.until_asked_in_vain();
        bench.tell("up");
        let report = bench.report();
        let Outcome::Unreachable(why) = &report.outcome else {
            panic!("{report:?}")
        };
        assert!(why.contains("not taken"), "{why}");
    }
}

#[test]
fn a_close_without_an_answer_is_settled_by_reading_back() {
    let bench = Bench::new();
    bench.tell("close 1");
    assert!(matches!(
        bench.attempt(&routes("a")).outcome,
        Outcome::Unreachable(_)
    ));
    bench.tell("close 1");
    assert!(matches!(
        bench.apply(&routes("a")).outcome,
        Outcome::Unreachable(_)
    ));
    assert!(is_factory(&bench.unit.read_config().unwrap()));
    bench.tell("close-applied 1");
    assert_eq!(bench.attempt(&routes("a")).outcome, Outcome::Applied);
    bench.tell("close-applied 1");
    assert_eq!(bench.apply(&routes("b")).outcome, Outcome::Applied);
}

#[test]
fn a_server_that_fell_back_to_a_third_configuration_leaves_the_change_unknown() {
    let bench = Bench::new();
    assert_eq!(bench.apply(&routes("a")).outcome, Outcome::Applied);
    bench.tell("slow 60000");
    bench.submit(Bench::apply_job(&routes("b")));
    bench.until("the change is under way", || bench.stat("writes") == 2);
    bench.tell("down");
    bench.tell("factory");
    bench.tell("ok");
    bench.tell("up");
    let report = bench.report();
    assert!(matches!(report.outcome, Outcome::Unknown(_)), "{report:?}");
}

#[test]
fn an_observation_tells_what_changed_and_costs_little_when_nothing_did() {
    let bench = Bench::new();
    let observed = |document: &Document| {
        let config = document.config().clone().into();
        Outcome::Observed {
            config,
            missing: Vec::new(),
            restarted: false,
        }
    };
    assert_eq!(bench.observe().outcome, observed(&Document::factory()));
    assert_eq!(bench.observe().outcome, Outcome::Unchanged);
    bench.tell(&format!("set {}", json::compact(routes("a").config())));
    assert_eq!(bench.observe().outcome, observed(&routes("a")));
    bench.tell("factory");
    assert_eq!(bench.observe().outcome, observed(&Document::factory()));
}

#[test]
fn a_server_set_back_after_a_change_does_not_look_unchanged() {
    let bench = Bench::new();
    bench.observe();
    assert_eq!(bench.apply(&routes("a")).outcome, Outcome::Applied);
    bench.tell("factory");
    let Outcome::Observed { config, .. } = bench.observe().outcome else {
        panic!("the factory default must show")
    };
    assert!(is_factory(&config));
}

#[test]
fn members_that_the_server_reorders_count_as_the_same() {
    let bench = Bench::new();
    let members: Vec<_> = (0..30).map(|n| format!("\"r{n}\": []")).collect();
    let document = document(&format!("{{\"routes\": {{{}}}}}", members.join(", ")));
    assert_eq!(bench.apply(&document).outcome, Outcome::Applied);
    let listed = bench.unit.read_config().unwrap();
    assert_ne!(
        json::compact(&listed),
        json::compact(document.config()),
        "the stand-in reorders"
    );
    assert_eq!(bench.apply(&document).outcome, Outcome::Applied);
    assert_eq!(bench.stat("writes"), 1);
}

#[test]
fn parts_are_asked_for_by_names_that_the_server_decodes_once() {
    let bench = Bench::new();
    let want = document(
        r#"{"routes": {"a/b": [], "p%q": [], "%2F": [], "é ?#": [{"action": {"return": 200}}], "+": []}}"#,
    );
    assert_eq!(bench.attempt(&want).outcome, Outcome::Applied);
    bench.tell("cut 60");
    assert_eq!(bench.attempt(&want).outcome, Outcome::Applied);
    let other = document(
        r#"{"routes": {"a/b": [], "p%q": [], "%2F": [], "é ?#": [{"action": {"return": 204}}], "+": []}}"#,
    );
    assert!(
        matches!(bench.unit.matches(other.config()), Ok(Match::Differs(paths)) if paths.len() == 1)
    );
}

#[test]
fn nothing_is_put_over_what_somebody_else_has_put_there() {
    let bench = Bench::new();
    assert_eq!(bench.apply(&routes("a")).outcome, Outcome::Applied);
    let theirs = routes("theirs");
    bench.tell(&format!("set {}", json::compact(theirs.config())));
    let writes = bench.stat("writes");
    for report in [bench.apply(&routes("b")), bench.attempt(&routes("b"))] {
        let Outcome::Found {
            config,
            fingerprint,
        } = report.outcome
        else {
            panic!("{report:?}")
        };
        assert_eq!(
            (&*config, fingerprint),
            (theirs.config(), Fingerprint::of(theirs.config()))
        );
    }
    assert_eq!(bench.stat("writes"), writes, "nothing was begun");
    let over = Over {
        known: vec![Fingerprint::of(theirs.config())],
    };
    bench.submit((2, ServerJob::Apply(routes("b"), over)));
    assert_eq!(bench.report().outcome, Outcome::Applied);
    bench.tell("factory");
    assert_eq!(
        bench.apply(&routes("b")).outcome,
        Outcome::Applied,
        "there is nothing to be lost in a default"
    );
    bench.tell(&format!("set {}", json::compact(routes("a").config())));
    assert_eq!(
        bench.apply(&routes("b")).outcome,
        Outcome::Applied,
        "nor in what it was given before"
    );
}

#[test]
fn a_slow_server_is_waited_for() {
    let bench = Bench::new();
    bench.tell("slow 300");
    assert_eq!(bench.attempt(&routes("a")).outcome, Outcome::Applied);
}

#[test]
fn a_server_that_hangs_costs_the_time_out_and_no_more() {
    let bench = Bench::with(Patience {
        change: SHORT,
        read: SHORT,
        tries: 1,
    });
    assert_eq!(bench.apply(&routes("b")).outcome, Outcome::Applied);
    bench.tell("hang");
    assert!(matches!(bench.observe().outcome, Outcome::Unreachable(_)));
    for report in [bench.apply(&routes("a")), bench.attempt(&routes("a"))] {
        assert!(
            matches!(report.outcome, Outcome::Unreachable(_)),
            "it could not be looked at, and nothing was sent: {report:?}"
        );
    }
    bench.tell("ok");
    assert_eq!(bench.unit.read_config().as_ref(), Ok(routes("b").config()));
}

#[test]
fn a_change_that_is_late_is_unknown_because_it_may_still_come_about() {
    let bench = Bench::with(Patience {
        change: SHORT,
        read: Duration::from_secs(10),
        tries: 1,
    });
    bench.tell("slow 60000");
    let report = bench.attempt(&routes("a"));
    assert!(matches!(report.outcome, Outcome::Unknown(_)), "{report:?}");
    bench.tell("ok");
    bench.until("the late change has come about", || {
        bench.unit.read_config().as_ref() == Ok(routes("a").config())
    });
    assert!(matches!(bench.observe().outcome, Outcome::Observed { .. }));
}

#[test]
fn what_is_put_back_while_a_late_change_is_pending_is_what_runs_in_the_end() {
    let bench = Bench::with(Patience {
        change: SHORT,
        read: Duration::from_secs(10),
        tries: 1,
    });
    assert_eq!(bench.apply(&routes("a")).outcome, Outcome::Applied);
    bench.tell("slow 60000");
    assert!(matches!(
        bench.attempt(&routes("b")).outcome,
        Outcome::Unknown(_)
    ));
    let report = bench.apply(&routes("a"));
    assert!(
        !matches!(report.outcome, Outcome::Applied),
        "it shows what it ran before, until the late change has come about"
    );
    bench.tell("ok");
    // The late change was given to the server by its own host, who says so: nobody else's work is
    // put over.
    for ticket in [4, 5] {
        let over = Over {
            known: vec![routes("a").fingerprint(), routes("b").fingerprint()],
        };
        bench.submit((ticket, ServerJob::Apply(routes("a"), over)));
        assert_eq!(bench.report().outcome, Outcome::Applied);
    }
    assert_eq!(bench.unit.read_config().as_ref(), Ok(routes("a").config()));
    assert_eq!(
        bench.stat("writes"),
        4,
        "once it has answered a change, what it shows is what it runs"
    );
}

#[test]
fn a_full_queue_takes_no_more() {
    let bench = Bench::with(Patience {
        change: DEADLINE,
        read: DEADLINE,
        tries: 1,
    });
    bench.tell("hang");
    let results: Vec<_> = (0..TARGET_QUEUE + 2)
        .map(|_| bench.target.submit(9, ServerJob::Observe))
        .collect();
    assert!(results.iter().any(|taken| !taken));
    bench.tell("ok");
    for _ in results.iter().filter(|taken| **taken) {
        assert_eq!(bench.report().ticket, 9);
    }
}

#[test]
fn the_deepest_document_fits_the_threads_stack() {
    let bench = Bench::new();
    // The configuration is the second level of the document, "routes" and "x" are the next.
    let levels = 96;
    let deep = document(&format!(
        "{{\"routes\": {{\"x\": {}{}}}}}",
        "[".repeat(levels),
        "]".repeat(levels)
    ));
    assert_eq!(bench.apply(&deep).outcome, Outcome::Applied);
    assert!(matches!(bench.observe().outcome, Outcome::Observed { .. }));
}

#[test]
fn no_head_is_sent_that_the_server_would_close_on() {
    let bench = Bench::new();
    let mut longest = 0;
    for length in 900..1024 {
        let path = format!("/config{}", "/x".repeat(length))[..length].to_owned();
        match bench.unit.request("GET", &path, None) {
            Ok(_) => longest = length,
            Err(failure) => assert!(
                matches!(failure, RequestFailure::Unreachable(_)),
                "{length}: {failure:?}"
            ),
        }
        let put = bench.unit.request("PUT", &path, Some(&[b' '; 12345]));
        assert!(
            matches!(put, Ok(_) | Err(RequestFailure::Unreachable(_))),
            "{length}: {put:?}"
        );
    }
    assert_eq!(
        longest,
        1024 - "GET  HTTP/1.1\r\nhost: localhost\r\n\r\n".len(),
        "and none is held back that it would take"
    );
}

#[test]
fn an_answer_counts_though_the_server_would_not_read_the_body() {
    let socket = scratch("early");
    let listener = UnixListener::bind(&socket).unwrap();
    let server = std::thread::spawn(move || {
        let mut client = listener.accept().unwrap().0;
        client.read_exact(&mut [0; 1000]).unwrap();
        client.write_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno").unwrap();
    });
    let reply = Unit::new(Control::Unix(socket.clone())).put_config(&" ".repeat(4 << 20));
    assert_eq!(
        reply.map(|reply| (reply.status, reply.body)),
        Ok((413, b"no".to_vec()))
    );
    server.join().unwrap();
    let _ = std::fs::remove_file(socket);
}

#[test]
fn the_control_api_is_reached_over_tcp_too() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let setup = Setup {
        socket: scratch("tcp"),
        port: Some(free),
        ..Setup::default()
    };
    let standin = StandIn::start(setup).unwrap();
    let unit = Unit::new(Control::parse(&format!("http://127.0.0.1:{free}")).unwrap());
    assert_eq!(
        unit.put_config(&json::compact(routes("a").config()))
            .unwrap()
            .status,
        200
    );
    assert_eq!(unit.matches(routes("a").config()), Ok(Match::Same));
    assert_eq!(
        unit.request("DELETE", "/config/routes", None)
            .unwrap()
            .status,
        200
    );
    assert_eq!(
        unit.request("PATCH", "/config", Some(b"{}"))
            .unwrap()
            .status,
        405
    );
    drop(standin);
    assert!(matches!(
        unit.read_config(),
        Err(RequestFailure::Unreachable(_))
    ));
}

#[test]
fn the_configuration_outlives_the_stand_in_where_it_is_stored() {
    let (socket, state, faults) = (scratch("sock"), scratch("state"), scratch("faults"));
    let setup = Setup {
        socket: socket.clone(),
        state: Some(state.clone()),
        faults: Some(faults.clone()),
        ..Setup::default()
    };
    let unit = Unit::new(Control::Unix(socket));
    let standin = StandIn::start(setup.clone()).unwrap();
    assert!(
        StandIn::start(setup.clone()).is_err(),
        "the socket is in use"
    );
    unit.put_config(&json::compact(routes("a").config()))
        .unwrap();
    let stored = || {
        std::fs::read(&state)
            .is_ok_and(|text| text == json::compact(routes("a").config()).as_bytes())
    };
    wait_until("the configuration is stored", stored);
    assert_eq!(
        get(&setup.socket, "/config/routes/0/action/return").map(|reply| reply.body),
        Ok(b"200\r\n".to_vec())
    );
    drop(standin);
    let _standin = StandIn::start(setup).unwrap();
    assert_eq!(unit.read_config().as_ref(), Ok(routes("a").config()));
    let _ = std::fs::remove_file(state);
}
