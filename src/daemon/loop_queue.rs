//! The queue by which every other thread tells the loop something.
//!
//! The loop waits for sockets, not for this queue, so it is woken when something is put here while
//! it waits, and only then: a wake-up costs a system call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};

use mio::Waker;

use crate::limits::EVENTS_MAX;

/// The loop's end of the queue.
pub(super) struct LoopQueue<T> {
    /// By pointers: a queue has all of its places in memory from the start.
    queue: Receiver<Box<T>>,
    is_waiting: Arc<AtomicBool>,
}

/// The end of everybody else. Clones are of one queue.
pub(super) struct LoopSender<T> {
    queue: SyncSender<Box<T>>,
    is_waiting: Arc<AtomicBool>,
    waker: Arc<Waker>,
}

/// A queue of [`EVENTS_MAX`] places whose reader is woken by `waker`.
pub(super) fn loop_queue<T>(waker: Arc<Waker>) -> (LoopSender<T>, LoopQueue<T>) {
    let (sender, queue) = sync_channel(EVENTS_MAX);
    let is_waiting = Arc::new(AtomicBool::new(false));
    let sender = LoopSender {
        queue: sender,
        is_waiting: Arc::clone(&is_waiting),
        waker,
    };
    (sender, LoopQueue { queue, is_waiting })
}

impl<T> LoopQueue<T> {
    /// The next thing that was told, if there is one.
    pub(super) fn take(&self) -> Result<T, TryRecvError> {
        self.queue.try_recv().map(|event| *event)
    }

    /// As [`LoopQueue::take`]. If there is nothing, whoever tells something from now on wakes the
    /// loop, which goes to wait.
    pub(super) fn take_or_wait(&self) -> Result<T, TryRecvError> {
        self.is_waiting.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let told = self.queue.try_recv();
        if told.is_ok() {
            self.woke_up();
        }
        told.map(|event| *event)
    }

    /// The loop does not wait any more.
    pub(super) fn woke_up(&self) {
        self.is_waiting.store(false, Ordering::SeqCst);
    }
}

impl<T> LoopSender<T> {
    /// Tells the loop, as soon as there is room. It is gone only when the process ends.
    pub(super) fn send(&self, event: T) {
        if self.queue.send(Box::new(event)).is_ok() {
            self.wake();
        }
    }

    /// Tells the loop if there is room.
    pub(super) fn try_send(&self, event: T) -> Result<(), TrySendError<T>> {
        self.queue
            .try_send(Box::new(event))
            .map_err(|error| match error {
                TrySendError::Full(event) => TrySendError::Full(*event),
                TrySendError::Disconnected(event) => TrySendError::Disconnected(*event),
            })?;
        self.wake();
        Ok(())
    }

    fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.is_waiting.swap(false, Ordering::SeqCst)
            && let Err(error) = self.waker.wake()
        {
            log::error!(target: "daemon", "the loop cannot be woken: {error}");
        }
    }
}

impl<T> Clone for LoopSender<T> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            is_waiting: Arc::clone(&self.is_waiting),
            waker: Arc::clone(&self.waker),
        }
    }
}
