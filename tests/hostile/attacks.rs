//! The attacks, by name. Each has a test of its name in tests/lab/hostile.rs.

use std::net::Ipv4Addr;
use std::time::{SystemTime, UNIX_EPOCH};

use starlingd::limits::AHEAD_MAX_MS;
use starlingd::model::delta;
use starlingd::model::record::RecordId;
use starlingd::node::rng::Rng;
use starlingd::wire::frame::{Frame, Payload, Scope};

use super::member::{Member, whole};

/// Whom an attack is aimed at.
pub struct Siege {
    /// A token of the fleet.
    pub token: String,
    /// The listening addresses of its hosts.
    pub addresses: Vec<String>,
}

/// What a member does to a fleet.
pub type Attack = fn(&Siege);

/// Each attack and its name.
pub const ATTACKS: &[(&str, Attack)] = &[
    ("honest", honest),
    ("faults", faults),
    ("questions", questions),
    ("jump", jump),
    ("far", far),
    ("hosts", hosts),
    ("aimed", aimed),
    ("bodies", bodies),
];

impl Siege {
    /// A new link with the host of this place in the list, as the member of this number.
    pub fn link(&self, place: usize, identity: u8) -> Member {
        Member::link(&self.token, identity, &self.addresses[place])
    }
}

/// No attack: two sound revisions, one in a frame and one to be pulled. What the other attacks do
/// is only worth something if a member is heard where it speaks honestly. Prints the IDs of both.
fn honest(siege: &Siege) {
    let mut member = siege.link(0, 90);
    let short = member.revision(None, 5, r#"{"routes":{"mine":[]}}"#);
    assert!(member.says(&whole(&short)));
    let long = member.revision(
        None,
        6,
        &format!(r#"{{"routes":{{"long":["{}"]}}}}"#, "x".repeat(100_000)),
    );
    assert!(
        member.offers(&long.record, &long.body),
        "its body is asked for"
    );
    println!("{}\n{}", short.id(), long.id());
    // Whoever leaves at once may take the last frames back.
    assert!(member.is_heard());
}

/// Frames that nobody may send. Each ends its link.
fn faults(siege: &Siege) {
    let member = siege.link(0, 91);
    let sound = member.revision(None, 5, r#"{"routes":{}}"#);
    let mut unsigned = sound.record.clone();
    unsigned.signature[9] ^= 1;
    let lies = [
        Vec::new(),
        vec![11, 0, 2],
        [&Frame::Ping(1).encode()[..], b"x"].concat(),
        Frame::Record(unsigned, 0, Payload::Whole(sound.body.to_vec())).encode(),
        Frame::Ids(Scope::Documents, true, vec![0], Vec::new()).encode()[..4].to_vec(),
    ];
    for lie in lies {
        let mut member = siege.link(0, 92);
        assert!(member.says_bytes(&lie));
        assert!(member.is_closed_upon(), "the link stays after {lie:?}");
    }
}

/// A thousand of each frame that asks for something, as fast as they go. Whoever is asked may end
/// the link over it.
fn questions(siege: &Siege) {
    let mut members: Vec<Member> = (0..siege.addresses.len())
        .map(|place| siege.link(place, 93))
        .collect();
    let mut rng = Rng::new(7);
    for round in 0..1_000_u64 {
        let id = RecordId(std::array::from_fn(|_| rng.below(256) as u8));
        let asks = [
            Frame::Ping(round),
            Frame::Pull {
                id,
                offset: 0,
                have: id,
            },
            Frame::Want(id),
            Frame::Root(Scope::Documents, true, id.0),
            Frame::Root(Scope::Nodes, true, id.0),
            Frame::Ids(Scope::Documents, true, (0..=255).collect(), vec![id; 50]),
            Frame::Piece {
                id,
                offset: 0,
                bytes: vec![7; 1_000],
            },
        ];
        members.retain_mut(|member| asks.iter().all(|frame| member.says(frame)));
    }
}

/// The greatest height and the latest date that are taken, on a base that there never was.
fn jump(siege: &Siege) {
    let mut member = siege.link(0, 94);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("it is later")
        .as_millis();
    let until = u64::try_from(now).expect("it is not that late") + AHEAD_MAX_MS - 60_000;
    let sound = member.revision(None, until, r#"{"routes":{"jumped":[]}}"#);
    let forged = member.forged(&sound, until, until);
    assert!(member.says(&Frame::Record(
        forged.clone(),
        0,
        Payload::Whole(sound.body.to_vec())
    )));
    println!("{}", forged.id);
    assert!(member.is_heard());
}

/// Dates and heights of other years: the one is passed over, the other a fault.
fn far(siege: &Siege) {
    let mut member = siege.link(0, 95);
    let last = (1 << 46) - 1;
    let sound = member.revision(None, last, r#"{"routes":{"far":[]}}"#);
    let forged = member.forged(&sound, last, last);
    assert!(member.says(&Frame::Record(
        forged,
        0,
        Payload::Whole(sound.body.to_vec())
    )));
    assert!(member.is_heard(), "to be early is no fault");
    let highest = member.forged(&sound, (1 << 48) - 1, last);
    assert!(member.says(&Frame::Record(
        highest,
        0,
        Payload::Whole(sound.body.to_vec())
    )));
    assert!(
        member.is_closed_upon(),
        "to be higher than one's date permits is"
    );
}

/// Node records of ten thousand hosts that there are not.
fn hosts(siege: &Siege) {
    let mut member = siege.link(0, 96);
    for number in 0..10_000_u32 {
        let body = format!("{{\"name\":\"invented-{number}\",\"group\":\"default\"}}");
        if !member.says(&member.node_record(number, &body)) {
            return;
        }
    }
    assert!(member.is_heard());
}

/// Invents two thousand hosts at eight addresses each, where nobody of the fleet is: in
/// 198.18.0.0/15.
fn aimed(siege: &Siege) {
    let mut member = siege.link(0, 97);
    for number in 0..2_000_u32 {
        let address = |at: u32| {
            format!(
                "\"{}:{}\"",
                Ipv4Addr::from((198 << 24 | 18 << 16) + number * 8 + at),
                1 + number % 60_000
            )
        };
        let addresses: Vec<String> = (0..8).map(address).collect();
        let body = format!("{{\"name\":\"x\",\"addresses\":[{}]}}", addresses.join(","));
        assert!(
            member.says(&member.node_record(number, &body)),
            "it is no fault to name others"
        );
    }
    assert!(member.is_heard());
}

/// Fifty heads of a mebibyte each, none of which contains another, in some kilobytes: each is a
/// delta against the one before. Prints how many bytes were sent.
fn bodies(siege: &Siege) {
    let mut member = siege.link(0, 94);
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is later")
        .as_millis() as u64;
    let config = |bytes: usize, number: u64| {
        let uri = format!("/{}{number}", "x".repeat(bytes));
        format!(
            r#"{{"listeners":{{}},"routes":{{"main":[{{"match":{{"uri":"{uri}"}},"action":{{"return":200}}}}]}}}}"#
        )
    };
    let (record, body) = member.stray(1_000, now_ms, &config(12_000, 0));
    let mut last = (record.id, body.clone());
    let mut sent = body.len();
    assert!(member.says(&Frame::Record(record, 0, Payload::Whole(body))));
    for number in 1..=50 {
        let (record, body) =
            member.stray(1_000 + number, now_ms + number, &config(1 << 20, number));
        let delta = if number == 1 {
            stretched(&last.1, &body)
        } else {
            delta::between(&last.1, &body)
        };
        sent += delta.len();
        let frame = Frame::Record(record.clone(), 0, Payload::Delta(last.0, delta));
        last = (record.id, body);
        assert!(member.says(&frame), "nothing in it is a fault");
    }
    assert!(member.is_heard());
    println!("{sent}");
}

/// A delta that copies a run of `x` of the base as often as it takes.
fn stretched(base: &[u8], new: &[u8]) -> Vec<u8> {
    let run_of = |text: &[u8]| {
        let from = text
            .windows(8)
            .position(|run| run == b"xxxxxxxx")
            .expect("there is a run");
        (
            from,
            from + text[from..]
                .iter()
                .take_while(|byte| **byte == b'x')
                .count(),
        )
    };
    let ((from, to), (start, end)) = (run_of(base), run_of(new));
    let number = |value: usize| {
        u32::try_from(value)
            .expect("bodies are short")
            .to_be_bytes()
    };
    let insert = |bytes: &[u8]| [&[1][..], &number(bytes.len()), bytes].concat();
    let mut delta = insert(&new[..start]);
    let mut left = end - start;
    while left > 0 {
        let count = left.min(to - from);
        delta.extend([&[0][..], &number(from), &number(count)].concat());
        left -= count;
    }
    delta.extend(insert(&new[end..]));
    delta
}
