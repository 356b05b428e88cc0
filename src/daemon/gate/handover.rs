//! The way of a request from the connection's thread to the loop, and of its answer back: two
//! threads and two bounded queues.
//!
//! The thread `http` calls `on_request` for one request at a time, so that of many large bodies one
//! is understood at once. The thread `answer` makes and prints one answer at a time, for the same
//! reason, and for it has the stack that a deep document takes.
//!
//! Invariant: neither thread ever waits for a client. An answer goes to its connection whole, or to
//! nobody.

use std::io;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use super::body::HeldBytes;
use crate::daemon::http::{HttpRequest, HttpResponse};
use crate::limits::{GATE_ANSWER_SMALL, GATE_CONNECTIONS_MAX};

/// A printed answer, and the part of the gate's memory that it takes; or why there is none.
pub(super) type Answered = Result<(Vec<u8>, HeldBytes), HttpResponse>;

/// A closure that makes an answer, called on the thread `answer`.
type AnswerMaker = Box<dyn FnOnce() -> HttpResponse + Send>;

/// The way to the thread `http`, which ends with the last clone of it.
#[derive(Clone)]
pub(super) struct Handover {
    asked: SyncSender<Box<(HttpRequest, AnswerSlot)>>,
}

impl Handover {
    /// Starts both threads. Nothing runs after an error.
    pub(super) fn start(
        on_request: impl Fn(HttpRequest, Responder) + Send + 'static,
    ) -> io::Result<Self> {
        let (asked, requests) = mpsc::sync_channel::<Box<(HttpRequest, AnswerSlot)>>(QUEUE_MAX);
        let (jobs, todo) = mpsc::sync_channel::<AnswerJob>(QUEUE_MAX);
        thread::Builder::new()
            .name("answer".to_owned())
            .spawn(move || answer_all(&todo))?;
        let pass_on = move || {
            for asked in requests {
                let (request, reply) = *asked;
                on_request(
                    request,
                    Responder {
                        reply: Some(reply),
                        jobs: jobs.clone(),
                    },
                );
            }
        };
        thread::Builder::new()
            .name("http".to_owned())
            .spawn(pass_on)?;
        Ok(Self { asked })
    }

    /// Hands a request over; its answer comes from what is returned, which ends without one if it
    /// cannot be given. `held` counts the request's body until then. Never blocks.
    pub(super) fn ask(&self, request: HttpRequest, held: HeldBytes) -> Receiver<Answered> {
        let (to, answered) = mpsc::sync_channel(1);
        let reply = AnswerSlot {
            to,
            held,
            is_to_head: request.method == "HEAD",
        };
        // The queue has a place for every connection that the gate lets in. Were it full all the
        // same, the client hears 503.
        if self.asked.try_send(Box::new((request, reply))).is_err() {
            log::debug!("a request found no place in the queue");
        }
        answered
    }
}

/// Owed to one request: exactly one answer. Dropped without one, it answers 503.
pub struct Responder {
    reply: Option<AnswerSlot>,
    jobs: SyncSender<AnswerJob>,
}

impl Responder {
    /// Has `answer` called, and what it returns sent, on the answer thread. Never blocks.
    pub fn respond(mut self, answer: Box<dyn FnOnce() -> HttpResponse + Send>) {
        self.send(answer);
    }

    fn send(&mut self, answer: AnswerMaker) {
        let Some(reply) = self.reply.take() else {
            return;
        };
        // As above: a client whose answer finds no place hears 503.
        if self.jobs.try_send(Box::new((reply, answer))).is_err() {
            log::debug!("an answer found no place in the queue");
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.send(Box::new(|| {
            HttpResponse::error(503, "The request could not be answered.", "")
        }));
    }
}

/// The connection that waits for an answer, and what its request still takes.
struct AnswerSlot {
    to: SyncSender<Answered>,
    /// The memory that the request's body takes.
    held: HeldBytes,
    is_to_head: bool,
}

/// By pointer, as what is asked: a queue has all of its places in memory from the start.
type AnswerJob = Box<(AnswerSlot, AnswerMaker)>;

/// The thread `answer`.
fn answer_all(todo: &Receiver<AnswerJob>) {
    for job in todo {
        let (reply, answer) = *job;
        let AnswerSlot {
            to,
            held,
            is_to_head,
        } = reply;
        // The request's body has been used up by whoever made the answer.
        let held = held.renew();
        // The place is free, and a connection that has given up is gone.
        let _nobody_left_to_tell = to.try_send(print(answer(), is_to_head, held));
    }
}

fn print(response: HttpResponse, is_to_head: bool, mut held: HeldBytes) -> Answered {
    let length = if is_to_head { 0 } else { response.body.len() };
    if length > GATE_ANSWER_SMALL {
        held.grow(length)?;
    }
    Ok((response.print(is_to_head), held))
}

/// Each connection, on either listener, may wait for one answer, and as many may have given up
/// waiting.
const QUEUE_MAX: usize = 4 * GATE_CONNECTIONS_MAX;
