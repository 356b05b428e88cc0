//! A fleet and its clients: hosts by number, what is asked for in the words of `asks`, what a host
//! answers and shows, and what all hosts must agree on in the end.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use starlingd::daemon::api::views;
use starlingd::model::json::{self, Value};
use starlingd::model::record::RecordId;
use starlingd::node::answer::Answer;
use starlingd::node::ask::{Ask, Change, Command, HostQuery, PastQuery, Query};
use starlingd::node::input::ClientId;
use starlingd::sim::{FarEnd, Spec};

use crate::asks::{append, path, put, value};
use crate::watch::{Watch, World};

/// Far more than any answer takes in virtual time.
pub const SOON: Duration = Duration::from_secs(20);
/// Lines of the history that are shown of what fails.
const LINES_SHOWN: usize = 60;
/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(10);

/// A world whose hosts are asked as clients would ask them, under the checkers that hold always.
pub struct Fleet {
    world: World,
    /// The world's own, which is away while it is told something: that is when a promise breaks.
    watch: Watch,
}

impl Deref for Fleet {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for Fleet {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

/// What fails shows what came before.
impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seen = self.watch.seen();
            let from = seen.history.len().saturating_sub(LINES_SHOWN);
            println!("seed {}:", self.seed);
            seen.history[from..]
                .iter()
                .for_each(|line| println!("  {line}"));
        }
    }
}

impl Fleet {
    pub fn new(seed: u64) -> Self {
        let watch = Watch::default();
        Self {
            world: World::new(seed, watch.clone()),
            watch,
        }
    }

    /// So many hosts with servers, of which the first began the fleet and is configured at the
    /// others.
    pub fn of(seed: u64, count: usize) -> Self {
        let mut net = Self::new(seed);
        for number in 0..count {
            net.add(Self::spec(number));
        }
        net
    }

    pub fn spec(number: usize) -> Spec {
        World::spec(number)
    }

    /// A number below `bound`, by chance.
    pub fn below(&mut self, bound: usize) -> usize {
        self.rng.below(bound as u64) as usize
    }

    /// Cuts the network: hosts of different sides do not hear each other. Those not named are on
    /// the other side.
    pub fn split(&mut self, others: &[usize]) {
        self.partition(&[others.to_vec()]);
    }

    /// Lets time pass until `holds`, and panics after `most`.
    pub fn until(&mut self, what: &str, most: Duration, mut holds: impl FnMut(&mut Self) -> bool) {
        let end = self.now + most;
        while !holds(self) {
            assert!(
                self.now < end,
                "seed {}: not within {most:?}: {what}\n{}",
                self.seed,
                self.report()
            );
            self.run(STEP);
        }
    }

    /// The pairs of hosts that are linked, the smaller number first.
    pub fn pairs(&self) -> BTreeSet<(usize, usize)> {
        let ends = self
            .hosts
            .iter()
            .enumerate()
            .flat_map(|(here, host)| host.links.values().map(move |end| (here, end.other)));
        let pair = |(here, other): (usize, FarEnd)| match other {
            FarEnd::Host(there, _) => Some((here.min(there), here.max(there))),
            FarEnd::Puppet(_) => None,
        };
        ends.filter_map(pair).collect()
    }
}

/// Takes away when each revision came.
pub fn without_receipt(revisions: &mut [Value]) {
    revisions.iter_mut().for_each(|revision| {
        drop(
            revision
                .as_object_mut()
                .expect("an object")
                .shift_remove("received"),
        )
    });
}

impl Fleet {
    /// Asks a host, and waits for what it answers.
    pub fn answer_to(&mut self, host: usize, ask: impl Into<Ask>) -> Answer {
        let client = self.ask(host, ask);
        self.answer(host, client)
    }

    /// Asks a host for what must be accepted; the revision that it made.
    pub fn made(&mut self, host: usize, ask: impl Into<Ask>) -> RecordId {
        let answer = self.answer_to(host, ask);
        self.done(answer)
    }

    /// Begins to put a text at a path.
    pub fn put(&mut self, host: usize, at: &str, text: &str) -> ClientId {
        self.ask(host, Command::Write(put(at, value(text))))
    }

    /// Begins to append a number to the array at a path.
    pub fn append(&mut self, host: usize, at: &str, number: usize) -> ClientId {
        self.ask(host, Command::Write(append(at, number.into())))
    }

    /// As [`Fleet::put`], with `If-Match`.
    pub fn put_if(
        &mut self,
        host: usize,
        at: &str,
        text: &str,
        if_match: impl Into<Option<String>>,
    ) -> ClientId {
        let change = Change {
            if_match: if_match.into(),
            ..put(at, value(text))
        };
        self.ask(host, Command::Write(change))
    }

    /// Makes a change and waits for the answer.
    pub fn change(&mut self, host: usize, at: &str, text: &str) -> Answer {
        self.answer_to(host, Command::Write(put(at, value(text))))
    }

