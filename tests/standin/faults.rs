//! What can go wrong on demand, and what is counted.
//!
//! ```text
//!   refuse WORD      a document whose text contains WORD is answered 400, Invalid configuration
//!   fail WORD        … is answered 500, Failed to apply
//!   slow MS          a change takes so long
//!   hang             nothing is answered at all
//!   close N          the next N changes end without an answer, not applied
//!   close-applied N  … applied
//!   cut BYTES        answers with a longer body are cut off after so many bytes
//!   refuse-upload WORD  a certificate or module whose name contains WORD is answered 400
//!   freeunit         says where a configuration is invalid, and is version 1.36.0
//!   stranger         whoever connects is cut off, as FreeUnit does with foreign users
//!   no-tls, no-js    built without OpenSSL, without njs: nothing is at these paths
//!   ok               none of these any more
//!   factory          the configuration becomes the default, as after a crash
//!   set JSON         … becomes this, as if somebody used the server's own socket
//!   down, up         the server stops, and its socket goes; it starts again
//!   restart          both, on another socket file, with all that it keeps
//!   restart-default  … but with the default configuration: the stored one could not be applied
//!   restart-older    … with the configuration before the last change
//!   restart-wiped    … with nothing that was kept
//!   stats            one line of JSON with the counters
//! ```

use std::time::Duration;

use starlingd::model::json::{self, Map, Value};

use super::validate::Refusal;

/// The faults that are on.
#[derive(Default)]
pub struct Faults {
    refuse: Vec<String>,
    fail: Vec<String>,
    pub slow: Duration,
    pub hang: bool,
    close: u64,
    close_applied: u64,
    pub cut: Option<usize>,
    refuse_uploads: Vec<String>,
    pub freeunit: bool,
    pub stranger: bool,
    pub no_tls: bool,
    pub no_js: bool,
}

/// How a change that would succeed ends.
#[derive(PartialEq)]
pub enum Ending {
    Answer,
    CloseNotApplied,
    CloseApplied,
}

impl Faults {
    /// One line; the answer is for a person.
    pub fn set(&mut self, word: &str, rest: &str) -> String {
        let number = rest.parse::<u64>();
        match (word, number) {
            ("refuse", _) if !rest.is_empty() => self.refuse.push(rest.to_owned()),
            ("fail", _) if !rest.is_empty() => self.fail.push(rest.to_owned()),
            ("slow", Ok(ms)) => self.slow = Duration::from_millis(ms),
            ("hang", _) => self.hang = true,
            ("close", Ok(count)) => self.close = count,
            ("close-applied", Ok(count)) => self.close_applied = count,
            ("cut", Ok(bytes)) => self.cut = usize::try_from(bytes).ok(),
            ("refuse-upload", _) if !rest.is_empty() => self.refuse_uploads.push(rest.to_owned()),
            ("freeunit", _) => self.freeunit = true,
            ("stranger", _) => self.stranger = true,
            ("no-tls", _) => self.no_tls = true,
            ("no-js", _) => self.no_js = true,
            ("ok", _) => *self = Self::default(),
            _ => return format!("what is \"{word} {rest}\"?"),
        }
        "ok".to_owned()
    }

    /// Why, if a document of this text is to be refused.
    pub fn refusal(&self, text: &str) -> Option<Refusal> {
        let word = self.refuse.iter().find(|word| text.contains(*word))?;
        Some(Refusal {
            at: String::new(),
            detail: format!("The word \"{word}\" is refused here."),
            freeunit: None,
        })
    }

    /// Whether an upload of this name is to be refused.
    pub fn refuses_upload(&self, name: &str) -> bool {
        self.refuse_uploads.iter().any(|word| name.contains(word))
    }

    /// What the server says it is.
    pub fn version(&self) -> &'static str {
        if self.freeunit { "1.36.0" } else { "1.35.0" }
    }

    /// Whether a document of this text cannot be applied.
    pub fn failure(&self, text: &str) -> bool {
        self.fail.iter().any(|word| text.contains(word))
    }

    /// How this change ends: counts down.
    pub fn ending(&mut self) -> Ending {
        if self.close > 0 {
            self.close -= 1;
            Ending::CloseNotApplied
        } else if self.close_applied > 0 {
            self.close_applied -= 1;
            Ending::CloseApplied
        } else {
            Ending::Answer
        }
    }
}

/// What has happened since the start.
#[derive(Default)]
pub struct Stats {
    /// Requests that came to be read: each on a connection of its own.
    pub connections: u64,
    /// Requests that change nothing.
    pub reads: u64,
    /// PUT, POST and DELETE, taken or not.
    pub writes: u64,
    /// Those that were taken,
    applied: u64,
    /// of these such as left every byte as it was,
    identical: u64,
    /// and such as only put members in another order.
    reordered: u64,
    /// Applications that were there before and after with another text: unitd restarts their
    /// processes.
    restarts: u64,
    /// Certificates and modules that were taken,
    pub uploads: u64,
    /// and removed.
    pub removals: u64,
    /// Applications that somebody asked to have restarted.
    pub asked_restarts: u64,
}

impl Stats {
    /// Counts a change that is taken.
    pub fn count(&mut self, old: &Value, new: &Value) {
        self.applied += 1;
        if json::compact(old) == json::compact(new) {
            self.identical += 1;
        } else if json::same(old, new) {
            self.reordered += 1;
        }
        let (Some(old), Some(new)) = (applications(old), applications(new)) else {
            return;
        };
        let kept = old
            .iter()
            .filter_map(|(name, was)| Some((was, new.get(name)?)));
        let restarted = kept
            .filter(|(was, is)| json::compact(was) != json::compact(is))
            .count();
        self.restarts += restarted as u64;
    }

    /// One line of JSON.
    pub fn line(&self) -> String {
        let Self {
            connections,
            reads,
            writes,
            applied,
            identical,
            reordered,
            restarts,
            uploads,
            removals,
            asked_restarts,
        } = self;
        format!(
            "{{\"connections\":{connections},\"reads\":{reads},\"writes\":{writes},\"applied\":{applied},\"identical\":{identical},\
             \"reordered\":{reordered},\"restarts\":{restarts},\"uploads\":{uploads},\"removals\":{removals},\
             \"asked_restarts\":{asked_restarts}}}"
        )
    }
}

fn applications(config: &Value) -> Option<&Map<String, Value>> {
    config.get("applications")?.as_object()
}
