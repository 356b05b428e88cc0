//! Clients: what they ask for, where, and how often.
//!
//! All of them write in one document, whose configuration has places of three kinds: `kv`, where
//! everybody writes the same few members; `own`, where each host's clients have members of their
//! own; and `lists`, which are appended to. Besides they upload, replace, use and delete one
//! certificate that all know, and modules of their own. One change of the configuration in three is
//! asked for as a merge patch and one as a JSON Patch that come to the same.

use std::time::Duration;

use starlingd::model::edit::Change as Edit;
use starlingd::model::json::{self, Value};
use starlingd::model::record::RecordId;
use starlingd::node::answer::Answer;
use starlingd::node::ask::{Change, Command, DryRun, Patching};

use crate::asks::{append, delete, merge, put, put_settling_all, steps, value};
use crate::content::value_of;
use crate::watch::World;

/// What all changes are made on.
pub const FIRST: &str =
    r#"{"listeners":{},"routes":[],"applications":{},"kv":{},"own":{},"lists":{"l0":[],"l1":[]}}"#;

/// How the clients of a run behave.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Between two changes, on the average.
    pub pause: Duration,
    /// Members of `kv` that they fight for.
    pub keys: u64,
    /// Of a thousand changes, so many begin a burst.
    pub bursts: u64,
    /// Of a thousand changes, so many are to be tried only.
    pub dry: u64,
    /// Whether only the first host has clients.
    pub single: bool,
    tokens: u64,
    /// Changes left to be asked for.
    pub left: u64,
}

impl Clients {
    pub fn new(pause: Duration, changes: u64) -> Self {
        Self {
            pause,
            keys: 4,
            bursts: 50,
            dry: 0,
            single: false,
            tokens: 0,
            left: changes,
        }
    }

    /// Asks a host that is up for some change.
    pub fn ask(&mut self, world: &mut World) {
        if self.left == 0 {
            return;
        }
        let up = world.running();
        let candidates = if self.single {
            &up[..up.len().min(1)]
        } else {
            &up[..]
        };
        let Some(host) = world.rng.pick(candidates).copied() else {
            return;
        };
        let burst = if world.rng.below(1000) < self.bursts {
            3 + world.rng.below(8)
        } else {
            1
        };
        for _ in 0..burst.min(self.left) {
            self.left -= 1;
            let change = self.change(world, host);
            let is_dry = self.dry > 0 && world.rng.below(1000) < self.dry;
            let ask = if is_dry {
                Command::DryRun(DryRun::Write(change))
            } else {
                dressed(change, self.left)
            };
            world.ask(host, ask);
            if !world.hosts[host].up {
                return;
            }
        }
    }

    /// One more change by some host, and what came of it, if it was accepted.
    pub fn ask_once_more(&mut self, world: &mut World) -> Option<RecordId> {
        let up = world.running();
        let host = *world.rng.pick(&up)?;
        let change = put("/config/last", self.value());
        let client = world.ask(host, Command::Write(change));
        let answered = |world: &World| world.hosts[host].answers.contains_key(&client);
        world.run_until(
            Duration::from_millis(10),
            Duration::from_secs(10),
            |world| answered(world),
        );
        match world.take_answer(host, client)? {
            Answer::Done { revision, .. } => Some(revision),
            _ => None,
        }
    }

