//! A host's server: takes a document or refuses it, loses everything, is slow, and sometimes closes
//! without an answer.
//!
//! It takes any configuration but those that it is told to refuse, and always refuses the same.
//! What looks at it is here too: as the daemon does, it tells what is new, and notices without a
//! look that the socket is another.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::model::document::Document;
use crate::model::fingerprint::Fingerprint;
use crate::model::json::{self, Value};
use crate::node::effect::ServerJob;
use crate::node::input::{Outcome, Refusal, ServerReport, Ticket};
use crate::node::over::Over;
use crate::node::rng::Rng;

/// A server that behaves as Unit does.
pub struct SimServer {
    /// Whether it can be reached.
    pub up: bool,
    /// The configuration that the server runs.
    pub config: Arc<Value>,
    /// Which configurations the server refuses.
    pub refuses: Refuses,
    /// Of a million changes, so many are not answered: it has made them, or not, as likely.
    pub unanswered_ppm: u64,
    /// How often it was given another configuration.
    pub changes: u64,
    /// How often it was looked at.
    pub looks: u64,
    /// When it last lost everything, if it has.
    pub lost: Option<Duration>,
    /// How long it takes for one thing.
    pub slow: Duration,
    pub(super) free_at: Duration,
    /// The configurations that the server was given in this run of its host.
    own: BTreeSet<Fingerprint>,
    /// How often it was started.
    starts: u64,
    /// Whether its socket stands though it is down, as after a kill.
    leaves_socket: bool,
    /// What the last look has shown.
    told: Option<Arc<Value>>,
    /// The socket at the last look.
    socket: Option<u64>,
    /// Whether it was told since that it is another.
    is_gone: bool,
    /// Which look at the socket is the next, for each thing asked puts it off.
    pub(super) watch: u64,
}

/// Which configurations a server refuses; the same at every try.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Refuses {
    /// No configuration is refused.
    #[default]
    Nothing,
    /// Configurations with a member of this name.
    Member(String),
    /// Configurations with applications of both names.
    Both(String, String),
    /// A document in so many, told by a hash over the salt and the text.
    OneIn(u64, u64),
}

impl Refuses {
    /// Whether this configuration is refused.
    pub fn refuses(&self, config: &Value) -> bool {
        match self {
            Self::Nothing => false,
            Self::Member(name) => config.get(name).is_some(),
            Self::Both(one, other) => {
                let has = |name: &str| {
                    config
                        .get("applications")
                        .is_some_and(|all| all.get(name).is_some())
                };
                has(one) && has(other)
            }
            Self::OneIn(count, salt) => {
                let hash = Sha256::new()
                    .chain_update(salt.to_be_bytes())
                    .chain_update(json::compact(config))
                    .finalize();
                let number = hash
                    .iter()
                    .take(8)
                    .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
                number.is_multiple_of((*count).max(1))
            }
        }
    }
}

impl SimServer {
    /// A server that was never configured.
    pub(super) fn new() -> Self {
        Self {
            up: true,
            config: Arc::new(Document::factory().config().clone()),
            refuses: Refuses::Nothing,
            unanswered_ppm: 0,
            changes: 0,
            looks: 0,
            lost: None,
            slow: USUAL,
            free_at: Duration::ZERO,
            own: BTreeSet::new(),
            starts: 0,
            leaves_socket: false,
            told: None,
            socket: None,
            is_gone: false,
            watch: 0,
        }
    }

    /// The server crashes, and comes back as it was delivered.
    pub fn lose_everything(&mut self, now: Duration) {
        self.config = Arc::new(Document::factory().config().clone());
        self.lost = Some(now);
        self.starts += 1;
    }

    /// The server ends; one that was killed leaves its socket where it is.
    pub fn stop(&mut self, is_killed: bool) {
        (self.up, self.leaves_socket) = (false, is_killed);
    }

    /// The server is started again, with all that it had.
    pub fn start(&mut self) {
        if !self.up {
            (self.up, self.leaves_socket) = (true, false);
            self.starts += 1;
        }
    }

    /// The file that its socket is, if it is there.
    fn socket(&self) -> Option<u64> {
        (self.up || self.leaves_socket).then_some(self.starts)
    }

