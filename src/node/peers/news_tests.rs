use super::*;
use crate::codec::hex;
use crate::limits::{NEWS_AT_ONCE, NEWS_EACH_SECOND, NODE_CHECKS_EACH_SECOND, NODE_CHECKS_MAX};
use crate::model::json::{self, Value, object};
use crate::model::proof::{Chains, Statement};
use crate::model::record::{Header, Kind, Record};
use crate::model::signature::SecretKey;
use crate::model::stamp::Stamp;
use crate::node::effect::Effect;
use crate::node::testing;

const SECOND: Duration = Duration::from_secs(1);
/// The height of the head that records name.
const NAMED: u64 = 40;

/// A host that is linked with two others, and what it has said to each.
struct Hearer {
    cx: Context,
    peers: Peers,
    said: Vec<(LinkId, HostNews)>,
}

/// A host that speaks of itself.
struct Author {
    number: u8,
    height: u64,
    chains: Chains,
}

impl Author {
    fn new(number: u8, height: u64) -> Self {
        let secret = SecretKey::from_seed(&[number; 32]);
        let chains = Chains::new(testing::peer(number), &secret, [height, 2, 3]);
        Self {
            number,
            height,
            chains,
        }
    }

    fn record(&self) -> HostNews {
        let secret = SecretKey::from_seed(&[self.number; 32]);
        let end = |statement| hex(&self.chains.proof(statement, 0).0);
        let said = object! {
            "desired": RecordId([1; 32]).to_string(),
            "applied": RecordId([1; 32]).to_string(),
            "height": NAMED,
            "steps": end(Statement::Step),
            "beats": end(Statement::Beat),
        };
        let body = json::compact(&Value::Object(said)).into_bytes();
        let header = Header {
            kind: Kind::Node,
            flags: 0,
            fleet: *testing::setup(1).fleet.id().as_bytes(),
            key: String::new(),
            author: testing::peer(self.number),
            height: self.height,
            stamp: Stamp::default(),
            base: RecordId([u8::from(self.height > 1); 32]),
            body_len: 0,
            body_hash: [0; 32],
            numbered: None,
            note: String::new(),
        };
        let record = Record::sign(header, &body, &secret);
        let records = vec![NewsRecord {
            record,
            age: 0,
            body,
        }];
        HostNews {
            records,
            ..HostNews::default()
        }
    }

    fn origin(&self) -> ProofOrigin {
        ProofOrigin {
            author: ProofOrigin::author_of(&testing::peer(self.number)),
            height: low(self.height),
            age: 0,
        }
    }

    /// Says that it is so many heights higher, which `proof` shows.
    fn step_by(&self, above: u64, head: u8, proof: Proof) -> HostNews {
        let steps = vec![Steps {
            height: NAMED + above,
            head: RecordId([head; 32]),
            hosts: vec![(self.origin(), proof)],
        }];
        HostNews {
            steps,
            ..HostNews::default()
        }
    }

    fn step(&self, place: u16, head: u8) -> HostNews {
        let proof = self.chains.proof(Statement::Step, place);
        self.step_by(u64::from(place), head, proof)
    }

    fn beat(&self, place: u16) -> HostNews {
        let beats = vec![Beat {
            origin: self.origin(),
            place,
            proof: self.chains.proof(Statement::Beat, place),
        }];
        HostNews {
            beats,
            ..HostNews::default()
        }
    }
}

impl Hearer {
    fn new() -> Self {
        let mut cx = testing::context(1);
        let mut peers = Peers::new(cx.me, b"");
        for link in [1, 2] {
            testing::link(&mut peers, &mut cx, link, 100 + link as u8);
        }
        let said = Vec::new();
        Self { cx, peers, said }
    }

    /// Takes in news from the first link, and waits until nothing is left to be told of it.
    fn hears(&mut self, news: HostNews) -> &mut Self {
        self.peers.news(&mut self.cx, 1, news);
        self.said.clear();
        while let Some(due) = self.peers.news_due() {
            self.cx.now.elapsed = self.cx.now.elapsed.max(due);
            self.tells();
        }
        self
    }

    fn tells(&mut self) {
        self.peers.tell_news(&mut self.cx);
        for id in [1, 2] {
            if let Some(link) = self.peers.link_mut(id) {
                link.sent(1_000, &mut self.cx.effects);
            }
        }
        for effect in std::mem::take(&mut self.cx.effects) {
            if let Effect::Send(link, bytes) = effect
                && let Ok(Some(Frame::News(news))) = Frame::decode(&bytes)
            {
                self.said.push((link, news));
            }
        }
    }

    /// The head that a host is believed to be at, by the byte it consists of.
    fn believes(&self, number: u8) -> u8 {
        let node = self.peers.roster.get(&testing::peer(number));
        let said = node.expect("it is known").said();
        let id = |member: &str| RecordId::parse(said.get(member)?.as_str()?);
        assert_eq!(id("desired"), id("applied"));
        id("desired").expect("a head").0[0]
    }

    fn is_linked(&self) -> bool {
        self.peers.link(1).is_some()
    }
}

#[test]
fn a_step_is_believed_and_told_to_all_but_those_who_know_it() {
    let (author, mut hearer) = (Author::new(7, 3), Hearer::new());
    hearer.hears(author.record());
    assert_eq!(hearer.believes(7), 1);
    hearer.hears(author.step(2, 9));
    assert_eq!(hearer.believes(7), 9);
    let told: Vec<LinkId> = hearer.said.iter().map(|(link, _)| *link).collect();
    assert_eq!(told, [2]);
    assert_eq!(hearer.said[0].1.steps, author.step(2, 9).steps);
    assert!(hearer.hears(author.step(2, 9)).said.is_empty(), "said once");
}

