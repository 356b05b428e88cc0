//! starling-protocol(7) against the library: every example in the page is what the program says,
//! byte for byte.
//!
//! A value stands in the page as a line with its name in brackets and the lines below it, which
//! belong together. The handshake and the sealed frames are worked out once more with `snow` alone,
//! from the secrets that the page names, so that the library is not compared with itself. What the
//! page says of limits is compared with `limits`.

use starlingd::codec::{hex, unhex, unhex_array};
use starlingd::limits;
use starlingd::model::delta;
use starlingd::model::digest::Digest;
use starlingd::model::document::Document;
use starlingd::model::edit::{Change, Op, apply};
use starlingd::model::json;
use starlingd::model::operation::operations;
use starlingd::model::path::Path;
use starlingd::model::peer_id::PeerId;
use starlingd::model::proof::{Chains, Statement};
use starlingd::model::record::{Numbered, Record, RecordId};
use starlingd::model::revision::{Author, Draft, Edit, Origin, Revision};
use starlingd::model::signature::{Purpose, SecretKey, verify};
use starlingd::model::stamp::Stamp;
use starlingd::wire::fleet::{Fleet, FleetId, FleetKey};
use starlingd::wire::frame::{Frame, Payload, Scope};
use starlingd::wire::handshake::{FIRST_LEN, Listening, LocalPeer};
use starlingd::wire::news::{Beat, HostNews, ProofOrigin, Steps};
use starlingd::wire::token::Token;

const PAGE: &str = include_str!("../man/starling-protocol.7");
const OWNER_SEED: [u8; 32] = [0x01; 32];
const FLEET_KEY: [u8; 32] = [0x02; 32];
const DIALLER: u8 = 0x11;
const LISTENER: u8 = 0x21;
const RUNS: [&str; 2] = ["1415161718191a1b", "2425262728292a2b"];
/// Milliseconds since 1970 at which the example's revision is made.
const MADE_AT: u64 = 1_700_000_000_000;

/// The value of that name, its lines joined.
fn text(name: &str) -> String {
    let label = format!("\n[{name}]\n");
    assert_eq!(
        PAGE.matches(&label).count(),
        1,
        "[{name}] stands in the page once"
    );
    let (_, after) = PAGE.split_once(&label).expect("it was just counted");
    let lines = after
        .lines()
        .take_while(|line| !line.starts_with(['[', '.']));
    lines.collect()
}

fn bytes(name: &str) -> Vec<u8> {
    unhex(&text(name)).unwrap_or_else(|| panic!("[{name}] is not hexadecimal"))
}

fn fleet_id() -> FleetId {
    FleetId::from_bytes(SecretKey::from_seed(&OWNER_SEED).public()).unwrap()
}

fn fleet_key() -> FleetKey {
    FleetKey::from_bytes(FLEET_KEY)
}

fn fleet() -> Fleet {
    Fleet::new("example".to_owned(), fleet_id(), vec![fleet_key()]).unwrap()
}

fn peer(seed: u8) -> PeerId {
    PeerId::from_bytes(SecretKey::from_seed(&[seed; 32]).public()).unwrap()
}

/// Both ends of the example's handshake, in snow's hands: the secrets follow each other from `seed`
/// on, as the page says.
fn noise(seed: u8, dials: bool) -> snow::HandshakeState {
    let psk: [u8; 32] = bytes("psk").try_into().unwrap();
    let prologue = [b"STARLG\x01\x01", fleet_id().as_bytes().as_slice()].concat();
    let suite = "Noise_XXpsk0_25519_ChaChaPoly_SHA256".parse().unwrap();
    let (own, ephemeral) = ([seed + 1; 32], [seed + 2; 32]);
    let builder = snow::Builder::new(suite)
        .psk(0, &psk)
        .unwrap()
        .local_private_key(&own)
        .unwrap();
    let builder = builder
        .prologue(&prologue)
        .unwrap()
        .fixed_ephemeral_key_for_testing_only(&ephemeral);
    if dials {
        builder.build_initiator().unwrap()
    } else {
        builder.build_responder().unwrap()
    }
}

/// Has `from` write the next message around `payload` and `to` read it; gives the message with its
/// length.
fn pass(from: &mut snow::HandshakeState, to: &mut snow::HandshakeState, payload: &[u8]) -> Vec<u8> {
    let (mut message, mut read) = ([0; 1024], [0; 1024]);
    let length = from.write_message(payload, &mut message).unwrap();
    let read_length = to.read_message(&message[..length], &mut read).unwrap();
    assert_eq!(read[..read_length], *payload);
    [
        &u16::try_from(length).unwrap().to_be_bytes(),
        &message[..length],
    ]
    .concat()
}

