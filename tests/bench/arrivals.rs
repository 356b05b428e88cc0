//! When each host of a fleet had a document: the reading end of the pipe that all servers of a
//! fleet, or all subscribers of a broker, print their moments on (`standin/moments.rs`).
//!
//! The moments are those that the lines name, so it does no harm that they are read in gulps: a
//! reader that woke for each would take the two cores away from those who are measured.

use std::collections::BTreeMap;
use std::io::{PipeWriter, Read};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A line of the pipe.
struct Arrival {
    name: String,
    at: SystemTime,
    /// The first letters of what was taken.
    beginning: String,
}

/// All moments of one fleet.
pub struct Arrivals {
    writer: PipeWriter,
    lines: Arc<Mutex<Vec<Arrival>>>,
}

impl Arrivals {
    /// Reads on a thread of its own, until every program that prints has ended.
    pub fn new() -> Self {
        let (mut reader, writer) = std::io::pipe().expect("a pipe can be made");
        let lines = Arc::<Mutex<Vec<Arrival>>>::default();
        let into = Arc::clone(&lines);
        std::thread::spawn(move || {
            let (mut text, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                text.extend_from_slice(&buffer[..count]);
                let whole = text.iter().rposition(|&byte| byte == b'\n');
                let rest = text.split_off(whole.map_or(0, |at| at + 1));
                let read = std::mem::replace(&mut text, rest);
                let read = String::from_utf8_lossy(&read);
                lock(&into).extend(read.lines().filter_map(parse));
                std::thread::sleep(GULP);
            }
        });
        Self { writer, lines }
    }

    /// The standard output of a program that is to print moments.
    pub fn outlet(&self) -> Stdio {
        let writer = self.writer.try_clone();
        Stdio::from(writer.expect("a pipe can be opened twice"))
    }

    /// The first moments at which `count` different names had `document`, waiting for them
    /// `within` at most: the last of them, or how many had it when the time was up.
    pub fn last(
        &self,
        count: usize,
        document: &str,
        within: Duration,
    ) -> Result<SystemTime, usize> {
        let deadline = Instant::now() + within;
        loop {
            let firsts = self.firsts(document);
            if firsts.len() >= count {
                return Ok(firsts.into_values().max().unwrap_or(UNIX_EPOCH));
            }
            if Instant::now() > deadline {
                return Err(firsts.len());
            }
            std::thread::sleep(GULP);
        }
    }

    /// The moment at which `name` first printed `words`, waiting for it `within` at most.
    pub fn said(&self, name: &str, words: &str, within: Duration) -> Option<SystemTime> {
        let deadline = Instant::now() + within;
        loop {
            let found = lock(&self.lines)
                .iter()
                .find(|line| line.name == name && words.starts_with(&line.beginning))
                .map(|line| line.at);
            if found.is_some() || Instant::now() > deadline {
                return found;
            }
            std::thread::sleep(GULP);
        }
    }

    /// Forgets what came so far, so that looking for what comes stays quick.
    pub fn forget(&self) {
        lock(&self.lines).clear();
    }

    fn firsts(&self, document: &str) -> BTreeMap<String, SystemTime> {
        let mut firsts = BTreeMap::new();
        for line in lock(&self.lines).iter() {
            // What is told under another name, such as that it was begun, is not looked for here.
            if line.name.starts_with(HOST) && document.starts_with(&line.beginning) {
                firsts.entry(line.name.clone()).or_insert(line.at);
            }
        }
        firsts
    }
}

/// The name under which host `number` prints what it has taken.
pub fn host(number: usize) -> String {
    format!("{HOST}{number}")
}

fn parse(line: &str) -> Option<Arrival> {
    let mut words = line.splitn(3, ' ');
    Some(Arrival {
        name: words.next()?.to_owned(),
        at: UNIX_EPOCH + Duration::from_nanos(words.next()?.parse().ok()?),
        beginning: words.next()?.to_owned(),
    })
}

fn lock(lines: &Mutex<Vec<Arrival>>) -> MutexGuard<'_, Vec<Arrival>> {
    lines
        .lock()
        .expect("nobody panics while he holds the lines")
}

/// Under this name, with its number, a host says what it has taken.
pub const HOST: &str = "h";
/// Between two looks into the pipe, in which there is room for some 400 lines.
const GULP: Duration = Duration::from_millis(5);
