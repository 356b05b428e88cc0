//! What somebody has put on the server past Starling is kept before anything is put over it.
//!
//! ```text
//!  asked to give a document ──▶ the server runs what it was given, or what is kept ──▶ given
//!                 │ it runs something else
//!                 ▼
//!         written to disk ──▶ durable, and said ──▶ asked once more
//!                 │ cannot be written
//!                 ▼
//!         the server is left as it is, and that is said
//! ```
//!
//! All that goes to the server passes [`Node::permit`], whatever it is for: a new head, a
//! transaction, a dry run, what is put back. Of what an earlier run gave it nothing is lost either,
//! but that is no news; so what is applied is remembered on disk, once a head and at most once in
//! [`REMEMBER_EVERY`].

mod remembering;

use std::time::Duration;

use super::Local;
use crate::limits::{DRIFT_ROUNDS_MAX, DRIFTS_KEPT, GIVEN_MAX, KEPT_PATHS_MAX};
use crate::model::aliases::Aliases;
use crate::model::document::Document;
use crate::model::fingerprint::Fingerprint;
use crate::model::json::{self, Value};
use crate::model::path::Path;
use crate::model::record::RecordId;
use crate::model::shown::ShownConfig;
use crate::node::context::Context;
use crate::node::effect::{DiskJob, Effect, Level, ServerJob};
use crate::node::event::Event;
use crate::node::input::Known;
use crate::node::kept_file::{KeptFile, name_at};
use crate::node::over::Over;
use crate::node::refusal::ServerFault;
use crate::node::store::Store;
use crate::node::store::given::GivenNames;
use crate::node::waiting::{ServerPurpose, Waiting};

/// What is known of what the server may run, and of what is kept of what it ran.
#[derive(Default)]
pub(in crate::node) struct Kept {
    /// The files, in the order in which they were kept.
    files: Vec<KeptFile>,
    /// What the server was last seen to run of what it was given.
    ran: Option<Document>,
    /// That as a revision, if it is one.
    runs: Option<RecordId>,
    /// What it was given since, and may run by now.
    given: Vec<Document>,
    /// The names that it was given for certificates and copies.
    pub(in crate::node) names: GivenNames,
    /// What it ran before it was first configured, if that is kept.
    pub(in crate::node) before: Option<Fingerprint>,
    /// What earlier runs gave it.
    earlier: Vec<Fingerprint>,
    /// The job that the server was last given, for it may have to be given it again.
    asked: Option<ServerJob>,
    /// What the server was found to run during this job, and is kept or known.
    passed: Vec<Fingerprint>,
    /// The file that was kept, or found to be kept, for this job.
    of_job: Option<String>,
    /// What is being written.
    writing: Option<Writing>,
    /// Why what the server runs cannot be kept.
    problem: Option<String>,
    /// When what is applied is to be remembered.
    remember_at: Option<Duration>,
    /// When that was last done.
    remembered: Duration,
}

struct Writing {
    /// What the server is asked for when it is written.
    purpose: ServerPurpose,
    file: KeptFile,
    /// The file that makes room.
    goes: Option<String>,
}

/// What the server was found to run when it was to be given something.
pub(in crate::node) struct Found {
    pub(in crate::node) config: ShownConfig,
    pub(in crate::node) fingerprint: Fingerprint,
}

impl Kept {
    /// A file that was found on disk.
    pub(in crate::node) fn remember(&mut self, file: KeptFile) {
        self.files.push(file);
        self.files.sort_by_key(|file| file.number);
    }

    /// What a person should look at.
    pub(in crate::node) fn problem(&self) -> Option<String> {
        let unseen = self.files.iter().filter(|file| !file.acknowledged).count();
        let words = match unseen {
            0 => None,
            1 => Some(
                "what somebody had put on this host's server was replaced, and is kept: see \
                 starling drift"
                    .to_owned(),
            ),
            many => Some(format!(
                "what somebody had put on this host's server was replaced {many} times, and is \
                 kept: see starling drift"
            )),
        };
        self.problem.clone().or(words)
    }

    /// The name of the file that was kept for the last job.
    pub(in crate::node) fn take_of_job(&mut self) -> Option<String> {
        self.of_job.take()
    }

    /// When there is something to be remembered.
    pub(in crate::node) fn due(&self) -> Option<Duration> {
        self.remember_at
    }

    /// What the server ran before it was first configured is kept.
    pub(in crate::node) fn keeps_before(&mut self, config: Option<Fingerprint>) {
        self.before = config;
    }

    /// The documents that are kept of what it was given.
    pub(in crate::node) fn documents(&self) -> impl Iterator<Item = &Document> {
        self.ran.iter().chain(&self.given)
    }

    /// Gives back their values.
    pub(in crate::node) fn fold(&mut self) {
        self.ran
            .iter_mut()
            .chain(&mut self.given)
            .for_each(|document| *document = document.folded());
    }

    /// The server was seen to run this.
    fn settles_on(&mut self, document: Document) {
        self.given.clear();
        self.ran = Some(document);
        self.runs = None;
        self.problem = None;
    }

