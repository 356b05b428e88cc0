//! The target: the thread that configures this host's server.
//!
//! It does one job at a time, because the server does too, and it alone may block on it: for a change up to a minute, since Unit
//! answers when the applications have started. Only whole documents are sent, and nothing counts as applied before it has been read
//! back. It decides nothing beyond the job: whether to repair, retry or publish is the node's part, to which each [`Report`] goes.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use self::reason::Finder;
use self::store::{Stock, Store};
use self::wanted::Wanted;
use super::unit::{Control, Failure, Match, Reply, Unit, readable};
use crate::limits::{GLANCES_MAX, READ_BACK_WAIT, TARGET_QUEUE, TARGET_STACK};
use crate::model::document::Document;
use crate::model::json::{self, Value};
use crate::model::resources::Kind;
use crate::node::input::Refusal;

mod reason;
mod store;
mod wanted;

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
        /// The configuration, with the names that people know certificates by.
        config: Arc<Value>,
        /// Whether an earlier observation showed something else, or the server has been sent a document since.
        changed: bool,
        /// Certificates and modules of the document last taken that are not there any more, as paths.
        missing: Vec<String>,
        /// Whether another server process has taken the place of the one that was there at the last look.
        restarted: bool,
    },
    /// All that the last observation showed, and nothing was sent since.
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
    let worker = Worker::new(unit);
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

/// What the thread owns, and how a change ends. Certificates and modules go first, and what is not wanted any more goes last:
///
/// ```text
///   Try, Apply ── upload ── PUT ──┬─ 200 ─────── read back ─┬─ the same ────────────── Applied, and what is old is removed
///                  │              │                         └─ else ────────────────── AppliedUnverified
///                  │ refused      ├─ other status ──────────────────────────────────── Refused, and uploads are taken back
///                  └──────────────┤
///                                 ├─ nothing sent ──────────────────────────────────── Unreachable
///                                 └─ no answer ─ read back ─┬─ the same ────────────── Applied
///                                                           ├─ closed, and not taken ─ Unreachable
///                                                           └─ else ────────────────── Unknown
/// ```
struct Worker {
    unit: Unit,
    seen: Seen,
    /// Whether anything has ever been observed.
    observed: bool,
    /// The last document that the server took.
    taken: Option<Wanted>,
    store: Store,
    /// What was missing at the last observation.
    missing: Vec<String>,
    /// The socket's place and time, as of the last observation: a server that starts makes it anew.
    socket: Option<Made>,
    /// Looks for what a refusal does not say.
    finder: Finder,
}

