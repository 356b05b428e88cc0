//! The thread `watch`: what changes around this host. Its interfaces and their addresses, and a
//! server that is started later.
//!
//! Asking the kernel for interfaces waits for whoever configures them, and looking for a file for
//! its file system, so the loop leaves both to this thread and hears of what has changed. The loop
//! says how often is often enough: while somebody is missing, a cable may just have been plugged
//! in.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::network::{ListenScope, NetworkView};
use super::overlay::OverlayWatch;
use super::unit;
use crate::limits::{SMALL_STACK, WATCH_EVERY, WATCH_LOST_EVERY};

/// What the thread `watch` has found.
pub(super) enum WatchEvent {
    /// The network was looked at because somebody is missing, or is different; this is how it looks
    /// now, if that is different.
    Network(Option<NetworkView>),
    /// A server that was waited for has appeared, at this path.
    Server(PathBuf),
    /// The overlay has been read for too long; in these words.
    OverlayLate(String),
}

/// The way to the thread `watch`, which ends with it.
pub(super) struct Watch {
    wakes: SyncSender<()>,
    is_eager: Arc<AtomicBool>,
}

impl Watch {
    /// Starts the thread, which tells of whatever is other than in the network that it is given.
    /// `finds_server` says whether a server is looked for. `sink` may block. An error means that
    /// there is no thread to be had.
    pub(super) fn start(
        (wanted, network): (ListenScope, NetworkView),
        overlay: OverlayWatch,
        finds_server: bool,
        sink: impl Fn(WatchEvent) + Send + 'static,
    ) -> io::Result<Self> {
        let (wakes, woken) = sync_channel(1);
        let is_eager = Arc::new(AtomicBool::new(false));
        let watcher = Watcher {
            wanted,
            network,
            overlay,
            finds_server,
            is_eager: Arc::clone(&is_eager),
            woken,
            sink,
        };
        thread::Builder::new()
            .name("watch".to_owned())
            .stack_size(SMALL_STACK)
            .spawn(move || watcher.run())?;
        Ok(Self { wakes, is_eager })
    }

    /// Sets whether the thread looks often from now on. Never blocks.
    pub(super) fn set_eager(&self, is_eager: bool) {
        if self.is_eager.swap(is_eager, Ordering::AcqRel) != is_eager && is_eager {
            // One that waits already does for this too.
            let _one_is_enough = self.wakes.try_send(());
        }
    }
}

struct Watcher<S> {
    wanted: ListenScope,
    network: NetworkView,
    overlay: OverlayWatch,
    finds_server: bool,
    is_eager: Arc<AtomicBool>,
    woken: Receiver<()>,
    sink: S,
}

impl<S: Fn(WatchEvent)> Watcher<S> {
    fn run(mut self) {
        let mut unchecked = Duration::ZERO;
        loop {
            let wait = if self.is_eager.load(Ordering::Acquire) {
                WATCH_LOST_EVERY
            } else {
                WATCH_EVERY
            };
            match self.woken.recv_timeout(wait) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => unchecked += wait,
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let changed = self.network.changed(&self.wanted);
            if let Some(network) = &changed {
                self.network = network.clone();
                self.overlay.nudge();
            }
            // Nobody is woken for nothing.
            if changed.is_some() || self.is_eager.load(Ordering::Acquire) {
                (self.sink)(WatchEvent::Network(changed));
            }
            // What is being read at two looks that follow each other at once is not late.
            if unchecked >= WATCH_EVERY {
                unchecked = Duration::ZERO;
                self.overlay
                    .check()
                    .into_iter()
                    .for_each(|late| (self.sink)(WatchEvent::OverlayLate(late)));
            }
            self.find_server();
        }
    }

    fn find_server(&mut self) {
        if self.finds_server
            && let Some(path) = unit::find_default()
        {
            self.finds_server = false;
            (self.sink)(WatchEvent::Server(path));
        }
    }
}