    /// The server is about to be given this. Whether it brings names that the server was never
    /// given.
    fn gives(&mut self, document: &Document) -> bool {
        if self.given.contains(document) || self.ran.as_ref() == Some(document) {
            return false;
        }
        if self.given.len() >= GIVEN_MAX {
            self.given.remove(0);
        }
        self.given.push(document.clone());
        self.names.note(&Aliases::of(document))
    }

    /// Which file makes room for one that differs at these paths: the oldest that somebody has
    /// seen; of the others the oldest of the same place, so that one that is changed again and
    /// again does not push out the rest.
    fn goes_for(&self, paths: &[String]) -> Option<&KeptFile> {
        if self.files.len() < DRIFTS_KEPT {
            return None;
        }
        let seen = self.files.iter().find(|file| file.acknowledged);
        seen.or_else(|| self.files.iter().find(|file| file.paths == paths))
            .or(self.files.first())
    }
}

impl Local {
    /// The server runs what it may not be put over yet. The job in hand waits.
    pub(in crate::node) fn found_changed(
        &mut self,
        cx: &mut Context,
        store: &Store,
        purpose: ServerPurpose,
        found: Found,
        is_tried_only: bool,
    ) {
        self.server.shows(cx, found.config.clone());
        if is_tried_only {
            return self.leave_for_dry_run(cx, &purpose, &found);
        }
        if self.kept.earlier.contains(&found.fingerprint) {
            cx.say(
                Level::Info,
                "server",
                "the server runs what Starling gave it earlier",
            );
            return self.ask_again(cx, purpose, found.fingerprint);
        }
        let name = self
            .kept
            .files
            .iter()
            .find(|file| file.fingerprint == found.fingerprint)
            .map(|file| file.name.clone());
        if let Some(name) = name {
            cx.say(
                Level::Warn,
                "server",
                format!(
                    "what somebody has put on the server is replaced; it is kept in {name} already"
                ),
            );
            self.kept.of_job = Some(name);
            return self.ask_again(cx, purpose, found.fingerprint);
        }
        if self.kept.passed.len() >= DRIFT_ROUNDS_MAX {
            return self.not_kept(
                cx,
                store,
                purpose,
                "somebody changes the server again and again".to_owned(),
            );
        }
        self.keep(cx, purpose, found);
    }

    /// What the server runs is kept, or cannot be.
    pub(in crate::node) fn drift_kept(
        &mut self,
        cx: &mut Context,
        store: &Store,
        result: Result<(), String>,
    ) {
        let Some(Writing {
            purpose,
            file,
            goes,
        }) = self.kept.writing.take()
        else {
            return;
        };
        if let Err(error) = result {
            return self.not_kept(cx, store, purpose, error);
        }
        if let Some(gone) =
            goes.and_then(|name| self.kept.files.iter().position(|file| file.name == name))
        {
            let gone = self.kept.files.remove(gone);
            if !gone.acknowledged {
                let text = format!(
                    "{} had to make room, and nobody has said that he has seen it",
                    gone.name
                );
                cx.say(Level::Warn, "server", text);
            }
        }
        let mut paths = file.paths.clone();
        let more = paths.len().saturating_sub(super::server::DRIFT_SHOWN);
        paths.truncate(super::server::DRIFT_SHOWN);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let text = format!(
            "what somebody has put on the server at {}{more} is replaced; what it ran is kept in \
             {}",
            paths.join(", "),
            file.name
        );
        cx.say(Level::Warn, "server", text);
        let fingerprint = file.fingerprint;
        self.kept.of_job = Some(file.name.clone());
        self.kept.problem = None;
        self.kept.files.push(file);
        cx.own_record_changed();
        self.ask_again(cx, purpose, fingerprint);
    }

    /// What the server runs cannot be kept: it goes on running it, and whatever was to be given to
    /// it is not.
    fn not_kept(&mut self, cx: &mut Context, store: &Store, purpose: ServerPurpose, why: String) {
        let problem = format!(
            "what somebody has put on the server cannot be kept, so the server is left as it is: \
             {why}"
        );
        if self.kept.problem.as_ref() != Some(&problem) {
            cx.say(Level::Error, "server", problem.clone());
            self.kept.problem = Some(problem);
            cx.own_record_changed();
        }
        self.kept.asked = None;
        self.server.end(cx, &purpose);
        self.job_not_done(cx, store, purpose, &why);
    }

    /// A dry run must not undo what somebody has changed.
    fn leave_for_dry_run(&mut self, cx: &mut Context, purpose: &ServerPurpose, found: &Found) {
        self.server.end(cx, purpose);
        self.kept.asked = None;
        let paths = self.changed_at(found, super::server::DRIFT_SHOWN);
        cx.tell(Event::NotTried(ServerFault::Drifted { paths }.into()));
        // The next look tells what to do about it.
        self.server.look_soon(cx.now.elapsed);
    }

