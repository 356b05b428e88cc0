//! Members that fill: few frames that stand for many bytes. Memory and disk stay within their
//! budgets, honest work goes on, and a restart is possible.

use std::time::Duration;

use starlingd::limits::{UNCONTAINED_BYTES_MAX, UNCONTAINED_MAX, UNCONTAINED_MEMORY_MAX};
use starlingd::model::delta;
use starlingd::model::document::Document;
use starlingd::model::record::{Header, Record, RecordId};
use starlingd::model::stamp::Stamp;
use starlingd::node::answer::Answer;
use starlingd::node::ask::Query;
use starlingd::sim::secret;
use starlingd::wire::frame::{Frame, Payload};

use super::spreading::joined;
use crate::asks::{of_group, path, value};
use crate::fleet::{Fleet, SOON};
use crate::members::{self, announced, draft, hello, signed};

const FLOOD: u64 = 77;
const MIB: usize = 1 << 20;

/// A record of this height whose base nobody has seen, so that it contains nothing and is contained
/// in nothing.
fn stray(author: u64, group: &str, height: u64, text: &str) -> (Record, Vec<u8>) {
    let secret = secret(author);
    let stamp = Stamp::from_u64((1_700_000_000_000 + height) << 16).unwrap();
    let document = Document::from_config(value(text)).unwrap();
    let revision = signed(author, group, stamp, None, draft(document));
    let header = Header {
        height,
        base: RecordId([height as u8; 32]),
        ..(*revision.record.header).clone()
    };
    (
        Record::sign(header, &revision.body, &secret),
        revision.body.to_vec(),
    )
}

/// What a member has to send for bodies of a mebibyte: each is a delta against the one before.
struct Flood {
    last: (RecordId, Vec<u8>),
    sent: usize,
}

impl Flood {
    /// Begins with a body that fits a frame and doubles it until it is large.
    fn begin(net: &mut Fleet, puppet: usize, group: &str) -> Self {
        let (record, body) = stray(FLOOD, group, 100, &format!("\"{}\"", "x".repeat(12_000)));
        let frame = members::record(&record, &body);
        let mut flood = Self {
            last: (record.id, body),
            sent: frame.len(),
        };
        net.says(puppet, frame);
        let large = stray(FLOOD, group, 101, &format!("\"{}\"", "x".repeat(MIB)));
        flood.send(net, puppet, large);
        flood
    }

    fn send(&mut self, net: &mut Fleet, puppet: usize, (record, body): (Record, Vec<u8>)) {
        let delta = stretched(&self.last.1, &body);
        assert_eq!(
            delta::apply(&self.last.1, &delta, body.len()).unwrap(),
            body
        );
        let frame = Frame::Record(record.clone(), 0, Payload::Delta(self.last.0, delta)).encode();
        self.sent += frame.len();
        self.last = (record.id, body);
        net.says(puppet, frame);
    }
}

/// A delta that copies runs of `x` from the base as often as it takes.
fn stretched(base: &[u8], new: &[u8]) -> Vec<u8> {
    if base.len() * 2 > new.len() {
        return delta::between(base, new);
    }
    let at = base.windows(8).position(|run| run == b"xxxxxxxx").unwrap();
    let run = base[at..].iter().take_while(|byte| **byte == b'x').count();
    let (mut delta, mut from) = (Vec::new(), 0);
    while from < new.len() {
        let same = new[from..]
            .iter()
            .take_while(|byte| **byte == b'x')
            .count()
            .min(run);
        if same > 8 {
            delta.push(0);
            delta.extend(
                [at as u32, same as u32]
                    .iter()
                    .flat_map(|number| number.to_be_bytes()),
            );
            from += same;
        } else {
            let end = new[from..]
                .windows(9)
                .position(|run| run == b"xxxxxxxxx")
                .map_or(new.len(), |end| from + end);
            delta.push(1);
            delta.extend(((end - from) as u32).to_be_bytes());
            delta.extend(&new[from..end]);
            from = end;
        }
    }
    delta
}

fn assert_within(net: &Fleet, what: &str) {
    for (number, host) in net.hosts.iter().enumerate() {
        let counts = host.node.counts();
        assert!(
            counts.uncontained_memory <= UNCONTAINED_MEMORY_MAX,
            "{what}: host {number}: {counts:?}"
        );
        assert!(
            counts.uncontained_max <= UNCONTAINED_MAX,
            "{what}: host {number}: {counts:?}"
        );
        assert!(
            counts.files_bytes <= UNCONTAINED_BYTES_MAX + (64 << 20),
            "{what}: host {number}: {counts:?}"
        );
        let files: usize = host.disk.revisions.values().map(Vec::len).sum();
        assert!(
            files as u64 <= UNCONTAINED_BYTES_MAX + (64 << 20),
            "{what}: host {number}: {files} bytes of files"
        );
    }
}