/// The whole handshake of the page, and at each step what is signed there.
fn handshake() -> (snow::StatelessTransportState, snow::StatelessTransportState) {
    let (mut dialler, mut listener) = (noise(DIALLER, true), noise(LISTENER, false));
    let first = pass(&mut dialler, &mut listener, &[]);
    assert_eq!(
        [b"STARLG\x01\x01", first.as_slice()].concat(),
        bytes("first flight")
    );
    assert_eq!(
        signed_for(2, dialler.get_handshake_hash(), "signed by the listener"),
        proof("signed by the listener")
    );
    let second = pass(&mut listener, &mut dialler, &bytes("payload of message 2"));
    assert_eq!(second, bytes("message 2"));
    assert_eq!(
        dialler.get_remote_static().unwrap(),
        &proof("signed by the listener")[33..]
    );
    assert_eq!(
        signed_for(1, listener.get_handshake_hash(), "signed by the dialler"),
        proof("signed by the dialler")
    );
    let third = pass(&mut dialler, &mut listener, &bytes("payload of message 3"));
    assert_eq!(third, bytes("message 3"));
    assert_eq!(
        listener.get_remote_static().unwrap(),
        &proof("signed by the dialler")[33..]
    );
    (
        dialler.into_stateless_transport_mode().unwrap(),
        listener.into_stateless_transport_mode().unwrap(),
    )
}

/// The 65 bytes that a side proves, behind the purpose and the fleet.
fn proof(name: &str) -> Vec<u8> {
    let signed = bytes(name);
    let framing = [b"starling/1 handshake\0", fleet_id().as_bytes().as_slice()].concat();
    signed
        .strip_prefix(framing.as_slice())
        .expect("purpose and fleet come first")
        .to_vec()
}

/// The same from role and hash; the static key is compared where the other side has learnt it.
fn signed_for(role: u8, before: &[u8], name: &str) -> Vec<u8> {
    [&[role], before, &proof(name)[33..]].concat()
}

/// Asserts the parts of a hello by their places, up to its end.
fn check_hello(hello: &[u8], seed: u8, run: &str, addresses: &str, signed: &str) {
    let place = 32 + 8 + 8;
    let end = place + addresses.len() / 2;
    assert_eq!(hello[..32], *peer(seed).as_bytes());
    assert_eq!(hex(&hello[32..place]), format!("{}{run}", "00".repeat(8)));
    assert_eq!(hex(&hello[place..end]), addresses);
    let signature = hello[end..end + 64].try_into().unwrap();
    assert!(verify(
        peer(seed).as_bytes(),
        Purpose::Handshake,
        fleet_id().as_bytes(),
        &proof(signed),
        &signature
    ));
    assert_eq!(
        hello[end + 64..],
        [0, 0],
        "no extension, and nothing behind it"
    );
}

