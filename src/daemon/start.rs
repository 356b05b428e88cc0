//! Putting the daemon together: state, identity, sockets, threads, in an order in which nothing is
//! heard before it can be answered.
//!
//! Whatever is wrong is said before anything is listened on. What is damaged on disk is set aside
//! and reported, never guessed at.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use super::clock::Clock;
use super::decode::Decoder;
use super::dialler::{Addresses, Dialler};
use super::discovery::{self, Discovery, DiscoveryEvent};
use super::disk::Disk;
use super::event_loop::{Loop, LoopEvent, LoopParts};
use super::gate::{self, Gate, GateError, GateSettings, HttpResponse, Responder, Rights, TcpApi};
use super::listener::{self, Listener};
use super::network::{self, NetworkView};
use super::overlay::{self, OverlaySource, OverlayWatch};
use super::pass::Pass;
use super::pulse::{self, Pulse};
use super::state_dir::{FoundDrifts, Membership, StateDir, StateError, StoredFile, Unread};
use super::unit::{Control, Unit, find_default};
use super::watch::Watch;
use super::{api, entropy, interfaces, logger, signals, system, target};
use crate::limits::{
    EVENTS_MAX, KEYS_AWAY_MAX, LOOP_RETRY, OVERLAY_START_WAIT, STOP_WAIT, TOKEN_FILE_MAX,
};
use crate::model::overlay::Overlay;
use crate::model::peer_id::PeerId;
use crate::model::signature::SecretKey;
use crate::node::given::GivenNames;
use crate::node::input::{Ask, Now, Trouble};
use crate::node::load::Loading;
use crate::node::{Node, Setup};
use crate::settings::{Settings, UnitChoice};
use crate::wire::handshake::Local;

/// Runs the peer until it is told to stop.
pub fn run(settings: Settings) -> Result<(), RunError> {
    logger::start(settings.log);
    end_on_our_own_panics();
    let mut dir = StateDir::open(&settings.state)?;
    let member = dir
        .membership()?
        .ok_or_else(|| RunError::NoFleet(settings.state.clone()))?;
    dir.lock()?;
    let (events, queue) = sync_channel(EVENTS_MAX);
    let secret = dir.member_identity()?;
    let clock = Clock::new();
    let pulse = Pulse::new(clock);
    let unit = server_of(&settings)?;
    let now = clock.now();
    let local = Arc::new(Local {
        identity: secret.clone(),
        fleet: member.fleet.clone(),
        static_secret: entropy::bytes()?,
        run: u64::from_be_bytes(entropy::bytes()?),
        features: 0,
    });
    let port = Arc::new(AtomicU16::new(0));
    let addresses = own_addresses(&settings, &port);
    interfaces::words_for_missing(&settings.interfaces)
        .iter()
        .for_each(|words| log::warn!("{words}"));
    let (overlay_watch, overlay) =
        watch_overlay(overlays(&settings, &member, &secret), &addresses, &events)?;
    let mut node = make_node(
        &settings,
        &dir,
        &member,
        secret,
        &local,
        unit.is_some(),
        now,
    )?;
    node.begin_overlay(overlay.ok_or_else(|| overlay_watch.lateness().unwrap_or_default()));
    load(&mut node, &dir);
    let listener = listen(&settings, &local, &addresses, &pulse, &events)?;
    port.store(
        listener.local_addrs().first().map_or(0, SocketAddr::port),
        Ordering::Relaxed,
    );
    let bound: Vec<String> = listener
        .local_addrs()
        .iter()
        .map(SocketAddr::to_string)
        .collect();
    log::info!("listening on {}", bound.join(" and "));
    let dial_events = events.clone();
    let dialler = Dialler::start(
        Arc::clone(&local),
        Arc::clone(&addresses),
        pulse.clone(),
        move |event| {
            send(&dial_events, LoopEvent::Dial(event));
        },
    )?;
    let discovery = discover(&settings, &node, &local, &events, &port)?;
    let disk_events = events.clone();
    let disk = Disk::start(dir, move |done| send(&disk_events, LoopEvent::Disk(done)))?;
    let decoded_events = events.clone();
    let decoder = Decoder::start(move |ticket, decoded| {
        send(&decoded_events, LoopEvent::Decoded(ticket, decoded))
    })?;
    let pass = unit.clone().map(Pass::start).transpose()?;
    let target = unit
        .map(|unit| configure(unit, &node, &events))
        .transpose()?;
    let gate = open_gate(&settings, clock, &pulse, &events)?;
    let stop_events = events.clone();
    signals::start(move || send(&stop_events, LoopEvent::Stop), end_late)?;
    pulse::watch(pulse.clone())?;
    let finds_server = settings.unit == UnitChoice::Auto && target.is_none();
    let (network, watch) = watch_around(&settings, &port, &events, overlay_watch, finds_server)?;
    let parts = LoopParts {
        network,
        watch,
        clock,
        pulse,
        node,
        queue,
        events,
        dialler,
        disk,
        decoder,
        target,
        pass,
        listener,
        discovery,
        gate,
        state: settings.state,
    };
    Loop::new(parts).run();
    Ok(())
}