/// Twenty-five kilobytes of frames took 3.8 GB of memory on each host, which then could not start
/// again.
#[test]
fn heads_that_are_beaten_at_once_fill_neither_memory_nor_disk_and_hold_up_nobody() {
    let mut net = joined(1, 2);
    net.set(0, "/config/routes", "[0]");
    net.settle(SOON);
    let puppet = net.puppet(0, hello(FLOOD));
    let mut flood = Flood::begin(&mut net, puppet, "default");
    for height in 102..145 {
        let text = format!("\"{}{height}\"", "x".repeat(MIB));
        flood.send(&mut net, puppet, stray(FLOOD, "default", height, &text));
        net.run(Duration::from_millis(50));
        assert_within(&net, "during the flood");
    }
    assert!(!net.puppets[puppet].closed, "nothing in it was a fault");
    assert!(flood.sent < 100_000, "{} bytes were sent", flood.sent);
    // While heads still come it may have been made on one that is beaten.
    net.until("the honest change is made", SOON, |net| {
        matches!(net.change(1, "/config", "{}"), Answer::Done { .. })
    });
    net.until(
        "the honest change is everywhere",
        Duration::from_secs(60),
        |net| net.agree(),
    );
    assert_within(&net, "after it");
    for host in 0..2 {
        net.crash(host, false);
        net.run(Duration::from_secs(1));
        net.restart(host);
        assert_within(&net, "after a restart");
    }
    net.until("both agree again", Duration::from_secs(120), |net| {
        net.agree()
    });
}

/// What is refused for want of room is offered again at each exchange, and costs its header each
/// time, not its body.
#[test]
fn what_was_dropped_is_not_fetched_again_at_each_exchange() {
    let mut net = joined(2, 2);
    let puppet = net.puppet(0, hello(FLOOD));
    let mut flood = Flood::begin(&mut net, puppet, "default");
    let mut sent: Vec<Record> = Vec::new();
    for height in 102..145 {
        let (record, body) = stray(
            FLOOD,
            "default",
            height,
            &format!("\"{}{height}\"", "x".repeat(MIB)),
        );
        sent.push(record.clone());
        flood.send(&mut net, puppet, (record, body));
        net.run(Duration::from_millis(50));
    }
    net.run(Duration::from_secs(1));
    let dropped: Vec<&Record> = sent
        .iter()
        .filter(|record| !net.hosts[0].node.keeps(&record.id))
        .collect();
    assert!(dropped.len() > 5, "{} were dropped", dropped.len());
    net.puppets[puppet].frames.clear();
    for record in dropped.iter().rev() {
        net.says(puppet, announced(record));
    }
    let asked = |frame: &Vec<u8>| matches!(Frame::decode(frame), Ok(Some(Frame::Pull { .. })));
    assert!(
        !net.puppets[puppet].frames.iter().any(asked),
        "its header says that it would go at once"
    );
}

/// A host keeps the heads of all groups, but not their bodies in memory, nor their values at all.
#[test]
fn heads_of_groups_that_nobody_follows_live_on_disk_and_can_be_read() {
    let mut net = joined(3, 2);
    net.set(0, "/config/routes", "[0]");
    net.settle(SOON);
    let puppet = net.puppet(0, hello(FLOOD));
    for number in 0..16 {
        let mut flood = Flood::begin(&mut net, puppet, &format!("group-{number}"));
        flood.send(
            &mut net,
            puppet,
            stray(
                FLOOD,
                &format!("group-{number}"),
                102,
                &format!("\"{}\"", "x".repeat(MIB + number)),
            ),
        );
        net.run(Duration::from_millis(200));
        assert_within(&net, "groups");
    }
    net.run(Duration::from_secs(90));
    assert_within(&net, "groups");
    let heads = |host: usize| {
        net.hosts[host]
            .node
            .heads()
            .map(|(name, head)| (name.to_owned(), head.id()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (heads(0).len(), heads(0)),
        (17, heads(1)),
        "both have all heads"
    );
    let light = net.hosts[1]
        .node
        .heads()
        .filter(|(_, head)| head.is_light())
        .count();
    assert!(light > 3, "{light} heads are on disk only");
    for number in [0, 15] {
        let ask = of_group(&format!("group-{number}"), Query::Document(path("/config")));
        let client = net.ask(1, ask);
        net.run(Duration::from_secs(1));
        let Some(starlingd::node::answer::Answer::Value { document, .. }) =
            net.take_answer(1, client)
        else {
            panic!("no answer")
        };
        assert_eq!(document.config().as_str().map(str::len), Some(MIB + number));
    }
}
