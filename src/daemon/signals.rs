//! Signals: the one door to `signal-hook`.
//!
//! SIGTERM and SIGINT ask the daemon to stop in good order; a second one ends it at once, should
//! the good order hang, and so does the end of [`STOP_WAIT`]. SIGHUP, which
//! other daemons take as "reload", is only logged: settings are read at the start. The handlers set
//! a flag and wake the thread "signal" through a socket; nothing else is safe in a handler.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level::pipe};

use crate::limits::STOP_WAIT;

/// Handles the signals from now on. `stop` is called once, on a thread of its own, and may block;
/// if the process is still there after [`STOP_WAIT`], `late` is called. Until then `beat` is called
/// whenever there was no signal for as long as `every`: the thread has nothing else to do.
///
/// An error means that the system has no socket, thread or handler left; some signals may then be
/// handled and others not.
#[expect(
    clippy::disallowed_methods,
    reason = "what this thread is for once it stops"
)]
pub fn start(
    stop: impl FnOnce() + Send + 'static,
    late: impl FnOnce() + Send + 'static,
    every: Duration,
    mut beat: impl FnMut() + Send + 'static,
) -> io::Result<()> {
    let (mut woken, waker) = UnixStream::pair()?;
    woken.set_read_timeout(Some(every))?;
    // A full socket must not block the handler.
    waker.set_nonblocking(true)?;
    let stopping = Arc::new(AtomicBool::new(false));
    let impatient = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        flag::register_conditional_shutdown(signal, EXIT_AT_ONCE, Arc::clone(&impatient))?;
        flag::register(signal, Arc::clone(&stopping))?;
        pipe::register(signal, waker.try_clone()?)?;
    }
    pipe::register(SIGHUP, waker)?;
    thread::Builder::new()
        .name("signal".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            while wait(&mut woken, &mut beat) {
                if stopping.load(Ordering::SeqCst) {
                    log::info!("stopping; a second signal stops at once");
                    // On a thread of its own: it may hang, and then the second signal is what it is
                    // for.
                    if let Err(error) = thread::Builder::new()
                        .name("stop".to_owned())
                        .stack_size(STACK)
                        .spawn(stop)
                    {
                        log::error!("no thread to stop in good order: {error}");
                        std::process::exit(EXIT_AT_ONCE);
                    }
                    // timeout(1) and others send one signal twice, to the process and to its group:
                    // that is nobody's impatience.
                    thread::sleep(SAME_SIGNAL);
                    impatient.store(true, Ordering::SeqCst);
                    thread::sleep(STOP_WAIT - SAME_SIGNAL);
                    return late();
                }
                log::info!("SIGHUP ignored: settings are read at the start only");
            }
        })?;
    Ok(())
}

/// Whether a signal came; `false` if none can come any more. Each time that none has come for a
/// while it beats.
fn wait(woken: &mut UnixStream, beat: &mut impl FnMut()) -> bool {
    loop {
        match woken.read(&mut [0]) {
            Ok(count) => return count > 0,
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => beat(),
                _ => return false,
            },
        }
    }
}

/// What a shell shows for a program that did not end in good order.
const EXIT_AT_ONCE: i32 = 1;
/// Signals that come within this time of the first are the same one.
const SAME_SIGNAL: Duration = Duration::from_millis(500);
/// The thread formats log lines and calls closures.
const STACK: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use signal_hook::low_level::raise;

    use super::*;

    /// A single test for all: handlers are the process's, and a second SIGTERM would end it.
    #[test]
    fn the_first_sigterm_asks_for_a_stop_and_sighup_does_not() {
        let (sink, stops) = channel();
        let (beats, beating) = channel();
        let asked = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&asked);
        start(
            move || {
                sink.send(seen.load(Ordering::SeqCst))
                    .expect("the test waits")
            },
            || {},
            Duration::from_millis(1),
            move || beats.send(()).unwrap_or_default(),
        )
        .unwrap();
        assert_eq!(beating.recv_timeout(Duration::from_secs(10)), Ok(()));
        raise(SIGHUP).unwrap();
        raise(SIGHUP).unwrap();
        asked.store(true, Ordering::SeqCst);
        raise(SIGTERM).unwrap();
        assert_eq!(stops.recv_timeout(Duration::from_secs(10)), Ok(true));
        assert!(
            stops.recv_timeout(Duration::from_secs(10)).is_err(),
            "the closure is gone, so it cannot be called again"
        );
    }
}
