//! Certificates and modules when things go wrong: refused, in use, too many to be listed, gone, and
//! replaced while somebody watches.

use std::sync::atomic::{AtomicBool, Ordering};

use starlingd::model::aliases::Aliases;
use starlingd::model::document::Document;
use starlingd::model::json::{self, Map, Value};
use starlingd::node::input::{Outcome, Refusal};

use super::bench::{Bench, wait_until};

/// A configuration with these certificates and modules beside it.
fn with(config: &str, certificates: &[(&str, &str)], modules: &[(&str, &str)]) -> Document {
    let texts = |held: &[(&str, &str)]| {
        Value::Object(
            held.iter()
                .map(|(name, text)| ((*name).to_owned(), Value::from(*text)))
                .collect(),
        )
    };
    let mut members = Map::new();
    members.insert("config".to_owned(), json::parse(config.as_bytes()).unwrap());
    members.insert("certificates".to_owned(), texts(certificates));
    members.insert("js_modules".to_owned(), texts(modules));
    Document::new(Value::Object(members)).unwrap()
}

/// What a server calls this bundle under this name.
fn internal(name: &str, bundle: &str) -> String {
    Aliases::of(&with("{}", &[(name, bundle)], &[]))
        .alias(name)
        .unwrap()
        .to_owned()
}

