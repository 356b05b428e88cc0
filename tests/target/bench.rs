//! What all tests of a target stand on: a stand-in server and the thread that configures it.

use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use starlingd::daemon::target::{self, Target};
use starlingd::daemon::unit::{Control, Patience, Unit};
use starlingd::model::document::Document;
use starlingd::model::json;
use starlingd::node::effect::ServerJob;
use starlingd::node::input::{Input, ServerReport, Ticket};
use starlingd::node::store::given::GivenNames;

use super::standin::{Setup, StandIn};

/// A stand-in, a target thread before it, and what the thread reports.
pub struct Bench {
    pub target: Target,
    pub unit: Unit,
    pub reports: Receiver<ServerReport>,
    pub standin: StandIn,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(Patience::default())
    }

    pub fn with(patience: Patience) -> Self {
        let socket = scratch("sock");
        let standin = StandIn::start(Setup {
            socket: socket.clone(),
            ..Setup::default()
        })
        .unwrap();
        let unit = Unit::with_patience(Control::Unix(socket), patience);
        let (target, reports) = Self::thread(&unit, GivenNames::default());
        Self {
            target,
            unit: Unit::new(unit.control().clone()),
            reports,
            standin,
        }
    }

    pub fn thread(unit: &Unit, given: GivenNames) -> (Target, Receiver<ServerReport>) {
        let (sink, reports) = channel();
        (
            target::start(unit.clone(), given, move |input| {
                if let Input::Server(report) = input {
                    drop(sink.send(report));
                }
            })
            .unwrap(),
            reports,
        )
    }

    /// Another run of the program, which knows these names.
    pub fn run_again(&mut self, given: GivenNames) {
        (self.target, self.reports) = Self::thread(&self.unit, given);
    }

    pub fn try_job(document: &Document) -> (Ticket, ServerJob) {
        (1, ServerJob::attempt(document.clone(), false))
    }

    pub fn apply_job(document: &Document) -> (Ticket, ServerJob) {
        (2, ServerJob::apply(document.clone()))
    }

    pub fn submit(&self, (ticket, job): (Ticket, ServerJob)) {
        assert!(
            self.target.submit(ticket, job),
            "there is room in its queue"
        );
    }

    pub fn attempt(&self, document: &Document) -> ServerReport {
        self.submit(Self::try_job(document));
        self.report()
    }

    pub fn apply(&self, document: &Document) -> ServerReport {
        self.submit(Self::apply_job(document));
        self.report()
    }

    pub fn observe(&self) -> ServerReport {
        self.submit((3, ServerJob::Observe));
        self.report()
    }

    pub fn report(&self) -> ServerReport {
        self.reports
            .recv_timeout(DEADLINE)
            .expect("the target reports each job")
    }

    pub fn tell(&self, line: &str) {
        let answer = self.standin.tell(line);
        assert!(!answer.starts_with("what is"), "{answer}");
    }

    pub fn stat(&self, name: &str) -> u64 {
        json::parse_own(self.standin.tell("stats").as_bytes()).unwrap()[name]
            .as_u64()
            .unwrap()
    }

    /// In place of a server that is down: takes one request and closes without an answer.
    pub fn until_asked_in_vain(&self) {
        let Control::Unix(path) = self.unit.control() else {
            unreachable!("the bench has a Unix socket")
        };
        let listener = UnixListener::bind(path).unwrap();
        listener.set_nonblocking(true).unwrap();
        wait_until("the target has read back in vain", || {
            listener.accept().is_ok()
        });
    }

    pub fn until(&self, what: &str, condition: impl Fn() -> bool) {
        wait_until(what, condition);
    }
}

pub fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < DEADLINE, "waited in vain until {what}");
        std::thread::yield_now();
    }
}

pub fn document(config: &str) -> Document {
    Document::from_config(json::parse(config.as_bytes()).unwrap()).unwrap()
}

/// A small document that bears `word`.
pub fn routes(word: &str) -> Document {
    document(&format!(
        r#"{{"listeners": {{}}, "routes": [{{"match": {{"uri": "/{word}"}}, "action": {{"return": 200}}}}], "applications": {{}}}}"#
    ))
}

/// A path that no other test uses.
pub fn scratch(kind: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!(
        "starling-target-{}-{count}.{kind}",
        std::process::id()
    ))
}

/// A time-out that a test can wait for.
pub const SHORT: Duration = Duration::from_millis(200);
/// Until something that must happen has happened, on a machine that is busy.
pub const DEADLINE: Duration = Duration::from_secs(60);
