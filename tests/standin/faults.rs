//! What can go wrong on demand, and what is counted.
//!
//! ```text
//!   refuse WORD      a document whose text contains WORD is answered 400, Invalid configuration
//!   fail WORD        … is answered 500, Failed to apply
//!   slow MS          a change takes so long
//!   hang             nothing is answered at all
//!   close N          the next N changes end without an answer, not applied
//!   close-applied N  … applied
//!   cut BYTES        answers with a longer body are cut off after so many bytes of it
//!   ok               none of these any more
//!   factory          the configuration becomes the default, as after a crash
//!   set JSON         … becomes this, as if somebody used the server's own socket
//!   down, up         the server stops, and its socket goes; it starts again
//!   stats            one line of JSON with the counters
//! ```

use std::time::Duration;

use starlingd::model::json::{self, Map, Value};

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
            ("ok", _) => *self = Self::default(),
            _ => return format!("what is \"{word} {rest}\"?"),
        }
        "ok".to_owned()
    }

    /// The detail, if a document of this text is to be refused.
    pub fn refusal(&self, text: &str) -> Option<String> {
        let word = self.refuse.iter().find(|word| text.contains(*word))?;
        Some(format!("The word \"{word}\" is refused here."))
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
    /// Applications that were there before and after with another text: unitd restarts their processes.
    restarts: u64,
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
        let (Some(old), Some(new)) = (applications(old), applications(new)) else { return };
        let kept = old.iter().filter_map(|(name, was)| Some((was, new.get(name)?)));
        let restarted = kept.filter(|(was, is)| json::compact(was) != json::compact(is)).count();
        self.restarts += restarted as u64;
    }

    /// One line of JSON.
    pub fn line(&self) -> String {
        let Self { reads, writes, applied, identical, reordered, restarts } = self;
        format!(
            "{{\"reads\":{reads},\"writes\":{writes},\"applied\":{applied},\"identical\":{identical},\
             \"reordered\":{reordered},\"restarts\":{restarts}}}"
        )
    }
}

fn applications(config: &Value) -> Option<&Map<String, Value>> {
    config.get("applications")?.as_object()
}
