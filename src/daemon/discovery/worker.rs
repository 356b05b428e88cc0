//! The thread `mdns`: when mdns-sd is made and unmade, asked and judged, and what becomes of what
//! it hears.
//!
//! mdns-sd answers always. It browses in rounds ([`Rounds`]) of [`BROWSE_FOR`]: left to itself it
//! would go on to ask for what it has heard every minute and a half. It fails silently and has no
//! bound, so it is made anew when it is deaf or has grown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use super::found::{HeardInstances, News};
use super::names::{FleetNames, LOOPBACK, SERVICE, addresses_of, instance_of};
use super::rounds::Rounds;
use super::{Deaths, DiscoveryEvent, DiscoverySettings};
use crate::daemon::clock;
use crate::limits::{
    ANNOUNCED_LATELY, BROWSE_FOR, BROWSE_NEW_NETWORK_AFTER, DEAF_AFTER, GOODBYE_WAIT,
    GREETED_FLEET_MAX, MDNS_CHECK_EVERY, MDNS_DEATHS_MAX, MDNS_INTERFACES_EVERY_S,
    MDNS_RECORDS_MAX, MDNS_RETRY_MAX, MDNS_TIMERS_MAX, SMALL_STACK,
};
use log::{debug, info, warn};
use mdns_sd::{IfKind, IfPredicate, Metrics, ResolvedService, ServiceDaemon, ServiceEvent};

/// What other threads tell the thread `mdns`.
pub(super) enum Note {
    Announce(u16),
    Wake,
    Heard(Box<ResolvedService>),
    Gone(String),
    /// The events of this browse have ended.
    Deaf(u64),
}

/// The state of the thread `mdns`.
pub(super) struct DiscoveryWorker<S> {
    names: FleetNames,
    only: Vec<String>,
    port: Option<u16>,
    responder: Option<MdnsResponder>,
    deaths: Deaths,
    /// When to start mdns-sd, while it does not run.
    make_at: Instant,
    retry: Duration,
    warned: bool,
    known: HeardInstances,
    /// When this host was last announced, if it was.
    announced_at: Option<Instant>,
    browses: u64,
    rounds: Rounds,
    back: SyncSender<Note>,
    inbox: Receiver<Note>,
    misses_somebody: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    sink: S,
}

/// A running mdns-sd, and when it is next to be asked or judged.
struct MdnsResponder {
    daemon: ServiceDaemon,
    /// How many had died before it was made.
    deaths_before: u32,
    /// The browse that is under way, if one is.
    browse: Option<Browse>,
    check_at: Instant,
    asked: Option<mdns_sd::Receiver<Metrics>>,
}

/// A browse that is under way.
struct Browse {
    heard_self: bool,
    /// When it is deaf if it has not heard this host; `None` once that was judged.
    deaf_at: Option<Instant>,
    end_at: Instant,
}

impl<S: Fn(DiscoveryEvent)> DiscoveryWorker<S> {
    pub(super) fn new(
        settings: DiscoverySettings,
        back: SyncSender<Note>,
        inbox: Receiver<Note>,
        [misses_somebody, stop]: [Arc<AtomicBool>; 2],
        sink: S,
    ) -> Self {
        let (fleet, now) = (settings.fleet, clock::instant());
        let instance = fleet.key().instance(fleet.id(), &settings.peer);
        Self {
            rounds: Rounds::new(&instance, now),
            names: FleetNames { instance, fleet },
            known: HeardInstances::new(settings.interfaces.iter().any(|name| name == LOOPBACK)),
            only: settings.interfaces,
            port: None,
            responder: None,
            deaths: settings.deaths,
            make_at: now,
            retry: DEAF_AFTER,
            warned: false,
            announced_at: None,
            browses: 0,
            back,
            inbox,
            misses_somebody,
            stop,
            sink,
        }
    }