    /// Asks the server for something new.
    pub(in crate::node) fn ask_server(
        &mut self,
        cx: &mut Context,
        purpose: ServerPurpose,
        ask: ServerJob,
    ) {
        self.begin_job();
        self.server.begin(cx, &purpose);
        self.ask_server_again(cx, purpose, ask);
    }

    /// The same, for a job that could not be done as it was asked for.
    pub(in crate::node) fn ask_server_again(
        &mut self,
        cx: &mut Context,
        purpose: ServerPurpose,
        mut ask: ServerJob,
    ) {
        self.permit(cx, &mut ask);
        let ticket = cx.ticket(Waiting::Server(purpose));
        cx.effects.push(Effect::Server(ticket, ask));
    }

    /// Everything that is given to the server passes here: it may be put over what the server was
    /// given, and what is kept, and nothing else.
    fn permit(&mut self, cx: &mut Context, ask: &mut ServerJob) {
        let kept = &mut self.kept;
        let (document, over) = match ask {
            ServerJob::Try { document, over, .. } | ServerJob::Apply(document, over) => {
                (document, over)
            }
            ServerJob::Observe => return,
        };
        let given = kept
            .ran
            .iter()
            .chain(&kept.given)
            .map(Document::fingerprint);
        *over = Over {
            known: given
                .chain(kept.before)
                .chain(kept.passed.iter().copied())
                .collect(),
        };
        let has_new_names = kept.gives(document);
        kept.asked = Some(ask.clone());
        if has_new_names {
            let text = self.kept.names.text();
            cx.disk(DiskJob::Given(text));
        }
    }

    /// What is known of the server, whatever it was asked.
    pub(in crate::node) fn learns_of_server(&mut self, cx: &mut Context, known: &Known) {
        if self.kept.names.set_copies(&known.copies) {
            let text = self.kept.names.text();
            cx.disk(DiskJob::Given(text));
        }
        if self.server.known != *known {
            self.server.known.clone_from(known);
            cx.own_record_changed();
        }
    }

    /// A new job is begun: what an earlier one has met is over.
    fn begin_job(&mut self) {
        self.kept.passed.clear();
        self.kept.of_job = None;
    }

    /// The server runs what it was last given.
    pub(in crate::node) fn runs_what_it_was_given(&mut self) {
        if let Some(ServerJob::Try { document, .. } | ServerJob::Apply(document, _)) =
            self.kept.asked.take()
        {
            self.kept.settles_on(document);
        }
    }

    /// The job in hand is to be done, over what was found.
    fn ask_again(&mut self, cx: &mut Context, purpose: ServerPurpose, fingerprint: Fingerprint) {
        self.kept.passed.push(fingerprint);
        match self.kept.asked.take() {
            Some(ask) => self.ask_server_again(cx, purpose, ask),
            None => self.server.end(cx, &purpose),
        }
    }

    fn keep(&mut self, cx: &mut Context, purpose: ServerPurpose, found: Found) {
        let kept = &self.kept;
        let paths = self.changed_at(&found, KEPT_PATHS_MAX);
        let file = KeptFile {
            name: name_at(cx.now.wall_ms, |name| {
                kept.files.iter().any(|file| file.name == name)
            }),
            number: kept.files.last().map_or(0, |file| file.number) + 1,
            time_ms: cx.now.wall_ms,
            group: cx.setup.group.clone(),
            revision: kept.runs,
            acknowledged: false,
            fingerprint: found.fingerprint,
            paths,
        };
        let text = file.text(kept.ran.as_ref(), &found.config);
        let goes = kept.goes_for(&file.paths).map(|file| file.name.clone());
        let ticket = cx.ticket(Waiting::Kept);
        cx.disk(DiskJob::KeepDrift(
            ticket,
            file.name.clone(),
            text,
            goes.clone(),
        ));
        self.kept.writing = Some(Writing {
            purpose,
            file,
            goes,
        });
    }

    /// Where the server differs from what it was last seen to run; if that is not known, from what
    /// it is to be given.
    fn changed_at(&self, found: &Found, most: usize) -> Vec<String> {
        let asked = match &self.kept.asked {
            Some(ServerJob::Try { document, .. } | ServerJob::Apply(document, _)) => Some(document),
            _ => None,
        };
        let base = self
            .kept
            .ran
            .as_ref()
            .or(asked)
            .map_or(&Value::Null, Document::config);
        json::differing(base, &found.config, most)
            .into_iter()
            .map(|path| format!("{}{path}", Path::config()))
            .collect()
    }

    /// Files that nobody has acknowledged.
    pub(in crate::node) fn unseen_files(&self) -> impl Iterator<Item = &KeptFile> {
        self.kept.files.iter().filter(|file| !file.acknowledged)
    }

    /// All files, in the order in which they were kept.
    pub(in crate::node) fn kept_files(&self) -> &[KeptFile] {
        &self.kept.files
    }

    /// A file by its name.
    pub(in crate::node) fn kept_file_mut(&mut self, name: &str) -> Option<&mut KeptFile> {
        self.kept.files.iter_mut().find(|file| file.name == name)
    }
}
