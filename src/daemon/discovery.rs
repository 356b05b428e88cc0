//! Discovery by multicast DNS (RFC 6762, 6763): the one door to `mdns-sd`.
//!
//! This host is announced under a keyed hash, and hosts of the same fleet that announce themselves
//! are reported. All of it is a hint: nothing here is authenticated, anybody on the wire can forge
//! it or fill it, so everything is bounded and an address is only worth a dial. The thread `mdns`
//! owns mdns-sd's own; `mdns-events` waits for that one's events.

mod found;
mod names;
mod rounds;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use self::worker::{DiscoveryWorker, Note};
use crate::limits::{GOODBYE_WAIT, MDNS_QUEUE, SMALL_STACK};
use crate::model::peer_id::PeerId;
use crate::wire::fleet::Fleet;

/// The host that is announced and the fleet that is looked for.
pub struct DiscoverySettings {
    /// The fleet whose hosts are reported.
    pub fleet: Fleet,
    /// The peer ID of this host.
    pub peer: PeerId,
    /// The names of the interfaces to use; none means all but loopback, which is used only when it
    /// is named.
    pub interfaces: Vec<String>,
    /// Whoever notices that the thread of mdns-sd has panicked notes it here.
    pub deaths: Deaths,
}

/// How often the thread of mdns-sd has panicked. A panic ends no thread where nothing unwinds: the
/// thread is held where it is, with all that it has, so these are few and then discovery is over.
#[derive(Debug, Clone, Default)]
pub struct Deaths(Arc<AtomicU32>);

impl Deaths {
    /// Notes that the thread does nothing any more.
    pub fn note(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    fn count(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }
}

/// What the thread `mdns` reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiscoveryEvent {
    /// A host of this fleet has been heard. Comes again with every browse that it answers, and
    /// whenever it announces other addresses during one.
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
    misses_somebody: Arc<AtomicBool>,
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
        let misses_somebody = Arc::new(AtomicBool::new(true));
        let flags = [&misses_somebody, &stop].map(Arc::clone);
        let worker = DiscoveryWorker::new(settings, notes.clone(), inbox, flags, sink);
        let run = move || {
            worker.run();
            // Nobody may be waiting any more.
            let _late = end.try_send(());
        };
        thread::Builder::new()
            .name("mdns".to_owned())
            .stack_size(SMALL_STACK)
            .spawn(run)?;
        Ok(Self {
            notes,
            misses_somebody,
            stop,
            ended,
        })
    }

    /// Announces that this host listens on `port`, on the addresses of its interfaces whatever
    /// becomes of them. Called again when the network is another, it announces again and looks who
    /// is there. Never blocks; false in the rare case that the thread is so far behind that it must
    /// be asked again later.
    #[must_use]
    pub fn announce(&self, port: u16) -> bool {
        self.notes.try_send(Note::Announce(port)).is_ok()
    }

    /// Sets whether a host is missing, as is believed at first: then it is looked for often. Never
    /// blocks.
    pub fn set_missing(&self, misses_somebody: bool) {
        if self.misses_somebody.swap(misses_somebody, Ordering::AcqRel) != misses_somebody {
            // If the queue is full the thread is awake already, and looks at the flag.
            let _awake_anyway = self.notes.try_send(Note::Wake);
        }
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