    /// Makes a change that must be accepted.
    pub fn set(&mut self, host: usize, at: &str, text: &str) -> RecordId {
        let answer = self.change(host, at, text);
        self.done(answer)
    }

    /// The revision of a change that must have been accepted.
    pub fn done(&self, answer: Answer) -> RecordId {
        match answer {
            Answer::Done { revision, .. } => revision,
            other => panic!(
                "seed {}: a change was not made: {other:?}\n{}",
                self.seed,
                self.report()
            ),
        }
    }

    /// What a client is answered, which is waited for.
    pub fn answer(&mut self, host: usize, client: ClientId) -> Answer {
        self.until("an answer", SOON, |net| {
            net.hosts[host].answers.contains_key(&client)
        });
        self.take_answer(host, client).expect("it was just seen")
    }

    pub fn head(&mut self, host: usize) -> Option<RecordId> {
        self.document(host).0
    }

    /// The text of the configuration that the host shows.
    pub fn config(&mut self, host: usize) -> String {
        self.document(host).1
    }

    fn document(&mut self, host: usize) -> (Option<RecordId>, String) {
        let client = self.ask(host, Query::Document(path("/config")));
        match self.take_answer(host, client) {
            Some(Answer::Value { document, head, .. }) => (head, json::compact(document.config())),
            other => panic!("seed {}: no document, but {other:?}", self.seed),
        }
    }

    /// One of the plain views.
    pub fn view(&mut self, host: usize, ask: impl Into<Ask>) -> Value {
        let client = self.ask(host, ask);
        let answer = self.take_answer(host, client);
        answer
            .as_ref()
            .and_then(views::json)
            .unwrap_or_else(|| panic!("seed {}: no view, but {answer:?}", self.seed))
    }

    /// A history without what each host sees in its own way.
    pub fn history(&mut self, host: usize, ask: impl Into<Ask>) -> Value {
        let mut view = self.view(host, ask);
        without_receipt(view.as_array_mut().expect("a list"));
        view
    }

    /// The newest revision as a host shows it.
    pub fn newest(&mut self, host: usize) -> Value {
        self.view(host, PastQuery::Revisions)[0].clone()
    }

    /// A group as a host shows it.
    pub fn group(&mut self, host: usize, name: &str) -> Option<Value> {
        let groups = self.view(host, HostQuery::Groups);
        let mut groups = groups.as_array().expect("a list").iter();
        groups.find(|view| view["name"] == name).cloned()
    }

    /// The text of the configuration that a host's server runs.
    pub fn runs(&self, host: usize) -> String {
        json::compact(&self.hosts[host].server.config)
    }

    pub fn is_joined(&mut self, host: usize) -> bool {
        self.hosts[host].disk.joined
    }

    pub fn problems(&mut self, host: usize) -> Value {
        self.view(host, HostQuery::Fleet)["problems"].clone()
    }

    pub fn verdict(&mut self, host: usize) -> String {
        self.view(host, HostQuery::Fleet)["group"]["verdict"]
            .as_str()
            .expect("a word")
            .to_owned()
    }

    /// IDs of the conflicts that a host lists, with their state.
    pub fn conflicts(&mut self, host: usize) -> Vec<(String, String)> {
        let list = self.view(host, PastQuery::Conflicts);
        let text = |conflict: &Value, name: &str| conflict[name].as_str().expect("text").to_owned();
        list.as_array()
            .expect("a list")
            .iter()
            .map(|conflict| (text(conflict, "id"), text(conflict, "state")))
            .collect()
    }

    /// How many links a host has by its own account.
    pub fn degree(&mut self, host: usize) -> usize {
        self.view(host, HostQuery::Links)
            .as_array()
            .expect("a list")
            .len()
    }

    /// Whether all running hosts have joined.
    pub fn all_joined(&mut self) -> bool {
        self.running().into_iter().all(|host| self.is_joined(host))
    }

    /// Whether all running hosts are at this head.
    pub fn all_at(&mut self, head: RecordId) -> bool {
        self.running()
            .into_iter()
            .all(|host| self.head(host) == Some(head))
    }

    /// Whether all running hosts are at one head.
    pub fn agree(&mut self) -> bool {
        let hosts = self.running();
        let head = self.head(hosts[0]);
        head.is_some() && hosts.into_iter().all(|host| self.head(host) == head)
    }

    /// Whether the server of each running host runs the head, by what it shows and by what its host
    /// says.
    pub fn all_applied(&mut self) -> bool {
        self.running().into_iter().all(|host| {
            let (head, config) = self.document(host);
            let said = self.view(host, HostQuery::Fleet)["group"]["applied"]
                == head.map_or(Value::Null, |id| id.to_string().into());
            said && self.runs(host) == config
        })
    }

    /// Waits until all running hosts are at one head and their servers run it.
    pub fn settle(&mut self, most: Duration) -> RecordId {
        self.until("one head", most, |net| net.agree());
        self.until("it is applied everywhere", most, |net| {
            net.agree() && net.all_applied()
        });
        let first = self.running()[0];
        self.head(first).expect("they agree on one")
    }
}