#[test]
fn neither_a_forged_step_is_believed_nor_one_to_a_greater_height_than_is_proven() {
    let (author, mut hearer) = (Author::new(7, 3), Hearer::new());
    hearer.hears(author.record()).hears(author.step(2, 9));
    let true_proof = |place| author.chains.proof(Statement::Step, place);
    let lies = [
        author.step_by(3, 8, Proof([5; 12])),
        author.step_by(4, 8, true_proof(3)),
        author.step_by(3, 8, author.chains.proof(Statement::Beat, 3)),
        author.step_by(3, 8, Author::new(7, 4).chains.proof(Statement::Step, 3)),
        author.step_by(u64::MAX - NAMED, 8, true_proof(3)),
        author.step_by(u64::from(u16::MAX), 8, true_proof(3)),
    ];
    for lie in lies {
        hearer.hears(lie);
        assert!(hearer.believes(7) == 9 && hearer.said.is_empty() && hearer.is_linked());
    }
    hearer.hears(author.step(3, 8));
    assert_eq!(hearer.believes(7), 8);
}

#[test]
fn what_was_said_before_says_nothing_when_it_is_said_again() {
    let (author, mut hearer) = (Author::new(7, 3), Hearer::new());
    hearer.hears(author.record()).hears(author.step(4, 9));
    // The same, all before it, which whoever has heard it can work out, and the record itself.
    for place in 0..=4 {
        hearer.hears(author.step(place, 8));
        assert!(hearer.believes(7) == 9 && hearer.said.is_empty());
    }
    hearer.hears(author.record());
    assert!(hearer.believes(7) == 9 && hearer.said.is_empty());
    // What follows an older record than the one held, as after a new start.
    let again = Author::new(7, 4);
    hearer.hears(again.record());
    assert_eq!(hearer.believes(7), 1);
    hearer.hears(author.step(5, 8)).hears(author.record());
    assert_eq!(hearer.believes(7), 1);
}

#[test]
fn a_beat_that_is_replayed_makes_nobody_younger() {
    let (author, mut hearer) = (Author::new(7, 3), Hearer::new());
    hearer.hears(author.record()).hears(author.beat(2));
    let heard = |hearer: &Hearer| {
        let node = hearer.peers.roster.get(&testing::peer(7)).expect("known");
        node.heard(hearer.cx.now.elapsed)
    };
    let before = hearer.cx.now.elapsed - heard(&hearer);
    hearer.cx.now.elapsed += 100 * SECOND;
    for place in 0..=2 {
        hearer.hears(author.beat(place));
        assert!(hearer.said.is_empty());
    }
    assert_eq!(hearer.cx.now.elapsed - heard(&hearer), before);
    hearer.hears(author.beat(3));
    assert!(hearer.cx.now.elapsed - heard(&hearer) > before);
}

#[test]
fn of_hosts_that_nobody_has_heard_of_and_of_itself_a_host_hears_nothing() {
    let mut hearer = Hearer::new();
    for number in [1, 7] {
        let author = Author::new(number, 3);
        hearer.hears(author.step(1, 9)).hears(author.beat(1));
        assert!(hearer.said.is_empty() && hearer.is_linked());
        assert!(hearer.peers.roster.get(&testing::peer(number)).is_none());
    }
}

#[test]
fn a_link_that_lies_is_not_heard_for_a_while_and_no_other_suffers() {
    let (author, mut hearer) = (Author::new(7, 3), Hearer::new());
    hearer.hears(author.record());
    let lie = author.step_by(200, 8, Proof([5; 12]));
    for _ in 0..NODE_CHECKS_MAX {
        hearer.peers.news(&mut hearer.cx, 1, lie.clone());
    }
    hearer.peers.news(&mut hearer.cx, 1, author.step(1, 9));
    assert_eq!(hearer.believes(7), 1, "it is not looked at");
    hearer.peers.news(&mut hearer.cx, 2, author.step(1, 9));
    assert_eq!(hearer.believes(7), 9, "another link brings it");
    hearer.cx.now.elapsed += SECOND / NODE_CHECKS_EACH_SECOND;
    hearer.peers.news(&mut hearer.cx, 1, author.step(2, 6));
    assert_eq!(hearer.believes(7), 6);
}

/// However much a member says of hosts that it invents, and however often: each link is told the
/// newest, once, at its pace.
#[test]
fn a_flood_of_news_goes_over_a_link_at_its_pace() {
    let mut hearer = Hearer::new();
    let authors: Vec<Author> = (120..220).map(|number| Author::new(number, 3)).collect();
    authors
        .iter()
        .for_each(|author| hearer.peers.news(&mut hearer.cx, 1, author.record()));
    let (begun, mut bytes) = (hearer.cx.now.elapsed, 0);
    for round in 1..=250 {
        for author in &authors {
            let news = author.step(round, round as u8);
            hearer.peers.news(&mut hearer.cx, 1, news);
        }
        hearer.cx.now.elapsed += SECOND / 25;
        hearer.tells();
        for (link, news) in hearer.said.drain(..) {
            assert_eq!(link, 2);
            bytes += Frame::News(news).encode().len();
        }
    }
    let seconds = (hearer.cx.now.elapsed - begun).as_secs() as usize;
    let most = NEWS_AT_ONCE + (seconds + 1) * NEWS_EACH_SECOND;
    assert!((most / 4..=most).contains(&bytes), "{bytes} of {most}");
    assert_eq!(hearer.believes(130), 250);
}
