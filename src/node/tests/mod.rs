mod before;
mod dials;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod stalled;
#[cfg(test)]
mod wire;

use crate::daemon::api::refusals::said;
use crate::model::signature::SecretKey;
use crate::node::ask::{Ask, Change, Command, HostQuery, PastQuery};
use crate::node::effect::revision_name;
use crate::node::input::LinkId;
use std::collections::{BTreeMap, BTreeSet};

use super::effect::Level;
use super::input::Ticket;
use super::rng::Rng;
use super::*;
use crate::limits::SHORT_ID_MIN;
use crate::model::document::Document;
use crate::model::edit::{Change as EditChange, Op};
use crate::model::json::{self, Value};
use crate::model::path::Path;
use crate::model::shown::ShownConfig;
use crate::node::answer::Answer;
use crate::node::effect::ServerJob;
use crate::node::input::{ClientId, Outcome, ServerReport};
use crate::wire::handshake::Hello;

/// A node, and all that it has asked for.
struct Lone {
    node: Node,
    now: Now,
    effects: Vec<Effect>,
}

impl Lone {
    fn new(server: bool) -> Self {
        let now = Now {
            elapsed: Duration::ZERO,
            wall_ms: 1_000,
        };
        let setup = Setup {
            server,
            ..testing::setup(1)
        };
        let mut lone = Self {
            node: Node::new(setup, b"", now),
            now,
            effects: Vec::new(),
        };
        lone.deliver(Input::Addresses(Vec::new()));
        lone
    }

    /// What happens, and the decoding of bodies that comes of it.
    fn deliver(&mut self, input: Input) {
        self.node.handle(self.now, input, &mut self.effects);
        while let Some((ticket, undecoded)) = self.undecoded() {
            self.node.handle(
                self.now,
                Input::Decoded(ticket, undecoded.decode()),
                &mut self.effects,
            );
        }
    }

    fn undecoded(&mut self) -> Option<(Ticket, crate::node::undecoded::Undecoded)> {
        let place = self
            .effects
            .iter()
            .position(|effect| matches!(effect, Effect::Decode(..)))?;
        match self.effects.remove(place) {
            Effect::Decode(ticket, undecoded) => Some((ticket, undecoded)),
            _ => None,
        }
    }

    fn write(&mut self, client: ClientId, text: &str) {
        let op = Op {
            path: Path::parse("/config/routes").unwrap(),
            change: EditChange::Put(Value::from(text)),
        };
        self.deliver(Input::Asked(
            client,
            Command::Write(Change {
                op,
                if_match: None,
                note: String::new(),
                settles: Vec::new(),
            })
            .into(),
        ));
    }

    fn linked(&mut self, link: LinkId, identity: u8) {
        let peer = PeerId::from_bytes(SecretKey::from_seed(&[identity; 32]).public()).unwrap();
        let hello = Hello {
            peer,
            run: 5,
            features: 0,
            addresses: Vec::new(),
        };
        let address = "10.0.0.2:7117".parse().unwrap();
        self.deliver(Input::Linked {
            link,
            hello,
            address,
            dial: None,
        });
    }

    /// The statuses with which clients were answered.
    fn statuses(&self) -> Vec<(ClientId, u16)> {
        let status = |effect: &Effect| match effect {
            Effect::Answer(client, Answer::Denied(denial)) => Some((*client, said(denial).status)),
            Effect::Answer(client, Answer::Done { .. }) => Some((*client, 200)),
            _ => None,
        };
        self.effects.iter().filter_map(status).collect()
    }

    /// Answers all that is on its way to disk and server until nothing is.
    fn serve(&mut self, outcome: &Outcome) {
        loop {
            let mut inputs = Vec::new();
            for effect in &self.effects {
                match effect {
                    Effect::Disk(
                        DiskJob::Pending(ticket, ..)
                        | DiskJob::Commit(ticket, ..)
                        | DiskJob::Store(ticket, ..)
                        | DiskJob::BeforeStarling(ticket, _),
                    ) => inputs.push(Input::Stored(*ticket, Ok(()))),
                    Effect::Server(ticket, job) => {
                        let outcome = if matches!(job, ServerJob::Observe) {
                            observed()
                        } else {
                            outcome.clone()
                        };
                        inputs.push(Input::Server(ServerReport::new(*ticket, outcome)));
                    }
                    _ => {}
                }
            }
            self.effects
                .retain(|effect| !matches!(effect, Effect::Disk(_) | Effect::Server(..)));
            if inputs.is_empty() {
                return;
            }
            inputs.into_iter().for_each(|input| self.deliver(input));
        }
    }
}

fn observed() -> Outcome {
    shows(&Document::factory())
}

fn shows(document: &Document) -> Outcome {
    let config = document.folded().config().clone().into();
    Outcome::Observed {
        config,
        missing: Vec::new(),
        restarted: false,
    }
}

