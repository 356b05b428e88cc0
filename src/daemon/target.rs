//! The target: the thread that configures this host's server.
//!
//! It does one job at a time, because the server does too, and it alone may block on it: for a change up to a minute, since Unit
//! answers when the applications have started. Only whole documents are sent, and nothing counts as applied before it has been read
//! back. It decides nothing beyond the job: whether to repair, retry or publish is the node's part, to which each [`Report`] goes.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use super::unit::{Failure, Match, Reply, Unit, readable};
use crate::limits::{GLANCES_MAX, READ_BACK_WAIT, TARGET_QUEUE, TARGET_STACK};
use crate::model::document::Document;
use crate::model::json::{self, Value};
use crate::node::input::Refusal;

/// What the thread is asked for. The ticket is the asker's, and comes back in the [`Report`].
#[derive(Debug)]
pub enum Job {
    /// Have the server run this document's configuration, and say whether it would.
    Try {
        /// Comes back in the report.
        ticket: u64,
        /// What to run.
        document: Document,
        /// Whether what runs already is not to be sent again.
        look_first: bool,
    },
    /// Have the server run what others have tried; what runs already is not sent again.
    Apply {
        /// Comes back in the report.
        ticket: u64,
        /// What to run.
        document: Document,
    },
    /// Look what the server runs.
    Observe {
        /// Comes back in the report.
        ticket: u64,
    },
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The server has been seen to run the document: it took it, or ran it before.
    Applied,
    /// The server took the document with a 200, and then showed something else or could not be read: why, in words.
    AppliedUnverified(String),
    /// The server runs what it ran before.
    Refused(Refusal),
    /// Nothing happened: why, in words.
    Unreachable(String),
    /// What the server runs, or will run, cannot be told, even after looking: why, in words.
    Unknown(String),
    /// What the server runs.
    Observed {
        /// The configuration, with the names that certificates have in the document.
        config: Arc<Value>,
        /// Paths of certificates and modules of the last document that are not there, or not the same any more.
        missing: Vec<String>,
        /// Whether it was started anew since the last observation.
        restarted: bool,
        /// Whether an earlier observation showed something else, or the server has been sent a document since.
        changed: bool,
    },
    /// Byte for byte what the last observation showed, and nothing was sent since.
    Unchanged,
}

/// What became of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// That of the job.
    pub ticket: u64,
    /// How it ended.
    pub outcome: Outcome,
}

/// The handle of the thread. When the last one is dropped, the thread does what is queued and ends.
#[derive(Debug, Clone)]
pub struct Target {
    jobs: SyncSender<Job>,
}

/// Starts the thread "target". Each report goes to `sink`, which may block.
pub fn start(unit: Unit, sink: impl Fn(Report) + Send + 'static) -> io::Result<Target> {
    let (jobs, queue) = sync_channel(TARGET_QUEUE);
    let worker = Worker { unit, seen: Seen::Nothing, observed: false, taken: None };
    thread::Builder::new().name("target".to_owned()).stack_size(TARGET_STACK).spawn(move || worker.run(&queue, sink))?;
    Ok(Target { jobs })
}

impl Target {
    /// Queues a job. Never blocks: gives the job back if the queue is full.
    pub fn submit(&self, job: Job) -> Result<(), Job> {
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(job) | TrySendError::Disconnected(job) => job,
        })
    }
}

/// What the thread owns, and how a change ends:
///
/// ```text
///   Try, Apply ── PUT ──┬─ 200 ─────── read back ─┬─ the same ────────────── Applied
///                       │                         └─ else ────────────────── AppliedUnverified
///                       ├─ other status ──────────────────────────────────── Refused
///                       ├─ nothing sent ──────────────────────────────────── Unreachable
///                       └─ no answer ─ read back ─┬─ the same ────────────── Applied
///                                                 ├─ closed, and not taken ─ Unreachable
///                                                 └─ else ────────────────── Unknown
/// ```
struct Worker {
    unit: Unit,
    seen: Seen,
    /// Whether anything has ever been observed.
    observed: bool,
    /// The last document that the server took.
    taken: Option<Document>,
}

/// What the last observation showed. Forgotten with each change: a server that is set back behind our back must not look unchanged.
enum Seen {
    Nothing,
    /// These bytes.
    Text(Vec<u8>),
    /// Too much to come in one piece, and in parts the same as what was last taken.
    InParts {
        /// The beginning, which did come.
        beginning: Vec<u8>,
        /// The announced length.
        expected: u64,
        /// How many observations since have looked at these two only.
        glances: u32,
    },
}

impl Worker {
    fn run(mut self, queue: &Receiver<Job>, sink: impl Fn(Report)) {
        for job in queue {
            sink(self.perform(job));
        }
    }

    fn perform(&mut self, job: Job) -> Report {
        match job {
            Job::Try { ticket, document, look_first } => {
                let outcome = if look_first { self.apply(document) } else { self.put(document, None) };
                Report { ticket, outcome }
            }
            Job::Apply { ticket, document } => Report { ticket, outcome: self.apply(document) },
            Job::Observe { ticket } => Report { ticket, outcome: self.observe() },
        }
    }

