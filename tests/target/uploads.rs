//! Certificates and modules on their way to the server: first they, then the configuration, at last
//! the removal of what is old.

use std::sync::mpsc::channel;

use starlingd::daemon::target;
use starlingd::limits::COPIES_KEPT;
use starlingd::model::aliases::Aliases;
use starlingd::model::resources::ResourceKind;
use starlingd::node::input::Input;
use starlingd::node::store::given::GivenNames;

use super::*;

const A: &str = include_str!("../fixtures/bundles/a.pem");
const RENEWED: &str = include_str!("../fixtures/bundles/a-renewed.pem");

/// A listener with the certificate `a`, and the certificate.
fn secured(bundle: &str) -> Document {
    with(
        r#"{"listeners":{"*:443":{"pass":"routes","tls":{"certificate":"a"}}},"routes":[],"applications":{}}"#,
        &[("a", bundle)],
        &[],
    )
}

fn with(config: &str, certificates: &[(&str, &str)], modules: &[(&str, &str)]) -> Document {
    let texts = |held: &[(&str, &str)]| {
        held.iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).into()))
            .collect()
    };
    let members = [
        ("config".to_owned(), json::parse(config.as_bytes()).unwrap()),
        (
            "certificates".to_owned(),
            json::Value::Object(texts(certificates)),
        ),
        ("js_modules".to_owned(), json::Value::Object(texts(modules))),
    ];
    Document::new(json::Value::Object(members.into_iter().collect())).unwrap()
}

/// The names of what the server holds.
fn stored(bench: &Bench, collection: &str) -> Vec<String> {
    let reply = bench
        .unit
        .request("GET", &format!("/{collection}"), None)
        .unwrap();
    let mut names: Vec<String> = json::parse_own(&reply.body)
        .unwrap()
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    names.sort();
    names
}

fn alias(document: &Document) -> String {
    Aliases::of(document).alias("a").unwrap().to_owned()
}

fn socket(bench: &Bench) -> String {
    match bench.unit.control() {
        Control::Unix(path) => path.display().to_string(),
        Control::Tcp(address) => address.clone(),
    }
}

#[test]
fn a_certificate_is_there_before_the_configuration_that_names_it_and_goes_after_it() {
    let bench = Bench::new();
    let document = secured(A);
    assert_eq!(bench.attempt(&document).outcome, Outcome::Applied);
    assert_eq!(stored(&bench, "certificates"), [alias(&document)]);
    let runs = bench
        .unit
        .request("GET", "/config/listeners/*:443/tls/certificate", None)
        .unwrap();
    assert_eq!(
        runs.body,
        format!("\"{}\"\r\n", alias(&document)).into_bytes()
    );
    let Outcome::Observed {
        config, missing, ..
    } = bench.observe().outcome
    else {
        panic!("the first look shows something")
    };
    assert_eq!(
        (&*config, missing),
        (document.config(), Vec::new()),
        "people see the plain name"
    );
    assert_eq!(bench.apply(&routes("a")).outcome, Outcome::Applied);
    assert!(stored(&bench, "certificates").is_empty());
    let reads = bench.stat("reads");
    assert_eq!(
        bench.observe().outcome,
        Outcome::Observed {
            config: routes("a").config().clone().into(),
            missing: Vec::new(),
            restarted: false
        }
    );
    assert_eq!(
        bench.stat("reads"),
        reads + 1,
        "where nothing was uploaded nobody looks for it"
    );
}

#[test]
fn what_is_there_already_is_not_sent_again() {
    let bench = Bench::new();
    assert_eq!(bench.apply(&secured(A)).outcome, Outcome::Applied);
    let (writes, uploads) = (bench.stat("writes"), bench.stat("uploads"));
    assert_eq!(bench.apply(&secured(A)).outcome, Outcome::Applied);
    assert_eq!(
        (bench.stat("writes"), bench.stat("uploads")),
        (writes, uploads)
    );
}

#[test]
fn another_content_under_the_same_name_is_switched_to_in_one_step() {
    let bench = Bench::new();
    let (old, new) = (secured(A), secured(RENEWED));
    assert_eq!(bench.apply(&old).outcome, Outcome::Applied);
    // What a client of the server's own socket sees meanwhile is the one or the other, and each
    // names what is there.
    bench.tell("slow 300");
    bench.submit(Bench::apply_job(&new));
    let report = loop {
        let named = bench
            .unit
            .request("GET", "/config/listeners/*:443/tls/certificate", None)
            .unwrap();
        let named = String::from_utf8(named.body).unwrap();
        assert!(
            [&old, &new]
                .into_iter()
                .any(|document| named.contains(&alias(document))),
            "{named}"
        );
        if let Ok(report) = bench.reports.try_recv() {
            break report;
        }
    };
    assert_eq!(report.outcome, Outcome::Applied);
    assert_eq!(
        stored(&bench, "certificates"),
        [alias(&new)],
        "the old one is gone"
    );
}

