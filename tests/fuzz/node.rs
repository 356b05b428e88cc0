//! A whole fleet in virtual time with a member that says anything, whenever it likes: frames of
//! every type about what is held and what is not, frames with bytes changed, revisions of any
//! height, stamp, base, origin and content under its own signature. Meanwhile clients ask, hosts
//! crash, links break. In the end the honest hosts must come to one head, and take a change on each
//! of them.

use std::time::Duration;

use starlingd::model::edit::{Change as Edited, Op};
use starlingd::model::json;
use starlingd::model::ledger::{EditRef, Place, Series};
use starlingd::model::path::Path;
use starlingd::model::peer_id::PeerId;
use starlingd::model::record::{Header, Kind, Record, RecordId};
use starlingd::model::stamp::Stamp;
use starlingd::node::answer::Answer;
use starlingd::node::ask::{Change, Command, Query};
use starlingd::node::input::Input;
use starlingd::node::rng::Rng;
use starlingd::sim::{Observer, World, fleet, secret};
use starlingd::wire::forwarded::ForwardedRequest;
use starlingd::wire::frame::{Frame, Goodbye, Payload, Scope};
use starlingd::wire::handshake::Hello;
use starlingd::wire::news::{HostNews, NewsRecord};

use super::mutate;

/// The member, and what it knows.
struct Liar {
    rng: Rng,
    /// Records that it has made or been sent, with their bodies as far as they came whole.
    records: Vec<(Record, Vec<u8>)>,
    /// The puppet in the world whose link is up, if one is, and the host at its other end.
    puppet: Option<(usize, usize)>,
    /// How much of what the puppet was sent has been read.
    read: usize,
}

/// Lets a fleet live through what this seed brings while somebody looks on; panics if it does not
/// stand it.
pub fn live<O: Observer>(seed: u64, observer: O) {
    let mut world = World::new(seed, observer);
    for number in 0..HOSTS {
        world.add(World::<O>::spec(number));
    }
    world.run(Duration::from_secs(2));
    put(
        &mut world,
        0,
        "/config",
        r#"{"listeners":{},"routes":[],"applications":{}}"#,
    );
    world.run(Duration::from_secs(2));
    let mut liar = Liar {
        rng: Rng::new(seed ^ 0x5eed),
        records: Vec::new(),
        puppet: None,
        read: 0,
    };
    for _ in 0..60 + liar.rng.below(200) {
        step(&mut world, &mut liar);
    }
    recover(&mut world);
}

/// One thing that happens.
fn step<O: Observer>(world: &mut World<O>, liar: &mut Liar) {
    let host = liar.below(HOSTS);
    match liar.below(24) {
        0 if world.running().contains(&host) => {
            world.crash(host, host.is_multiple_of(2));
            liar.puppet = None;
        }
        1..=2 => (0..HOSTS).for_each(|host| {
            if !world.running().contains(&host) {
                world.restart(host);
            }
        }),
        3..=5 if world.running().contains(&host) => change(world, host, liar),
        6..=8 => world.run(Duration::from_millis(liar.rng.below(3_000))),
        9 if world.running().contains(&host) => {
            let addresses = vec![std::net::SocketAddr::from((
                [10, 1, liar.byte(), liar.byte()],
                7117,
            ))];
            world.deliver(
                host,
                Input::Found {
                    instance: format!("{:020x}", liar.rng.draw()),
                    addresses,
                    unheard: true,
                },
            );
        }
        _ => liar.speak(world, host),
    }
}

