//! The decoders: everything that reads what others wrote, each with honest input and with what must
//! hold of what it accepts.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use starlingd::limits::{DOCUMENT_MAX, FRAME_MAX, STATE_FILE_MAX};
use starlingd::model::document::Document;
use starlingd::model::json::{self, Value};
use starlingd::model::overlay::Overlay;
use starlingd::model::patch::{JsonPatch, Patch};
use starlingd::model::path::Path;
use starlingd::model::peer_id::PeerId;
use starlingd::model::record::Record;
use starlingd::model::revision::{Author, Draft, Edit, Origin, Revision};
use starlingd::model::signature::SecretKey;
use starlingd::model::stamp::Stamp;
use starlingd::model::{bundle, conflict, delta, merge};
use starlingd::node::store::revision_file::{document_in, file_text, from_file};
use starlingd::settings::{Environment, Resolved, SettingsFile};
use starlingd::sim::World;
use starlingd::wire::fleet::{Fleet, FleetId, FleetKey};
use starlingd::wire::forwarded::{ForwardedRequest, ForwardedResponse};
use starlingd::wire::frame::Frame;
use starlingd::wire::handshake::{Dialling, FIRST_LEN, Listening, LocalPeer};

use starlingd::wire::token::Token;

use crate::frames::frames;

/// What a decoder made of an input: accepted, or refused in these words. Words that were not seen
/// before show that the input has gone somewhere new.
pub type Verdict = Result<(), String>;

/// One decoder.
pub struct Target {
    /// Its name, for the command line and the report.
    pub name: &'static str,
    /// Inputs that it must accept, from which others are made.
    pub honest: Vec<Vec<u8>>,
    /// Random inputs are no longer than this, in bytes.
    pub most: usize,
    /// Reads an input, and panics if what it accepts is not as it must be.
    pub decode: fn(&[u8]) -> Verdict,
}