    pub(super) fn run(mut self) {
        while !self.stop.load(Ordering::Acquire) {
            self.rounds
                .set_missing(self.misses_somebody.load(Ordering::Acquire));
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
        let Some(responder) = &self.responder else {
            return self.make_at;
        };
        let browse = responder.browse.as_ref();
        let next = self
            .rounds
            .next_at(self.known.count())
            .min(responder.check_at);
        browse
            .into_iter()
            .flat_map(|browse| browse.deaf_at.into_iter().chain([browse.end_at]))
            .fold(next, Instant::min)
    }

    fn do_what_is_due(&mut self, now: Instant) {
        let Some(responder) = &mut self.responder else {
            if now >= self.make_at {
                self.make(now);
            }
            return;
        };
        if responder.deaths_before != self.deaths.count() {
            // A thread that is held would hear no order to end.
            self.responder = None;
            return self.fail(now, "what serves it has failed, as the log says");
        }
        if let Some(browse) = &mut responder.browse
            && browse.deaf_at.take_if(|deaf_at| now >= *deaf_at).is_some()
            && !browse.heard_self
            && self.port.is_some()
        {
            return self.remake(
                now,
                "it does not hear itself: no interface is up, or port 5353 is held by another \
                 program",
            );
        }
        if now >= self.rounds.next_at(self.known.count()) {
            self.browse(now);
        } else if responder
            .browse
            .take_if(|browse| now >= browse.end_at)
            .is_some()
        {
            self.end_browse();
        } else if now >= responder.check_at {
            self.check_size(now);
        }
    }

    /// Makes mdns-sd, asks, then announces: in this order, so that the answers to the announcement
    /// find somebody who asked.
    fn make(&mut self, now: Instant) {
        let deaths = self.deaths.count();
        if deaths > MDNS_DEATHS_MAX {
            return self.fail(now, "what serves it has failed too often in this run");
        }
        match MdnsResponder::make(self.only.clone(), deaths, now) {
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

    /// Hears nobody any more, but goes on to answer.
    fn end_browse(&mut self) {
        // What ends now is not deaf.
        self.browses += 1;
        if let Some(responder) = &self.responder {
            // A full queue of commands means that mdns-sd is busy; it goes on then, until the next.
            let _goes_on = responder.daemon.stop_browse(SERVICE);
        }
    }

    /// Asks the wire anew, with an empty cache: whoever answers is there.
    fn browse(&mut self, now: Instant) {
        self.end_browse();
        self.rounds.begin(now);
        self.known.next_round();
        let Some(responder) = &mut self.responder else {
            return;
        };
        responder.browse = Some(Browse {
            heard_self: false,
            deaf_at: Some(now + DEAF_AFTER),
            end_at: now + BROWSE_FOR,
        });
        let _as_before = responder
            .daemon
            .set_ip_check_interval(MDNS_INTERFACES_EVERY_S);
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
            Note::Announce(port) => self.announce(port, clock::instant()),
            Note::Wake => {}
            Note::Heard(service) => self.hear(&service),
            Note::Gone(fullname) => self.known.forget(instance_of(&fullname)),
            Note::Deaf(browse) if browse == self.browses => {
                // Events of the crate came faster than they were taken. Soon, not at once: that
                // would feed a flood.
                self.rounds.hasten(clock::instant() + DEAF_AFTER);
            }
            Note::Deaf(_) => {}
        }
    }

    fn announce(&mut self, port: u16, now: Instant) {
        let is_first = self.port.replace(port).is_none();
        if let Some(responder) = &mut self.responder {
            if let Some(browse) = &mut responder.browse {
                let later = |deaf_at: Instant| deaf_at.max(now + DEAF_AFTER);
                browse.deaf_at = browse.deaf_at.map(later);
            }
            if !is_first {
                // The network is another: it shall look at once, and is asked when it has.
                let _as_before = responder.daemon.set_ip_check_interval(1);
                self.rounds.want(now + BROWSE_NEW_NETWORK_AFTER);
            }
        }
        self.register();
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
        if let Some(browse) = self
            .responder
            .as_mut()
            .and_then(|responder| responder.browse.as_mut())
        {
            browse.heard_self = true;
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
    fn make(only: Vec<String>, deaths_before: u32, now: Instant) -> mdns_sd::Result<Self> {
        let daemon = ServiceDaemon::new()?;
        let unwanted = IfPredicate::new(move |interface| match only.is_empty() {
            true => interface.is_loopback(),
            false => !only.contains(&interface.name),
        });
        daemon.disable_interface(IfKind::Predicate(unwanted))?;
        Ok(Self {
            daemon,
            deaths_before,
            browse: None,
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