/// Which socket it was: device, inode, and when it was made. Whoever changes its mode or owner changes none of these.
type Made = (u64, u64, i64, i64);

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
    fn new(unit: Unit) -> Self {
        let (store, missing) = (Store::default(), Vec::new());
        Self { unit, seen: Seen::Nothing, observed: false, taken: None, store, missing, socket: None, finder: Finder::default() }
    }

    fn run(mut self, queue: &Receiver<Job>, sink: impl Fn(Report)) {
        for job in queue {
            sink(self.perform(job));
        }
    }

    fn perform(&mut self, job: Job) -> Report {
        match job {
            Job::Try { ticket, document, look_first } => Report { ticket, outcome: self.make_run(document, look_first) },
            Job::Apply { ticket, document } => Report { ticket, outcome: self.make_run(document, true) },
            Job::Observe { ticket } => Report { ticket, outcome: self.observe() },
        }
    }

    fn make_run(&mut self, document: Document, look_first: bool) -> Outcome {
        let wanted = Wanted::of(document);
        let outcome = self.apply(&wanted, look_first);
        if matches!(outcome, Outcome::Applied | Outcome::AppliedUnverified(_)) {
            self.taken = Some(wanted);
        }
        outcome
    }

    fn apply(&mut self, wanted: &Wanted, look_first: bool) -> Outcome {
        let before = match look_first.then(|| self.unit.read_config()) {
            None => None,
            Some(Ok(config)) => Some(config),
            Some(Err(Failure::Cut { .. } | Failure::Unreadable(_))) => None,
            Some(Err(failure)) => return Outcome::Unreachable(failure.to_string()),
        };
        let same = match &before {
            Some(config) => json::same(config, wanted.config()),
            None => look_first && self.unit.matches(wanted.config()) == Ok(Match::Same),
        };
        let mut stock = match self.store.look(&self.unit, wanted) {
            Ok(stock) => stock,
            Err(outcome) => return outcome,
        };
        let emptied = match self.make_room(wanted, &mut stock) {
            Ok(emptied) => emptied,
            Err(outcome) => return outcome,
        };
        match self.store.fill(&self.unit, wanted, &stock) {
            // The server runs less than before: that must not pass for a refusal that left everything as it was.
            Err(Outcome::Refused(refusal)) if emptied => Outcome::Unknown(String::from_utf8_lossy(&refusal.body).into_owned()),
            Err(outcome) => outcome,
            Ok(_) if same && !emptied => {
                self.store.clear(&self.unit, wanted, &stock);
                Outcome::Applied
            }
            Ok(uploaded) => match self.put(wanted, before.as_ref().filter(|_| !emptied)) {
                Outcome::Refused(refusal) if emptied => Outcome::Unknown(String::from_utf8_lossy(&refusal.body).into_owned()),
                Outcome::Refused(refusal) => {
                    store::take_back(&self.unit, &uploaded);
                    Outcome::Refused(refusal)
                }
                outcome => {
                    if matches!(outcome, Outcome::Applied | Outcome::AppliedUnverified(_)) {
                        self.store.clear(&self.unit, wanted, &stock);
                    }
                    outcome
                }
            },
        }
    }

    /// Removes modules that have another content than what is wanted: a module cannot be replaced, nor removed while the configuration
    /// names it. That is only so on a host which was away while a module was deleted and uploaded anew. Its server is emptied for a
    /// moment then, for no other configuration is sure to do without the module. Says whether that was done.
    fn make_room(&mut self, wanted: &Wanted, stock: &mut Stock) -> Result<bool, Outcome> {
        let mut emptied = false;
        for upload in wanted.uploads_of(Kind::JsModule) {
            if !stock.has_other(&upload) {
                continue;
            }
            let mut gone = store::remove(&self.unit, upload.kind, upload.stored);
            if !gone && !emptied {
                log::warn!(target: "server", "JS module {:?} is replaced: the listeners are closed for a moment", upload.name);
                self.seen = Seen::Nothing;
                match self.unit.put_config(&json::compact(Document::factory().config())) {
                    Ok(Reply { status: 200, .. }) => emptied = true,
                    Ok(Reply { status, .. }) => return Err(Outcome::Unknown(format!("the server cannot be emptied: {status}"))),
                    Err(failure) => return Err(Outcome::Unknown(failure.to_string())),
                }
                gone = store::remove(&self.unit, upload.kind, upload.stored);
            }
            if !gone {
                return Err(Outcome::Unknown(format!("JS module {:?} cannot be replaced", upload.name)));
            }
            stock.forget_module(upload.stored);
        }
        Ok(emptied)
    }

    fn put(&mut self, wanted: &Wanted, before: Option<&Value>) -> Outcome {
        self.seen = Seen::Nothing;
        match self.unit.put_config(&json::compact(wanted.config())) {
            Ok(Reply { status: 200, .. }) => self.verify(wanted.config()),
            Ok(Reply { status, body, .. }) => {
                let body = wanted.aliases().plain_words(&body);
                Outcome::Refused(Refusal { status, body, reason: self.reason(status, wanted, before) })
            }
            Err(Failure::Unreachable(why)) => Outcome::Unreachable(why),
            Err(failure) => self.without_answer(wanted.config(), before, &failure),
        }
    }

    /// What a 4xx means stands in it; a 500 is about this host, and says nothing.
    fn reason(&mut self, status: u16, wanted: &Wanted, before: Option<&Value>) -> String {
        if status != 500 {
            return String::new();
        }
        let running = before.cloned().or_else(|| self.unit.read_config().ok());
        let running = running.map(|running| wanted.aliases().plain(&running));
        self.finder.find(self.unit.control(), wanted.document(), running)
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
        let made = self.made();
        let text = match self.unit.read_config_text() {
            Ok(text) => Ok(text),
            Err(Failure::Cut { received, expected }) => Err((received, expected)),
            Err(failure @ Failure::Unreadable(_)) => return Outcome::Unknown(failure.to_string()),
            Err(failure) => return Outcome::Unreachable(failure.to_string()),
        };
        let missing = self.taken.as_ref().map(|taken| self.store.missing(&self.unit, taken)).unwrap_or_default();
        let restarted = self.socket.is_some() && made.is_some() && made != self.socket;
        self.socket = made.or(self.socket);
        if restarted || missing != self.missing {
            self.seen = Seen::Nothing;
        }
        self.missing = missing;
        match text {
            Ok(text) if matches!(&self.seen, Seen::Text(last) if *last == text) => Outcome::Unchanged,
            Ok(text) => match readable(&text) {
                Ok(config) => {
                    let plain = self.taken.as_ref().map(|taken| taken.aliases().plain(&config)).unwrap_or(config);
                    self.observed(Seen::Text(text), Arc::new(plain), restarted)
                }
                Err(failure) => Outcome::Unknown(failure.to_string()),
            },
            Err((received, expected)) => self.observe_in_parts(received, expected, restarted),
        }
    }

    /// Which socket the server listens on now, if it is one with a place in the file system.
    fn made(&self) -> Option<Made> {
        let Control::Unix(path) = self.unit.control() else { return None };
        let found = std::fs::metadata(path).ok()?;
        Some((found.dev(), found.ino(), found.mtime(), found.mtime_nsec()))
    }

    /// What does not come whole can only be compared with what should be there, at the price of a request for each part. So most of
    /// the time it is the beginning that is looked at, and the length.
    fn observe_in_parts(&mut self, received: Vec<u8>, announced: u64, restarted: bool) -> Outcome {
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
                let config = Arc::new(taken.plain_config().clone());
                let known = matches!(self.seen, Seen::InParts { .. });
                let seen = Seen::InParts { beginning: received, expected: announced, glances: 0 };
                let observed = self.observed(seen, config, restarted);
                if known { Outcome::Unchanged } else { observed }
            }
            Ok(Match::Differs(paths)) => {
                self.seen = Seen::Nothing;
                Outcome::Unknown(format!("{TOO_LONG}, and differs at {}", paths.join(", ")))
            }
            Err(failure) => Outcome::Unknown(format!("{TOO_LONG}, and in parts: {failure}")),
        }
    }

    fn observed(&mut self, seen: Seen, config: Arc<Value>, restarted: bool) -> Outcome {
        self.seen = seen;
        let changed = std::mem::replace(&mut self.observed, true);
        Outcome::Observed { config, changed, missing: self.missing.clone(), restarted }
    }
}

const TOO_LONG: &str = "what the server runs is too long to come whole";
