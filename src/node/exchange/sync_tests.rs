use super::*;
use crate::node::effect::Effect;
use crate::node::testing;

/// The link between two hosts, on both sides.
const LINK: LinkId = 1;

/// All of a host that an exchange takes.
struct Host {
    cx: Context,
    peers: Peers,
    store: Store,
    exchange: Exchange,
    /// How many frames of exchanges it has sent.
    sent: usize,
}

impl Host {
    /// A host that is linked with another and holds nothing.
    fn new(number: u8, other: u8, joined: bool) -> Self {
        let mut cx = testing::context(number);
        let mut peers = Peers::new(cx.me, b"");
        testing::link(&mut peers, &mut cx, LINK, other);
        cx.events.clear();
        Self {
            store: testing::store(&cx),
            cx,
            peers,
            exchange: Exchange::new(joined),
            sent: 0,
        }
    }

    fn holds(&mut self, revision: &Arc<Revision>) {
        self.store
            .replica
            .take(Arc::clone(revision), self.cx.now.elapsed);
    }

    fn ids(&self) -> BTreeSet<RecordId> {
        let all = self.store.replica.exchanged();
        all.map(|revision| revision.id()).collect()
    }

    fn begin(&mut self) {
        let Self {
            cx,
            peers,
            store,
            exchange,
            ..
        } = self;
        exchange.begin_exchange(cx, peers, store, LINK, Scope::Documents);
    }

    /// What it has sent since the last time.
    fn frames(&mut self) -> Vec<Frame> {
        let sent = std::mem::take(&mut self.cx.effects).into_iter();
        let frames: Vec<Frame> = sent
            .filter_map(|effect| match effect {
                Effect::Send(LINK, bytes) => Frame::decode(&bytes).unwrap(),
                _ => None,
            })
            .collect();
        self.sent += frames.len();
        frames
    }

    fn hears(&mut self, frame: Frame) {
        let Self {
            cx,
            peers,
            store,
            exchange,
            ..
        } = self;
        match frame {
            Frame::Root(scope, complete, root) => {
                exchange.root(cx, peers, store, LINK, scope, complete, root);
            }
            Frame::Buckets(scope, buckets) => {
                exchange.buckets(cx, peers, store, LINK, scope, &buckets);
            }
            Frame::Ids(scope, asks, buckets, ids) => {
                exchange.ids(cx, peers, store, LINK, scope, asks, &buckets, &ids);
            }
            Frame::Done(scope, complete) => {
                exchange.exchange_done(cx, peers, store, LINK, scope, complete);
            }
            Frame::Record(record, _, payload) => {
                exchange.document_record(cx, peers, store, LINK, record, payload);
            }
            other => panic!("{other:?} is no part of an exchange"),
        }
        while let Some(event) = self.cx.events.pop_front() {
            match event {
                Event::Revision(_, revision) => self.holds(&revision),
                Event::Whole(link) => {
                    self.exchange
                        .join_if_done(&mut self.cx, &mut self.peers, &self.store, link);
                }
                _ => {}
            }
        }
    }
}

/// Two hosts, of which the first speaks for the fleet; they exchange until nothing is said any
/// more. How many frames that took.
fn exchange(one: &mut Host, other: &mut Host) -> usize {
    let before = one.sent + other.sent;
    loop {
        let (from_one, from_other) = (one.frames(), other.frames());
        if from_one.is_empty() && from_other.is_empty() {
            return one.sent + other.sent - before;
        }
        from_one.into_iter().for_each(|frame| other.hears(frame));
        from_other.into_iter().for_each(|frame| one.hears(frame));
    }
}

fn pair() -> [Host; 2] {
    [Host::new(1, 2, true), Host::new(2, 1, false)]
}

#[test]
fn who_holds_the_same_says_so_in_two_frames() {
    let [mut one, mut other] = pair();
    let first = testing::revision(3, "default", None, 1);
    one.holds(&first);
    other.holds(&first);
    one.begin();
    assert_eq!(
        exchange(&mut one, &mut other),
        2,
        "a root, and that it is done"
    );
}

#[test]
fn each_has_what_the_other_lacked_whoever_begins() {
    for begins in 0..2 {
        let mut hosts = pair();
        // A head with a child there, one that neither contains here, and another group's.
        let root = testing::revision(3, "default", None, 1);
        let here = testing::revision(4, "default", Some(&root), 2);
        let there = testing::revision(5, "default", Some(&root), 3);
        let elsewhere = testing::revision(6, "other", None, 4);
        for revision in [&root, &here, &elsewhere] {
            hosts[0].holds(revision);
        }
        for revision in [&root, &there] {
            hosts[1].holds(revision);
        }
        hosts[begins].begin();
        let [one, other] = &mut hosts;
        exchange(one, other);
        assert_eq!(one.ids(), other.ids(), "{begins} begins");
        assert_eq!(
            one.ids(),
            [here.id(), there.id(), elsewhere.id()].into(),
            "{begins} begins"
        );
    }
}

#[test]
fn a_host_speaks_for_the_fleet_once_all_that_one_that_does_had_is_here() {
    // What keeps it from that, on its own side of the link.
    type Hindrance = fn(&mut Host);
    let cases: [(&str, Hindrance, bool); 4] = [
        ("nothing", |_| {}, true),
        (
            "something was passed over",
            |host| host.peers.link_mut(LINK).unwrap().passed_over = true,
            false,
        ),
        (
            "something had no room",
            |host| host.peers.link_mut(LINK).unwrap().overflowed = true,
            false,
        ),
        (
            "a body is still on its way",
            |host| {
                let record = testing::revision(7, "third", None, 9).record.clone();
                let Host {
                    cx,
                    peers,
                    store,
                    exchange,
                    ..
                } = host;
                exchange.pull(cx, peers, store, LINK, record);
                cx.effects.clear();
            },
            false,
        ),
    ];
    for (what, hindrance, expected) in cases {
        let [mut one, mut other] = pair();
        one.holds(&testing::revision(3, "default", None, 1));
        one.begin();
        hindrance(&mut other);
        exchange(&mut one, &mut other);
        assert_eq!(other.ids(), one.ids(), "{what}");
        assert_eq!(other.exchange.joined, expected, "{what}");
    }
}

#[test]
fn whom_nobody_vouches_for_speaks_for_nobody() {
    let (mut one, mut other) = (Host::new(1, 2, false), Host::new(2, 1, false));
    one.holds(&testing::revision(3, "default", None, 1));
    one.begin();
    exchange(&mut one, &mut other);
    assert_eq!(other.ids(), one.ids());
    assert!(!one.exchange.joined && !other.exchange.joined);
}
