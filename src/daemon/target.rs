//! The target: the thread that configures this host's server.
//!
//! It does one job at a time, because the server does too, and it alone may block on it: for a
//! change up to a minute, since Unit answers when the applications have started. Only whole
//! documents are sent, certificates and modules before the configuration that names them, and
//! nothing counts as applied before it has been read back. It decides nothing beyond the job:
//! whether to repair, retry or publish is the node's part, to which each [`ServerReport`] goes.
//! Between two jobs it only sees whether the server's socket is still the same file.

mod guard;
mod inventory;
mod observing;
mod reason;
mod replacing;

use std::collections::BTreeSet;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;

use self::guard::Own;
use self::inventory::{ResourceLists, WantedDocument};
use self::observing::SocketFile;
use self::reason::Finder;
pub(in crate::daemon) use self::reason::holder;
use super::unit::{Match, Reply, RequestFailure, Sight, Unit};
use crate::limits::{FOLD_AFTER, OBSERVE_EVERY, READ_BACK_WAIT, TARGET_QUEUE, TARGET_STACK};
use crate::model::document::Document;
use crate::model::json::{self, Value};
use crate::model::resources::Named;
use crate::model::shown::ShownConfig;
use crate::node::effect::ServerJob;
use crate::node::input::{Input, Known, Outcome, Refusal, ServerReport, Ticket};
use crate::node::over::Over;
use crate::node::store::given::GivenNames;

/// The handle of the thread. When the last one is dropped, the thread does what is queued and ends.
#[derive(Debug, Clone)]
pub struct Target {
    jobs: SyncSender<(Ticket, ServerJob)>,
}

/// Starts the thread "target". What lies on the server under the names of `given` is Starling's to
/// take away. What it has to say goes to `sink`, which may block: reports, that the server has
/// accepted what is read back then, and that it is gone.
pub fn start(
    unit: Unit,
    given: GivenNames,
    sink: impl Fn(Input) + Send + 'static,
) -> io::Result<Target> {
    let (jobs, queue) = sync_channel(TARGET_QUEUE);
    let worker = TargetWorker::new(unit, given);
    thread::Builder::new()
        .name("target".to_owned())
        .stack_size(TARGET_STACK)
        .spawn(move || worker.run(&queue, sink))?;
    Ok(Target { jobs })
}

impl Target {
    /// Queues a job, whose ticket comes back in the [`ServerReport`]. Never blocks: `false` if the
    /// queue is full.
    pub fn submit(&self, ticket: Ticket, job: ServerJob) -> bool {
        self.jobs.try_send((ticket, job)).is_ok()
    }
}

/// What the thread owns, and how a change ends:
///
/// ```text
///   Try, Apply ── PUT ──┬─ 200 ─────── read back ─┬─ the same ────────────── Applied
///                       │ (told of a Try)         └─ else ────────────────── Unverified
///                       ├─ other status ──────────────────────────────────── Refused
///                       ├─ nothing sent ──────────────────────────────────── Unreachable
///                       └─ no answer ─ read back ─┬─ the same ────────────── Applied
///                                                 ├─ closed, and not taken ─ Unreachable
///                                                 └─ else ────────────────── Unknown
/// ```
struct TargetWorker {
    unit: Unit,
    /// What the server was last seen to run. Forgotten with each change, until that has been read
    /// back.
    seen: Option<Sight>,
    /// Whether an observation has already reported what `seen` holds.
    is_told: bool,
    /// The last document that the server took.
    taken: Option<WantedDocument>,
    /// The certificates and modules that the last observation found.
    lists: ResourceLists,
    /// The names of what this state directory has put there.
    given: GivenNames,
    /// What certificates lie there under names that Starling gives, and that are not among these.
    left: Option<String>,
    /// Whether what an earlier run may have left on the server has been looked for.
    has_found_leftovers: bool,
    /// Certificates and modules that earlier documents needed, and that are still to be taken away
    /// if the last one does not.
    to_remove: BTreeSet<Named>,
    /// The control socket's file at the last observation.
    socket: Option<SocketFile>,
    /// Whether it was told since that it is gone, or another.
    is_gone: bool,
    /// Whether a change was sent and has not been answered in time. Until another has, for the
    /// server makes one after the other, it may still come about, and what the server shows
    /// says nothing of what it will run.
    is_change_pending: bool,
    /// Looks for what a refusal does not say.
    finder: Finder,
    /// What the server was given in this run of the program.
    own: Own,
    /// The configuration that the server runs while modules are replaced; it is no drift.
    interim: Option<Value>,
}