/// Starts the thread that configures the server.
fn configure(
    unit: Unit,
    node: &Node,
    events: &SyncSender<LoopEvent>,
) -> io::Result<target::Target> {
    let events = events.clone();
    target::start(unit, node.given().clone(), move |report| {
        send(&events, LoopEvent::Server(report))
    })
}

/// Why the daemon does not start.
#[derive(Debug)]
pub enum RunError {
    /// There is no fleet in this directory.
    NoFleet(PathBuf),
    /// Something is wrong with the state directory.
    State(StateError),
    /// The REST endpoint cannot be opened.
    Gate(GateError),
    /// A setting cannot be used, for this reason.
    Setting(String),
    /// The system refuses a socket, a thread or randomness.
    System(io::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFleet(path) => write!(
                f,
                "this host is in no fleet yet ({} holds none): type `starling init` to begin one here,\n\
                 or `starling token` on a host that is in one, and `starling join TOKEN` here",
                path.display()
            ),
            Self::State(error) => error.fmt(f),
            Self::Gate(error) => error.fmt(f),
            Self::Setting(error) => f.write_str(error),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RunError {}

impl From<StateError> for RunError {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

impl From<GateError> for RunError {
    fn from(error: GateError) -> Self {
        Self::Gate(error)
    }
}

impl From<io::Error> for RunError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

fn make_node(
    settings: &Settings,
    dir: &StateDir,
    member: &Membership,
    secret: SecretKey,
    local: &Local,
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

/// Hands the node what is on disk.
fn load(node: &mut Node, dir: &StateDir) {
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
    let unfinished = dir.load_pending(|StoredFile { group, name, bytes, .. }| {
        log::warn!("a change was under way when this host stopped; it was not published and is put back");
        node.remember_transaction(&bytes);
        node.forget_pending(group, name);
    });
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

fn overlays(settings: &Settings, member: &Membership, secret: &SecretKey) -> OverlaySource {
    let peer = PeerId::from_bytes(secret.public()).expect("a key pair's public half is sound");
    let known = [
        ("name", settings.name.clone()),
        ("peer", peer.to_string()),
        ("group", settings.group.clone()),
        ("fleet", member.fleet.name().to_owned()),
    ];
    OverlaySource::new(settings.overlay.clone(), &settings.variables, known)
}

/// Has the overlay read from now on. It is waited for a while; on a file system that does not
/// answer the start goes on without it.
fn watch_overlay(
    source: OverlaySource,
    addresses: &Addresses,
    events: &SyncSender<LoopEvent>,
) -> Result<(OverlayWatch, Option<Overlay>), RunError> {
    let events = events.clone();
    let (watch, first) = overlay::start(source, Arc::clone(addresses), move |reading| {
        send(&events, LoopEvent::Overlay(reading))
    })?;
    match first.recv_timeout(OVERLAY_START_WAIT) {
        Ok(reading) => Ok((watch, Some(reading.map_err(RunError::Setting)?))),
        Err(_late) => Ok((watch, None)),
    }
}

fn own_addresses(settings: &Settings, port: &Arc<AtomicU16>) -> Addresses {
    let (port, only, listen) = (
        Arc::clone(port),
        settings.interfaces.clone(),
        settings.listen,
    );
    Arc::new(move || {
        let port = port.load(Ordering::Relaxed);
        interfaces::told(SocketAddr::new(listen.ip(), port), &only)
    })
}

fn listen(
    settings: &Settings,
    local: &Arc<Local>,
    addresses: &Addresses,
    pulse: &Pulse,
    events: &SyncSender<LoopEvent>,
) -> Result<Listener, RunError> {
    let events = events.clone();
    let (local, addresses) = (Arc::clone(local), Arc::clone(addresses));
    let settings = listener::ListenerSettings {
        listen: vec![settings.listen],
        local,
        addresses,
        pulse: pulse.clone(),
    };
    Ok(Listener::start(settings, move |parts| {
        send(&events, LoopEvent::Linked(Box::new(parts)))
    })?)
}

fn discover(
    settings: &Settings,
    node: &Node,
    local: &Local,
    events: &SyncSender<LoopEvent>,
    port: &AtomicU16,
) -> Result<Option<Discovery>, RunError> {
    if !settings.mdns {
        return Ok(None);
    }
    let events = events.clone();
    let whom = discovery::DiscoverySettings {
        fleet: local.fleet.clone(),
        peer: node.peer(),
        interfaces: settings.interfaces.clone(),
    };
    let discovery = Discovery::start(whom, move |event| {
        send(
            &events,
            match event {
                DiscoveryEvent::Found {
                    instance,
                    addresses,
                    unheard,
                } => LoopEvent::Found {
                    instance,
                    addresses,
                    unheard,
                },
                DiscoveryEvent::Trouble(why) => {
                    let words = |why| {
                        format!(
                            "mDNS does not work, so that only hosts at known addresses are found: {why}"
                        )
                    };
                    LoopEvent::Trouble(Trouble::Mdns, why.map(words))
                }
            },
        );
    })?;
    if !discovery.announce(port.load(Ordering::Relaxed)) {
        log::warn!("mDNS is too slow to take the first announcement");
    }
    Ok(Some(discovery))
}

/// How the network looks, and who tells the loop when that or something else around this host is
/// different.
fn watch_around(
    settings: &Settings,
    port: &AtomicU16,
    events: &SyncSender<LoopEvent>,
    overlay: OverlayWatch,
    finds_server: bool,
) -> Result<(NetworkView, Watch), RunError> {
    let listen = SocketAddr::new(settings.listen.ip(), port.load(Ordering::Relaxed));
    let wanted = network::ListenScope {
        listen,
        interfaces: settings.interfaces.clone(),
    };
    let (network, events) = (NetworkView::read(&wanted), events.clone());
    let watch = Watch::start(
        (wanted, network.clone()),
        overlay,
        finds_server,
        move |change| send(&events, LoopEvent::Watch(change)),
    )?;
    Ok((network, watch))
}

fn server_of(settings: &Settings) -> Result<Option<Unit>, RunError> {
    let control = match &settings.unit {
        UnitChoice::None => None,
        UnitChoice::Auto => find_default().map(Control::Unix),
        UnitChoice::At(text) => Some(
            Control::parse(text)
                .map_err(|error| RunError::Setting(format!("--unit {text}: {error}")))?,
        ),
    };
    match &control {
        Some(control) => log::info!("configuring the server at {control}"),
        None => log::info!("no server to configure: the document is kept and served only"),
    }
    Ok(control.map(Unit::new))
}

fn open_gate(
    settings: &Settings,
    clock: Clock,
    pulse: &Pulse,
    events: &SyncSender<LoopEvent>,
) -> Result<Gate, RunError> {
    let token = settings
        .api_token_file
        .as_ref()
        .map(read_token)
        .transpose()?;
    let api = settings.api.map(|listen| TcpApi { listen, token });
    let (pulse, events) = (pulse.clone(), events.clone());
    let gate = gate::start(
        GateSettings {
            control: settings.control.clone(),
            rights: rights(settings)?,
            api,
        },
        move |request, responder| match api::ask(&request, clock.now().wall_ms) {
            Ok(ask) => ask_loop(&events, &pulse, (ask, responder)),
            Err(response) => responder.respond(Box::new(move || response)),
        },
    )?;
    log::info!("REST on {}", gate.control().display());
    if let Some(address) = gate.api() {
        log::info!("REST on http://{address}");
    }
    if let Some(note) = settings.shows_all() {
        log::warn!("{note}");
    }
    Ok(gate)
}

fn rights(settings: &Settings) -> Result<Rights, RunError> {
    let number = |group: &String| {
        system::group(group).ok_or_else(|| {
            RunError::Setting(format!(
                "--control-group {group}: not in {}",
                system::GROUPS
            ))
        })
    };
    let group = settings.control_group.as_ref().map(number).transpose()?;
    Ok(Rights {
        mode: settings.control_mode,
        group,
    })
}

fn read_token(path: &PathBuf) -> Result<String, RunError> {
    let wrong = |why: String| RunError::Setting(format!("token file {}: {why}", path.display()));
    // Looked at as it is open: what is read is what was judged.
    let mut file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    let found = file.metadata().map_err(|error| wrong(error.to_string()))?;
    let owner = found.uid();
    if owner != 0 && system::own_user().is_some_and(|user| user != owner) {
        return Err(wrong(format!(
            "it belongs to user {owner}, who could change it: chown it to the user that runs, or to root"
        )));
    }
    if found.len() > TOKEN_FILE_MAX {
        return Err(wrong(format!(
            "{} bytes are too many for a token",
            found.len()
        )));
    }
    if found.mode() & 0o077 != 0 {
        return Err(wrong(format!(
            "others can read it: chmod 600 {}",
            path.display()
        )));
    }
    let mut text = String::new();
    file.by_ref()
        .take(TOKEN_FILE_MAX)
        .read_to_string(&mut text)
        .map_err(|error| wrong(error.to_string()))?;
    Ok(text.trim().to_owned())
}

/// Asks the loop something for a client, unless it stands: then the client is told so.
fn ask_loop(
    events: &SyncSender<LoopEvent>,
    pulse: &Pulse,
    (mut ask, mut responder): (Ask, Responder),
) {
    while !pulse.stands() {
        match events.try_send(LoopEvent::Asked(ask, responder)) {
            Err(TrySendError::Full(LoopEvent::Asked(again, to))) => (ask, responder) = (again, to),
            _taken_or_nobody_left => return,
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the loop's queue is full, and nobody tells when it is not"
        )]
        std::thread::sleep(LOOP_RETRY);
    }
    responder.respond(Box::new(|| {
        HttpResponse::error(503, "The daemon stands still.", "")
    }));
}

/// The time for an end in good order is over.
fn end_late() {
    log::error!(
        "it did not stop in good order within {} s, and is ended",
        STOP_WAIT.as_secs()
    );
    logger::finish();
    std::process::exit(1);
}

/// Tells the loop. It is gone only when the process ends.
fn send(events: &SyncSender<LoopEvent>, event: LoopEvent) {
    let _nobody_left_to_tell = events.send(event);
}

/// A panic in a thread of ours ends the process, for a supervisor to start it anew: the state on
/// disk is sound at every moment, what a dead thread leaves behind is not. The thread of the crate
/// that serves mDNS may die: it is started again. What the standard library would say of it goes to
/// the log: written directly it could wait for whoever reads, and the process would not end.
fn end_on_our_own_panics() {
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("<unnamed>");
        let place = panic
            .location()
            .map_or_else(String::new, |place| format!(" at {place}"));
        let (text, owned) = (
            panic.payload().downcast_ref::<&str>().copied(),
            panic.payload().downcast_ref::<String>(),
        );
        let words = text.or(owned.map(String::as_str)).unwrap_or("no words");
        log::error!("thread '{name}' panicked{place}: {words}");
        let ours = !name.starts_with("mDNS");
        if ours {
            logger::finish();
            std::process::abort();
        }
    }));
}