#[test]
fn a_node_says_when_it_wants_to_be_called_and_then_has_nothing_left_to_do() {
    let mut lone = Lone::new(true);
    for _ in 0..200 {
        lone.serve(&Outcome::Applied);
        lone.now.elapsed = lone.node.deadline();
        lone.deliver(Input::Tick);
        lone.serve(&Outcome::Applied);
        assert!(
            lone.node.deadline() > lone.now.elapsed,
            "it would spin at {:?}",
            lone.now.elapsed
        );
    }
    assert!(
        lone.now.elapsed > Duration::from_secs(120),
        "it wakes too often: 200 times in {:?}",
        lone.now.elapsed
    );
}

#[test]
fn of_many_changes_64_wait_and_the_rest_are_told_so_at_once() {
    let mut lone = Lone::new(true);
    lone.write(1000, "the first");
    lone.serve(&Outcome::Applied);
    lone.effects.clear();
    (0..70).for_each(|client| lone.write(client, &format!("{client}")));
    // One is in hand, 64 wait.
    assert_eq!(
        lone.statuses(),
        (65..70).map(|client| (client, 503)).collect::<Vec<_>>()
    );
    lone.serve(&Outcome::Applied);
    let done: Vec<ClientId> = lone
        .statuses()
        .into_iter()
        .filter(|(_, status)| *status == 200)
        .map(|(client, _)| client)
        .collect();
    assert_eq!(
        done,
        (0..65).collect::<Vec<_>>(),
        "in the order in which they came"
    );
}

#[test]
fn while_a_change_is_in_hand_the_server_is_asked_for_nothing_else() {
    let mut lone = Lone::new(true);
    lone.write(1000, "the first");
    lone.serve(&Outcome::Applied);
    lone.effects.clear();
    lone.write(1, "one");
    for seconds in 1..10 {
        lone.now.elapsed = Duration::from_secs(seconds);
        lone.deliver(Input::Tick);
    }
    let jobs = lone
        .effects
        .iter()
        .filter(|effect| matches!(effect, Effect::Server(..)))
        .count();
    assert_eq!(jobs, 0, "the disk has not answered yet");
    lone.serve(&Outcome::Applied);
    assert_eq!(lone.statuses(), vec![(1, 200)]);
}

#[test]
fn an_answer_that_nobody_can_tell_is_taken_back_from_the_server() {
    let mut lone = Lone::new(true);
    lone.serve(&Outcome::Applied);
    lone.write(1, "one");
    lone.serve(&Outcome::Unknown("no answer".into()));
    assert_eq!(lone.statuses(), vec![(1, 503)]);
    assert!(lone.node.head().is_none());
}

#[test]
fn without_a_server_a_change_is_published_untried_and_shown_so() {
    let mut lone = Lone::new(false);
    lone.write(1, "one");
    lone.serve(&Outcome::Applied);
    assert_eq!(lone.statuses(), vec![(1, 200)]);
    let header = &lone.node.head().unwrap().record.header;
    assert_eq!(header.flags & crate::model::record::Header::UNTRIED, 1);
}

#[test]
fn without_a_server_changes_do_not_wait_for_each_other_while_the_disk_takes_writes() {
    let mut lone = Lone::new(false);
    lone.write(1, "one");
    lone.serve(&Outcome::Applied);
    lone.effects.clear();
    let height = |lone: &Lone| lone.node.head().unwrap().record.header.height;
    let first = height(&lone);
    (2..5).for_each(|client| lone.write(client, &format!("{client}")));
    assert_eq!(height(&lone), first + 3, "each is made on the one before");
    assert_eq!(lone.statuses(), []);
    let stores = lone.effects.iter().filter_map(|effect| match effect {
        Effect::Disk(DiskJob::Store(ticket, ..)) => Some(*ticket),
        _ => None,
    });
    let stores: Vec<Ticket> = stores.collect();
    lone.deliver(Input::Stored(stores[0], Ok(())));
    assert_eq!(lone.statuses(), [(2, 200)], "each when its own is durable");
    lone.deliver(Input::Stored(stores[1], Err("full".into())));
    lone.deliver(Input::Stored(stores[2], Err("full".into())));
    assert_eq!(lone.statuses()[1..], [(3, 507), (4, 507)]);
    lone.effects.clear();
    lone.write(5, "five");
    assert_eq!(height(&lone), first + 3, "the disk comes first now");
    lone.serve(&Outcome::Applied);
    assert_eq!(height(&lone), first + 4);
    assert_eq!(lone.statuses(), [(5, 200)]);
}

#[test]
fn a_node_that_ends_says_goodbye_on_all_links() {
    let mut lone = Lone::new(false);
    lone.linked(1, 2);
    lone.linked(2, 3);
    lone.effects.clear();
    lone.node.leave(&mut lone.effects);
    let bye = |effect: &Effect| match effect {
        Effect::Send(link, bytes) => matches!(
            Frame::decode(bytes),
            Ok(Some(Frame::Bye(Goodbye::Leaving, _)))
        )
        .then_some(*link),
        _ => None,
    };
    assert_eq!(
        lone.effects.iter().filter_map(bye).collect::<Vec<_>>(),
        vec![1, 2]
    );
}

