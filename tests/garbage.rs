//! Everything that reads what others wrote, fed garbage: random bytes, and honest input with a few bytes changed.
//!
//! Nothing may panic, and nothing may take more memory than its bounds allow: the process's greatest size, as Linux counts it, must hardly
//! grow. `STARLING_SEED=7` runs one seed again.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use starlingd::limits::{BODY_MAX, FRAME_MAX, STATE_FILE_MAX};
use starlingd::model::document::Document;
use starlingd::model::json::{self, Value};
use starlingd::model::path::Path;
use starlingd::model::peer_id::PeerId;
use starlingd::model::record::{Header, Kind, Record, RecordId};
use starlingd::model::revision::{Author, Draft, Edit, Origin, Revision};
use starlingd::model::signature::SecretKey;
use starlingd::model::stamp::Stamp;
use starlingd::model::{bundle, conflict, delta};
use starlingd::node::records::{document_in, file_text, from_file};
use starlingd::node::rng::Rng;
use starlingd::settings::{Environment, Resolved, SettingsFile};
use starlingd::wire::errand::{Errand, Told};
use starlingd::wire::fleet::{Fleet, FleetId, FleetKey};
use starlingd::wire::frame::{Frame, Goodbye, Payload, Scope};
use starlingd::wire::handshake::{Dialling, FIRST_LEN, Listening, Local, message_len};
use starlingd::wire::token::Token;

/// Inputs for each decoder and seed.
const ROUNDS: usize = 1_500;
/// By how much the process may grow, in KiB: a few bodies of the greatest length, parsed.
const GROWTH_MAX_KIB: u64 = 64 << 10;

fn seeds() -> std::ops::Range<u64> {
    let only = std::env::var("STARLING_SEED").ok().map(|text| text.parse().expect("STARLING_SEED is a number"));
    only.map_or(0..4, |seed: u64| seed..seed + 1)
}