    /// Whether it is noticed without a look if it is started anew.
    pub(super) fn is_watched(&self) -> bool {
        self.socket.is_some() && !self.is_gone
    }

    /// Whether the socket is not what it was at the last look; true once until the server has
    /// answered a look again.
    pub(super) fn goes(&mut self) -> bool {
        self.is_gone = self.socket != self.socket();
        self.is_gone
    }

    fn observe(&mut self) -> Outcome {
        self.looks += 1;
        let restarted = self.socket.is_some() && self.socket != self.socket();
        (self.socket, self.is_gone) = (self.socket(), false);
        let told = self.told.replace(Arc::clone(&self.config));
        if !restarted && told.is_some_and(|told| json::same(&told, &self.config)) {
            return Outcome::Unchanged;
        }
        Outcome::Observed {
            config: Value::clone(&self.config).into(),
            missing: Vec::new(),
            restarted,
        }
    }

    /// When it will have done one thing more.
    pub(super) fn done_at(&mut self, now: Duration) -> Duration {
        self.free_at = self.free_at.max(now) + self.slow;
        self.free_at
    }

    /// When it will have shown what it runs, after it has accepted something.
    pub(super) fn read_back_at(&mut self, now: Duration) -> Duration {
        self.free_at = self.free_at.max(now) + self.slow / 16;
        self.free_at
    }

    /// What it is found to run after it has accepted a document.
    pub(super) fn read_back(&self, document: &Document) -> Outcome {
        match self.up {
            true if json::same(&self.config, document.config()) => Outcome::Applied,
            true => Outcome::Unverified("read back, it differs at /config".into()),
            false => Outcome::Unverified("it cannot be read back: Connection refused".into()),
        }
    }

    pub(super) fn perform(
        &mut self,
        ticket: Ticket,
        job: &ServerJob,
        rng: &mut Rng,
    ) -> ServerReport {
        if !self.up {
            let outcome = Outcome::Unreachable("Connection refused (os error 111)".into());
            return ServerReport::new(ticket, outcome);
        }
        match job {
            ServerJob::Observe => ServerReport {
                is_watched: true,
                ..ServerReport::new(ticket, self.observe())
            },
            ServerJob::Try { document, over, .. } | ServerJob::Apply(document, over) => {
                self.told = None;
                if let Some(outcome) = self.withheld(document, over) {
                    return ServerReport::new(ticket, outcome);
                }
                let unanswered = self.unanswered_ppm > rng.below(1_000_000);
                let lost = unanswered && rng.below(2) == 0;
                let outcome = if lost {
                    Outcome::Applied
                } else {
                    self.configure(document)
                };
                let outcome = if unanswered {
                    Outcome::Unknown("closed without an answer".into())
                } else {
                    outcome
                };
                ServerReport::new(ticket, outcome)
            }
        }
    }

    /// The server is looked at right before it is given anything, as the daemon does.
    fn withheld(&self, document: &Document, over: &Over) -> Option<Outcome> {
        if json::same(&self.config, document.config())
            || over.permits(&Fingerprint::of(&self.config))
        {
            return None;
        }
        let fingerprint = Fingerprint::of(&self.config);
        let is_own = self.own.contains(&fingerprint);
        (!is_own).then(|| Outcome::Found {
            config: Value::clone(&self.config).into(),
            fingerprint,
        })
    }

    /// Forgets what the server was given, for Starling has started anew.
    pub(super) fn forget_given(&mut self) {
        self.own.clear();
        (self.told, self.socket, self.is_gone) = (None, None, false);
    }

    fn configure(&mut self, document: &Document) -> Outcome {
        if self.refuses.refuses(document.config()) {
            return Outcome::Refused(Refusal {
                status: 400,
                body: REFUSAL.to_vec(),
                reason: String::new(),
            });
        }
        if !json::same(&self.config, document.config()) {
            self.changes += 1;
            self.config = Arc::new(document.config().clone());
        }
        self.own.insert(Fingerprint::of(&self.config));
        Outcome::Applied
    }
}

/// What a server says that refuses.
pub const REFUSAL: &[u8] =
    b"{\n\t\"error\": \"Invalid configuration.\",\n\t\"detail\": \"Unknown parameter.\"\n}\n";
/// How long a server takes that is well.
const USUAL: Duration = Duration::from_millis(20);
