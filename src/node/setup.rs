//! What a node is made with.
//!
//! Nothing of it changes while the node lives, but for the overlay, which is this host's own file.

use std::ops::Range;
use std::time::Duration;

use crate::model::overlay::Overlay;
use crate::model::record::Record;
use crate::model::signature::SecretKey;
use crate::node::refusal::Denial;
use crate::settings::DriftChoice;
use crate::wire::fleet::Fleet;

/// What a node is made with and never changes.
pub struct Setup {
    /// The peer's identity.
    pub secret: SecretKey,
    /// The fleet and its keys.
    pub fleet: Fleet,
    /// This run's number, as in the handshake.
    pub run: u64,
    /// The name shown to people.
    pub name: String,
    /// The group that this peer follows.
    pub group: String,
    /// Version of the program.
    pub version: String,
    /// Whether there is a server to configure.
    pub server: bool,
    /// Whether an exchange with the fleet has been completed, in this run or an earlier one.
    pub joined: bool,
    /// Configured addresses, `host:port`.
    pub peers: Vec<String>,
    /// Whether what the server ran before Starling first configured it is kept already.
    pub before_kept: bool,
    /// What this host makes of its group's document.
    pub overlay: Overlay,
    /// What is to be done when somebody changes the server's configuration past Starling.
    pub drift: DriftChoice,
    /// How many older revisions of a group are kept beside the head and the uncontained ones.
    pub history: usize,
    /// What the files of all revisions may take, in bytes.
    pub files_max: u64,
    /// How long the key of a certificate that was deleted or replaced stays in the history: at
    /// least until, and then at most.
    pub keys_kept: Range<Duration>,
    /// Seeds the jitter.
    pub seed: u64,
    /// Says a denial in one line for people: the node has no words of its own for what it denies.
    pub words: fn(&Denial) -> String,
    /// Says what [`Record::is_signed`] says; it may remember what it was asked.
    pub is_signed: fn(&Record) -> bool,
}