fn secret(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn fleet() -> Fleet {
    let id = FleetId::from_bytes(secret(250).public()).expect("a public key");
    Fleet::new("test".to_owned(), id, vec![FleetKey::from_bytes([9; 32])]).expect("a fleet")
}

fn local(seed: u8) -> Local {
    Local { identity: secret(seed), fleet: fleet(), static_secret: [seed; 32], run: u64::from(seed), features: 0 }
}

fn revision() -> Revision {
    let secret = secret(1);
    let stamp = Stamp::from_u64(5 << 16).expect("a stamp");
    let author = Author { secret: &secret, fleet: *fleet().id().as_bytes(), group: "default", stamp };
    let config = json::parse(br#"{"listeners":{"*:80":{"pass":"routes"}},"routes":[1,2.50,"\u00e4",{}],"applications":{}}"#)
        .expect("JSON");
    let document = Document::from_config(config).expect("a document");
    let edit = Edit { origin: Origin::Original, operations: Vec::new() };
    Revision::author(
        &author,
        None,
        Draft { edit, document, opens: Default::default(), settles: Vec::new(), flags: 0, note: "why".into() },
    )
    .expect("it is short")
}

fn frames() -> Vec<Vec<u8>> {
    let revision = revision();
    let id = revision.id();
    let all = [
        Frame::Ping(1),
        Frame::Degree(3),
        Frame::Record(revision.record.clone(), 0, Payload::Whole(revision.body.to_vec())),
        Frame::Record(revision.record.clone(), 0, Payload::Delta(id, vec![0; 20])),
        Frame::Pull { id, offset: 9, have: RecordId::NONE },
        Frame::Piece { id, offset: 9, bytes: vec![1; 50] },
        Frame::Root(Scope::Documents, true, [1; 32]),
        Frame::Buckets(Scope::Nodes, vec![[3; 8]; 256]),
        Frame::Ids(Scope::Nodes, true, (0..=255).collect(), vec![id; 20]),
        Frame::Addresses(vec!["10.0.0.1:7117".parse().expect("an address"), "[fd00::1]:1".parse().expect("an address")]),
        Frame::Bye(Goodbye::Full, "enough".into()),
        Frame::Errand(1, true, vec![1; 50]),
        Frame::Told(2, false, vec![2; 50]),
    ];
    all.iter().map(Frame::encode).collect()
}

fn below(rng: &mut Rng, bound: usize) -> usize {
    rng.below(bound as u64) as usize
}

/// Random bytes, or one of the honest inputs with a few bytes changed, taken out, doubled or cut off.
fn garbage(rng: &mut Rng, honest: &[Vec<u8>], most: usize) -> Vec<u8> {
    if below(rng, 4) == 0 {
        let length = below(rng, most);
        return (0..length).map(|_| below(rng, 256) as u8).collect();
    }
    let mut bytes = honest[below(rng, honest.len())].clone();
    for _ in 0..=below(rng, 4) {
        if bytes.is_empty() {
            break;
        }
        let at = below(rng, bytes.len());
        match below(rng, 6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, below(rng, 256) as u8),
            3 => bytes.extend_from_within(at..),
            4 => bytes[at] ^= 1 << below(rng, 8),
            _ => bytes[at] = [0, 0xff, b'"', b'\\', b'{', b'[', b'/', b'9'][below(rng, 8)],
        }
    }
    bytes
}

/// Feeds a decoder, and returns how often it accepted: garbage that is always refused at the first byte tests little.
fn feed(name: &str, honest: &[Vec<u8>], most: usize, mut decode: impl FnMut(&[u8]) -> bool) {
    let before = greatest_size_kib();
    let mut accepted = 0;
    for seed in seeds() {
        let mut rng = Rng::new(seed);
        for round in 0..ROUNDS {
            let bytes = garbage(&mut rng, honest, most);
            let taken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| decode(&bytes)));
            accepted += usize::from(taken.unwrap_or_else(|_| panic!("seed {seed}, round {round}: {name} panics over {bytes:?}")));
        }
    }
    assert!(honest.iter().all(|bytes| decode(bytes)), "{name} refuses what is honest");
    let grown = greatest_size_kib() - before;
    println!("{name}: {accepted} of {} accepted, {grown} KiB more", seeds().count() * ROUNDS);
    assert!(grown < GROWTH_MAX_KIB, "{name} took {grown} KiB");
}

/// The most memory that this process has had; 0 where the system does not say.
fn greatest_size_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

#[test]
fn frames_of_garbage() {
    feed("Frame::decode", &frames(), FRAME_MAX, |bytes| {
        let frame = Frame::decode(bytes);
        if let Ok(Some(frame)) = &frame
            && bytes.first() != Some(&13)
        {
            assert_eq!(frame.encode(), bytes, "one spelling for one frame");
        }
        frame.is_ok_and(|frame| frame.is_some())
    });
}

#[test]
fn errands_of_garbage() {
    let headers = vec![("If-Match".to_owned(), "*".to_owned()), ("Starling-Note".to_owned(), "why".to_owned())];
    let errand = Errand { group: "edge".into(), method: "PUT".into(), target: "/config".into(), headers, body: b"{}".to_vec() };
    let told = Told { status: 200, headers: errand.headers.clone(), body: b"{}".to_vec() };
    feed("Errand::decode", &[errand.encode().expect("it is short")], 1_000, |bytes| {
        Errand::decode(bytes).is_ok_and(|errand| errand.encode().as_deref() == Some(bytes))
    });
    feed("Told::decode", &[told.encode().expect("it is short")], 1_000, |bytes| {
        Told::decode(bytes).is_ok_and(|told| told.encode().as_deref() == Some(bytes))
    });
}

#[test]
fn record_headers_of_garbage() {
    let honest = [revision().record.bytes.to_vec()];
    feed("Record::decode", &honest, 1_000, |bytes| match Record::decode(bytes, [0; 64]) {
        Ok(record) => {
            assert_eq!(record.bytes[..], *bytes);
            assert!(record.header.body_len as usize <= BODY_MAX);
            true
        }
        Err(_) => false,
    });
}