    fn change(&mut self, world: &mut World, host: usize) -> Change {
        let (key, kind) = (world.rng.below(self.keys), world.rng.below(100));
        let list = world.rng.below(2);
        let own = world.rng.below(3);
        let head = world.hosts[host].node.own_head();
        let (guard, conflicts) = (
            head.map(|head| format!("\"{}\"", head.id())),
            head.is_some_and(|head| !head.open.is_empty()),
        );
        let value = self.value();
        match kind {
            0..6 => put("/certificates/c", value),
            6..30 => put(&format!("/config/kv/k{key}"), value),
            30..34 => put("/config/listeners/l", using("c", value)),
            34..36 => put(&format!("/js_modules/h{host}-{own}"), value),
            36..50 => put(&format!("/config/own/h{host}-{own}"), value),
            50..72 => append(&format!("/config/lists/l{list}"), value),
            72..75 => delete("/certificates/c"),
            75..78 => delete("/config/listeners/l"),
            78..79 => delete(&format!("/js_modules/h{host}-{own}")),
            79..82 => delete(&format!("/config/kv/k{key}")),
            82..90 => Change {
                if_match: guard,
                ..put(&format!("/config/kv/k{key}"), value)
            },
            90..95 if conflicts => put_settling_all(&format!("/config/own/h{host}-{own}"), value),
            _ => put(
                "/config/kv",
                Value::Object([("k0".to_owned(), value)].into_iter().collect()),
            ),
        }
    }

    fn value(&mut self) -> Value {
        self.tokens += 1;
        value_of(self.tokens)
    }
}

/// Asks for the document on which everything else is made.
pub fn ask_for_first(world: &mut World, host: usize) {
    world.ask(host, Command::Write(put("/config", value(FIRST))));
}

/// A client at `host` puts a value that bears this token below `/config/own`.
pub fn write(world: &mut World, host: usize, member: &str, token: u64) {
    world.ask(
        host,
        Command::Write(put(&format!("/config/own/{member}"), value_of(token))),
    );
}

/// As [`write`], with a value so long that its revision goes in pieces, and goes through as no
/// delta.
pub fn write_long(world: &mut World, host: usize, member: &str, token: u64) {
    let noise: String = (0..1500)
        .map(|_| format!("{:016x}", world.rng.draw()))
        .collect();
    let value = Value::Array(vec![value_of(token), Value::from(noise)]);
    world.ask(
        host,
        Command::Write(put(&format!("/config/own/{member}"), value)),
    );
}

/// The same change, asked for in the one or the other way.
fn dressed(change: Change, number: u64) -> Command {
    if !change.op.path.is_config() {
        return Command::Write(change);
    }
    let step = |op: &str, at: &str, value: Option<&Value>| {
        let mut step = vec![("op", Value::from(op)), ("path", at.into())];
        step.extend(value.map(|value| ("value", value.clone())));
        let step = step
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        json::compact(&Value::Array(vec![Value::Object(step.collect())]))
    };
    let (last, above) = change
        .op
        .path
        .tokens()
        .split_last()
        .expect("no change is of everything");
    let parent = format!("/{}", above.join("/"));
    let member = |value: Value| {
        let members = [(last.clone(), value)];
        json::compact(&Value::Object(members.into_iter().collect()))
    };
    let patching = match (&change.op.change, number % 3) {
        // Merged, it would not replace the object that is there.
        (Edit::Put(Value::Object(_)), 1) => return Command::Write(change),
        (Edit::Put(value), 1) => merge(&parent, &member(value.clone())),
        (Edit::Delete, 1) => merge(&parent, &member(Value::Null)),
        (Edit::Put(value), 2) => steps(&parent, &step("add", &format!("/{last}"), Some(value))),
        (Edit::Delete, 2) => steps(&parent, &step("remove", &format!("/{last}"), None)),
        (Edit::Append(value), 1 | 2) => {
            steps(&change.op.path.to_string(), &step("add", "/-", Some(value)))
        }
        _ => return Command::Write(change),
    };
    Command::Patch(Patching {
        if_match: change.if_match,
        note: change.note,
        settles: change.settles,
        ..patching
    })
}

/// A listener that names a certificate.
fn using(certificate: &str, token: Value) -> Value {
    let tls = Value::Object(
        [("certificate".to_owned(), certificate.into())]
            .into_iter()
            .collect(),
    );
    Value::Object(
        [("pass".to_owned(), token), ("tls".to_owned(), tls)]
            .into_iter()
            .collect(),
    )
}
