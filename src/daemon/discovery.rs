//! Discovery by multicast DNS (RFC 6762, 6763): the one door to `mdns-sd`.
//!
//! This host is announced under a keyed hash, and hosts of the same fleet that announce themselves
//! are reported. All of it is a hint: nothing here is authenticated, anybody on the wire can forge
//! it or fill it, so everything is bounded and an address is only worth a dial. The thread `mdns`
//! owns mdns-sd's own; `mdns-events` waits for that one's events. mdns-sd fails silently, backs off
//! to an hour and has no bound, so it is asked anew every [`BROWSE_EVERY`], later every
//! [`BROWSE_CALM_EVERY`], and made anew when it is deaf or has grown.

mod found;
mod names;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use self::found::{HeardInstances, News};
use super::clock;
use crate::daemon::discovery::names::{FleetNames, LOOPBACK, SERVICE, addresses_of, instance_of};
use crate::limits::{
    ANNOUNCED_LATELY, BROWSE_CALM_EVERY, BROWSE_EVERY, BROWSES_EAGER, DEAF_AFTER, GOODBYE_WAIT,
    GREETED_FLEET_MAX, MDNS_CHECK_EVERY, MDNS_INTERFACES_EVERY_S, MDNS_QUEUE, MDNS_RECORDS_MAX,
    MDNS_RETRY_MAX, MDNS_TIMERS_MAX, SMALL_STACK,
};
use crate::model::peer_id::PeerId;
use crate::wire::fleet::Fleet;
use log::{debug, info, warn};
use mdns_sd::{IfKind, IfPredicate, Metrics, ResolvedService, ServiceDaemon, ServiceEvent};

/// The host that is announced and the fleet that is looked for.
pub struct DiscoverySettings {
    /// The fleet whose hosts are reported.
    pub fleet: Fleet,
    /// The peer ID of this host.
    pub peer: PeerId,
    /// The names of the interfaces to use; none means all but loopback, which is used only when it
    /// is named.
    pub interfaces: Vec<String>,
}

/// What the thread `mdns` reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiscoveryEvent {
    /// A host of this fleet has been heard. Comes again whenever it announces other addresses, and
    /// with every browse ([`BROWSE_EVERY`]) for as long as it answers.
    Found {
        /// The instance name of this host, as `FleetKey::instance` makes it.
        instance: String,
        /// Where it says it listens, at most
        /// [`FOUND_ADDRESSES_MAX`](crate::limits::FOUND_ADDRESSES_MAX); link-local IPv6 with
        /// the interface it was heard on. mdns-sd hears IPv4 and IPv6 one after the other, so the
        /// first event may have only some.
        addresses: Vec<SocketAddr>,
        /// Whether it has probably not heard of this host: then waiting for its dial is waiting
        /// for a second or longer, whoever's turn it is.
        unheard: bool,
    },
    /// Multicast DNS does not work, for this reason, or works again.
    Trouble(Option<String>),
}

/// The running discovery. Dropping it stops it, with a goodbye.
pub struct Discovery {
    notes: SyncSender<Note>,
    stop: Arc<AtomicBool>,
    ended: Receiver<()>,
}

impl Discovery {
    /// Starts to listen. Nothing is announced before the first [`Discovery::announce`]. `sink` may
    /// block.
    pub fn start(
        settings: DiscoverySettings,
        sink: impl Fn(DiscoveryEvent) + Send + Clone + 'static,
    ) -> io::Result<Self> {
        let (notes, inbox) = mpsc::sync_channel(MDNS_QUEUE);
        let (end, ended) = mpsc::sync_channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        let worker = DiscoveryWorker::new(settings, notes.clone(), inbox, Arc::clone(&stop), sink);
        let run = move || {
            worker.run();
            // Nobody may be waiting any more.
            let _late = end.try_send(());
        };
        thread::Builder::new()
            .name("mdns".to_owned())
            .stack_size(SMALL_STACK)
            .spawn(run)?;
        Ok(Self { notes, stop, ended })
    }

