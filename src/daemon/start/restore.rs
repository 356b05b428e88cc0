//! The node as an earlier run left it: what the state directory holds is read and handed over.
//!
//! What is damaged is set aside and reported, never guessed at. All of it is done before the loop
//! runs, for here the disk is waited for.

use std::time::Duration;

use super::RunError;
use crate::daemon::entropy;
use crate::daemon::state_dir::{FoundDrifts, Membership, StateDir, StateError, StoredFile, Unread};
use crate::limits::KEYS_AWAY_MAX;
use crate::model::overlay::Overlay;
use crate::model::signature::SecretKey;
use crate::node::input::Now;
use crate::node::load::Loading;
use crate::node::store::given::GivenNames;
use crate::node::{Node, Setup};
use crate::settings::Settings;
use crate::wire::handshake::LocalPeer;

/// Makes the node from the settings and from what the state directory says of this host.
pub(super) fn make_node(
    settings: &Settings,
    dir: &StateDir,
    member: &Membership,
    secret: SecretKey,
    local: &LocalPeer,
    server: bool,
    now: Now,
) -> Result<Node, RunError> {
    let setup = Setup {
        secret,
        fleet: member.fleet.clone(),
        run: local.run,
        name: settings.name.clone(),
        group: settings.group.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        server,
        joined: member.joined,
        peers: settings.peers.clone(),
        before_kept: dir.has_before_starling(),
        history: settings.history,
        keys_kept: Duration::from_secs(settings.keys_kept)..KEYS_AWAY_MAX,
        files_max: settings.state_mib << 20,
        seed: u64::from_be_bytes(entropy::bytes()?),
        overlay: Overlay::default(),
        drift: settings.drift,
        words: crate::daemon::api::refusals::words,
        is_signed: crate::model::record::Record::is_signed,
    };
    let (book, problem) = address_book(dir);
    let mut node = Node::new(setup, &book, now);
    if let Some(problem) = problem {
        log::warn!("{problem}");
        node.report_problem(problem);
    }
    log::info!("my peer ID is {}", node.peer());
    log::info!(
        "fleet {}, group {}, called {}",
        member.fleet.name(),
        settings.group,
        settings.name
    );
    Ok(node)
}

/// Hands the node the revisions, the unfinished changes and the drifts that are on disk.
pub(super) fn load(node: &mut Node, dir: &StateDir) {
    let mut loading = Loading::new(node);
    for Unread { file, error } in dir.load_revisions(
        |StoredFile {
             group,
             name,
             bytes,
             written_ms,
         }| {
            loading.file_of(group, name, &bytes, written_ms);
        },
    ) {
        loading.unread(file, error.to_string());
    }
    loading.put_right(|found, right| match dir.rename_revision(found, right) {
        Ok(()) => Ok(true),
        Err(StateError::Exists(_)) => Ok(false),
        Err(error) => Err(error.to_string()),
    });
    loading.finish(|group, name| {
        let aside = dir.set_revision_aside(group, name);
        aside
            .map(|path| path.display().to_string())
            .map_err(|error| error.to_string())
    });
    remember(node, dir);
    let unfinished = dir.load_pending(
        |StoredFile {
             group, name, bytes, ..
         }| {
            log::warn!(
                "a change was under way when this host stopped; it is put back, unless peers have \
                 it"
            );
            node.remember_transaction(&bytes);
            node.forget_pending(group, name);
        },
    );
    unfinished
        .iter()
        .for_each(|unread| log::error!("{}", unread.error));
    if node.is_distrusted()
        && let Err(error) = dir.set_joined(false)
    {
        log::error!("{error}");
    }
}

/// Tells the node what the server was given by earlier runs, and what is kept of what it ran past
/// Starling.
fn remember(node: &mut Node, dir: &StateDir) {
    let given = dir.given().unwrap_or_else(|problem| {
        log::warn!("{problem}");
        node.report_problem(problem);
        GivenNames::default()
    });
    node.remember_given(given);
    node.remember_applied(&dir.applied());
    let FoundDrifts { files, problems } = dir.drifts();
    files.into_iter().for_each(|file| node.remember_drift(file));
    for problem in problems {
        log::error!("{problem}");
        node.report_problem(problem);
    }
    // Once there is a head, it is what the head comes to that the server may run.
    if node.own_head().is_none() {
        dir.before_starling()
            .into_iter()
            .for_each(|config| node.remember_before(&config));
    }
}

/// The address book as it was kept. It is a book of hints: if it is damaged, this host goes by what
/// else it knows.
fn address_book(dir: &StateDir) -> (Vec<u8>, Option<String>) {
    let wrong = match dir.addresses() {
        Ok(None) => return (Vec::new(), None),
        Ok(Some(book)) if StateDir::is_address_book(&book) => return (book, None),
        Ok(Some(_)) => format!("{}: no address book", dir.addresses_path().display()),
        Err(error) => error.to_string(),
    };
    let became = match dir.set_aside(&dir.addresses_path()) {
        Ok(path) => format!("{wrong}; it was set aside as {}", path.display()),
        Err(error) => format!("{wrong}; it cannot be set aside: {error}"),
    };
    (Vec::new(), Some(became))
}