#[test]
fn a_refused_configuration_takes_its_uploads_back() {
    let bench = Bench::new();
    bench.tell("refuse teapot");
    let refused = with(
        r#"{"listeners":{},"routes":{"teapot":[]},"applications":{}}"#,
        &[("a", A)],
        &[("m", "export default {}")],
    );
    assert!(matches!(
        bench.attempt(&refused).outcome,
        Outcome::Refused(_)
    ));
    assert!(stored(&bench, "certificates").is_empty() && stored(&bench, "js_modules").is_empty());
    assert!(is_factory(&bench.unit.read_config().unwrap()));
}

#[test]
fn a_refused_upload_is_told_by_the_name_that_people_know_and_nothing_else_is_sent() {
    let bench = Bench::new();
    let document = secured("no bundle at all");
    let Outcome::Refused(refusal) = bench.attempt(&document).outcome else {
        panic!("it is no bundle")
    };
    assert_eq!(refusal.status, 400);
    assert!(refusal.reason.contains("certificate"), "{refusal:?}");
    let unheld = with(
        r#"{"listeners":{"*:443":{"pass":"routes","tls":{"certificate":["a","b"]}}},"routes":[]}"#,
        &[("a", A)],
        &[],
    );
    let Outcome::Refused(refusal) = bench.attempt(&unheld).outcome else {
        panic!("b is nowhere")
    };
    let words = String::from_utf8(refusal.body).unwrap();
    assert!(
        words.contains("Certificate \\\"b\\\" is not found."),
        "{words}"
    );
    assert!(stored(&bench, "certificates").is_empty());
    bench.tell("no-tls");
    let Outcome::Refused(refusal) = bench.attempt(&secured(A)).outcome else {
        panic!("it has no TLS")
    };
    assert_eq!(refusal.reason, "this host's server was built without TLS");
}

#[test]
fn what_people_have_put_there_themselves_stays() {
    let bench = Bench::new();
    assert_eq!(
        bench
            .unit
            .request("PUT", "/certificates/mine", Some(A.as_bytes()))
            .unwrap()
            .status,
        200
    );
    assert_eq!(
        bench
            .unit
            .request("PUT", "/js_modules/mine", Some(b"export default {}"))
            .unwrap()
            .status,
        200
    );
    assert_eq!(bench.apply(&secured(A)).outcome, Outcome::Applied);
    assert_eq!(bench.apply(&routes("a")).outcome, Outcome::Applied);
    assert_eq!(
        (stored(&bench, "certificates"), stored(&bench, "js_modules")),
        (vec!["mine".to_owned()], vec!["mine".to_owned()])
    );
}

#[test]
fn what_another_run_of_this_directory_left_is_removed_and_what_it_never_gave_stays() {
    let mut bench = Bench::new();
    let (own, foreign) = (alias(&secured(RENEWED)), "a~0123456789ab".to_owned());
    for name in [&own, &foreign] {
        assert_eq!(
            bench
                .unit
                .request(
                    "PUT",
                    &format!("/certificates/{name}"),
                    Some(RENEWED.as_bytes())
                )
                .unwrap()
                .status,
            200
        );
    }
    // A run that knows of neither, as in a new state directory.
    let left = |report: &ServerReport| {
        report
            .known
            .clone()
            .and_then(|known| known.left)
            .unwrap_or_default()
    };
    let report = bench.apply(&routes("a"));
    assert_eq!(report.outcome, Outcome::Applied);
    assert_eq!(
        stored(&bench, "certificates"),
        [foreign.clone(), own.clone()]
    );
    let words = left(&report);
    let cure = format!(
        "curl -X DELETE --unix-socket {} 'http://localhost/certificates/a~",
        socket(&bench)
    );
    assert!(
        words.contains(&own) && words.contains(&foreign) && words.contains(&cure),
        "{words}"
    );
    let mut given = GivenNames::default();
    given.note(&Aliases::of(&secured(RENEWED)));
    bench.run_again(given);
    let report = bench.apply(&routes("a"));
    assert_eq!(stored(&bench, "certificates"), [&foreign[..]]);
    assert!(!left(&report).contains(&own) && left(&report).contains(&foreign));
    // Nor does it go when there are others of ours, or when they go.
    for document in [secured(A), secured(RENEWED), routes("b")] {
        assert_eq!(bench.apply(&document).outcome, Outcome::Applied);
    }
    assert_eq!(stored(&bench, "certificates"), [&foreign[..]]);
    // Whoever takes it away is believed at the next look.
    assert_eq!(
        bench
            .unit
            .remove(ResourceKind::Certificate, &foreign)
            .unwrap()
            .status,
        200
    );
    assert_eq!(left(&bench.observe()), "");
    let reads = bench.stat("reads");
    bench.observe();
    assert_eq!(
        bench.stat("reads"),
        reads + 1,
        "and then nobody looks any more"
    );
}

