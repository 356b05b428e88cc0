//! The threads that serve clients: one each, kept for a moment for whoever comes next.
//!
//! To make a thread and to end it takes a dozen calls and more time than most requests. So the
//! first few of a listener wait for another connection when theirs is over, and end when none
//! comes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;

use super::Shared;
use super::connection::Connection;
use crate::daemon::http::RequestOrigin;
use crate::limits::{GATE_STACK_BYTES, GATE_THREAD_WAIT, GATE_THREADS_KEPT};

/// A connection, and all that it takes to serve it. Nothing of the gate is held without one.
pub(super) struct Visit {
    pub(super) connection: Arc<Connection>,
    pub(super) shared: Shared,
    pub(super) origin: RequestOrigin,
}

impl Visit {
    fn serve(self) {
        self.connection.serve(&self.shared, self.origin);
    }
}

/// The threads of one listener that wait for another connection, or will.
#[derive(Default)]
pub(super) struct ClientThreads(Vec<Waiter>);

/// The listener's end of a thread.
struct Waiter {
    visits: SyncSender<Visit>,
    /// Set by the thread when it waits. Whoever unsets it decides: the listener, that it gets a
    /// connection; the thread, that it ends.
    is_waiting: Arc<AtomicBool>,
}

impl ClientThreads {
    /// Has a connection served, by a thread that waits or by a new one. Never blocks. An error
    /// means that there is no thread to be had.
    pub(super) fn receive(&mut self, visit: Visit) -> io::Result<()> {
        // Those that have ended hold their flag no more.
        self.0
            .retain(|waiter| Arc::strong_count(&waiter.is_waiting) > 1);
        let free = self
            .0
            .iter()
            .find(|waiter| waiter.is_waiting.swap(false, Ordering::AcqRel));
        if let Some(waiter) = free {
            // This thread waits, and its queue is empty.
            let given = waiter.visits.try_send(visit);
            return given.map_err(|error| io::Error::other(error.to_string()));
        }
        let thread = thread::Builder::new()
            .name("gate".to_owned())
            .stack_size(GATE_STACK_BYTES);
        if self.0.len() >= GATE_THREADS_KEPT {
            return thread.spawn(move || visit.serve()).map(drop);
        }
        let (visits, queue) = sync_channel(1);
        let is_waiting = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_waiting);
        thread.spawn(move || serve_all(visit, &queue, &flag))?;
        self.0.push(Waiter { visits, is_waiting });
        Ok(())
    }
}

/// Serves one connection after the other, until none has come for a while.
fn serve_all(first: Visit, queue: &Receiver<Visit>, is_waiting: &AtomicBool) {
    let mut visit = first;
    loop {
        visit.serve();
        is_waiting.store(true, Ordering::Release);
        visit = match queue.recv_timeout(GATE_THREAD_WAIT) {
            Ok(next) => next,
            Err(RecvTimeoutError::Timeout) if is_waiting.swap(false, Ordering::AcqRel) => return,
            // A connection is on its way.
            Err(RecvTimeoutError::Timeout) => match queue.recv() {
                Ok(next) => next,
                Err(_) => return,
            },
            Err(RecvTimeoutError::Disconnected) => return,
        };
    }
}
