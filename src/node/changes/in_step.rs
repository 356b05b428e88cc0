//! A change that leaves the document as it is, and `starling repair`: the server runs the head
//! afterwards, or the answer is another than 200.
//!
//! The server is looked at, and given the head if it does not run it. What somebody has put there
//! is kept first, like before anything that is given to it.

use super::answering::respond;
use super::request::{Request, Wish, is_tried_again};
use super::uploads::success;
use super::{Below, Changes};
use crate::node::answer::Answer;
use crate::node::applied::Applied;
use crate::node::context::Context;
use crate::node::effect::ServerJob;
use crate::node::input::{ClientId, Outcome, ServerReport};
use crate::node::local::effective::effective_document;
use crate::node::local::serve::words;
use crate::node::local::server::NO_ANSWER;
use crate::node::peers::node_record::text;
use crate::node::refusal::{Denial, FleetState, RequestFault, ServerFault};
use crate::node::waiting::ServerPurpose;
use crate::wire::forwarded::ForwardedRequest;

impl Below<'_> {
    /// What a repair comes to before the server is asked.
    pub(in crate::node) fn plan_repair(&self) -> Answer {
        match self.store.head(self.cx) {
            _ if !self.local.server.is_present() => Denial::from(ServerFault::NoneToRepair).into(),
            Some(head) => self
                .local
                .nothing_changed(success(&Wish::Repair), head.id()),
            None => Denial::from(FleetState::NoHead).into(),
        }
    }
}

impl Changes {
    /// Nothing is to be changed but, perhaps, what the server runs.
    pub(in crate::node) fn put_in_step(&mut self, below: &mut Below<'_>, request: Request) {
        let head = below
            .store
            .head(below.cx)
            .cloned()
            .expect("what changes nothing is answered with the head");
        match effective_document(below.cx, &head.document) {
            Ok(effective) => {
                let applied = Applied::of(&head, effective.clone());
                self.in_step = Some(request);
                below.local.ask_server(
                    below.cx,
                    ServerPurpose::InStep(applied),
                    ServerJob::apply(effective),
                );
            }
            Err(unfit) => {
                let denial = ServerFault::RefusesHead {
                    reason: unfit.to_string(),
                }
                .at(Some(head.id()));
                respond(below.cx, request.asker, denial);
            }
        }
    }

    /// The server was not given the head, for this reason.
    pub(in crate::node) fn not_in_step(&mut self, cx: &mut Context, denial: Denial) {
        if let Some(request) = self.in_step.take() {
            respond(cx, request.asker, denial);
        }
    }

    /// A client wants another host's server to run the head: the request goes there.
    pub(in crate::node) fn repair_elsewhere(
        &mut self,
        below: &mut Below<'_>,
        client: ClientId,
        ending: &str,
        forwarded: ForwardedRequest,
    ) {
        let matches: Vec<_> = below
            .peers
            .roster
            .iter()
            .filter(|(peer, _)| peer.to_string().ends_with(ending))
            .collect();
        let denial = match matches[..] {
            [(peer, _)] if *peer == below.cx.me => {
                return self.repair_on_purpose(below.cx, client);
            }
            [(peer, node)] => {
                let (peer, said) = (*peer, node.said());
                let group = text(&said, "group").unwrap_or_default().to_owned();
                let forwarded = ForwardedRequest { group, ..forwarded };
                return self.forward_to(below, client, peer, &forwarded);
            }
            [] => RequestFault::NoSuchPeer {
                ending: ending.to_owned(),
            },
            _ => RequestFault::ManyPeers {
                ending: ending.to_owned(),
                count: matches.len(),
            },
        };
        below.cx.reply(client, denial);
    }

    /// The server runs the head that there was when it was asked, or does not.
    pub(in crate::node) fn is_put_in_step(
        &mut self,
        below: &mut Below<'_>,
        applied: Applied,
        report: ServerReport,
    ) {
        let (id, outcome) = (applied.id, report.outcome.clone());
        below
            .local
            .applied(below.cx, below.peers, below.store, applied, report);
        let has_moved = below
            .store
            .head(below.cx)
            .is_none_or(|head| head.id() != id);
        let Some(request) = self.in_step.take() else {
            return;
        };
        let denial = match outcome {
            Outcome::Applied if !has_moved => {
                let (success, kept) = (success(&request.wish), below.local.kept.take_of_job());
                let done = Answer::Done {
                    success,
                    revision: id,
                    applied: below.local.applied_id(),
                    changed: false,
                    kept,
                };
                return respond(below.cx, request.asker, done);
            }
            Outcome::Applied if is_tried_again(below.cx, &request) => {
                return self.retry(below.cx, request, None);
            }
            Outcome::Applied => Denial::from(FleetState::OthersAreChanging),
            Outcome::Refused(refusal) => ServerFault::RefusesHead {
                reason: words(&refusal),
            }
            .into(),
            Outcome::Unreachable(reason) => ServerFault::Unreachable { reason }.into(),
            Outcome::Unverified(reason) | Outcome::Unknown(reason) => {
                ServerFault::Unseen { reason }.into()
            }
            Outcome::Unreadable(reason) => ServerFault::Untouched { reason }.into(),
            Outcome::Observed { .. } | Outcome::Found { .. } | Outcome::Unchanged => {
                ServerFault::Unreachable {
                    reason: NO_ANSWER.to_owned(),
                }
                .into()
            }
        };
        respond(below.cx, request.asker, denial.at(Some(id)));
    }

    /// A client wants the server to run the head.
    pub(in crate::node) fn repair_on_purpose(&mut self, cx: &mut Context, client: ClientId) {
        self.wish(cx, client, Wish::Repair, None, String::new(), Vec::new());
    }
}