    fn apply(&mut self, document: Document) -> Outcome {
        let before = match self.unit.read_config() {
            Ok(config) => Some(config),
            Err(Failure::Cut { .. } | Failure::Unreadable(_)) => None,
            Err(failure) => return Outcome::Unreachable(failure.to_string()),
        };
        let same = match &before {
            Some(config) => json::same(config, document.config()),
            None => self.unit.matches(document.config()) == Ok(Match::Same),
        };
        if same {
            self.taken = Some(document);
            return Outcome::Applied;
        }
        self.put(document, before.as_ref())
    }

    fn put(&mut self, document: Document, before: Option<&Value>) -> Outcome {
        self.seen = Seen::Nothing;
        let outcome = match self.unit.put_config(&json::compact(document.config())) {
            Ok(Reply { status: 200, .. }) => self.verify(document.config()),
            Ok(Reply { status, body, .. }) => Outcome::Refused(Refusal { status, body, reason: String::new() }),
            Err(Failure::Unreachable(why)) => Outcome::Unreachable(why),
            Err(failure) => self.without_answer(document.config(), before, &failure),
        };
        if matches!(outcome, Outcome::Applied | Outcome::AppliedUnverified(_)) {
            self.taken = Some(document);
        }
        outcome
    }

    /// After a 200.
    fn verify(&self, want: &Value) -> Outcome {
        match self.read_back(want) {
            Ok(Match::Same) => Outcome::Applied,
            Ok(Match::Differs(paths)) => Outcome::AppliedUnverified(format!("read back, it differs at {}", paths.join(", "))),
            Err(failure) => Outcome::AppliedUnverified(format!("it cannot be read back: {failure}")),
        }
    }

    /// After a PUT without an answer. Unit closes without one when it ends, or its controller does, during a change; then it has not
    /// taken the change. When it is only late it still may, and shows the old configuration until it does.
    fn without_answer(&self, want: &Value, before: Option<&Value>, failure: &Failure) -> Outcome {
        match self.read_back(want) {
            Ok(Match::Same) => Outcome::Applied,
            Ok(Match::Differs(_)) if matches!(failure, Failure::Late(_)) => Outcome::Unknown(failure.to_string()),
            Ok(Match::Differs(_)) if before.is_none_or(|before| self.unit.matches(before) == Ok(Match::Same)) => {
                Outcome::Unreachable(format!("{failure}, and the change was not taken"))
            }
            Ok(Match::Differs(_)) => {
                Outcome::Unknown(format!("{failure}, and it runs neither the old configuration nor the new"))
            }
            Err(again) => Outcome::Unknown(format!("{failure}, and it cannot be read back: {again}")),
        }
    }

    /// Asks again while the server is gone: unitd's main process starts a new controller at once, a service manager a new unitd.
    fn read_back(&self, want: &Value) -> Result<Match, Failure> {
        let mut tries = self.unit.patience().tries;
        loop {
            match self.unit.matches(want) {
                Err(Failure::Unreachable(_) | Failure::Lost(_)) if tries > 0 => tries -= 1,
                other => return other,
            }
            thread::sleep(READ_BACK_WAIT);
        }
    }

    fn observe(&mut self) -> Outcome {
        match self.unit.read_config_text() {
            Ok(text) if matches!(&self.seen, Seen::Text(last) if *last == text) => Outcome::Unchanged,
            Ok(text) => match readable(&text) {
                Ok(config) => self.observed(Seen::Text(text), Arc::new(config)),
                Err(failure) => Outcome::Unknown(failure.to_string()),
            },
            Err(Failure::Cut { received, expected }) => self.observe_in_parts(received, expected),
            Err(failure @ Failure::Unreadable(_)) => Outcome::Unknown(failure.to_string()),
            Err(failure) => Outcome::Unreachable(failure.to_string()),
        }
    }

    /// What does not come whole can only be compared with what should be there, at the price of a request for each part. So most of
    /// the time it is the beginning that is looked at, and the length.
    fn observe_in_parts(&mut self, received: Vec<u8>, announced: u64) -> Outcome {
        if let Seen::InParts { beginning, expected, glances } = &mut self.seen
            && *glances < GLANCES_MAX
            && *expected == announced
            && beginning.iter().zip(&received).all(|(was, is)| was == is)
        {
            *glances += 1;
            return Outcome::Unchanged;
        }
        let Some(taken) = &self.taken else { return Outcome::Unknown(TOO_LONG.to_owned()) };
        match self.unit.matches(taken.config()) {
            Ok(Match::Same) => {
                let config = Arc::new(taken.config().clone());
                let known = matches!(self.seen, Seen::InParts { .. });
                let observed = self.observed(Seen::InParts { beginning: received, expected: announced, glances: 0 }, config);
                if known { Outcome::Unchanged } else { observed }
            }
            Ok(Match::Differs(paths)) => {
                self.seen = Seen::Nothing;
                Outcome::Unknown(format!("{TOO_LONG}, and differs at {}", paths.join(", ")))
            }
            Err(failure) => Outcome::Unknown(format!("{TOO_LONG}, and in parts: {failure}")),
        }
    }

    fn observed(&mut self, seen: Seen, config: Arc<Value>) -> Outcome {
        self.seen = seen;
        let changed = std::mem::replace(&mut self.observed, true);
        Outcome::Observed { config, missing: Vec::new(), restarted: false, changed }
    }
}

const TOO_LONG: &str = "what the server runs is too long to come whole";
