//! Putting the daemon together: state, identity, sockets, threads, in an order in which nothing is
//! heard before it can be answered.
//!
//! Whatever is wrong is said before anything is listened on. What is damaged on disk is set aside
//! and reported, never guessed at.

mod endpoint;
mod restore;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use self::endpoint::open_gate;
use self::restore::{load, make_node};
use super::clock::Clock;
use super::decode::Decoder;
use super::dialler::{Addresses, Dialler};
use super::discovery::{self, Deaths, Discovery, DiscoveryEvent};
use super::disk::Disk;
use super::event_loop::{Loop, LoopEvent, LoopParts};
use super::gate::GateError;
use super::links::Links;
use super::listener::{self, Listener};
use super::loop_queue::{LoopSender, loop_queue};
use super::network::{self, NetworkView};
use super::overlay::{self, OverlaySource, OverlayWatch};
use super::pass::Pass;
use super::pulse::{self, Pulse};
use super::state_dir::{Membership, StateDir, StateError};
use super::unit::{Control, Unit, find_default};
use super::watch::Watch;
use super::{entropy, interfaces, logger, signals, target};
use crate::limits::{OVERLAY_START_WAIT, STOP_WAIT, WATCHDOG_EVERY};
use crate::model::overlay::Overlay;
use crate::model::peer_id::PeerId;
use crate::model::signature::SecretKey;
use crate::node::Node;
use crate::node::input::Trouble;
use crate::settings::{Settings, UnitChoice};
use crate::wire::handshake::LocalPeer;

/// Runs the peer until it is told to stop.
pub fn run(settings: Settings) -> Result<(), RunError> {
    logger::start(settings.log);
    let deaths = Deaths::default();
    end_on_our_own_panics(deaths.clone());
    let mut dir = StateDir::open(&settings.state)?;
    let member = dir
        .membership()?
        .ok_or_else(|| RunError::NoFleet(settings.state.clone()))?;
    dir.lock()?;
    let links = Links::new()?;
    let (events, queue) = loop_queue(links.waker()?);
    let secret = dir.member_identity()?;
    let clock = Clock::new();
    let pulse = Pulse::new(clock);
    let unit = server_of(&settings)?;
    let now = clock.now();
    let local = Arc::new(LocalPeer {
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
            dial_events.send(LoopEvent::Dial(event));
        },
    )?;
    let discovery = discover(&settings, &node, (&local, deaths), &events, &port)?;
    let disk_events = events.clone();
    let disk = Disk::start(dir, move |done| disk_events.send(LoopEvent::Disk(done)))?;
    let decoded_events = events.clone();
    let decoder = Decoder::new(move |ticket, decoded| {
        decoded_events.send(LoopEvent::Decoded(ticket, decoded))
    });
    let pass = unit.clone().map(Pass::start).transpose()?;
    let target = unit
        .map(|unit| configure(unit, &node, &events))
        .transpose()?;
    let gate = open_gate(&settings, clock, &pulse, &events)?;
    mind_signals(&pulse, &events)?;
    let finds_server = settings.unit == UnitChoice::Auto && target.is_none();
    let (network, watch) = watch_around(&settings, &port, &events, overlay_watch, finds_server)?;
    let parts = LoopParts {
        network,
        watch,
        clock,
        pulse,
        node,
        links,
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
    events: &LoopSender<LoopEvent>,
) -> io::Result<target::Target> {
    let events = events.clone();
    target::start(unit, node.given().clone(), move |input| {
        events.send(LoopEvent::Server(input))
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
                "this host is in no fleet yet ({} holds none): type `starling init` to begin one \
                 here,\nor `starling token` on a host that is in one, and `starling join TOKEN` \
                 here",
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
    events: &LoopSender<LoopEvent>,
) -> Result<(OverlayWatch, Option<Overlay>), RunError> {
    let events = events.clone();
    let (watch, first) = overlay::start(source, Arc::clone(addresses), move |reading| {
        events.send(LoopEvent::Overlay(reading))
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
    local: &Arc<LocalPeer>,
    addresses: &Addresses,
    pulse: &Pulse,
    events: &LoopSender<LoopEvent>,
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
        events.send(LoopEvent::Linked(Box::new(parts)))
    })?)
}

fn discover(
    settings: &Settings,
    node: &Node,
    (local, deaths): (&LocalPeer, Deaths),
    events: &LoopSender<LoopEvent>,
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
        deaths,
    };
    let discovery = Discovery::start(whom, move |event| {
        events.send(match event {
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
        });
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
    events: &LoopSender<LoopEvent>,
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
        move |change| events.send(LoopEvent::Watch(change)),
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

/// Has the thread `signal` wait for signals, and look at the pulse of the loop meanwhile.
fn mind_signals(pulse: &Pulse, events: &LoopSender<LoopEvent>) -> io::Result<()> {
    let events = events.clone();
    let stop = move || events.send(LoopEvent::Stop);
    signals::start(
        stop,
        end_late,
        WATCHDOG_EVERY,
        pulse::watchdog(pulse.clone()),
    )
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

/// A panic in a thread of ours ends the process, for a supervisor to start it anew: the state on
/// disk is sound at every moment, what a dead thread leaves behind is not. The thread of the crate
/// that serves mDNS may die, and is started again; it stands still where it has panicked, for a
/// static binary, which does not unwind, could only end. What the standard library would say goes
/// to the log: written directly it could wait for whoever reads, and the process would not end.
fn end_on_our_own_panics(deaths: Deaths) {
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
        if !name.starts_with("mDNS") {
            logger::finish();
            std::process::abort();
        }
        deaths.note();
        loop {
            std::thread::park();
        }
    }));
}