/// A client asks for something; what becomes of it is not waited for.
fn change<O: Observer>(world: &mut World<O>, host: usize, liar: &mut Liar) {
    if liar.below(20) == 0 {
        world.ask(
            host,
            Command::RemoveGroup {
                name: "other".to_owned(),
                force: liar.below(2) == 0,
                note: String::new(),
            },
        );
        return;
    }
    let path = [
        "/config/routes",
        "/config/applications/a",
        "/config/listeners",
    ][liar.below(3)];
    let change = match liar.below(4) {
        0 => Edited::Append(liar.rng.below(100).into()),
        1 => Edited::Delete,
        2 => Edited::Put(json::parse(br#"["x"]"#).expect("JSON")),
        _ => Edited::Put(json::parse(b"{}").expect("JSON")),
    };
    let op = Op {
        path: Path::parse(path).expect("it is a path"),
        change,
    };
    let settles = if liar.below(8) == 0 {
        vec!["*".to_owned()]
    } else {
        Vec::new()
    };
    world.ask(
        host,
        Command::Write(Change {
            op,
            if_match: None,
            note: String::new(),
            settles,
        }),
    );
}

impl Liar {
    fn below(&mut self, bound: usize) -> usize {
        self.rng.below(bound as u64) as usize
    }

    /// An edit under any name: some are odd, some of a series that may go on.
    fn edit(&mut self) -> EditRef {
        let (stamp, id, height) = (self.stamp(), self.id(), self.rng.below(300));
        let mut edit = EditRef::odd(stamp, id, height);
        if self.below(2) == 0 {
            let series = Series([self.rng.below(4) as u8; 12]);
            let number = 1 + self.rng.below(9);
            edit.place = Place { series, number };
        }
        edit
    }

    fn byte(&mut self) -> u8 {
        self.rng.below(256) as u8
    }

    /// Says a few things to a host, over the link that is up or a new one.
    fn speak<O: Observer>(&mut self, world: &mut World<O>, host: usize) {
        if !world.running().contains(&host) {
            return;
        }
        let is_up = self
            .puppet
            .is_some_and(|(puppet, _)| !world.puppets[puppet].closed);
        if !is_up || self.below(10) == 0 {
            let peer = PeerId::from_bytes(secret(LIAR).public()).expect("a public key");
            let hello = Hello {
                peer,
                run: self.rng.draw(),
                features: self.rng.draw(),
                addresses: Vec::new(),
            };
            self.puppet = Some((world.puppet(host, hello), host));
            self.read = 0;
        }
        for _ in 0..=self.below(6) {
            let linked = self.puppet.filter(|(puppet, to)| {
                !world.puppets[*puppet].closed && world.running().contains(to)
            });
            let Some((puppet, _)) = linked else { return };
            self.listen(world, puppet);
            let frame = self.frame();
            world.says(puppet, frame);
        }
    }

    /// Learns of records from what it was sent.
    fn listen<O: Observer>(&mut self, world: &World<O>, puppet: usize) {
        let frames = &world.puppets[puppet].frames;
        for bytes in &frames[self.read.min(frames.len())..] {
            if let Ok(Some(Frame::Record(record, _, payload))) = Frame::decode(bytes) {
                let body = if let Payload::Whole(body) = payload {
                    body
                } else {
                    Vec::new()
                };
                self.records.push((record, body));
            }
        }
        self.read = frames.len();
        if self.records.len() > 200 {
            self.records.drain(..100);
        }
    }

    /// The ID of a record that is known, or of none.
    fn id(&mut self) -> RecordId {
        match self.below(4) {
            0 => RecordId(std::array::from_fn(|_| self.byte())),
            1 => RecordId::NONE,
            _ if self.records.is_empty() => RecordId::NONE,
            _ => {
                let place = self.below(self.records.len());
                self.records[place].0.id
            }
        }
    }

    fn frame(&mut self) -> Vec<u8> {
        let scope = if self.below(2) == 0 {
            Scope::Documents
        } else {
            Scope::Nodes
        };
        let flag = self.below(2) == 0;
        let bytes = (0..self.below(200))
            .map(|_| self.byte())
            .collect::<Vec<u8>>();
        let edits: Vec<EditRef> = (0..self.below(5)).map(|_| self.edit()).collect();
        let frame = match self.below(22) {
            0 => Frame::Ping(self.rng.draw()),
            1 => Frame::Pong(self.rng.draw()),
            2 => Frame::Degree(self.rng.below(100) as u16),
            3 => Frame::Pull {
                id: self.id(),
                offset: self.rng.below(70_000) as u32,
                have: self.id(),
            },
            4 => Frame::Piece {
                id: self.id(),
                offset: self.rng.below(70_000) as u32,
                bytes,
            },
            5 => Frame::Missing(self.id()),
            6 => Frame::Root(scope, flag, std::array::from_fn(|_| self.byte())),
            7 => Frame::Buckets(scope, vec![[self.byte(); 8]; 256]),
            8 => Frame::Ids(
                scope,
                flag,
                (0..=self.byte()).collect(),
                (0..self.below(20)).map(|_| self.id()).collect(),
            ),
            9 => Frame::Done(scope, flag),
            10 => Frame::Addresses(vec![std::net::SocketAddr::from((
                [10, 9, self.byte(), self.byte()],
                7117,
            ))]),
            11 => Frame::Want(self.id()),
            12 => Frame::ContainmentQuery {
                group: "default".into(),
                head: self.id(),
                edits,
            },
            13 => Frame::ContainmentReply {
                group: "default".into(),
                head: self.id(),
                contained: edits.clone(),
                out: edits,
            },
            14 => Frame::ForwardedRequest(self.rng.below(4), flag, self.forwarded(bytes)),
            15 => Frame::ForwardedResponse(self.rng.below(4), flag, bytes),
            16 if self.below(4) == 0 => Frame::Bye(Goodbye::Leaving, "enough".into()),
            17 if !self.records.is_empty() => {
                let place = self.below(self.records.len());
                let (record, body) = self.records[place].clone();
                self.carrying(record, body)
            }
            _ => {
                let (record, body) = self.record();
                self.records.push((record.clone(), body.clone()));
                self.carrying(record, body)
            }
        };
        let honest = frame.encode();
        if self.below(5) == 0 {
            mutate::garbage(&mut self.rng, &[honest], 100)
        } else {
            honest
        }
    }

    fn forwarded(&mut self, body: Vec<u8>) -> Vec<u8> {
        let target =
            ["/config", "/config/routes", "/fleet", "/certificates/a"][self.below(4)].to_owned();
        let forwarded = ForwardedRequest {
            group: "default".into(),
            method: "PUT".into(),
            target,
            headers: Vec::new(),
            body,
        };
        forwarded.encode().expect("it is short")
    }

    /// A record in a frame of its kind.
    fn carrying(&mut self, record: Record, body: Vec<u8>) -> Frame {
        if record.header.kind != Kind::Node {
            return Frame::Record(record, 0, self.payload(body));
        }
        let age = self.rng.below(10_000);
        Frame::News(HostNews {
            records: vec![NewsRecord { record, age, body }],
            ..HostNews::default()
        })
    }

    fn payload(&mut self, body: Vec<u8>) -> Payload {
        match self.below(6) {
            0 => Payload::Announced,
            1 => Payload::Delta(self.id(), body.into_iter().take(100).collect()),
            _ => Payload::Whole(body),
        }
    }

    fn stamp(&mut self) -> Stamp {
        let ms = match self.below(4) {
            0 => self.rng.below(1 << 46),
            1 => (1 << 46) - 1,
            _ => self.rng.below(2_000_000_000_000),
        };
        Stamp::from_u64((ms << 16) | self.rng.below(1 << 16)).unwrap_or_default()
    }

    /// A record under the member's own signature.
    fn record(&mut self) -> (Record, Vec<u8>) {
        let kind = if self.below(4) == 0 {
            Kind::Node
        } else {
            Kind::Document
        };
        let key = match (kind, self.below(5)) {
            (Kind::Document, 0) => "other".to_owned(),
            (Kind::Document, _) => "default".to_owned(),
            _ => String::new(),
        };
        let height = match self.below(6) {
            0 => self.rng.below(1 << 48),
            1 => (1 << 48) - 1,
            _ => self.rng.below(40),
        };
        let height = height.max(1);
        let base = if height == 1 {
            RecordId::NONE
        } else {
            self.id()
        };
        let base = if height > 1 && base == RecordId::NONE {
            RecordId([7; 32])
        } else {
            base
        };
        let body = self.body(kind);
        let header = Header {
            kind,
            flags: self.rng.below(8) as u16,
            fleet: *fleet().id().as_bytes(),
            key,
            author: PeerId::from_bytes(secret(LIAR).public()).expect("a public key"),
            height,
            stamp: self.stamp(),
            base,
            body_len: 0,
            body_hash: [0; 32],
            numbered: None,
            note: "why".into(),
        };
        (Record::sign(header, &body, &secret(LIAR)), body)
    }

    /// A body of this kind: mostly sound, or what an honest record has with a few bytes changed.
    fn body(&mut self, kind: Kind) -> Vec<u8> {
        let bodies: Vec<Vec<u8>> = self
            .records
            .iter()
            .map(|(_, body)| body.clone())
            .filter(|body| !body.is_empty())
            .collect();
        if !bodies.is_empty() && self.below(2) == 0 {
            return mutate::garbage(&mut self.rng, &bodies, 100)
                .into_iter()
                .take(16_000)
                .collect();
        }
        if kind == Kind::Node {
            return br#"{"name":"liar","version":"1","addresses":["10.0.0.9:7117"],"group":"default"}"#.to_vec();
        }
        let edit = self.edit();
        let (author, stamp) = (
            PeerId::from_bytes(secret(1 + self.rng.below(3)).public()).expect("a public key"),
            self.stamp(),
        );
        let origin = match self.below(3) {
            0 => r#""kind":"original""#.to_owned(),
            1 => format!(r#""kind":"replay","of":"{edit}","author":"{author}""#),
            _ => format!(r#""kind":"note","of":"{edit}","author":"{author}""#),
        };
        let op = r#"{"op":"PUT","path":"/config/routes","found":{"value":[]}}"#;
        // Edits two milliseconds apart, whose IDs are zeros.
        let named = format!("E{:A<43}", "").repeat(self.below(4));
        let head = format!(
            r#"{{"edit":{{{origin},"ops":[{op}]}},"settled":[],"open":[],"floor":"{stamp}","ledger":"{named}"}}"#
        );
        format!(
            "{head}\n{{\"config\":{{\"listeners\":{{}},\"routes\":[{}],\"applications\":{{}}}}}}",
            self.rng.below(9)
        )
        .into_bytes()
    }
}

/// A change that must be taken within a minute.
fn put<O: Observer>(world: &mut World<O>, host: usize, path: &str, text: &str) {
    let seed = world.seed;
    let taken = |world: &mut World<O>| {
        let op = Op {
            path: Path::parse(path).expect("a path"),
            change: Edited::Put(json::parse(text.as_bytes()).expect("JSON")),
        };
        let client = world.ask(
            host,
            Command::Write(Change {
                op,
                if_match: None,
                note: String::new(),
                settles: vec!["*".into()],
            }),
        );
        world.run_until(
            Duration::from_millis(50),
            Duration::from_secs(30),
            |world| world.hosts[host].answers.contains_key(&client),
        );
        world.take_answer(host, client)
    };
    let mut last = None;
    for _ in 0..20 {
        match taken(world) {
            Some(Answer::Done { .. }) => return,
            other => last = other,
        }
        world.run(Duration::from_secs(3));
    }
    panic!(
        "seed {seed}: host {host} takes no change: {last:?}\n{}",
        world.report()
    );
}

/// The member is silent from now on; all hosts run, and come to one head and to changes.
fn recover<O: Observer>(world: &mut World<O>) {
    for host in 0..HOSTS {
        if !world.running().contains(&host) {
            world.restart(host);
        }
    }
    world.run(Duration::from_secs(60));
    for host in 0..HOSTS {
        put(
            world,
            host,
            &format!("/config/applications/mark{host}"),
            "{}",
        );
    }
    let agreed = world.run_until(
        Duration::from_millis(500),
        Duration::from_secs(120),
        |world| {
            let heads: Vec<_> = (0..HOSTS).map(|host| head(world, host)).collect();
            heads[0].is_some() && heads.iter().all(|head| *head == heads[0])
        },
    );
    assert!(
        agreed,
        "seed {}: the hosts do not come to one head\n{}",
        world.seed,
        world.report()
    );
}

fn head<O: Observer>(world: &mut World<O>, host: usize) -> Option<RecordId> {
    let client = world.ask(
        host,
        Query::Document(Path::parse("/config").expect("a path")),
    );
    match world.take_answer(host, client) {
        Some(Answer::Value { head, .. }) => head,
        _ => None,
    }
}

const HOSTS: usize = 3;
const LIAR: u64 = 99;
