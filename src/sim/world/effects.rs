//! What a simulated host wants done, done in virtual time.
//!
//! The daemon performs the same effects with threads; here each is an event at a later moment.

use std::time::Duration;

use super::super::event::EventKind;
use crate::limits::OBSERVE_EVERY;
use crate::node::effect::{Effect, ServerJob};
use crate::node::input::{Input, Outcome, Ticket};
use crate::sim::world::observer::Observer;
use crate::sim::world::{DECODED_PER_US, TIME_WIDTH, World};

impl<O: Observer> World<O> {
    pub(super) fn effect(&mut self, host: usize, effect: Effect) {
        match effect {
            Effect::Send(link, bytes) => self.send(host, link, bytes),
            Effect::Close(link) => self.close(host, link),
            Effect::Dial { dial, address } => {
                self.hosts[host].dials += 1;
                let after = self.network.latency(host, host, 0, &mut self.rng);
                self.later(host, after, EventKind::Dial(dial, address));
            }
            Effect::Load(ticket, group, name) => {
                let after = self.hosts[host].disk.slow;
                self.later(host, after, EventKind::Load(ticket, group, name));
            }
            // What was read is kept by the node; a host here reads no further ahead than its links'
            // windows.
            Effect::Hold(_) | Effect::GoOn(_) => {}
            Effect::Decode(ticket, undecoded) => {
                let after = Duration::from_micros(undecoded.len() as u64 / DECODED_PER_US);
                self.later(host, after, EventKind::Decode(ticket, undecoded));
            }
            Effect::Disk(job) => {
                let at = self.hosts[host].disk.submit(job, self.now);
                self.arrange(host, at, None, EventKind::Disk);
            }
            Effect::LoadDrift(ticket, name) => {
                let read = self.hosts[host].disk.drifts.get(&name).cloned();
                let after = self.hosts[host].disk.slow;
                self.later(
                    host,
                    after,
                    EventKind::Input(Input::Loaded(ticket, Ok(read))),
                );
            }
            Effect::Server(ticket, job) => {
                let at = self.hosts[host].server.done_at(self.now);
                self.arrange(host, at, None, EventKind::Server(ticket, job));
            }
            Effect::ForwardedRequest(number, forwarded) => {
                self.hosts[host].forwarding.push((number, forwarded))
            }
            Effect::Answer(client, answer) => {
                let twice = self.hosts[host].answers.insert(client, answer);
                assert!(
                    twice.is_none(),
                    "seed {}: client {client} was answered twice",
                    self.seed
                );
            }
            Effect::Say(level, area, text) => {
                let line = format!(
                    "{:TIME_WIDTH$.3} {level:?} {area}: {text}",
                    self.now.as_secs_f64()
                );
                self.hosts[host].say(line);
            }
        }
    }

    /// A server does what it was asked for. What it was to try it is read back after.
    pub(super) fn server_does(&mut self, host: usize, ticket: Ticket, job: ServerJob) {
        let report = self.hosts[host].server.perform(ticket, &job, &mut self.rng);
        self.watch_server(host);
        match job {
            ServerJob::Try { document, .. } if report.outcome == Outcome::Applied => {
                let at = self.hosts[host].server.read_back_at(self.now);
                self.arrange(host, at, None, EventKind::ReadBack(ticket, document));
                self.deliver(host, Input::Accepted(ticket));
            }
            _ => self.deliver(host, Input::Server(report)),
        }
    }

    /// A while after the last thing that was asked of a server it is seen whether its socket is
    /// still the same.
    pub(super) fn watch_server(&mut self, host: usize) {
        let server = &mut self.hosts[host].server;
        server.watch += 1;
        let number = server.watch;
        if server.is_watched() {
            self.later(host, OBSERVE_EVERY, EventKind::WatchServer(number));
        }
    }

    pub(super) fn server_watched(&mut self, host: usize, number: u64) {
        let server = &mut self.hosts[host].server;
        if server.watch != number {
            return;
        }
        if server.goes() {
            self.deliver(host, Input::ServerGone);
        } else {
            self.watch_server(host);
        }
    }
}