    /// Announces that this host listens on `port`, on the addresses of its interfaces whatever
    /// becomes of them. Called again, it announces again. Never blocks; false in the rare case
    /// that the thread is so far behind that it must be asked again later.
    #[must_use]
    pub fn announce(&self, port: u16) -> bool {
        self.notes.try_send(Note::Announce(port)).is_ok()
    }

    /// Says goodbye and stops, waiting for it [`GOODBYE_WAIT`] at most.
    pub fn stop(self) {}
}

impl Drop for Discovery {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // If the queue is full the thread is awake already, and looks at the flag after each note.
        let _awake_anyway = self.notes.try_send(Note::Wake);
        let _in_time_or_not = self.ended.recv_timeout(GOODBYE_WAIT);
    }
}

/// What other threads tell the thread `mdns`.
enum Note {
    Announce(u16),
    Wake,
    Heard(Box<ResolvedService>),
    Gone(String),
    /// The events of this browse have ended.
    Deaf(u64),
}

/// The state of the thread `mdns`.
struct DiscoveryWorker<S> {
    names: FleetNames,
    only: Vec<String>,
    port: Option<u16>,
    responder: Option<MdnsResponder>,
    /// When to start mdns-sd, while it does not run.
    make_at: Instant,
    retry: Duration,
    warned: bool,
    known: HeardInstances,
    /// When this host was last announced, if it was.
    announced_at: Option<Instant>,
    browses: u64,
    /// How many of the next browses follow each other closely.
    eager: u32,
    back: SyncSender<Note>,
    inbox: Receiver<Note>,
    stop: Arc<AtomicBool>,
    sink: S,
}

/// A running mdns-sd, and when it is next to be asked or judged.
struct MdnsResponder {
    daemon: ServiceDaemon,
    heard_self: bool,
    browse_at: Instant,
    deaf_at: Instant,
    check_at: Instant,
    asked: Option<mdns_sd::Receiver<Metrics>>,
}

impl<S: Fn(DiscoveryEvent)> DiscoveryWorker<S> {
    fn new(
        settings: DiscoverySettings,
        back: SyncSender<Note>,
        inbox: Receiver<Note>,
        stop: Arc<AtomicBool>,
        sink: S,
    ) -> Self {
        let (fleet, now) = (settings.fleet, clock::instant());
        Self {
            names: FleetNames {
                instance: fleet.key().instance(fleet.id(), &settings.peer),
                fleet,
            },
            known: HeardInstances::new(settings.interfaces.iter().any(|name| name == LOOPBACK)),
            only: settings.interfaces,
            port: None,
            responder: None,
            make_at: now,
            retry: DEAF_AFTER,
            warned: false,
            announced_at: None,
            browses: 0,
            eager: BROWSES_EAGER,
            back,
            inbox,
            stop,
            sink,
        }
    }

