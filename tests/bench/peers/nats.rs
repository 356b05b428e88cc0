//! NATS by its own text protocol, over a plain socket: INFO, CONNECT, SUB, PUB, MSG, PING, PONG
//! (docs.nats.io, "NATS Protocol").

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::agent::Publisher;
use crate::carrier::WAIT;

/// The arguments of the broker on host `number`: one of a cluster that finds itself through the
/// first.
pub fn words(number: usize) -> Vec<String> {
    let words = format!(
        "--addr 0.0.0.0 --port {PORT} --name n{number} --cluster_name bench \
         --cluster nats://0.0.0.0:{CLUSTER_PORT} --routes nats://{}:{CLUSTER_PORT}",
        super::address(1)
    );
    words.split_whitespace().map(str::to_owned).collect()
}

/// Subscribes on a thread of its own, and says so; gives a way to publish.
pub fn subscribe(
    address: &str,
    ready: impl FnOnce() + Send + 'static,
    took: impl Fn(&str) + Send + 'static,
) -> Result<Box<dyn Publisher>> {
    let stream = connect(address, PORT)?;
    let writer = Arc::new(Mutex::new(stream.try_clone()?));
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?; // INFO {…}
    send(
        &writer,
        b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB change 1\r\nPING\r\n",
    )?;
    let answers = Arc::clone(&writer);
    std::thread::spawn(move || {
        let ended = listen(reader, &answers, ready, took);
        eprintln!("bench: nats-server: {ended:?}");
    });
    Ok(Box::new(Nats { writer }))
}

struct Nats {
    writer: Arc<Mutex<TcpStream>>,
}

impl Publisher for Nats {
    fn publish(&self, text: &str) -> Result<bool> {
        let head = format!("PUB change {}\r\n", text.len());
        let message = [head.as_bytes(), text.as_bytes(), b"\r\n"].concat();
        send(&self.writer, &message).map(|()| false)
    }
}

fn listen(
    mut reader: BufReader<TcpStream>,
    answers: &Mutex<TcpStream>,
    ready: impl FnOnce(),
    took: impl Fn(&str),
) -> Result<()> {
    let (mut line, mut ready) = (String::new(), Some(ready));
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
        match line.split_whitespace().next() {
            Some("PING") => send(answers, b"PONG\r\n")?,
            Some("PONG") => {
                if let Some(ready) = ready.take() {
                    ready();
                }
            }
            Some("MSG") => {
                let length = line.split_whitespace().last();
                let length: usize = length
                    .and_then(|length| length.parse().ok())
                    .ok_or(ErrorKind::InvalidData)?;
                let mut payload = vec![0; length + 2];
                reader.read_exact(&mut payload)?;
                took(&String::from_utf8_lossy(&payload[..length]));
            }
            Some("-ERR") => return Err(Error::other(line)),
            _ => {} // INFO comes again when the cluster grows.
        }
    }
}

fn send(writer: &Mutex<TcpStream>, bytes: &[u8]) -> Result<()> {
    let mut writer = writer.lock().expect("nobody panics while he writes");
    writer.write_all(bytes)
}

/// Connects to a broker that may not have started yet.
pub fn connect(address: &str, port: u16) -> Result<TcpStream> {
    let late = Instant::now() + WAIT;
    loop {
        match TcpStream::connect((address, port)) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) if Instant::now() > late => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

const PORT: u16 = 4222;
const CLUSTER_PORT: u16 = 6222;
