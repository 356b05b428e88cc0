//! A publisher and subscriber on one host: this program again, started with the word `agent`, the
//! broker's name, a member's address and the host's number.
//!
//! Each line of its standard input, `BYTES SEED`, is a document to publish. It prints the moments
//! (`standin/moments.rs`) at which it has subscribed, begins to publish, has an answer, and has
//! received something. It ends with its input.

use std::io::Result;
use std::process::ExitCode;

use super::{Broker, etcd, nats};
use crate::arrivals;
use crate::carrier::{AT_ONCE, Document};
use crate::moments;

/// A connection through which documents go to a broker.
pub trait Publisher: Send + Sync {
    /// Publishes, and waits for the answer; whether there is one.
    fn publish(&self, text: &str) -> Result<bool>;
}

/// Runs until standard input ends.
pub fn run(words: &[String]) -> ExitCode {
    let [broker, address, number] = words else {
        return ExitCode::from(2);
    };
    let receiver = format!("{}{number}", arrivals::HOST);
    let name = receiver.clone();
    let ready = move || moments::print(&name, READY);
    let took = move |text: &str| moments::print(&receiver, text);
    let publisher: Result<Box<dyn Publisher>> = match Broker::named(broker) {
        Some(Broker::Nats) => nats::subscribe(address, ready, took),
        Some(Broker::Etcd) => etcd::subscribe(address, ready, took),
        None => return ExitCode::from(2),
    };
    match publisher {
        Ok(publisher) => {
            std::thread::scope(|scope| {
                for _ in 0..AT_ONCE {
                    scope.spawn(|| serve(&*publisher, number));
                }
            });
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench: {broker} at {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Publishes the next line, whichever that is, until there are none.
fn serve(publisher: &dyn Publisher, number: &str) {
    let mut line = String::new();
    while std::io::stdin()
        .read_line(&mut line)
        .is_ok_and(|length| length > 0)
    {
        if let Some(document) = parse(&line) {
            let text = document.text();
            moments::print(&format!("{BEGUN}{number}"), &text);
            // What is refused is lost, and told by nobody's having it.
            if publisher.publish(&text).is_ok_and(|answered| answered) {
                moments::print(&format!("{ANSWERED}{number}"), &text);
            }
        }
        line.clear();
    }
}

fn parse(line: &str) -> Option<Document> {
    let (bytes, seed) = line.trim().split_once(' ')?;
    Some(Document {
        bytes: bytes.parse().ok()?,
        seed: seed.parse().ok()?,
    })
}

/// The word that makes this program an agent.
pub const WORD: &str = "agent";
/// What a subscriber says when it has subscribed.
pub const READY: &str = "ready";
/// Under this name, with its number, a host says that it begins to publish.
pub const BEGUN: &str = "begun";
/// Under this name, with its number, a host says that it has an answer.
pub const ANSWERED: &str = "answered";