    fn run(mut self) {
        while !self.stop.load(Ordering::Acquire) {
            self.do_what_is_due(clock::instant());
            let wait = self.due().saturating_duration_since(clock::instant());
            match self.inbox.recv_timeout(wait) {
                Ok(note) => self.handle(note),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    unreachable!("this thread holds a sender too")
                }
            }
        }
        self.shut_down();
    }

    fn due(&self) -> Instant {
        match &self.responder {
            None => self.make_at,
            Some(responder) => responder
                .browse_at
                .min(responder.deaf_at)
                .min(responder.check_at),
        }
    }

    fn do_what_is_due(&mut self, now: Instant) {
        match &mut self.responder {
            None if now >= self.make_at => self.make(now),
            None => {}
            Some(responder)
                if now >= responder.deaf_at && !responder.heard_self && self.port.is_some() =>
            {
                self.remake(
                    now,
                    "it does not hear itself: no interface is up, or port 5353 is held by another \
                     program",
                );
            }
            Some(responder) if now >= responder.deaf_at => {
                responder.deaf_at = responder.browse_at + DEAF_AFTER
            }
            Some(responder) if now >= responder.browse_at => self.browse(now),
            Some(responder) if now >= responder.check_at => self.check_size(now),
            Some(_) => {}
        }
    }

    /// Makes mdns-sd, asks, then announces: in this order, so that the answers to the announcement
    /// find somebody who asked.
    fn make(&mut self, now: Instant) {
        match MdnsResponder::make(self.only.clone(), now) {
            Ok(responder) => self.responder = Some(responder),
            Err(error) => return self.fail(now, &error.to_string()),
        }
        self.browse(now);
        self.register();
    }

    fn check_size(&mut self, now: Instant) {
        if self
            .responder
            .as_mut()
            .is_some_and(|responder| responder.has_grown(now))
        {
            // The longest pause, whatever went before: in each round a flood may fill the memory
            // again.
            self.retry = MDNS_RETRY_MAX;
            self.remake(now, "somebody has filled its cache");
        }
    }

    fn remake(&mut self, now: Instant, why: &str) {
        self.shut_down();
        self.fail(now, why);
    }

    fn fail(&mut self, now: Instant, why: &str) {
        if !self.warned {
            warn!(
                "mDNS does not work, will go on trying; known addresses are dialled all the same: \
                 {why}"
            );
            (self.sink)(DiscoveryEvent::Trouble(Some(why.to_owned())));
        }
        self.warned = true;
        self.make_at = now + self.retry;
        self.retry = (self.retry * 2).min(MDNS_RETRY_MAX);
    }

    fn shut_down(&mut self) {
        if let Some(responder) = self.responder.take()
            && let Ok(done) = responder.daemon.shutdown()
        {
            // Half of what stop() waits, so that its caller is told in time.
            let _in_time_or_not = done.recv_timeout(GOODBYE_WAIT / 2);
        }
    }

    /// Asks the wire anew, with an empty cache: whoever answers is there.
    fn browse(&mut self, now: Instant) {
        let Some(responder) = &mut self.responder else {
            return;
        };
        responder.browse_at = now
            + if self.eager > 0 {
                BROWSE_EVERY
            } else {
                BROWSE_CALM_EVERY
            };
        self.eager = self.eager.saturating_sub(1);
        responder.heard_self = false;
        self.browses += 1;
        self.known.next_round();
        // The first time there is nothing to stop; a full queue of commands means that mdns-sd is
        // busy, and the next round tells.
        let _nothing_yet = responder.daemon.stop_browse(SERVICE);
        let Ok(events) = responder.daemon.browse(SERVICE) else {
            return;
        };
        let (back, browse) = (self.back.clone(), self.browses);
        let run = move || forward(&events, browse, &back);
        if let Err(error) = thread::Builder::new()
            .name("mdns-events".to_owned())
            .stack_size(SMALL_STACK)
            .spawn(run)
        {
            warn!("no thread for mDNS: {error}");
        }
    }

    fn register(&mut self) {
        let (Some(responder), Some(port)) = (&self.responder, self.port) else {
            return;
        };
        self.announced_at = Some(clock::instant());
        let announced = self
            .names
            .service(port)
            .and_then(|service| responder.daemon.register(service));
        if let Err(error) = announced {
            debug!("mDNS announcement failed: {error}");
        }
    }

    fn handle(&mut self, note: Note) {
        match note {
            Note::Announce(port) => {
                self.port = Some(port);
                self.eager = BROWSES_EAGER;
                if let Some(responder) = &mut self.responder {
                    responder.deaf_at = responder.deaf_at.max(clock::instant() + DEAF_AFTER);
                    responder.browse_at = responder.browse_at.min(clock::instant() + BROWSE_EVERY);
                }
                self.register();
            }
            Note::Wake => {}
            Note::Heard(service) => self.hear(&service),
            Note::Gone(fullname) => self.known.forget(instance_of(&fullname)),
            Note::Deaf(browse) if browse == self.browses => {
                if let Some(responder) = &mut self.responder {
                    // Events of the crate came faster than they were taken. Soon, not at once: that
                    // would feed a flood.
                    responder.browse_at = responder.browse_at.min(clock::instant() + DEAF_AFTER);
                }
            }
            Note::Deaf(_) => {}
        }
    }

    fn hear(&mut self, service: &ResolvedService) {
        let instance = instance_of(&service.fullname);
        if !self.names.is_of_this_fleet(instance, service) {
            return;
        }
        if instance == self.names.instance {
            return self.hear_oneself();
        }
        let Some(News {
            addresses,
            is_newcomer,
        }) = self.known.hear(instance, addresses_of(service))
        else {
            return;
        };
        let unheard = is_newcomer && !self.greet(clock::instant());
        (self.sink)(DiscoveryEvent::Found {
            instance: instance.to_owned(),
            addresses,
            unheard,
        });
    }

    fn hear_oneself(&mut self) {
        if let Some(responder) = &mut self.responder {
            responder.heard_self = true;
        }
        self.retry = DEAF_AFTER;
        if self.warned {
            info!("mDNS works");
            (self.sink)(DiscoveryEvent::Trouble(None));
        }
        self.warned = false;
    }

    /// Announces this host to a newcomer at once: what that one asks is only asked after a random
    /// delay, and only answered after another. False if it is not done: in a large fleet a
    /// newcomer hears enough of others, and what was announced a moment ago mdns-sd does not
    /// send again.
    fn greet(&mut self, now: Instant) -> bool {
        let is_recent = self
            .announced_at
            .is_some_and(|announced| now < announced + ANNOUNCED_LATELY);
        if self.port.is_none() || is_recent || self.known.count() > GREETED_FLEET_MAX {
            return false;
        }
        self.register();
        true
    }
}

