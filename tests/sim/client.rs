//! Clients of the simulated hosts: changes, questions, and what all hosts must agree on in the end.

use std::time::Duration;

use starlingd::model::edit::{Change as Edit, Op};
use starlingd::model::json::{self, Value};
use starlingd::model::path::Path;
use starlingd::model::record::RecordId;
use starlingd::node::answer::Answer;
use starlingd::node::input::{Ask, Change, ClientId};

use crate::fleet::Fleet;

/// Far more than any answer takes in virtual time.
pub const SOON: Duration = Duration::from_secs(20);

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

pub fn value(text: &str) -> Value {
    json::parse(text.as_bytes()).expect("tests write JSON")
}

impl Fleet {
    /// Begins `PUT /config…`.
    pub fn put_config(&mut self, host: usize, path: &str, text: &str) -> ClientId {
        self.put_if(host, path, text, None)
    }

    pub fn put_if(
        &mut self,
        host: usize,
        path: &str,
        text: &str,
        if_match: Option<String>,
    ) -> ClientId {
        let op = Op {
            path: Path::parse(path).expect("tests write paths"),
            change: Edit::Put(value(text)),
        };
        self.ask(
            host,
            Ask::Write(Change {
                op,
                if_match,
                note: String::new(),
                settles: Vec::new(),
            }),
        )
    }

    /// Makes a change and waits for the answer.
    pub fn change(&mut self, host: usize, path: &str, text: &str) -> Answer {
        let client = self.put_config(host, path, text);
        self.answer(host, client)
    }

    /// Makes a change that must be accepted.
    pub fn set(&mut self, host: usize, path: &str, text: &str) -> RecordId {
        let answer = self.change(host, path, text);
        self.done(answer)
    }

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
        let client = self.ask(host, Ask::Read(Path::parse("/config").expect("a path")));
        match self.take_answer(host, client) {
            Some(Answer::Value { document, head, .. }) => (head, json::compact(document.config())),
            other => panic!("seed {}: no document, but {other:?}", self.seed),
        }
    }

    /// One of the plain views.
    pub fn view(&mut self, host: usize, ask: Ask) -> Value {
        let client = self.ask(host, ask);
        match self.take_answer(host, client) {
            Some(Answer::Json(view) | Answer::History(view, _)) => view,
            other => panic!("seed {}: no view, but {other:?}", self.seed),
        }
    }

    /// A history without what each host sees in its own way.
    pub fn history(&mut self, host: usize, ask: Ask) -> Value {
        let mut view = self.view(host, ask);
        without_receipt(view.as_array_mut().expect("a list"));
        view
    }

    pub fn is_joined(&mut self, host: usize) -> bool {
        self.hosts[host].disk.joined
    }

    pub fn problems(&mut self, host: usize) -> Value {
        self.view(host, Ask::Fleet)["problems"].clone()
    }

    pub fn verdict(&mut self, host: usize) -> String {
        self.view(host, Ask::Fleet)["group"]["verdict"]
            .as_str()
            .expect("a word")
            .to_owned()
    }

    /// IDs of the conflicts that a host lists, with their state.
    pub fn conflicts(&mut self, host: usize) -> Vec<(String, String)> {
        let list = self.view(host, Ask::Conflicts(None));
        let text = |conflict: &Value, name: &str| conflict[name].as_str().expect("text").to_owned();
        list.as_array()
            .expect("a list")
            .iter()
            .map(|conflict| (text(conflict, "id"), text(conflict, "state")))
            .collect()
    }

    /// How many links a host has by its own account.
    pub fn degree(&mut self, host: usize) -> usize {
        self.view(host, Ask::Links)
            .as_array()
            .expect("a list")
            .len()
    }

    pub fn running(&self) -> Vec<usize> {
        (0..self.hosts.len())
            .filter(|host| self.hosts[*host].up)
            .collect()
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
            let said = self.view(host, Ask::Fleet)["group"]["applied"]
                == head.map_or(Value::Null, |id| id.to_string().into());
            said && json::compact(&self.hosts[host].server.config) == config
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