#[test]
fn of_modules_put_there_by_somebody_else_as_many_copies_are_kept_as_permitted() {
    let mut bench = Bench::new();
    let document = with(
        r#"{"listeners":{},"routes":[],"applications":{}}"#,
        &[],
        &[("m", "export default {ours}")],
    );
    let mine = "export default {x}";
    assert_eq!(
        bench
            .unit
            .request("PUT", "/js_modules/m~0123456789ab", Some(mine.as_bytes()))
            .unwrap()
            .status,
        200
    );
    let mut given = GivenNames::default();
    let mut sources = Vec::new();
    for n in 0..COPIES_KEPT + 3 {
        let theirs = format!("export default {{theirs{n}}}");
        let _ = bench.unit.remove(ResourceKind::JsModule, "m");
        assert_eq!(
            bench
                .unit
                .upload(ResourceKind::JsModule, "m", &theirs)
                .unwrap()
                .status,
            200
        );
        let report = bench.apply(&document);
        assert_eq!(report.outcome, Outcome::Applied);
        given.set_copies(&report.known.unwrap().copies);
        sources.push(theirs);
        // What was made by an earlier run is bounded with the rest.
        bench.run_again(given.clone());
    }
    let kept: Vec<String> = sources[3..]
        .iter()
        .map(|source| starlingd::model::alias::alias("m", source))
        .collect();
    assert_eq!(given.copies(), kept);
    let mut expected: Vec<String> = kept
        .into_iter()
        .chain(["m".to_owned(), "m~0123456789ab".to_owned()])
        .collect();
    expected.sort();
    assert_eq!(
        stored(&bench, "js_modules"),
        expected,
        "and what somebody has called so himself stays"
    );
}

#[test]
fn a_module_of_another_content_gives_way_even_when_it_is_in_use() {
    let bench = Bench::new();
    let using = |source: &str| {
        with(
            r#"{"listeners":{},"routes":[],"settings":{"js_module":"m"},"applications":{}}"#,
            &[],
            &[("m", source)],
        )
    };
    assert_eq!(
        bench.apply(&using("export default {a}")).outcome,
        Outcome::Applied
    );
    assert_eq!(
        bench.apply(&using("export default {b}")).outcome,
        Outcome::Applied
    );
    let source = bench.unit.request("GET", "/js_modules/m", None).unwrap();
    assert_eq!(source.body, b"\"export default {b}\"\r\n");
    assert_eq!(bench.unit.read_config().as_ref(), Ok(using("").config()));
}

#[test]
fn a_server_that_was_wiped_shows_what_is_missing_and_gets_it_again() {
    let bench = Bench::new();
    let document = with(
        r#"{"listeners":{},"routes":[],"applications":{}}"#,
        &[("a", A)],
        &[("m", "export default {}")],
    );
    assert_eq!(bench.apply(&document).outcome, Outcome::Applied);
    let Outcome::Observed {
        restarted: false, ..
    } = bench.observe().outcome
    else {
        panic!("it is the first look")
    };
    bench.tell("restart-wiped");
    let Outcome::Observed {
        missing, restarted, ..
    } = bench.observe().outcome
    else {
        panic!("it is another server now")
    };
    assert_eq!(
        (missing, restarted),
        (
            vec!["/certificates/a".to_owned(), "/js_modules/m".to_owned()],
            true
        )
    );
    assert_eq!(bench.apply(&document).outcome, Outcome::Applied);
    assert_eq!(stored(&bench, "certificates"), [alias(&document)]);
    assert_eq!(stored(&bench, "js_modules"), ["m"]);
}

#[test]
fn a_server_that_was_restarted_with_all_it_had_is_told_from_one_that_was_not() {
    let bench = Bench::new();
    bench.observe();
    assert_eq!(bench.observe().outcome, Outcome::Unchanged);
    bench.tell("restart");
    assert!(matches!(
        bench.observe().outcome,
        Outcome::Observed {
            restarted: true,
            ..
        }
    ));
    assert_eq!(bench.observe().outcome, Outcome::Unchanged);
}

#[test]
fn a_server_that_is_started_anew_is_noticed_without_a_look_and_told_once() {
    let bench = Bench::new();
    let (sink, inputs) = channel();
    let target = target::start(bench.unit.clone(), GivenNames::default(), move |input| {
        drop(sink.send(input));
    })
    .unwrap();
    let next = || inputs.recv_timeout(DEADLINE).expect("it tells");
    let look = || {
        assert!(target.submit(1, ServerJob::Observe));
        match next() {
            Input::Server(report) => report,
            other => panic!("{other:?}"),
        }
    };
    assert!(look().is_watched);
    bench.tell("restart");
    assert!(matches!(next(), Input::ServerGone));
    // The look is the next thing that is told.
    assert!(matches!(
        look().outcome,
        Outcome::Observed {
            restarted: true,
            ..
        }
    ));
}