impl TargetWorker {
    fn new(unit: Unit, given: GivenNames) -> Self {
        Self {
            unit,
            given,
            left: None,
            seen: None,
            is_told: false,
            taken: None,
            lists: ResourceLists::default(),
            has_found_leftovers: false,
            to_remove: BTreeSet::new(),
            socket: None,
            is_gone: false,
            is_change_pending: false,
            finder: Finder::default(),
            own: Own::default(),
            interim: None,
        }
    }

    fn run(mut self, queue: &Receiver<(Ticket, ServerJob)>, sink: impl Fn(Input)) {
        loop {
            let next = if self.watches() {
                queue.recv_timeout(OBSERVE_EVERY)
            } else if self.keeps_much() {
                queue.recv_timeout(FOLD_AFTER)
            } else {
                queue.recv().map_err(RecvTimeoutError::from)
            };
            match next {
                Ok((ticket, job)) => {
                    let accepted = || sink(Input::Accepted(ticket));
                    let report = self.perform(ticket, job, &accepted);
                    sink(Input::Server(report));
                }
                Err(RecvTimeoutError::Timeout) => self.idle(&sink),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// There has been nothing to do for a while, and the next look may be far off.
    fn idle(&mut self, sink: &impl Fn(Input)) {
        if self.keeps_much() {
            self.fold();
        }
        if self.watches() && self.goes() {
            sink(Input::ServerGone);
        }
    }

    /// Does a job. `accepted` is called when the server has accepted what nobody had tried, before
    /// it is read back.
    fn perform(&mut self, ticket: Ticket, job: ServerJob, accepted: &dyn Fn()) -> ServerReport {
        let outcome = match job {
            ServerJob::Try {
                document,
                look_first,
                over,
            } => self.apply(document, look_first, &over, accepted),
            ServerJob::Apply(document, over) => self.apply(document, true, &over, &|| {}),
            ServerJob::Observe => self.observe(),
        };
        let known = Known {
            software: self.unit.software(),
            copies: self.given.copies().to_vec(),
            left: self.left.clone(),
        };
        ServerReport {
            ticket,
            outcome,
            known: Some(known),
            is_watched: self.watches()
                && !self.is_change_pending
                && self.seen.as_ref().is_some_and(Sight::is_whole),
        }
    }

    /// What runs already is not sent again if it is looked at first.
    fn apply(
        &mut self,
        document: Document,
        look_first: bool,
        over: &Over,
        accepted: &dyn Fn(),
    ) -> Outcome {
        let wanted = WantedDocument::new(document);
        self.given.note(&wanted.aliases);
        // Also for what is not to be looked at first: it must not be put over what nobody has kept.
        let before = match self.read_running(wanted.config()) {
            Ok(config) => config,
            // Whatever cannot be read cannot be kept either, and must not be overwritten.
            Err(failure @ RequestFailure::Unreadable(_)) => {
                return Outcome::Unreadable(failure.to_string());
            }
            Err(failure) => return Outcome::Unreachable(failure.to_string()),
        };
        let lists = match self.take_inventory(&wanted) {
            Ok(lists) => lists,
            Err(failure) => return Outcome::Unreachable(failure.to_string()),
        };
        let lacking = match self.lacking(&wanted, &lists) {
            Ok(lacking) => lacking,
            Err(outcome) => return outcome,
        };
        let runs = json::same(&before, wanted.config());
        if !runs
            && let Some(withheld) = guard::withheld(&before, over, &self.own, self.interim.as_ref())
        {
            return withheld;
        }
        if look_first && runs && !self.is_change_pending && lacking.is_empty() {
            if self
                .taken
                .as_ref()
                .is_none_or(|taken| taken.aliases != wanted.aliases)
            {
                self.is_told = false;
            }
            self.took(wanted, &lists);
            return Outcome::Applied;
        }
        self.change(wanted, lacking, Some(&before), &lists, accepted)
    }

    /// What the server runs, right before it is replaced by `want`, which it may be much like.
    fn read_running(&mut self, want: &Value) -> Result<ShownConfig, RequestFailure> {
        let mut sight = self.unit.see(self.seen.as_ref(), Some(want))?;
        let is_as_seen = self
            .seen
            .as_ref()
            .is_some_and(|seen| seen.config().ptr_eq(sight.config()));
        if is_as_seen && !sight.check_before_change(&self.unit, want)? {
            sight = self.unit.see(None, Some(sight.config().value()))?;
        }
        let config = sight.config().clone();
        self.is_told &= self
            .seen
            .as_ref()
            .is_some_and(|seen| seen.config().ptr_eq(&config));
        self.seen = Some(sight);
        Ok(config)
    }

    /// `before` is what it was just seen to run, and `last` what it was last known to run, if
    /// either is known.
    fn put(
        &mut self,
        wanted: &WantedDocument,
        before: Option<&Value>,
        last: Option<&Value>,
        accepted: &dyn Fn(),
    ) -> Outcome {
        let was_change_pending = self.is_change_pending;
        match self.send(wanted.config()) {
            Ok(Reply { status: 200, .. }) => {
                accepted();
                self.verify(wanted, before.or(last))
            }
            Ok(Reply { status, body, .. }) => {
                let reason = self.reason(status, wanted, before);
                Outcome::Refused(Refusal {
                    status,
                    body: wanted.aliases.plain_words(&body),
                    reason,
                })
            }
            Err(RequestFailure::Unreachable(why)) => Outcome::Unreachable(why),
            Err(failure @ RequestFailure::Late(_)) if was_change_pending => {
                Outcome::Unknown(failure.to_string())
            }
            Err(failure) => self.without_answer(wanted.config(), before, &failure),
        }
    }

    pub(super) fn send(&mut self, config: &Value) -> Result<Reply, RequestFailure> {
        let answer = self.unit.put_config(&json::compact(config));
        match &answer {
            Ok(_) => self.is_change_pending = false,
            Err(RequestFailure::Late(_)) => self.is_change_pending = true,
            Err(_) => {}
        }
        answer
    }

    /// What a 4xx means stands in it; a 500 is about this host, and says nothing.
    fn reason(&mut self, status: u16, wanted: &WantedDocument, before: Option<&Value>) -> String {
        if status != 500 {
            return String::new();
        }
        let running = before.cloned().or_else(|| self.unit.read_config().ok());
        let running = running.map(|running| wanted.aliases.plain(running));
        self.finder
            .find(self.unit.control(), &wanted.document, running)
    }

    /// Reads back what the server runs after it has answered a change with 200.
    fn verify(&mut self, wanted: &WantedDocument, before: Option<&Value>) -> Outcome {
        match self.read_back(wanted.config(), before) {
            Ok(Match::Same) => {
                self.seen
                    .iter()
                    .for_each(|seen| seen.config().set_fingerprint(wanted.document.fingerprint()));
                Outcome::Applied
            }
            Ok(Match::Differs(paths)) => {
                Outcome::Unverified(format!("read back, it differs at {}", paths.join(", ")))
            }
            Err(failure) => Outcome::Unverified(format!("it cannot be read back: {failure}")),
        }
    }

    /// What became of a PUT that was not answered. Unit closes without one when it ends, or its
    /// controller does, during a change; then it has not taken the change. When it is only late
    /// it still may, and shows the old configuration until it does.
    fn without_answer(
        &mut self,
        want: &Value,
        before: Option<&Value>,
        failure: &RequestFailure,
    ) -> Outcome {
        match self.read_back(want, None) {
            Ok(Match::Same) => Outcome::Applied,
            Ok(Match::Differs(_)) if matches!(failure, RequestFailure::Late(_)) => {
                Outcome::Unknown(failure.to_string())
            }
            Ok(Match::Differs(_)) if before.is_none_or(|before| self.runs(before)) => {
                Outcome::Unreachable(format!("{failure}, and the change was not taken"))
            }
            Ok(Match::Differs(_)) => Outcome::Unknown(format!(
                "{failure}, and it runs neither the old configuration nor the new"
            )),
            Err(again) => {
                Outcome::Unknown(format!("{failure}, and it cannot be read back: {again}"))
            }
        }
    }

    /// Whether the server was last seen to run this configuration.
    fn runs(&self, config: &Value) -> bool {
        self.seen
            .as_ref()
            .is_some_and(|seen| json::same(seen.config(), config))
    }

    /// Asks again while the server is gone: unitd's main process starts a new controller at once, a
    /// service manager a new unitd.
    fn read_back(&mut self, want: &Value, before: Option<&Value>) -> Result<Match, RequestFailure> {
        let mut tries = self.unit.patience().tries;
        self.is_told = false;
        loop {
            match self.unit.verify(want, before) {
                Err(RequestFailure::Unreachable(_) | RequestFailure::Lost(_)) if tries > 0 => {
                    tries -= 1
                }
                Err(failure) => return Err(failure),
                Ok((matches, mut sight)) => {
                    self.seen.iter().for_each(|seen| sight.go_on_from(seen));
                    self.seen = Some(sight);
                    return Ok(matches);
                }
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "a server that restarts tells nobody when it is back"
            )]
            thread::sleep(READ_BACK_WAIT);
        }
    }
}