/// The example's revision, made anew.
fn revision() -> Revision {
    let factory = Document::factory();
    let value = json::parse(br#"{"pass":"routes"}"#).unwrap();
    let op = Op {
        path: Path::parse("/config/listeners/*:80").unwrap(),
        change: Change::Put(value),
    };
    let document = apply(&factory, &op).unwrap();
    let edit = Edit {
        origin: Origin::Original,
        operations: operations(&factory, &[op]),
    };
    let note = "first".to_owned();
    let draft = Draft {
        edit,
        document,
        opens: Default::default(),
        settles: Vec::new(),
        flags: 0,
        note,
    };
    let secret = SecretKey::from_seed(&[DIALLER; 32]);
    let stamp = Stamp::from_u64(MADE_AT << 16).unwrap();
    let author = Author {
        secret: &secret,
        fleet: *fleet_id().as_bytes(),
        group: "default",
        stamp,
        numbered: Some(Numbered {
            nonce: *b"12345678",
            number: 1,
        }),
    };
    Revision::author(&author, None, draft).expect("it is small")
}

#[test]
fn what_is_derived_from_identities_and_the_fleet_key_is_as_in_the_page() {
    assert_eq!(text("fleet ID"), hex(fleet_id().as_bytes()));
    assert_eq!(text("psk"), hex(&fleet_key().psk(&fleet_id())));
    let tag = fleet_key().tag(
        &fleet_id(),
        &fleet_key().instance(&fleet_id(), &peer(DIALLER)),
        7411,
    );
    assert_eq!(text("tag of the dialler"), tag);
    for (name, seed) in [("dialler", DIALLER), ("listener", LISTENER)] {
        assert_eq!(text(name), hex(peer(seed).as_bytes()));
        assert_eq!(
            text(&format!("instance of the {name}")),
            fleet_key().instance(&fleet_id(), &peer(seed))
        );
    }
}

#[test]
fn the_token_of_the_page_is_made_and_read() {
    let addresses = vec!["192.0.2.1:7411".to_owned(), "host.example:7411".to_owned()];
    let token = Token::new(&fleet(), addresses).unwrap();
    assert_eq!(text("token"), token.to_string());
    assert_eq!(text("token").parse(), Ok(token));
    let letters = text("token").strip_prefix("starling1-").unwrap().to_owned();
    assert_eq!(
        bs58::decode(letters).into_vec().unwrap(),
        bytes("bytes of the token")
    );
}

#[test]
fn the_handshake_of_the_page_is_noise_with_these_secrets() {
    let _sessions = handshake();
    let [dialler_run, listener_run] = RUNS;
    let second = bytes("payload of message 2");
    assert_eq!(second[0], 1, "the version chosen");
    let addresses = concat!(
        "02",
        "04",
        "c0000202",
        "1cf3",
        "06",
        "20010db8000000000000000000000002",
        "1cf3"
    );
    check_hello(
        &second[1..],
        LISTENER,
        listener_run,
        addresses,
        "signed by the listener",
    );
    let addresses = concat!("01", "04", "c0000201", "1cf3");
    check_hello(
        &bytes("payload of message 3"),
        DIALLER,
        dialler_run,
        addresses,
        "signed by the dialler",
    );
}

#[test]
fn the_listener_takes_the_first_flight_of_the_page_and_answers_in_its_form() {
    let run = u64::from_be_bytes(unhex_array(RUNS[1]).unwrap());
    let identity = SecretKey::from_seed(&[LISTENER; 32]);
    let local = LocalPeer {
        identity,
        fleet: fleet(),
        static_secret: [LISTENER + 1; 32],
        run,
        features: 0,
    };
    let first: [u8; FIRST_LEN] = bytes("first flight").try_into().unwrap();
    let listening = Listening::receive(&local, &first).unwrap();
    assert_eq!(listening.ephemeral()[..], first[10..42]);
    let addresses =
        ["192.0.2.2:7411", "[2001:db8::2]:7411"].map(|address| address.parse().unwrap());
    let (second, _) = listening.reply(&local, &addresses).unwrap();
    // Its ephemeral key is drawn; all else of the payload can be told once the dialler of the page
    // has read it.
    let (mut dialler, mut payload) = (noise(DIALLER, true), [0; 1024]);
    dialler.write_message(&[], &mut [0; 64]).unwrap();
    let length = dialler.read_message(&second[2..], &mut payload).unwrap();
    let (said, expected) = (&payload[..length], bytes("payload of message 2"));
    assert_eq!(
        said[..],
        expected[..],
        "the signature is over nothing that was drawn by the listener"
    );
}

/// The dialler, whose record of height 3 names a head of height 7, is at one of height 8, and has
/// said once that it still runs.
fn news() -> HostNews {
    let (author, secret) = (peer(DIALLER), SecretKey::from_seed(&[DIALLER; 32]));
    let chains = Chains::new(author, &secret, [3, 0x1415_1617_1819_1a1b, MADE_AT]);
    let origin = |age| ProofOrigin {
        author: ProofOrigin::author_of(&author),
        height: 3,
        age,
    };
    let [end, step] = [0, 1].map(|place| chains.proof(Statement::Step, place));
    assert_eq!(end.0.to_vec(), bytes("end of the steps"));
    assert!(step.follows(end, 1, Statement::Step, &author));
    HostNews {
        steps: vec![Steps {
            height: 8,
            head: revision().id(),
            hosts: vec![(origin(2), step)],
        }],
        beats: vec![Beat {
            origin: origin(1),
            place: 1,
            proof: chains.proof(Statement::Beat, 1),
        }],
        ..HostNews::default()
    }
}

#[test]
fn the_frames_of_the_page_are_these_and_are_sealed_in_this_order() {
    let empty = Digest::of([]).root;
    let revision = revision();
    let tree = u64::from_be_bytes(peer(DIALLER).as_bytes()[..8].try_into().unwrap());
    let record = Frame::Record(
        revision.record.clone(),
        tree,
        Payload::Whole(revision.body.to_vec()),
    );
    let by_dialler = [
        ("Degree of the dialler", Frame::Degree(0)),
        (
            "Root of documents",
            Frame::Root(Scope::Documents, true, empty),
        ),
        (
            "Root of node records",
            Frame::Root(Scope::Nodes, true, empty),
        ),
        ("Record", record),
        ("Pong of the dialler", Frame::Pong(10_000_000)),
        ("News", Frame::News(news())),
    ];
    let by_listener = [
        ("Degree of the listener", Frame::Degree(0)),
        ("Done with documents", Frame::Done(Scope::Documents, false)),
        ("Done with node records", Frame::Done(Scope::Nodes, true)),
        ("Ping of the listener", Frame::Ping(10_000_000)),
    ];
    let (dialler, listener) = handshake();
    check_frames(&dialler, &listener, &by_dialler);
    check_frames(&listener, &dialler, &by_listener);
}

/// Each frame has the bytes of the page, is read from them, and is sealed to those of the page with
/// nonces from zero on.
fn check_frames(
    from: &snow::StatelessTransportState,
    to: &snow::StatelessTransportState,
    frames: &[(&str, Frame)],
) {
    for (nonce, (name, frame)) in (0..).zip(frames) {
        let plain = bytes(name);
        assert_eq!(hex(&frame.encode()), hex(&plain), "[{name}]");
        let read = Frame::decode(&plain).unwrap().expect("a known type");
        assert_eq!(format!("{read:?}"), format!("{frame:?}"), "[{name}]");
        let (mut sealed, mut opened) = (vec![0; plain.len() + 16], vec![0; plain.len() + 16]);
        from.write_message(nonce, &plain, &mut sealed).unwrap();
        let length = u16::try_from(sealed.len()).unwrap().to_be_bytes();
        assert_eq!(
            [length.as_slice(), &sealed].concat(),
            bytes(&format!("{name}, sealed")),
            "[{name}, sealed]"
        );
        let length = to.read_message(nonce, &sealed, &mut opened).unwrap();
        assert_eq!(opened[..length], plain);
    }
}

#[test]
fn the_record_of_the_page_is_authored_and_believed() {
    let revision = revision();
    let body = [text("head line"), text("document")].join("\n");
    assert_eq!(String::from_utf8_lossy(&revision.body), body);
    assert_eq!(hex(&revision.record.bytes), text("header"));
    assert_eq!(revision.id().to_string(), text("record ID"));
    assert_eq!(hex(&revision.record.signature), text("signature"));
    let read = Record::decode(&bytes("header"), bytes("signature").try_into().unwrap()).unwrap();
    assert!(read.is_signed() && read.matches(body.as_bytes()));
    let back = Revision::decode(read, body.into_bytes().into()).unwrap();
    assert_eq!(back.document, revision.document);
    assert_eq!(back.ledger, revision.ledger);
    assert_eq!(
        hex(&Digest::of([RecordId::parse(&text("record ID")).unwrap()]).root),
        text("root")
    );
}

#[test]
fn the_delta_of_the_page_makes_the_new_body() {
    let made = delta::apply(b"0123456789", &bytes("delta"), 10).unwrap();
    assert_eq!(made, b"01234new89");
}

/// The rows of the page's two tables of limits, with the numbers that the program has.
#[test]
fn the_limits_of_the_page_are_those_of_the_program() {
    let (_, tables) = PAGE.split_once(".Sh LIMITS\n").unwrap();
    let (tables, _) = tables.split_once("\n.Sh ").unwrap();
    let shown: Vec<&str> = tables
        .lines()
        .filter_map(|line| line.strip_prefix(".It "))
        .filter(|row| !row.starts_with("Em "))
        .collect();
    assert_eq!(
        shown,
        [records_and_their_limits(), links_and_their_limits()].concat()
    );
}

fn records_and_their_limits() -> Vec<String> {
    let tallest = limits::HEIGHT_LIMIT.ilog2();
    vec![
        format!("frame Ta {} bytes", limits::FRAME_MAX),
        format!(
            "message 2 or 3 of a handshake Ta {} bytes",
            limits::HANDSHAKE_MESSAGE_MAX
        ),
        format!(
            "extension of a hello Ta {} bytes",
            limits::HANDSHAKE_EXTENSION_MAX
        ),
        format!("extension of a header Ta {} bytes", limits::EXTENSION_MAX),
        format!("name of a fleet or group Ta {} bytes", limits::NAME_MAX),
        format!("note Ta {} bytes", limits::NOTE_MAX),
        format!("body of a document record Ta {} bytes", limits::BODY_MAX),
        format!("body of a node record Ta {} bytes", limits::NODE_BODY_MAX),
        format!(
            "document Ta {} bytes, {} levels, {} values",
            limits::DOCUMENT_MAX,
            limits::DEPTH_MAX,
            limits::VALUES_MAX
        ),
        format!(
            "certificates and modules in a document Ta {}",
            limits::RESOURCES_MAX
        ),
        format!(
            "name of a certificate or a module Ta {} bytes",
            limits::RESOURCE_NAME_MAX
        ),
        format!(
            "body in a Record frame, or piece Ta {} bytes",
            limits::INLINE_MAX
        ),
        format!("IDs in a frame Ta {}", limits::IDS_MAX),
        format!("revisions named in a frame Ta {}", limits::HAVES_MAX),
        format!(
            "addresses in a frame, hello or token Ta {}",
            limits::ADDRESSES_MAX
        ),
        format!(
            "operations of an edit, or of an open conflict Ta {}",
            limits::OPERATIONS_MAX
        ),
        format!(
            "series in a ledger, whatever their age Ta {}",
            limits::LEDGER_SERIES
        ),
        format!("series in a ledger Ta {}", limits::LEDGER_SERIES_MAX),
        format!("runs in a ledger Ta {}", limits::LEDGER_RUNS_MAX),
        format!("text of a ledger Ta {} bytes", limits::LEDGER_TEXT),
        format!(
            "text of a ledger, with what one revision adds Ta {} bytes",
            limits::LEDGER_TEXT_MAX
        ),
        format!("names above the stamp Ta {}", limits::NAMES_AHEAD_MAX),
        format!("open conflicts in a body Ta {}", limits::OPEN_LISTED_MAX),
        format!(
            "values in an open conflict, together Ta {} bytes",
            limits::OPEN_VALUE_MAX
        ),
        format!("values in a node record Ta {}", limits::NODE_VALUES_MAX),
        format!("proofs of a chain Ta {}", limits::PROOFS_MAX),
        format!("path Ta {} bytes, decoded", limits::PATH_MAX),
        format!("height Ta 2^{tallest} - 1"),
        format!(
            "milliseconds of a stamp Ta 2^{} - 1",
            (Stamp::MAX.wall_ms() + 1).ilog2()
        ),
        format!("groups Ta {}", limits::GROUPS_MAX),
        format!("removed groups Ta {}", limits::REMOVALS_MAX),
        format!(
            "uncontained revisions of a group Ta {}",
            limits::UNCONTAINED_MAX
        ),
        format!("history of a group Ta {} revisions", limits::HISTORY_KEPT),
        format!("node records Ta {}", limits::NODES_MAX),
        format!("contacts Ta {}", limits::CONTACTS_MAX),
    ]
}

fn links_and_their_limits() -> Vec<String> {
    vec![
        format!("bodies pulled at a time Ta {}", limits::PULLS_MAX),
        format!(
            "bodies sent at a time over a link Ta {}",
            limits::SERVING_MAX
        ),
        format!(
            "queue of a link Ta {} bytes, with answers {}",
            limits::QUEUE_MAX,
            2 * limits::QUEUE_MAX
        ),
        format!(
            "news over a link Ta {} bytes a second, {} at once",
            limits::NEWS_EACH_SECOND,
            limits::NEWS_AT_ONCE
        ),
        format!(
            "node records and false proofs of others that a link brings Ta {} a second, {} at once",
            limits::NODE_CHECKS_EACH_SECOND,
            limits::NODE_CHECKS_MAX
        ),
        format!("links Ta {}", limits::LINKS_MAX),
        format!("dials under way Ta {}", limits::DIALS_MAX),
        format!(
            "dials Ta {} a second, {} at once",
            1000 / limits::DIAL_EVERY.as_millis(),
            limits::DIAL_BURST
        ),
        format!(
            "dials in vain of an address that is somebody's word Ta {}",
            limits::UNSURE_ROUNDS
        ),
        format!(
            "ports of an IP that are dialled on such words Ta {} in {} seconds",
            limits::UNSURE_PORTS,
            limits::UNSURE_FOR.as_secs()
        ),
        format!(
            "handshakes under way Ta {}, {} from an IP",
            limits::HANDSHAKES_MAX,
            limits::HANDSHAKES_FROM_ONE
        ),
        format!(
            "first messages that wait Ta {}, {} from an IP",
            limits::VERIFIED_MAX,
            limits::VERIFIED_FROM_ONE
        ),
        format!("newcomers that wait Ta {}", limits::NEWCOMERS_MAX),
    ]
}