#[test]
fn revision_bodies_of_garbage() {
    let revision = revision();
    feed("Revision::decode", &[revision.body.to_vec()], 4_000, |bytes| {
        let decoded = Revision::decode(revision.record.clone(), bytes.into());
        decoded.is_ok_and(|revision| !format!("{:?}", revision.as_conflict()).is_empty())
    });
}

#[test]
fn conflicts_of_garbage() {
    let noted = conflict::OpenConflict::of(&revision()).to_json(&revision().edit_ref());
    feed("OpenConflict::from_json", &[json::compact(&noted).into_bytes()], 500, |bytes| {
        json::parse_own(bytes).is_ok_and(|value| conflict::OpenConflict::from_json(&value).is_some())
    });
}

#[test]
fn deltas_of_garbage() {
    let (base, new) = (revision().body, [&revision().body[..], b"more"].concat());
    let honest = delta::between(&base, &new);
    feed("delta::apply", &[honest], 200, |bytes| delta::apply(&base, bytes, new.len()).is_ok_and(|body| body.len() == new.len()));
    // A short delta that copies the base over and over again stops at the length that the header names.
    let greedy: Vec<u8> = std::iter::repeat_n([0, 0, 0, 0, 0, 0, 0, 0, 200], 1_000).flatten().collect();
    assert!(delta::apply(&base, &greedy, 5_000).is_err());
}

#[test]
fn files_of_garbage() {
    let revision = revision();
    let fleet = *fleet().id().as_bytes();
    feed("from_file", &[file_text(&revision)], 4_000, |bytes| {
        let whole = from_file(bytes, &fleet).is_some_and(|found| found.id() == revision.id());
        // What is shown only is not asked for a signature, and is the document of that revision or nothing.
        let shown = document_in(bytes, &revision.id());
        assert!(shown.is_some() || !whole);
        assert!(shown.is_none_or(|shown| shown == revision.document));
        from_file(bytes, &fleet).is_some()
    });
}

#[test]
fn peer_ids_and_paths_of_garbage() {
    let peer = PeerId::from_bytes(secret(1).public()).expect("a public key").to_string().into_bytes();
    feed("PeerId", &[peer], 80, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let parsed = text.parse::<PeerId>();
        assert!(parsed.is_err() || parsed.is_ok_and(|peer| peer.to_string() == text), "one text for one ID");
        parsed.is_ok()
    });
    let paths = [&b"/config/listeners/*:80/pass"[..], b"/config/a%2Fb/../%C3%A4//0/"].map(<[u8]>::to_vec);
    feed("Path", &paths, 300, |bytes| match Path::parse(bytes) {
        Ok(path) => {
            assert_eq!(Path::parse(path.to_string()), Ok(path), "its text is its own");
            true
        }
        Err(_) => false,
    });
}

#[test]
fn tokens_of_garbage() {
    let token = Token::new(&fleet(), vec!["gull:7117".to_owned()]).expect("a token").to_string().into_bytes();
    feed("Token", &[token], 3_000, |bytes| String::from_utf8_lossy(bytes).parse::<Token>().is_ok());
}

#[test]
fn json_of_garbage() {
    let honest = [
        br#"{"a":[1,2.5e3,-0,true,null,"\u00e4\n"],"b":{"c":{}}}"#.to_vec(),
        b"/* why */ {\"a\": // here\n [[[[]]]]}".to_vec(),
        [b"[".repeat(90), b"]".repeat(90)].concat(),
    ];
    feed("json::parse", &honest, 2_000, |bytes| match json::parse(bytes) {
        Ok(value) => {
            let again: Value = json::parse(json::compact(&value).as_bytes()).expect("what is written can be read");
            assert!(json::same(&again, &value));
            true
        }
        Err(_) => false,
    });
    for deep in [b"[".repeat(100_000), b"{\"a\":".repeat(100_000), b"[[],".repeat(50_000)] {
        assert!(json::parse(&deep).is_err() && json::parse_own(&deep).is_err());
    }
}

