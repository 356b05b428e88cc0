//! A stand-in for unitd: the same answers on the same kind of socket, as observed with Unit 1.35.0, and faults on demand.
//!
//! Standard library and threads only, one thread a connection, so that a slow change delays no read, as with unitd. Tests take this
//! file in by its path; the program `unit-standin` is the same with a faults socket. Everything one can ask of it is a line given to
//! [`StandIn::tell`]: see `faults.rs`.

mod config;
mod exchange;
mod faults;
mod validate;

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use config::{Denied, listing};
use exchange::{Answer, Request};
use faults::{Ending, Faults, Stats};
use starlingd::model::json::{self, Value};

/// Where it listens and what it keeps.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// The control socket.
    pub socket: PathBuf,
    /// Where the configuration outlives it; nowhere if there is none.
    pub state: Option<PathBuf>,
    /// A TCP port on 127.0.0.1 besides.
    pub port: Option<u16>,
    /// The faults socket.
    pub faults: Option<PathBuf>,
}

/// A running stand-in. Stops, and removes its sockets, when dropped.
pub struct StandIn {
    shared: Arc<Shared>,
}

impl StandIn {
    /// Listens when this returns. Refuses if something answers at the socket's path.
    pub fn start(setup: Setup) -> io::Result<Self> {
        if UnixStream::connect(&setup.socket).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "socket already in use"));
        }
        let stored = setup.state.as_ref().and_then(|path| std::fs::read(path).ok());
        let config = stored.and_then(|text| json::parse_own(&text).ok()).unwrap_or_else(config::factory);
        let world = World { config, faults: Faults::default(), stats: Stats::default(), run: 0, up: false, ears: Vec::new() };
        let shared = Arc::new(Shared { setup, world: Mutex::new(world), moved: Condvar::new(), turn: Mutex::new(()) });
        shared.up()?;
        if let Some(path) = shared.setup.faults.clone() {
            listen_for_faults(&path, Arc::clone(&shared))?;
        }
        Ok(Self { shared })
    }

    /// One line of the faults socket's language, and the answer.
    pub fn tell(&self, line: &str) -> String {
        self.shared.tell(line)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.shared.down();
        if let Some(path) = &self.shared.setup.faults {
            let _ = std::fs::remove_file(path);
        }
    }
}

struct Shared {
    setup: Setup,
    world: Mutex<World>,
    /// Rung when a fault is set or cleared, or the server goes down.
    moved: Condvar,
    /// Held by the change under way: unitd does them one at a time.
    turn: Mutex<()>,
}

