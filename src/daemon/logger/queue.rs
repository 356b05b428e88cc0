//! Lines on their way to whoever reads the log, and the thread `log`, which alone waits for that
//! one.
//!
//! The queue is bounded in lines and in bytes. A line for which there is no room is dropped and
//! counted; the next one that finds room takes the count along, so that it is said where the lines
//! are missing. If none follows, the thread says it when it has written all.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::limits::{LOG_QUEUE_BYTES, LOG_QUEUE_LINES, LOG_RETRY, LOG_STACK};

/// The way to the thread `log`.
pub(super) struct LogQueue {
    items: SyncSender<LogItem>,
    counts: Arc<LogCounts>,
}

/// What both ends of the queue count.
#[derive(Default)]
struct LogCounts {
    /// Bytes of the lines that wait.
    bytes: AtomicUsize,
    /// Lines that were dropped and not told of yet.
    dropped: AtomicU64,
}

enum LogItem {
    /// A line, and how many before it were dropped.
    Line { text: String, dropped: u64 },
    /// Somebody waits until all before this is written: it is dropped then.
    Flush(SyncSender<()>),
}

impl LogQueue {
    /// Starts the thread, which writes into `sink`. An error means that there is no thread to be
    /// had.
    pub(super) fn start(sink: impl Write + Send + 'static) -> io::Result<Self> {
        let (items, queue) = sync_channel(LOG_QUEUE_LINES);
        let counts = Arc::new(LogCounts::default());
        let writer = LogWriter {
            sink,
            counts: Arc::clone(&counts),
        };
        thread::Builder::new()
            .name("log".to_owned())
            .stack_size(LOG_STACK)
            .spawn(move || writer.run(&queue))?;
        Ok(Self { items, counts })
    }

    /// Queues a whole line, with its end, or drops and counts it. Never blocks.
    pub(super) fn push(&self, text: String) {
        let length = text.len();
        let dropped = self.counts.dropped.swap(0, Ordering::AcqRel);
        let waiting = self.counts.bytes.fetch_add(length, Ordering::AcqRel);
        let has_room = waiting + length <= LOG_QUEUE_BYTES;
        if !has_room
            || self
                .items
                .try_send(LogItem::Line { text, dropped })
                .is_err()
        {
            self.counts.bytes.fetch_sub(length, Ordering::AcqRel);
            self.counts.dropped.fetch_add(dropped + 1, Ordering::AcqRel);
        }
    }

    /// Waits until what was queued before is written, or the time is over.
    pub(super) fn flush(&self, most: Duration) {
        let (written, all) = sync_channel(0);
        // Where there is no room whoever reads stands still, and would be waited for in vain.
        if self.items.try_send(LogItem::Flush(written)).is_ok() {
            let _written_or_late = all.recv_timeout(most);
        }
    }
}

/// The state of the thread `log`.
struct LogWriter<W> {
    sink: W,
    counts: Arc<LogCounts>,
}

impl<W: Write> LogWriter<W> {
    fn run(mut self, queue: &Receiver<LogItem>) {
        loop {
            let item = match queue.try_recv() {
                Ok(item) => item,
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {
                    let dropped = self.counts.dropped.swap(0, Ordering::AcqRel);
                    self.tell(dropped);
                    let Ok(item) = queue.recv() else { return };
                    item
                }
            };
            match item {
                LogItem::Line { text, dropped } => {
                    self.tell(dropped);
                    self.write(text.as_bytes());
                    self.counts.bytes.fetch_sub(text.len(), Ordering::AcqRel);
                }
                LogItem::Flush(written) => drop(written),
            }
        }
    }

    fn tell(&mut self, dropped: u64) {
        if dropped > 0 {
            self.write(
                format!("warn log: {dropped} lines are missing here: the log was not read\n")
                    .as_bytes(),
            );
        }
    }

    /// Writes all of it, for as long as it takes. Whoever closed our standard error does not want
    /// the line; there is nobody else to tell.
    #[expect(
        clippy::disallowed_methods,
        reason = "a pipe that is full tells nobody who may not block when it is not"
    )]
    fn write(&mut self, mut rest: &[u8]) {
        while !rest.is_empty() {
            match self.sink.write(rest) {
                Ok(0) => return,
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Somebody else who has the same pipe or terminal open has made it so that nobody
                // waits at it.
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(LOG_RETRY),
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Somebody who reads when told to: each write waits for its leave.
    struct SlowSink {
        leave: Receiver<()>,
        written: Sender<String>,
        busy: Sender<()>,
    }

    impl Write for SlowSink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _nobody_asks = self.busy.send(());
            self.leave
                .recv()
                .map_err(|_| io::Error::from(ErrorKind::BrokenPipe))?;
            self.written
                .send(String::from_utf8_lossy(bytes).into_owned())
                .map_err(|_| ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stands_still_is_not_waited_for_and_hears_later_what_it_missed() {
        let ((go, leave), (written, lines), (busy, begun)) = (channel(), channel(), channel());
        let queue = LogQueue::start(SlowSink {
            leave,
            written,
            busy,
        })
        .expect("there is a thread");
        queue.push("first\n".to_owned());
        begun.recv().expect("the thread writes");
        let long = format!("{}\n", "x".repeat(999));
        let room = (LOG_QUEUE_BYTES - "first\n".len()) / long.len();
        (0..room + 7).for_each(|_| queue.push(long.clone()));
        queue.flush(Duration::from_millis(1));
        (0..room + 1).for_each(|_| go.send(()).expect("the thread writes"));
        (0..room + 1)
            .for_each(|_| assert!(!lines.recv().expect("a line comes").contains("missing")));
        begun
            .iter()
            .nth(room)
            .expect("the count is being written, as nothing followed");
        queue.push("last\n".to_owned());
        (0..2).for_each(|_| go.send(()).expect("the thread writes"));
        assert_eq!(
            lines.recv().expect("a line comes"),
            "warn log: 7 lines are missing here: the log was not read\n"
        );
        assert_eq!(lines.recv().expect("a line comes"), "last\n");
    }

    #[test]
    fn a_count_stands_where_the_lines_are_missing() {
        let ((go, leave), (written, lines), (busy, begun)) = (channel(), channel(), channel());
        let queue = LogQueue::start(SlowSink {
            leave,
            written,
            busy,
        })
        .expect("there is a thread");
        queue.push("first\n".to_owned());
        begun.recv().expect("the thread writes");
        queue.push("x".repeat(LOG_QUEUE_BYTES));
        queue.push("second\n".to_owned());
        queue.push("third\n".to_owned());
        (0..4).for_each(|_| go.send(()).expect("the thread writes"));
        let said: Vec<String> = lines.iter().take(4).collect();
        assert_eq!(
            said,
            [
                "first\n",
                "warn log: 1 lines are missing here: the log was not read\n",
                "second\n",
                "third\n"
            ]
        );
    }
}
