//! etcd by its JSON gateway, HTTP over a plain socket: `/v3/watch` and `/v3/kv/put` (etcd.io,
//! "gRPC gateway"). Keys and values are in base64; a watch is answered by one chunked body without
//! end, an event a line.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::agent::Publisher;
use super::nats::connect;

/// The arguments of member `number` of `members`, which keeps its things in `dir`.
pub fn words(number: usize, members: usize, dir: &Path) -> Vec<String> {
    let peer = |number| format!("http://{}:{PEER_PORT}", super::address(number));
    let cluster: Vec<String> = (1..=members)
        .map(|number| format!("m{number}={}", peer(number)))
        .collect();
    let words = format!(
        "--name m{number} --data-dir {} --listen-client-urls http://0.0.0.0:{PORT} \
         --advertise-client-urls http://{}:{PORT} --listen-peer-urls http://0.0.0.0:{PEER_PORT} \
         --initial-advertise-peer-urls {} --initial-cluster {} --initial-cluster-state new",
        dir.display(),
        super::address(number),
        peer(number),
        cluster.join(",")
    );
    words.split_whitespace().map(str::to_owned).collect()
}

/// Watches on a thread of its own, and says so; gives a way to publish.
pub fn subscribe(
    address: &str,
    ready: impl FnOnce() + Send + 'static,
    took: impl Fn(&str) + Send + 'static,
) -> Result<Box<dyn Publisher>> {
    let publisher = Etcd {
        address: address.to_owned(),
    };
    let address = address.to_owned();
    std::thread::spawn(move || {
        let mut ready = Some(ready);
        // Members that have no leader yet refuse.
        loop {
            let ended = watch(&address, &mut ready, &took);
            eprintln!("bench: etcd: {ended:?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    Ok(Box::new(publisher))
}

struct Etcd {
    address: String,
}

impl Publisher for Etcd {
    fn publish(&self, text: &str) -> Result<bool> {
        let body = json!({ "key": STANDARD.encode(KEY), "value": STANDARD.encode(text) });
        let mut answer = String::new();
        let mut stream = request(&self.address, "/v3/kv/put", &body)?;
        stream.read_to_string(&mut answer)?;
        match answer.starts_with("HTTP/1.1 200 ") {
            true => Ok(true),
            false => Err(Error::other(answer)),
        }
    }
}

fn watch(address: &str, ready: &mut Option<impl FnOnce()>, took: &impl Fn(&str)) -> Result<()> {
    let body = json!({ "create_request": { "key": STANDARD.encode(KEY) } });
    let mut reader = BufReader::new(request(address, "/v3/watch", &body)?);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
    }
    let body = BufReader::new(Chunks { reader, left: 0 });
    for line in body.lines() {
        let said: Value = serde_json::from_str(&line?)?;
        let result = &said["result"];
        if result["created"] == true
            && let Some(ready) = ready.take()
        {
            ready();
        }
        for event in result["events"].as_array().into_iter().flatten() {
            let value = event["kv"]["value"].as_str().unwrap_or_default();
            let value = STANDARD.decode(value).map_err(Error::other)?;
            took(&String::from_utf8_lossy(&value));
        }
        if !said["error"].is_null() {
            return Err(Error::other(said.to_string()));
        }
    }
    Ok(())
}

fn request(address: &str, target: &str, body: &Value) -> Result<TcpStream> {
    let mut stream = connect(address, PORT)?;
    let body = body.to_string();
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: etcd\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
    Ok(stream)
}

/// A chunked body (RFC 9112, section 7.1) as the bytes that it carries.
struct Chunks {
    reader: BufReader<TcpStream>,
    /// Bytes of the present chunk that were not read yet.
    left: usize,
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        while self.left == 0 {
            let mut line = String::new();
            if self.reader.read_line(&mut line)? == 0 {
                return Ok(0);
            }
            // After each chunk stands an empty line.
            if !line.trim().is_empty() {
                let size = usize::from_str_radix(line.trim(), 16);
                self.left = size.map_err(|_| Error::from(ErrorKind::InvalidData))?;
                if self.left == 0 {
                    return Ok(0);
                }
            }
        }
        let most = into.len().min(self.left);
        let count = self.reader.read(&mut into[..most])?;
        self.left -= count;
        Ok(count)
    }
}

const KEY: &str = "change";
const PORT: u16 = 2379;
const PEER_PORT: u16 = 2380;
