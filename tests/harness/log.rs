//! What a program says on its standard error, line by line, each with the moment it came.
//!
//! A thread sits in `read` on the pipe, so a line's time is right to well below a
//! millisecond and costs nothing while the program is silent: the bench measures with it.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// One line and when it arrived.
#[derive(Clone)]
pub struct Line {
    /// When the line had been read.
    pub at: Instant,
    /// The line, without its end.
    pub text: String,
}

/// The lines of all runs of one program on one host.
#[derive(Clone, Default)]
pub struct Log(Arc<(Mutex<Vec<Line>>, Condvar)>);

impl Log {
    /// Reads `pipe` to its end on a thread of its own.
    pub fn follow(&self, pipe: impl Read + Send + 'static) -> JoinHandle<()> {
        let log = self.clone();
        std::thread::spawn(move || {
            for text in BufReader::new(pipe).lines().map_while(Result::ok) {
                log.lines().push(Line {
                    at: Instant::now(),
                    text,
                });
                log.0.1.notify_all();
            }
        })
    }

    /// The lines from number `from` on.
    pub fn text(&self, from: usize) -> String {
        self.lines()
            .iter()
            .skip(from)
            .fold(String::new(), |text, line| text + &line.text + "\n")
    }

    /// How many lines there are: a place to start `wait` from.
    pub fn size(&self) -> usize {
        self.lines().len()
    }

    /// The first line from number `from` on that `wanted` likes, waiting for it `within` at most.
    pub fn wait(
        &self,
        from: usize,
        within: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> Option<Line> {
        let deadline = Instant::now() + within;
        let mut seen = from;
        let mut lines = self.lines();
        loop {
            if let Some(line) = lines.iter().skip(seen).find(|line| wanted(&line.text)) {
                return Some(line.clone());
            }
            seen = lines.len().max(from);
            let left = deadline.checked_duration_since(Instant::now())?;
            lines = self
                .0
                .1
                .wait_timeout(lines, left)
                .expect("no reader of a log panics")
                .0;
        }
    }

    /// The last `count` lines and how long ago they came, for a person.
    pub fn tail(&self, count: usize) -> String {
        let lines = self.lines();
        let last = lines.iter().skip(lines.len().saturating_sub(count));
        last.map(|line| {
            format!(
                "    {:8.3} s ago  {}\n",
                line.at.elapsed().as_secs_f64(),
                line.text
            )
        })
        .collect()
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.0.0.lock().expect("no reader of a log panics")
    }
}
