//! Looking at the server: what it shows beside what was applied, and what that means.
//!
//! A server that suddenly shows its factory default, or comes back after it was away, has lost what
//! it had and is given the head again; any other difference is drift, somebody's doing. Nothing
//! that a server shows is ever spread.

use super::Local;
use super::server::DRIFT_SHOWN;
use super::state::Verdict;
use crate::limits::REAPPLY_MIN;
use crate::model::document::is_factory;
use crate::model::json;
use crate::model::path::Path;
use crate::node::context::Context;
use crate::node::effect::Level;
use crate::node::event::Event;
use crate::node::input::Outcome;
use crate::node::store::Store;

impl Local {
    pub(in crate::node) fn observed(
        &mut self,
        cx: &mut Context,
        store: &Store,
        outcome: Outcome,
        default_meant: bool,
    ) {
        let was_away = matches!(self.server.verdict(), Some(Verdict::Unreachable(_)));
        let mut is_new = was_away;
        match outcome {
            Outcome::Observed {
                config,
                missing,
                restarted,
            } => {
                self.server.shows(cx, config);
                self.server.missing = missing;
                self.server.is_same = false;
                is_new |= restarted;
            }
            Outcome::Unreadable(reason) => {
                self.unreadable(cx, &reason);
                return cx.tell(Event::LookedInVain);
            }
            Outcome::Unreachable(reason) | Outcome::Unknown(reason) => {
                self.unreachable(cx, reason);
                return cx.tell(Event::LookedInVain);
            }
            _ => {}
        }
        let is_back = was_away || self.is_unread();
        if is_back {
            self.server.apply_at = cx.now.elapsed;
            self.server.backoff = REAPPLY_MIN;
            let text = if was_away {
                "the server is there again"
            } else {
                "what the server runs can be read again"
            };
            self.judge(cx, Verdict::Pending, Level::Info, text.into());
        }
        self.compare(cx, store, is_back, is_new, default_meant);
    }

    /// Compares what the server shows with what was applied. A server that lost something, or is
    /// new and shows something else, is given the document again; all else is somebody's doing.
    fn compare(
        &mut self,
        cx: &mut Context,
        store: &Store,
        is_back: bool,
        is_new: bool,
        default_meant: bool,
    ) {
        // Nothing has changed on either side, and a comparison of large documents every two seconds
        // is not for nothing.
        if self.server.is_same && !is_back && !is_new {
            return;
        }
        let (Some(applied), Some(config)) = (&self.server.applied, &self.server.observed) else {
            return;
        };
        if store.head(cx).is_none_or(|head| head.id() != applied.id) {
            // What a server shows that has just come back is nobody's change.
            if !is_new {
                self.rescue_drift(cx, store);
            }
            return;
        }
        let wanted = applied.effective.config();
        let below = json::differing(wanted, config, DRIFT_SHOWN);
        let drift: Vec<String> = below
            .into_iter()
            .map(|path| format!("{}{path}", Path::config()))
            .collect();
        let comparison = Comparison {
            lacks_uploads: !self.server.missing.is_empty(),
            differs: !drift.is_empty(),
            is_emptied: is_factory(config) && !is_factory(wanted),
            is_new,
            default_meant,
        };
        let meaning = meaning(&comparison);
        if meaning == Meaning::Lost {
            self.server.apply_anew(cx.now.elapsed);
            let text = "the server has lost its configuration and is given it again";
            return self.judge(cx, Verdict::Pending, Level::Warn, text.into());
        }
        if is_back {
            self.judge(
                cx,
                Verdict::Applied,
                Level::Debug,
                "the server runs the head".into(),
            );
        }
        if meaning == Meaning::Drift {
            return self.handle_drift(cx, store, drift);
        }
        self.server.is_same = true;
        self.no_drift(cx);
    }
}

/// What a look has found, beside what was applied.
struct Comparison {
    /// Whether certificates or modules of the document are gone.
    lacks_uploads: bool,
    /// Whether the configuration is another.
    differs: bool,
    /// Whether it is the factory default where something else was applied.
    is_emptied: bool,
    /// Whether the server was away, or is another process than at the last look.
    is_new: bool,
    /// Whether the factory default is about to be published on purpose.
    default_meant: bool,
}

/// What that means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// The server runs what was applied.
    Same,
    /// Somebody has changed its configuration.
    Drift,
    /// It has lost what it had, and is to be given it again.
    Lost,
}

fn meaning(comparison: &Comparison) -> Meaning {
    let has_lost = comparison.lacks_uploads
        || (comparison.differs && (comparison.is_emptied || comparison.is_new));
    match comparison.differs {
        _ if has_lost && !comparison.default_meant => Meaning::Lost,
        true => Meaning::Drift,
        false => Meaning::Same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_new_or_emptied_has_lost_what_it_had_and_all_else_is_drift() {
        let none = Comparison {
            lacks_uploads: false,
            differs: false,
            is_emptied: false,
            is_new: false,
            default_meant: false,
        };
        let other = Comparison {
            differs: true,
            ..none
        };
        let emptied = Comparison {
            is_emptied: true,
            ..other
        };
        let cases = [
            (
                Comparison {
                    is_new: true,
                    ..none
                },
                Meaning::Same,
            ),
            (
                Comparison {
                    lacks_uploads: true,
                    ..none
                },
                Meaning::Lost,
            ),
            (
                Comparison {
                    is_new: true,
                    ..other
                },
                Meaning::Lost,
            ),
            (
                Comparison {
                    default_meant: true,
                    ..emptied
                },
                Meaning::Drift,
            ),
            (emptied, Meaning::Lost),
            (other, Meaning::Drift),
            (none, Meaning::Same),
        ];
        for (place, (comparison, expected)) in cases.iter().enumerate() {
            assert_eq!(meaning(comparison), *expected, "case {place}");
        }
    }
}