/// One of the bundles that the stand-in takes.
fn bundle(name: &str) -> String {
    let path = format!(
        "{}/tests/fixtures/bundles/{name}.pem",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(path).unwrap()
}

/// The names of what is on the server, in order.
fn names(bench: &Bench, resource: &str) -> Vec<String> {
    let reply = bench.unit.request("GET", resource, None).unwrap();
    assert_eq!(reply.status, 200);
    let mut names: Vec<_> = json::parse_own(&reply.body)
        .unwrap()
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    names.sort();
    names
}

fn source(bench: &Bench, name: &str) -> String {
    let reply = bench
        .unit
        .request("GET", &format!("/js_modules/{name}"), None)
        .unwrap();
    json::parse_own(&reply.body)
        .unwrap()
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn refused(bench: &Bench, document: &Document) -> Refusal {
    match bench.attempt(document).outcome {
        Outcome::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

/// Of a bundle with which nothing is wrong that could be seen.
const SHOP_REFUSED: &str = "the server does not take certificate \"shop\": nothing is seen to be wrong with it (its key is RSA, 2048 \
                            bits); the server's log may say what its OpenSSL found";

const TLS: &str = r#"{"listeners":{"*:8443":{"pass":"routes","tls":{"certificate":"shop"}}},"routes":[{"action":{"return":200}}]}"#;
const PLAIN: &str =
    r#"{"listeners":{"*:8443":{"pass":"routes"}},"routes":[{"action":{"return":200}}]}"#;
const JS: &str = r#"{"listeners":{"*:8080":{"pass":"routes"}},"routes":[{"action":{"return":200}}],"settings":{"js_module":"m"}}"#;
const ONE: &str = "export default {one: 1}\n";
const TWO: &str = "export default {two: 2}\n";
const THREE: &str = "export default {three: 3}\n";

#[test]
fn what_the_server_shows_is_told_with_the_names_of_the_document() {
    let bench = Bench::new();
    let document = with(TLS, &[("shop", &bundle("a"))], &[]);
    assert_eq!(bench.apply(&document).outcome, Outcome::Applied);
    let Outcome::Observed {
        config,
        missing,
        restarted: false,
        ..
    } = bench.observe().outcome
    else {
        panic!()
    };
    assert_eq!((&*config, missing.len()), (document.config(), 0));
    assert_eq!(bench.observe().outcome, Outcome::Unchanged);
    bench.tell("refuse shop");
    let words = String::from_utf8(
        refused(
            &bench,
            &with(&TLS.replace("200", "204"), &[("shop", &bundle("a"))], &[]),
        )
        .body,
    );
    assert!(words.unwrap().contains("shop"));
    let lacks = TLS.replace("\"shop\"", "[\"shop\",\"other\"]");
    bench.tell("ok");
    let words =
        String::from_utf8(refused(&bench, &with(&lacks, &[("shop", &bundle("a"))], &[])).body)
            .unwrap();
    assert!(
        words.contains(r#"Certificate \"other\" is not found."#),
        "{words}"
    );
}

#[test]
fn a_certificate_is_replaced_and_the_configuration_never_names_what_is_not_there() {
    let bench = Bench::new();
    assert_eq!(
        bench
            .apply(&with(TLS, &[("shop", &bundle("a"))], &[]))
            .outcome,
        Outcome::Applied
    );
    let (over, unit) = (AtomicBool::new(false), bench.unit.clone());
    let looks = std::thread::scope(|scope| {
        let over = &over;
        let watcher = scope.spawn(move || {
            let mut looks = 0;
            while !over.load(Ordering::Relaxed) || looks == 0 {
                let path = "/config/listeners/*:8443/tls/certificate";
                let reply = unit.request("GET", path, None).unwrap();
                assert_eq!(reply.status, 200, "the listener is never gone");
                let name = json::parse_own(&reply.body)
                    .unwrap()
                    .as_str()
                    .unwrap()
                    .to_owned();
                // What is named now may be replaced before the next request comes, but then another
                // is named.
                let there = unit
                    .request("GET", &format!("/certificates/{name}"), None)
                    .unwrap()
                    .status
                    == 200;
                let again = unit.request("GET", path, None).unwrap().body;
                assert!(
                    there || again != reply.body,
                    "{name} is named and not there"
                );
                looks += 1;
            }
            looks
        });
        for name in ["a-renewed", "ec", "a", "a-renewed", "a"] {
            assert_eq!(
                bench
                    .apply(&with(TLS, &[("shop", &bundle(name))], &[]))
                    .outcome,
                Outcome::Applied
            );
            assert_eq!(
                names(&bench, "/certificates"),
                [internal("shop", &bundle(name))],
                "the old one is gone"
            );
        }
        over.store(true, Ordering::Relaxed);
        watcher.join().unwrap()
    });
    assert!(looks > 0);
}

#[test]
fn an_upload_that_is_refused_sends_nothing_else_and_leaves_nothing() {
    let bench = Bench::new();
    bench.tell("refuse-upload shop");
    let refusal = refused(
        &bench,
        &with(
            TLS,
            &[("first", &bundle("ec")), ("shop", &bundle("a"))],
            &[],
        ),
    );
    assert_eq!((refusal.status, &refusal.reason[..]), (400, SHOP_REFUSED));
    assert!(
        String::from_utf8(refusal.body)
            .unwrap()
            .contains("Invalid certificate.")
    );
    assert!(
        names(&bench, "/certificates").is_empty(),
        "the first is taken away again"
    );
    assert_eq!(bench.stat("applied"), 0, "no configuration was sent");
}

#[test]
fn what_was_uploaded_for_a_refused_configuration_is_taken_away() {
    let bench = Bench::new();
    assert_eq!(
        bench.apply(&with(PLAIN, &[], &[("m", ONE)])).outcome,
        Outcome::Applied
    );
    bench.tell("fail 8443");
    let refusal = refused(&bench, &with(TLS, &[("shop", &bundle("a"))], &[("m", TWO)]));
    assert_eq!(refusal.status, 500);
    assert!(names(&bench, "/certificates").is_empty());
    assert_eq!(source(&bench, "m"), ONE, "the module is what it was");
}

#[test]
fn what_cannot_be_taken_away_is_tried_again() {
    let bench = Bench::new();
    let first = internal("shop", &bundle("a"));
    assert_eq!(
        bench
            .apply(&with(TLS, &[("shop", &bundle("a"))], &[("m", ONE)]))
            .outcome,
        Outcome::Applied
    );
    // Somebody has put it in use behind our back, and the next document is sent nevertheless.
    let with_foreign =
        |config: &str| format!(r#"{{"settings":{{"js_module":"m"}},{}"#, &config[1..]);
    let next = with(&with_foreign(PLAIN), &[], &[]);
    assert_eq!(bench.apply(&next).outcome, Outcome::Applied);
    assert_eq!(names(&bench, "/js_modules"), ["m"], "it is in use");
    assert!(!names(&bench, "/certificates").contains(&first));
    assert_eq!(
        bench.apply(&with(PLAIN, &[], &[])).outcome,
        Outcome::Applied
    );
    assert!(names(&bench, "/js_modules").is_empty());
}

#[test]
fn what_is_gone_from_the_server_is_missed_and_given_again() {
    let bench = Bench::new();
    let document = with(
        TLS,
        &[("shop", &bundle("a")), ("spare", &bundle("ec"))],
        &[("m", ONE)],
    );
    assert_eq!(bench.apply(&document).outcome, Outcome::Applied);
    assert!(
        matches!(bench.observe().outcome, Outcome::Observed { missing, .. } if missing.is_empty())
    );
    let spare = format!("/certificates/{}", internal("spare", &bundle("ec")));
    for target in [&spare[..], "/js_modules/m"] {
        assert_eq!(
            bench.unit.request("DELETE", target, None).unwrap().status,
            200
        );
    }
    let Outcome::Observed {
        missing,
        restarted: false,
        ..
    } = bench.observe().outcome
    else {
        panic!()
    };
    assert_eq!(missing, ["/certificates/spare", "/js_modules/m"]);
    assert_eq!(bench.apply(&document).outcome, Outcome::Applied);
    assert_eq!(names(&bench, "/certificates").len(), 2);
    bench.tell("restart-wiped");
    let Outcome::Observed {
        missing,
        restarted: true,
        ..
    } = bench.observe().outcome
    else {
        panic!()
    };
    assert_eq!(
        missing,
        ["/certificates/shop", "/certificates/spare", "/js_modules/m"]
    );
    assert_eq!(bench.apply(&document).outcome, Outcome::Applied);
    assert_eq!(
        bench.unit.read_config().unwrap()["listeners"]["*:8443"]["tls"]["certificate"],
        internal("shop", &bundle("a"))
    );
}

#[test]
fn a_module_not_in_use_is_replaced_without_anybody_noticing() {
    let bench = Bench::new();
    assert_eq!(
        bench.apply(&with(PLAIN, &[], &[("m", ONE)])).outcome,
        Outcome::Applied
    );
    let applied = bench.stat("applied");
    assert_eq!(
        bench.apply(&with(PLAIN, &[], &[("m", TWO)])).outcome,
        Outcome::Applied
    );
    assert_eq!(source(&bench, "m"), TWO);
    assert_eq!(
        bench.apply(&with(JS, &[], &[("m", ONE)])).outcome,
        Outcome::Applied
    );
    assert_eq!(source(&bench, "m"), ONE);
    assert_eq!(
        bench.apply(&with(PLAIN, &[], &[("m", TWO)])).outcome,
        Outcome::Applied
    );
    assert_eq!(
        source(&bench, "m"),
        TWO,
        "it is replaced once the configuration does not name it any more"
    );
    assert!(
        bench.stat("applied") <= applied + 3,
        "the listeners are never closed for it"
    );
}

#[test]
fn a_module_in_use_is_replaced_and_one_that_is_refused_leaves_all_as_it_was() {
    let bench = Bench::new();
    assert_eq!(
        bench.apply(&with(JS, &[], &[("m", ONE)])).outcome,
        Outcome::Applied
    );
    assert_eq!(
        bench.attempt(&with(JS, &[], &[("m", TWO)])).outcome,
        Outcome::Applied
    );
    assert_eq!(source(&bench, "m"), TWO);
    let refusal = refused(&bench, &with(JS, &[], &[("m", "export default {")]));
    assert_eq!(refusal.status, 400);
    assert!(
        String::from_utf8(refusal.body)
            .unwrap()
            .contains("Invalid JS module.")
    );
    assert_eq!(source(&bench, "m"), TWO);
    assert_eq!(
        bench.unit.read_config().unwrap(),
        json::parse(JS.as_bytes()).unwrap(),
        "and the listeners are back"
    );
}

#[test]
fn a_module_that_somebody_else_has_put_there_is_kept_under_another_name() {
    let bench = Bench::new();
    for (path, body) in [("/js_modules/m", ONE), ("/config", JS)] {
        assert_eq!(
            bench
                .unit
                .request("PUT", path, Some(body.as_bytes()))
                .unwrap()
                .status,
            200
        );
    }
    assert_eq!(
        bench.apply(&with(JS, &[], &[("m", TWO)])).outcome,
        Outcome::Applied
    );
    assert_eq!(source(&bench, "m"), TWO);
    assert_eq!(source(&bench, &internal("m", ONE)), ONE);
    assert_eq!(
        bench.apply(&with(JS, &[], &[("m", ONE)])).outcome,
        Outcome::Applied
    );
    assert_eq!(
        names(&bench, "/js_modules").len(),
        2,
        "what the document before had is in its history"
    );
    bench.unit.request("DELETE", "/config", None).unwrap();
    bench.unit.request("DELETE", "/js_modules/m", None).unwrap();
    bench
        .unit
        .request("PUT", "/js_modules/m", Some(THREE.as_bytes()))
        .unwrap();
    assert_eq!(
        bench.apply(&with(JS, &[], &[("m", TWO)])).outcome,
        Outcome::Applied
    );
    assert_eq!(
        source(&bench, &internal("m", THREE)),
        THREE,
        "nor is what somebody has done since"
    );
}

#[test]
fn a_module_too_long_to_be_kept_is_not_replaced() {
    let bench = Bench::new();
    let long = format!("{ONE}// {}\n", "x".repeat(500));
    bench
        .unit
        .request("PUT", "/js_modules/m", Some(long.as_bytes()))
        .unwrap();
    bench.tell("cut 300");
    let outcome = bench.apply(&with(PLAIN, &[], &[("m", TWO)])).outcome;
    assert!(
        matches!(&outcome, Outcome::Unreadable(why) if why.contains("\"m\"")),
        "{outcome:?}"
    );
    bench.tell("ok");
    assert_eq!(source(&bench, "m"), long);
}

#[test]
fn a_server_built_without_them_takes_what_does_not_need_them() {
    let bench = Bench::new();
    bench.tell("no-tls");
    bench.tell("no-js");
    let held = [("shop", &bundle("a")[..])];
    assert_eq!(
        bench.apply(&with(PLAIN, &held, &[("m", ONE)])).outcome,
        Outcome::Applied
    );
    assert!(
        matches!(bench.observe().outcome, Outcome::Observed { missing, .. } if missing.is_empty())
    );
    let refusal = refused(&bench, &with(TLS, &held, &[]));
    assert_eq!(refusal.reason, "this host's server was built without TLS");
    assert!(
        refused(&bench, &with(JS, &[], &[("m", ONE)]))
            .reason
            .contains("njs")
    );
}

#[test]
fn lists_that_are_cut_off_are_looked_at_name_by_name() {
    let bench = Bench::new();
    let sources: Vec<_> = (0..30)
        .map(|number| {
            (
                format!("m{number}"),
                format!("export default {{}} // {}\n", "x".repeat(500)),
            )
        })
        .collect();
    let modules: Vec<_> = sources
        .iter()
        .map(|(name, source)| (&name[..], &source[..]))
        .collect();
    bench.tell("cut 300");
    let document = with(TLS, &[("shop", &bundle("a"))], &modules);
    assert_eq!(bench.apply(&document).outcome, Outcome::Applied);
    let writes = bench.stat("writes");
    assert_eq!(bench.apply(&document).outcome, Outcome::Applied);
    assert_eq!(bench.stat("writes"), writes);
    assert!(
        matches!(bench.observe().outcome, Outcome::Observed { missing, .. } if missing.is_empty())
    );
    assert_eq!(bench.observe().outcome, Outcome::Unchanged);
    let longer = sources[7].1.replace("xx", "yyy");
    let mut other = modules.clone();
    other[7].1 = &longer;
    assert_eq!(
        bench
            .apply(&with(TLS, &[("shop", &bundle("a-renewed"))], &other))
            .outcome,
        Outcome::Applied
    );
    bench.tell("ok");
    assert_eq!(source(&bench, "m7"), longer);
    assert_eq!(
        names(&bench, "/certificates"),
        [internal("shop", &bundle("a-renewed"))]
    );
}

#[test]
fn a_restart_between_upload_and_configuration_is_settled_by_the_next_try() {
    let bench = Bench::new();
    let document = with(TLS, &[("shop", &bundle("a"))], &[]);
    bench.tell("slow 60000");
    bench.submit(Bench::apply_job(&document));
    wait_until("the upload is done and the change under way", || {
        bench.stat("writes") > 1
    });
    bench.tell("restart-wiped");
    bench.tell("ok");
    let report = bench.report();
    assert!(
        matches!(
            report.outcome,
            Outcome::Unreachable(_) | Outcome::Unknown(_)
        ),
        "{report:?}"
    );
    assert_eq!(bench.apply(&document).outcome, Outcome::Applied);
    assert_eq!(
        names(&bench, "/certificates"),
        [internal("shop", &bundle("a"))]
    );
}