#[test]
fn settings_of_garbage() {
    let honest = [br#"{"name": "gull", "listen": "0.0.0.0:7117", "peer": ["a:1", "10.0.0.1:7117"], "log": "debug"}"#.to_vec()];
    feed("Resolved::new", &honest, STATE_FILE_MAX, |bytes| {
        let environment = Environment { root: true, host_name: "gull".into(), ..Environment::default() };
        Resolved::new(&environment, Some(SettingsFile { name: "s.conf", text: bytes }), &[]).is_ok()
    });
}

#[test]
fn first_messages_of_garbage() {
    let (listener, dialler) = (local(1), local(2));
    let (_, first) = Dialling::begin(&dialler).expect("there is randomness");
    feed("Listening::receive", &[first], 2 * FIRST_LEN, |bytes| {
        let mut padded = bytes.to_vec();
        padded.resize(FIRST_LEN, 0);
        Listening::receive(&listener, padded.as_slice().try_into().expect("it was made as long")).is_ok()
    });
}

#[test]
fn second_and_third_messages_of_garbage() {
    let (listener, dialler) = (local(1), local(2));
    let mut rng = Rng::new(0);
    for round in 0..200 {
        let (dialling, first) = Dialling::begin(&dialler).expect("there is randomness");
        let listening = Listening::receive(&listener, first.as_slice().try_into().expect("its length")).expect("of this fleet");
        let (second, awaiting) = listening.reply(&listener, &[]).expect("there is randomness");
        let honest = second[2..].to_vec();
        if round % 2 == 0 {
            let bad = garbage(&mut rng, std::slice::from_ref(&honest), 2_000);
            assert!(bad == honest || dialling.answer(&dialler, &[], &bad).is_err());
            continue;
        }
        let (third, ..) = dialling.answer(&dialler, &[], &honest).expect("it is honest");
        let bad = garbage(&mut rng, &[third[2..].to_vec()], 2_000);
        assert!(bad == third[2..] || awaiting.finish(&listener, &bad).is_err());
    }
    for length in 0..=u16::MAX {
        let _refused_if_long = message_len(length.to_be_bytes());
    }
}

/// A later version's header is longer, and signed: it is taken as it is, within its bound.
#[test]
fn what_a_later_version_appends_is_bounded() {
    let revision = revision();
    let mut header = (*revision.record.header).clone();
    header.kind = Kind::Document;
    let plain = Record::sign(Header { note: String::new(), ..header }, &revision.body, &secret(1));
    for (extra, fits) in [(1, true), (1_024, true), (1_025, false), (60_000, false)] {
        let mut bytes = plain.bytes.to_vec();
        let end = bytes.len();
        bytes[end - 2..].copy_from_slice(&(extra as u16).to_be_bytes());
        bytes.resize(end + extra, 7);
        assert_eq!(Record::decode(&bytes, [0; 64]).is_ok(), fits, "{extra} bytes more");
    }
}

#[test]
fn bundles_survive_garbage() {
    for (kind, block) in [("rsa", 0), ("rsa", 1), ("rsa-pkcs1", 0), ("p256-sec1", 0), ("p521", 0), ("ed25519", 0)] {
        let file = format!("{}/tests/fixtures/certificates/{kind}.pem", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        if block == 0 {
            feed("bundle::check", &[text.clone().into_bytes()], 4_000, |bytes| {
                bundle::check(&String::from_utf8_lossy(bytes)).is_ok()
            });
        }
        // What is in a block, too: its text alone would hardly ever be base64 after a change.
        let parts: Vec<&str> = text.split("-----").collect();
        let content = STANDARD.decode(parts[4 * block + 2].replace('\n', "")).expect("base64");
        feed("bundle::check of DER", &[content], 4_000, |bytes| {
            let encoded = format!("\n{}\n", STANDARD.encode(bytes));
            let mut parts = parts.clone();
            parts[4 * block + 2] = &encoded;
            bundle::check(&parts.join("-----")).is_ok()
        });
    }
}