impl MdnsResponder {
    fn make(only: Vec<String>, now: Instant) -> mdns_sd::Result<Self> {
        let daemon = ServiceDaemon::new()?;
        let unwanted = IfPredicate::new(move |interface| match only.is_empty() {
            true => interface.is_loopback(),
            false => !only.contains(&interface.name),
        });
        daemon.disable_interface(IfKind::Predicate(unwanted))?;
        // The crate's own look at the interfaces, every 5 s unless told otherwise, is most of what
        // it does when idle.
        daemon.set_ip_check_interval(MDNS_INTERFACES_EVERY_S)?;
        let deaf_at = now + DEAF_AFTER;
        Ok(Self {
            daemon,
            heard_self: false,
            browse_at: now,
            deaf_at,
            check_at: now + MDNS_CHECK_EVERY,
            asked: None,
        })
    }

    /// Looks at what was asked the last time, and asks again: the answer is never waited for.
    fn has_grown(&mut self, now: Instant) -> bool {
        self.check_at = now + MDNS_CHECK_EVERY;
        let metrics = self
            .asked
            .take()
            .and_then(|asked| asked.try_recv().ok())
            .unwrap_or_default();
        self.asked = self.daemon.get_metrics().ok();
        let records: i64 = metrics
            .iter()
            .filter(|(name, _)| name.starts_with("cached-"))
            .map(|(_, count)| count)
            .sum();
        let timers = metrics.get("timer").copied().unwrap_or(0);
        records > MDNS_RECORDS_MAX || timers > MDNS_TIMERS_MAX
    }
}

/// The thread `mdns-events`, for as long as one browse lasts.
fn forward(events: &mdns_sd::Receiver<ServiceEvent>, browse: u64, notes: &SyncSender<Note>) {
    for event in events.iter() {
        let sent = match event {
            ServiceEvent::ServiceResolved(service) => notes.send(Note::Heard(service)),
            ServiceEvent::ServiceRemoved(_, fullname) => notes.send(Note::Gone(fullname)),
            _ => Ok(()),
        };
        if sent.is_err() {
            return;
        }
    }
    // Without a receiver there is no more thread that would care.
    let _gone = notes.send(Note::Deaf(browse));
}
