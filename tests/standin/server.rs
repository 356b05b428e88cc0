//! A stand-in for unitd: the same answers on the same kind of socket, as observed with Unit 1.35.0,
//! and faults on demand.
//!
//! Standard library and threads only, one thread a connection, so that a slow change delays no
//! read, as with unitd. Tests take this file in by its path; the program `unit-standin` is the same
//! with a faults socket. Everything one can ask of it is a line given to [`StandIn::tell`]: see
//! `faults.rs`.

mod certificate;
mod config;
mod exchange;
mod faults;
mod modules;
mod moments;
mod pem;
mod resources;
mod state;
mod validate;

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use faults::{Faults, Stats};
use starlingd::model::json::{self, Value};
use state::State;

/// Where it listens and what it keeps.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// The control socket.
    pub socket: PathBuf,
    /// The file where the configuration outlives it, certificates and modules beside it; nowhere
    /// if there is none.
    pub state: Option<PathBuf>,
    /// A TCP port on 127.0.0.1 besides.
    pub port: Option<u16>,
    /// The faults socket.
    pub faults: Option<PathBuf>,
    /// The name under which it prints when it took which configuration; silent if there is none.
    pub moments: Option<String>,
}

/// A running stand-in. Stops, and removes its sockets, when dropped.
pub struct StandIn {
    shared: Arc<Shared>,
}

impl StandIn {
    /// Listens when this returns. Refuses if something answers at the socket's path.
    pub fn start(setup: Setup) -> io::Result<Self> {
        if UnixStream::connect(&setup.socket).is_ok() {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                "socket already in use",
            ));
        }
        let world = World {
            state: setup
                .state
                .as_deref()
                .map_or_else(State::factory, State::load),
            before: config::factory(),
            faults: Faults::default(),
            stats: Stats::default(),
            run: 0,
            up: false,
            ears: Vec::new(),
        };
        let shared = Arc::new(Shared {
            setup,
            world: Mutex::new(world),
            moved: Condvar::new(),
            turn: Mutex::new(()),
        });
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
    state: State,
    /// The configuration before the last change.
    before: Value,
    faults: Faults,
    stats: Stats,
    /// Counts starts and stops: what was begun in an earlier run is dropped without an answer.
    run: u64,
    up: bool,
    ears: Vec<JoinHandle<()>>,
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world
            .lock()
            .expect("no thread of the stand-in panics while it holds the world")
    }

    fn tell(self: &Arc<Self>, line: &str) -> String {
        let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let answer = match word {
            "down" => {
                self.down();
                "down".to_owned()
            }
            "up" => self
                .up()
                .map_or_else(|error| error.to_string(), |()| "up".to_owned()),
            "wait" => loop {
                thread::park();
            },
            "stats" => self.world().stats.line(),
            "factory" => self.set(config::factory()),
            "set" => match json::parse(rest.as_bytes()) {
                Ok(config) => self.set(config),
                Err(error) => error.to_string(),
            },
            "restart" => self.restart(|_, _| {}),
            "restart-default" => self.restart(|state, _| state.config = config::factory()),
            "restart-older" => self.restart(|state, before| state.config = before.clone()),
            "restart-wiped" => self.restart(|state, _| *state = State::factory()),
            _ => self.world().faults.set(word, rest),
        };
        self.moved.notify_all();
        answer
    }

    fn set(&self, config: Value) -> String {
        self.world().state.config = config;
        self.store();
        "set".to_owned()
    }

    /// Stops and starts again, on another socket file, after `lose` has had its way with what is
    /// kept.
    fn restart(self: &Arc<Self>, lose: impl FnOnce(&mut State, &Value)) -> String {
        self.down();
        {
            let World { state, before, .. } = &mut *self.world();
            lose(state, before);
        }
        self.store();
        self.up()
            .map_or_else(|error| error.to_string(), |()| "restarted".to_owned())
    }

    fn up(self: &Arc<Self>) -> io::Result<()> {
        let mut world = self.world();
        if world.up {
            return Ok(());
        }
        let new = with_suffix(&self.setup.socket, ".tmp");
        let _ = std::fs::remove_file(&new);
        let tcp = self
            .setup
            .port
            .map(|port| TcpListener::bind(("127.0.0.1", port)))
            .transpose()?;
        let unix = UnixListener::bind(&new)?;
        std::fs::rename(&new, &self.setup.socket)?;
        world.run += 1;
        world.up = true;
        let run = world.run;
        let shared = Arc::clone(self);
        world.ears.push(thread::spawn(move || {
            shared.accept(run, || Ok(Conversation::Unix(unix.accept()?.0)))
        }));
        if let Some(tcp) = tcp {
            let shared = Arc::clone(self);
            world.ears.push(thread::spawn(move || {
                shared.accept(run, || Ok(Conversation::Tcp(tcp.accept()?.0)))
            }));
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
        let tcp = self
            .setup
            .port
            .is_none_or(|port| TcpStream::connect(("127.0.0.1", port)).is_ok());
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
        if self.world().faults.stranger {
            return;
        }
        let Some(request) = exchange::read(&mut conversation) else {
            return;
        };
        self.world().stats.connections += 1;
        let changes = matches!(request.method.as_str(), "PUT" | "POST" | "DELETE");
        let answer = if changes {
            self.change(&request, run)
        } else {
            self.look(&request, run)
        };
        let Some(answer) = answer else { return };
        let (cut, version) = {
            let faults = &self.world().faults;
            (
                faults.cut.unwrap_or(conversation.buffered()),
                faults.version(),
            )
        };
        let _ = exchange::write(&mut conversation, version, &answer, cut);
        drop(conversation);
        if changes {
            self.store();
        }
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn
            .lock()
            .expect("no thread of the stand-in panics during its turn")
    }

    /// Waits while the server hangs, and besides for `pause` while it is slow; `None` when the run
    /// is over.
    fn wait(&self, run: u64, pause: Duration) -> Option<MutexGuard<'_, World>> {
        let begun = Instant::now();
        let mut world = self.world();
        loop {
            if world.run != run {
                return None;
            }
            let left = if pause == Duration::MAX {
                Duration::ZERO
            } else {
                pause.saturating_sub(begun.elapsed())
            };
            let slow = !left.is_zero() && !world.faults.slow.is_zero();
            if !world.faults.hang && !slow {
                return Some(world);
            }
            let most = if world.faults.hang { LONG } else { left };
            world = self
                .moved
                .wait_timeout(world, most)
                .expect("no thread of the stand-in panics while it holds the world")
                .0;
        }
    }

    fn store(&self) {
        if let Some(path) = &self.setup.state {
            self.world().state.store(path);
        }
    }
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

impl Conversation {
    /// What unitd gets into the socket at once: it closes after that, whatever it has announced. On
    /// a Unix socket that is the kernel's `wmem_default`.
    fn buffered(&self) -> usize {
        match self {
            Self::Unix(_) => 212_992,
            Self::Tcp(_) => 4_200_000,
        }
    }
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