/// All decoders.
pub fn all() -> Vec<Target> {
    let target = |name, honest: Vec<Vec<u8>>, most, decode| Target {
        name,
        honest,
        most,
        decode,
    };
    let revision = revision();
    let mut targets = vec![
        target("frame", frames(), FRAME_MAX, frame),
        target(
            "forwarded request",
            vec![forwarded().encode().expect("it is short")],
            1_000,
            decode_forwarded_request,
        ),
        target(
            "forwarded response",
            vec![told().encode().expect("it is short")],
            1_000,
            decode_forwarded_response,
        ),
        target(
            "record",
            vec![revision.record.bytes.to_vec()],
            1_000,
            record,
        ),
        target("body", vec![revision.body.to_vec()], 4_000, body),
        target("conflict", vec![listed()], 500, open_conflict),
        target(
            "delta",
            vec![delta::between(&revision.body, &target_body())],
            200,
            apply_delta,
        ),
        target("file", vec![file_text(revision)], 4_000, file),
        target(
            "peer-id",
            vec![peer().to_string().into_bytes()],
            80,
            peer_id,
        ),
        target("path", PATHS.map(<[u8]>::to_vec).to_vec(), 300, path),
        target(
            "token",
            vec![token().to_string().into_bytes()],
            3_000,
            decode_token,
        ),
        target("json", JSON.map(<[u8]>::to_vec).to_vec(), 2_000, value),
        target(
            "document",
            vec![br#"{"config":{"routes":[]},"certificates":{},"js_modules":{"a":"b"}}"#.to_vec()],
            2_000,
            document,
        ),
        target("patch", PATCHES.map(<[u8]>::to_vec).to_vec(), 1_000, patch),
        target(
            "merge-patch",
            vec![br#"{"routes":null,"listeners":{"*:80":{"pass":"routes"}}}"#.to_vec()],
            1_000,
            merge_patch,
        ),
        target(
            "overlay",
            vec![br#"{"routes":["${name}"],"applications":null}"#.to_vec()],
            1_000,
            overlay,
        ),
        target(
            "settings",
            vec![SETTINGS.to_vec()],
            STATE_FILE_MAX,
            settings,
        ),
        target(
            "address-book",
            vec![ADDRESS_BOOK.to_vec()],
            2_000,
            address_book,
        ),
        target(
            "first-flight",
            vec![Dialling::begin(&local(2)).expect("there is randomness").1],
            2 * FIRST_LEN,
            first_flight,
        ),
    ];
    targets.push(target(
        "bundle",
        KINDS.map(|kind| certificate(kind).into_bytes()).to_vec(),
        4_000,
        check_bundle,
    ));
    targets.push(target("der", vec![block(0), block(1)], 4_000, check_der));
    targets
}

fn verdict<T, E: std::fmt::Debug>(result: Result<T, E>) -> Verdict {
    result.map(drop).map_err(|error| format!("{error:?}"))
}

fn frame(bytes: &[u8]) -> Verdict {
    let frame = Frame::decode(bytes);
    if let Ok(Some(frame)) = &frame
        && !matches!(frame, Frame::Bye(..))
    {
        assert_eq!(frame.encode(), bytes, "one spelling for one frame");
    }
    match frame {
        Ok(None) => Err("of a later version".into()),
        other => verdict(other),
    }
}

fn decode_forwarded_request(bytes: &[u8]) -> Verdict {
    let forwarded = ForwardedRequest::decode(bytes);
    assert!(
        forwarded
            .as_ref()
            .is_ok_and(|forwarded| forwarded.encode().as_deref() == Some(bytes))
            || forwarded.is_err()
    );
    verdict(forwarded)
}

fn decode_forwarded_response(bytes: &[u8]) -> Verdict {
    let told = ForwardedResponse::decode(bytes);
    assert!(
        told.as_ref()
            .is_ok_and(|told| told.encode().as_deref() == Some(bytes))
            || told.is_err()
    );
    verdict(told)
}

fn record(bytes: &[u8]) -> Verdict {
    let record = Record::decode(bytes, [0; 64]);
    if let Ok(record) = &record {
        assert_eq!(record.bytes[..], *bytes);
    }
    verdict(record)
}

fn body(bytes: &[u8]) -> Verdict {
    let decoded = Revision::decode(revision().record.clone(), bytes.into());
    if let Ok(revision) = &decoded {
        assert!(!format!("{:?}", revision.as_conflict()).is_empty());
    }
    verdict(decoded)
}

fn open_conflict(bytes: &[u8]) -> Verdict {
    let value = json::parse_own(bytes).map_err(|error| format!("{error:?}"))?;
    conflict::OpenConflict::from_json(&value)
        .map(drop)
        .ok_or_else(|| "no conflict".into())
}

fn apply_delta(bytes: &[u8]) -> Verdict {
    let length = target_body().len();
    let body = delta::apply(&revision().body, bytes, length);
    assert!(body.as_ref().is_ok_and(|body| body.len() == length) || body.is_err());
    verdict(body)
}

fn file(bytes: &[u8]) -> Verdict {
    let (revision, fleet) = (revision(), *fleet().id().as_bytes());
    let whole = from_file(bytes, &fleet).is_some_and(|found| found.id() == revision.id());
    // What is shown only is not asked for a signature, and is the document of that revision or
    // nothing.
    let shown = document_in(bytes, &revision.id());
    assert!(shown.is_some() || !whole);
    assert!(shown.is_none_or(|shown| shown == revision.document));
    from_file(bytes, &fleet)
        .map(drop)
        .ok_or_else(|| "no file".into())
}

fn peer_id(bytes: &[u8]) -> Verdict {
    let text = String::from_utf8_lossy(bytes);
    let parsed = text.parse::<PeerId>();
    assert!(
        parsed.as_ref().is_ok_and(|peer| peer.to_string() == text) || parsed.is_err(),
        "one text for one ID"
    );
    verdict(parsed)
}

fn path(bytes: &[u8]) -> Verdict {
    let parsed = Path::parse(bytes);
    if let Ok(path) = &parsed {
        assert_eq!(
            Path::parse(path.to_string()).as_ref(),
            Ok(path),
            "its text is its own"
        );
    }
    verdict(parsed)
}

fn decode_token(bytes: &[u8]) -> Verdict {
    verdict(String::from_utf8_lossy(bytes).parse::<Token>())
}

fn value(bytes: &[u8]) -> Verdict {
    let parsed = json::parse(bytes);
    if let Ok(value) = &parsed {
        let again: Value =
            json::parse(json::compact(value).as_bytes()).expect("what is written can be read");
        assert!(json::same(&again, value));
        assert!(
            json::parse(json::unit_format(value).as_bytes())
                .is_ok_and(|again| json::same(&again, value))
        );
    }
    verdict(parsed)
}

fn document(bytes: &[u8]) -> Verdict {
    let parsed = Document::parse(bytes);
    if let Ok(document) = &parsed {
        assert!(document.text().len() <= DOCUMENT_MAX);
        assert!(Document::parse(document.text().as_bytes()).is_ok_and(|again| again == *document));
    }
    verdict(parsed)
}

fn patch(bytes: &[u8]) -> Verdict {
    let value = json::parse(bytes).map_err(|error| format!("{error:?}"))?;
    let steps = JsonPatch::read(&value).map_err(|error| format!("{error:?}"))?;
    let place = Path::parse("/config").expect("it is a path");
    let made = Patch::Json(steps).edit(&base(), &place);
    if let Ok((ops, after)) = &made {
        let again = starlingd::model::edit::apply_all(&base(), ops).expect("its operations apply");
        assert!(
            json::same(again.config(), after.config()),
            "the operations of a patch come to what it says"
        );
    }
    // A patch that does not fit is a sound patch all the same.
    made.map(drop).or_else(|error| {
        if format!("{error:?}").contains("Misfit") {
            Ok(())
        } else {
            Err(format!("{error:?}"))
        }
    })
}

fn merge_patch(bytes: &[u8]) -> Verdict {
    let patch = json::parse(bytes).map_err(|error| format!("{error:?}"))?;
    let mut target = base().config().clone();
    merge::merge(&mut target, &patch);
    let once = target.clone();
    merge::merge(&mut target, &patch);
    assert!(
        json::same(&once, &target),
        "a merge patch made twice is made once"
    );
    Ok(())
}

fn overlay(bytes: &[u8]) -> Verdict {
    let patch = json::parse(bytes).map_err(|error| format!("{error:?}"))?;
    let variables = [("name".to_owned(), "gull".to_owned())].into();
    let effective = Overlay {
        patch: Some(patch),
        variables,
    }
    .apply(&base());
    effective.map(drop).map_err(|unfit| format!("{unfit:?}"))
}

fn settings(bytes: &[u8]) -> Verdict {
    let environment = Environment {
        root: true,
        host_name: "gull".into(),
        ..Environment::default()
    };
    verdict(
        Resolved::new(
            &environment,
            Some(SettingsFile {
                name: "s.conf",
                text: bytes,
            }),
            &[],
        )
        .map(drop),
    )
}

/// A whole host is started with it.
fn address_book(bytes: &[u8]) -> Verdict {
    let mut world = World::new(1, ());
    let host = world.add(World::<()>::spec(0));
    world.crash(host, false);
    world.hosts[host].disk.book = bytes.to_vec();
    world.restart(host);
    if world.hosts[host].dials > 0 {
        Ok(())
    } else {
        Err("nobody to dial".into())
    }
}

fn first_flight(bytes: &[u8]) -> Verdict {
    let mut padded = bytes.to_vec();
    padded.resize(FIRST_LEN, 0);
    verdict(
        Listening::receive(
            &local(1),
            padded.as_slice().try_into().expect("it was made as long"),
        )
        .map(drop),
    )
}

fn check_bundle(bytes: &[u8]) -> Verdict {
    let taken = bundle::uploaded(bytes);
    if let Ok((bundle, text)) = &taken {
        assert_eq!(
            bundle::check(text).as_ref(),
            Ok(bundle),
            "what is taken can be used as it is kept"
        );
    }
    verdict(taken)
}

/// What is in a block, too: as text alone it would hardly ever be base64 after a change.
fn check_der(bytes: &[u8]) -> Verdict {
    let text = certificate("rsa");
    let encoded = format!("\n{}\n", STANDARD.encode(bytes));
    let mut parts: Vec<&str> = text.split("-----").collect();
    // A key is long, so the two cannot be taken for one another.
    parts[if bytes.len() > 1_100 { 2 } else { 6 }] = &encoded;
    verdict(bundle::check(&parts.join("-----")).map(drop))
}

/// The content of a block of the bundle `rsa`.
fn block(number: usize) -> Vec<u8> {
    let text = certificate("rsa");
    let parts: Vec<&str> = text.split("-----").collect();
    STANDARD
        .decode(parts[4 * number + 2].replace('\n', ""))
        .expect("base64")
}

fn certificate(kind: &str) -> String {
    let file = format!(
        "{}/tests/fixtures/certificates/{kind}.pem",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A key pair of a test.
pub fn secret(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn peer() -> PeerId {
    PeerId::from_bytes(secret(1).public()).expect("a public key")
}

/// The fleet of all that is made here.
pub fn fleet() -> Fleet {
    let id = FleetId::from_bytes(secret(250).public()).expect("a public key");
    Fleet::new("test".to_owned(), id, vec![FleetKey::from_bytes([9; 32])]).expect("a fleet")
}

/// One side of a handshake.
pub fn local(seed: u8) -> LocalPeer {
    LocalPeer {
        identity: secret(seed),
        fleet: fleet(),
        static_secret: [seed; 32],
        run: u64::from(seed),
        features: 0,
    }
}

/// A first revision; made once, for signing takes longer than most decoders.
pub fn revision() -> &'static Revision {
    static MADE: LazyLock<Revision> = LazyLock::new(first_revision);
    &MADE
}

fn first_revision() -> Revision {
    let secret = secret(1);
    let stamp = Stamp::from_u64(5 << 16).expect("a stamp");
    let author = Author {
        secret: &secret,
        fleet: *fleet().id().as_bytes(),
        group: "default",
        stamp,
        numbered: None,
    };
    let edit = Edit {
        origin: Origin::Original,
        operations: Vec::new(),
    };
    let draft = Draft {
        edit,
        document: base(),
        opens: Default::default(),
        settles: Vec::new(),
        flags: 0,
        note: "why".into(),
    };
    Revision::author(&author, None, draft).expect("it is short")
}

fn base() -> Document {
    let config = json::parse(br#"{"listeners":{"*:80":{"pass":"routes"}},"routes":[1,2.50,"\u00e4",{}],"applications":{}}"#);
    Document::from_config(config.expect("JSON")).expect("a document")
}

fn target_body() -> Vec<u8> {
    [&revision().body[..], b"more"].concat()
}

fn listed() -> Vec<u8> {
    json::compact(&revision().as_conflict().to_json(&revision().edit_ref())).into_bytes()
}

fn headers() -> Vec<(String, String)> {
    vec![
        ("If-Match".to_owned(), "*".to_owned()),
        ("Starling-Note".to_owned(), "why".to_owned()),
    ]
}

fn forwarded() -> ForwardedRequest {
    ForwardedRequest {
        group: "edge".into(),
        method: "PUT".into(),
        target: "/config".into(),
        headers: headers(),
        body: b"{}".to_vec(),
    }
}

fn told() -> ForwardedResponse {
    ForwardedResponse {
        status: 200,
        headers: headers(),
        body: b"{}".to_vec(),
    }
}

fn token() -> Token {
    Token::new(&fleet(), vec!["gull:7117".to_owned()]).expect("a token")
}

const KINDS: [&str; 6] = [
    "rsa",
    "rsa-pkcs1",
    "p256-sec1",
    "p521",
    "ed25519",
    "key-last",
];
const PATHS: [&[u8]; 2] = [
    b"/config/listeners/*:80/pass",
    b"/config/a%2Fb/../%C3%A4//0/",
];
const JSON: [&[u8]; 3] = [
    br#"{"a":[1,2.5e3,-0,true,null,"\u00e4\n"],"b":{"c":{}}}"#,
    b"/* why */ {\"a\": // here\n [[[[]]]]}",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
];
const PATCHES: [&[u8]; 2] = [
    br#"[{"op":"test","path":"/routes/0","value":1},{"op":"add","path":"/routes/-","value":{}},{"op":"remove","path":"/routes/1"}]"#,
    br#"[{"op":"move","from":"/routes/0","path":"/applications/a"},{"op":"copy","from":"/listeners","path":"/settings"},{"op":"replace","path":"/routes","value":[]}]"#,
];
const SETTINGS: &[u8] = br#"{"name": "gull", "listen": "0.0.0.0:7117", "peer": ["a:1", "10.0.0.1:7117"], "log": "debug"}"#;
const ADDRESS_BOOK: &[u8] = br#"{"addresses":["10.0.0.1:7117"],"peers":[{"id":"12D3KooWE37uCjZDNWzfAqJC6jUCkySwZeo9poePCGoWVnH7QNN6","addresses":["10.0.0.2:7117","[fd00::1]:7117"]}]}"#;