#[test]
fn a_silent_link_is_pinged_and_then_given_up() {
    let mut lone = Lone::new(false);
    lone.linked(1, 2);
    lone.effects.clear();
    let mut pinged = None;
    let mut closed = None;
    while closed.is_none() {
        lone.now.elapsed = lone.node.deadline();
        lone.deliver(Input::Tick);
        for effect in lone.effects.drain(..) {
            match effect {
                Effect::Send(1, bytes)
                    if matches!(Frame::decode(&bytes), Ok(Some(Frame::Ping(_)))) =>
                {
                    pinged.get_or_insert(lone.now.elapsed);
                }
                Effect::Close(1) => closed = Some(lone.now.elapsed),
                _ => {}
            }
        }
        assert!(lone.now.elapsed < Duration::from_secs(60));
    }
    assert_eq!(
        pinged,
        Some(crate::limits::PING_SECOND_AFTER),
        "the dialler's turn is over then"
    );
    assert_eq!(closed, Some(crate::limits::DEAD_AFTER));
}

#[test]
fn what_concerns_links_and_tickets_that_are_gone_is_ignored() {
    let mut lone = Lone::new(true);
    lone.serve(&Outcome::Applied);
    lone.effects.clear();
    lone.deliver(Input::Frame(77, Frame::Ping(1).encode()));
    lone.deliver(Input::Sent(77, 1024));
    lone.deliver(Input::Unlinked(77, "gone".into()));
    lone.deliver(Input::Stored(999, Ok(())));
    lone.deliver(Input::Server(ServerReport::new(999, Outcome::Applied)));
    lone.deliver(Input::DialFailed(999, "refused".into()));
    assert!(lone.effects.is_empty(), "{:?}", lone.effects);
}

#[test]
fn the_beginning_of_two_ids_is_refused_until_a_longer_one_is_given() {
    let mut lone = Lone::new(false);
    let mut beginnings = BTreeMap::new();
    // Two of 65 536 beginnings are the same after some three hundred, so a thousand that are kept
    // are enough.
    let (one, other) = (0..crate::limits::HISTORY_KEPT_MAX as u64)
        .find_map(|client| {
            lone.write(client, &format!("{client}"));
            lone.serve(&Outcome::Applied);
            let id = lone.node.head().expect("it was published").id();
            Some((
                beginnings.insert(id.to_string()[..SHORT_ID_MIN].to_owned(), id)?,
                id,
            ))
        })
        .expect("two begin alike");
    lone.effects.clear();
    let asks = |id: &str| {
        let path = Path::parse("/config").unwrap();
        let restore = Command::Restore {
            id: id.to_owned(),
            path,
            if_match: None,
            note: String::new(),
        };
        [
            Ask::from(PastQuery::Revision(id.to_owned())),
            Ask::from(PastQuery::Difference {
                to: id.to_owned(),
                from: None,
            }),
            Ask::from(restore),
        ]
    };
    let short = one.to_string()[..SHORT_ID_MIN].to_owned();
    (2_000..)
        .zip(asks(&short))
        .for_each(|(client, ask)| lone.deliver(Input::Asked(client, ask)));
    assert_eq!(lone.statuses(), [(2_000, 409), (2_001, 409), (2_002, 409)]);
    lone.effects.clear();
    (3_000..)
        .zip(
            asks(&one.to_string())
                .into_iter()
                .chain(asks(&other.to_string())),
        )
        .for_each(|(client, ask)| {
            lone.deliver(Input::Asked(client, ask));
        });
    assert_eq!(
        lone.statuses(),
        [(3_005, 200)],
        "the other is the head: to restore it changes nothing"
    );
    let read = lone
        .effects
        .iter()
        .filter(|effect| matches!(effect, Effect::Load(..)))
        .count();
    assert_eq!(read, 1, "the file of the one is being read");
}

#[test]
fn a_server_found_while_a_change_is_made_durable_is_not_taken_to_run_it() {
    let mut lone = Lone::new(false);
    lone.write(1, "one");
    lone.node.server_appears();
    let theirs = ShownConfig::from(Value::from_iter([("theirs".to_owned(), Value::from(1))]));
    let mut is_given = false;
    while !is_given {
        assert!(
            lone.now.elapsed < Duration::from_secs(60),
            "it is not given it: {:?}",
            lone.node.local.server.drift()
        );
        lone.now.elapsed += Duration::from_secs(1);
        lone.deliver(Input::Tick);
        for effect in std::mem::take(&mut lone.effects) {
            let input = match effect {
                Effect::Disk(DiskJob::Store(ticket, ..) | DiskJob::BeforeStarling(ticket, _)) => {
                    Input::Stored(ticket, Ok(()))
                }
                Effect::Server(ticket, ServerJob::Observe) => {
                    let outcome = Outcome::Observed {
                        config: theirs.clone(),
                        missing: Vec::new(),
                        restarted: false,
                    };
                    Input::Server(ServerReport::new(ticket, outcome))
                }
                effect => {
                    is_given |= matches!(effect, Effect::Server(_, ServerJob::Apply(..)));
                    continue;
                }
            };
            lone.deliver(input);
        }
    }
}