struct World {
    config: Value,
    faults: Faults,
    stats: Stats,
    /// Counts starts and stops: what was begun in an earlier run is dropped without an answer.
    run: u64,
    up: bool,
    ears: Vec<JoinHandle<()>>,
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("no thread of the stand-in panics while it holds the world")
    }

    fn tell(self: &Arc<Self>, line: &str) -> String {
        let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let answer = match word {
            "down" => {
                self.down();
                "down".to_owned()
            }
            "up" => self.up().map_or_else(|error| error.to_string(), |()| "up".to_owned()),
            "wait" => loop {
                thread::park();
            },
            "stats" => self.world().stats.line(),
            "factory" => self.set(config::factory()),
            "set" => match json::parse(rest.as_bytes()) {
                Ok(config) => self.set(config),
                Err(error) => error.to_string(),
            },
            _ => self.world().faults.set(word, rest),
        };
        self.moved.notify_all();
        answer
    }

    fn set(&self, config: Value) -> String {
        self.world().config = config;
        self.store();
        "set".to_owned()
    }

    fn up(self: &Arc<Self>) -> io::Result<()> {
        let mut world = self.world();
        if world.up {
            return Ok(());
        }
        let new = with_suffix(&self.setup.socket, ".tmp");
        let _ = std::fs::remove_file(&new);
        let tcp = self.setup.port.map(|port| TcpListener::bind(("127.0.0.1", port))).transpose()?;
        let unix = UnixListener::bind(&new)?;
        std::fs::rename(&new, &self.setup.socket)?;
        world.run += 1;
        world.up = true;
        let run = world.run;
        let shared = Arc::clone(self);
        world.ears.push(thread::spawn(move || shared.accept(run, || Ok(Conversation::Unix(unix.accept()?.0)))));
        if let Some(tcp) = tcp {
            let shared = Arc::clone(self);
            world.ears.push(thread::spawn(move || shared.accept(run, || Ok(Conversation::Tcp(tcp.accept()?.0)))));
        }
        Ok(())
    }

    fn down(&self) {
        let mut world = self.world();
        if !world.up {
            return;
        }
        world.up = false;
        world.run += 1;
        let ears = std::mem::take(&mut world.ears);
        drop(world);
        self.moved.notify_all();
        let unix = UnixStream::connect(&self.setup.socket).is_ok();
        let tcp = self.setup.port.is_none_or(|port| TcpStream::connect(("127.0.0.1", port)).is_ok());
        // Without that knock an ear stays in accept: somebody else took its socket away.
        if unix && tcp {
            for ear in ears {
                let _ = ear.join();
            }
        }
        let _ = std::fs::remove_file(&self.setup.socket);
    }

    fn accept(self: Arc<Self>, run: u64, next: impl Fn() -> io::Result<Conversation>) {
        while let Ok(conversation) = next() {
            if self.world().run != run {
                return;
            }
            let shared = Arc::clone(&self);
            thread::spawn(move || shared.converse(conversation, run));
        }
    }

    /// One request. What goes wrong with the connection is the client's business.
    fn converse(&self, mut conversation: Conversation, run: u64) {
        let Some(request) = exchange::read(&mut conversation) else { return };
        let changes = matches!(request.method.as_str(), "PUT" | "POST" | "DELETE");
        let answer = if changes { self.change(&request, run) } else { self.look(&request, run) };
        let Some(answer) = answer else { return };
        let cut = self.world().faults.cut;
        let _ = exchange::write(&mut conversation, &answer, cut);
        drop(conversation);
        if changes {
            self.store();
        }
    }

    fn look(&self, request: &Request, run: u64) -> Option<Answer> {
        let mut world = self.wait(run, Duration::MAX)?;
        world.stats.reads += 1;
        let tokens = config::tokens(&request.target)?;
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        Some(match (request.method.as_str(), tokens.split_first()) {
            ("GET", Some((&"config", path))) => found(config::find(&world.config, path), "Value doesn't exist."),
            ("GET", Some((&"status", path))) => found(config::find(&config::status(), path), "Invalid path."),
            ("GET", Some((&"certificates" | &"js_modules", []))) => Answer::listing(&config::empty()),
            ("GET", Some((&"certificates", _))) => Answer::error(404, "Certificate doesn't exist."),
            ("GET", Some((&"js_modules", _))) => Answer::error(404, "JS module doesn't exist."),
            ("GET", Some((&"control", ["applications", name, "restart"]))) => {
                match config::find(&world.config, &["applications", name]) {
                    Some(_) => Answer::success("Ok"),
                    None => Answer::error(404, "Value doesn't exist."),
                }
            }
            ("GET", None) => Answer::listing(&config::everything(&world.config)),
            ("GET", Some(_)) => Answer::error(404, "Value doesn't exist."),
            (_, Some((&"config" | &"control", _))) => Answer::error(405, "Method isn't allowed."),
            (_, _) => Answer::error(405, "Invalid method."),
        })
    }

    fn change(&self, request: &Request, run: u64) -> Option<Answer> {
        let _turn = self.turn.lock().expect("no thread of the stand-in panics during its turn");
        let mut world = self.wait(run, Duration::MAX)?;
        world.stats.writes += 1;
        let tokens = config::tokens(&request.target)?;
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        let path = match tokens.split_first() {
            Some((&"config", path)) => path,
            Some((&"control", _)) => return Some(Answer::error(405, "Method isn't allowed.")),
            Some((&"certificates" | &"js_modules" | &"status", _)) | None => return Some(Answer::error(405, "Invalid method.")),
            Some(_) => return Some(Answer::error(404, "Value doesn't exist.")),
        };
        let body = match request.method.as_str() {
            "DELETE" => Value::Null,
            _ => match json::parse(&request.body) {
                Ok(body) => body,
                Err(error) => return Some(Answer::invalid_json(&error)),
            },
        };
        let mut next = world.config.clone();
        match config::edit(&mut next, &request.method, path, body) {
            Ok(()) => {}
            Err(Denied::Crash) => return None,
            Err(Denied::Missing) => return Some(Answer::error(404, "Value doesn't exist.")),
            Err(Denied::NotAllowed) => return Some(Answer::error(405, "Method isn't allowed.")),
            Err(Denied::TooLong) => return Some(Answer::error(500, "Memory allocation failed.")),
        }
        self.apply(world, next, run)
    }

    /// Validates the whole, takes its time, and puts it in force unless a fault says otherwise.
    fn apply(&self, world: MutexGuard<'_, World>, next: Value, run: u64) -> Option<Answer> {
        let text = json::compact(&next);
        if let Some(detail) = world.faults.refusal(&text).or_else(|| validate::detail(&next)) {
            return Some(Answer::invalid_configuration(&detail));
        }
        let slow = world.faults.slow;
        drop(world);
        let mut world = self.wait(run, slow)?;
        let ending = world.faults.ending();
        if ending == Ending::CloseNotApplied {
            return None;
        }
        if world.faults.failure(&text) || validate::cannot_run(&next) {
            return Some(Answer::error(500, "Failed to apply new configuration."));
        }
        let World { stats, config, .. } = &mut *world;
        stats.count(config, &next);
        *config = next;
        (ending == Ending::Answer).then(|| Answer::success("Reconfiguration done."))
    }

    /// Waits while the server hangs, and besides for `pause` while it is slow; `None` when the run is over.
    fn wait(&self, run: u64, pause: Duration) -> Option<MutexGuard<'_, World>> {
        let begun = Instant::now();
        let mut world = self.world();
        loop {
            if world.run != run {
                return None;
            }
            let left = if pause == Duration::MAX { Duration::ZERO } else { pause.saturating_sub(begun.elapsed()) };
            let slow = !left.is_zero() && !world.faults.slow.is_zero();
            if !world.faults.hang && !slow {
                return Some(world);
            }
            let most = if world.faults.hang { LONG } else { left };
            world = self.moved.wait_timeout(world, most).expect("no thread of the stand-in panics while it holds the world").0;
        }
    }

    fn store(&self) {
        if let Some(path) = &self.setup.state {
            let _ = std::fs::write(path, json::compact(&self.world().config));
        }
    }
}

fn found(value: Option<&Value>, otherwise: &str) -> Answer {
    value.map_or_else(|| Answer::error(404, otherwise), |value| Answer::listing(&listing(value)))
}

fn listen_for_faults(path: &Path, shared: Arc<Shared>) -> io::Result<()> {
    let _ = std::fs::remove_file(path);
    let listener = UnixListener::bind(path)?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let mut answers = &stream;
                for line in BufReader::new(&stream).lines().map_while(Result::ok) {
                    if writeln!(answers, "{}", shared.tell(&line)).is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// One accepted connection.
enum Conversation {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl io::Read for Conversation {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(into),
            Self::Tcp(stream) => stream.read(into),
        }
    }
}

impl io::Write for Conversation {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(bytes),
            Self::Tcp(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The wait of a hung server between two looks whether it still is.
const LONG: Duration = Duration::from_secs(3600);
