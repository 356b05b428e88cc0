//! One word for how a host stands to its group's head, as this host knows it.
//!
//! What a person is shown of a host is this one word, and how old the news is that it rests on. It
//! is judged against the head that this host shows, never against what the other believes the head
//! to be. The table stands here, pure; `node::views` feeds it.

use std::fmt;

use crate::model::record::RecordId;

/// How a host stands to its group's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostState {
    /// The host's server runs the head; a host without a server holds it.
    InStep,
    /// The host's server runs something else than the head, or the host does not hold it yet.
    Behind,
    /// The host's server refuses the head.
    Refused,
    /// Somebody has changed the server's configuration past Starling.
    Drifted,
    /// The host's server cannot be reached.
    ServerDown,
    /// The host has not been heard of for longer than its news lasts.
    Away,
    /// What the host has said does not tell.
    Unknown,
}

impl fmt::Display for HostState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InStep => "in step",
            Self::Behind => "behind",
            Self::Refused => "refused",
            Self::Drifted => "drifted",
            Self::ServerDown => "server down",
            Self::Away => "away",
            Self::Unknown => "unknown",
        })
    }
}

/// What is known of a host.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::node) struct Known<'a> {
    /// The head of the host's group as this host holds it, if it holds any.
    pub(in crate::node) head: Option<RecordId>,
    /// Whether the host can be counted on to run: it is this one, linked, or its news is young.
    pub(in crate::node) is_live: bool,
    /// Whether the host has a server; `None` if it has not said.
    pub(in crate::node) has_server: Option<bool>,
    /// The head that the host holds, by its own account.
    pub(in crate::node) desired: Option<&'a str>,
    /// The revision that the host's server runs, by its own account.
    pub(in crate::node) applied: Option<&'a str>,
    /// The word for how its last attempt to apply its head went.
    pub(in crate::node) verdict: &'a str,
    /// Whether its server was changed past Starling.
    pub(in crate::node) drift: bool,
}

impl Known<'_> {
    /// The word for it. What makes a person get up comes first.
    pub(in crate::node) fn state(&self) -> HostState {
        let Some(has_server) = self.has_server.filter(|_| self.is_live) else {
            return if self.is_live {
                HostState::Unknown
            } else {
                HostState::Away
            };
        };
        let is_head = |named: Option<&str>| match (named, self.head) {
            (Some(named), Some(head)) => named == head.to_string(),
            (None, None) => true,
            _ => false,
        };
        match (has_server, self.verdict) {
            (false, _) if is_head(self.desired) => HostState::InStep,
            (false, _) => HostState::Behind,
            (true, "unreachable") => HostState::ServerDown,
            // It refuses what it holds for the head; whether that is ours is the question.
            (true, "refused") if is_head(self.desired) => HostState::Refused,
            (true, _) if self.drift => HostState::Drifted,
            // Nothing was ever published, and nothing is to be run.
            (true, _) if self.head.is_none() && self.desired.is_none() => HostState::InStep,
            (true, "applied") if is_head(self.applied) => HostState::InStep,
            (true, "applied" | "refused" | "pending") => HostState::Behind,
            (true, _) => HostState::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: RecordId = RecordId([1; 32]);

    fn known<'a>(desired: &'a str, applied: &'a str, verdict: &'a str) -> Known<'a> {
        let some = |id: &'a str| Some(id).filter(|id| !id.is_empty());
        Known {
            head: Some(HEAD),
            is_live: true,
            has_server: Some(true),
            desired: some(desired),
            applied: some(applied),
            verdict,
            drift: false,
        }
    }

    #[test]
    fn a_host_is_judged_by_what_runs_and_by_the_head_shown_here() {
        let (head, other) = (HEAD.to_string(), RecordId([2; 32]).to_string());
        for (desired, applied, verdict, expected) in [
            (&head, &head, "applied", HostState::InStep),
            // It says that it runs its head, which is not the one that is shown.
            (&other, &other, "applied", HostState::Behind),
            (&head, &other, "applied", HostState::Behind),
            (&head, &other, "pending", HostState::Behind),
            (&head, &other, "refused", HostState::Refused),
            // What it refused is not the head that is shown.
            (&other, &other, "refused", HostState::Behind),
            (&head, &head, "unreachable", HostState::ServerDown),
            (&head, &head, "unverified", HostState::Unknown),
            (
                &head,
                &head,
                "what a later version says",
                HostState::Unknown,
            ),
            (&head, &String::new(), "applied", HostState::Behind),
            (&String::new(), &String::new(), "pending", HostState::Behind),
        ] {
            assert_eq!(
                known(desired, applied, verdict).state(),
                expected,
                "{desired:.4} {applied:.4} {verdict}"
            );
        }
    }

    #[test]
    fn drift_silence_and_a_missing_server_have_their_words() {
        let head = HEAD.to_string();
        let whole = known(&head, &head, "applied");
        assert_eq!(
            Known {
                drift: true,
                ..whole
            }
            .state(),
            HostState::Drifted
        );
        assert_eq!(
            Known {
                is_live: false,
                ..whole
            }
            .state(),
            HostState::Away
        );
        assert_eq!(
            Known {
                has_server: None,
                ..whole
            }
            .state(),
            HostState::Unknown
        );
        assert_eq!(
            Known {
                has_server: Some(false),
                verdict: "none",
                ..whole
            }
            .state(),
            HostState::InStep
        );
        assert_eq!(
            Known {
                has_server: Some(false),
                desired: None,
                ..whole
            }
            .state(),
            HostState::Behind
        );
        assert_eq!(
            Known {
                head: None,
                desired: None,
                applied: None,
                verdict: "pending",
                ..whole
            }
            .state(),
            HostState::InStep
        );
        assert_eq!(Known::default().state(), HostState::Away);
    }
}
