//! What clients want changed, and where that is begun.
//!
//! A command of another group is forwarded or denied; nothing is answered twice.

use super::super::Node;
use super::super::ask::Command;
use super::super::input::ClientId;
use crate::node::ask::Question;
use crate::node::effect::Effect;
use crate::node::refusal::{Denial, RequestFault};
use crate::wire::forwarded::ForwardedRequest;

/// Does something for a client, or begins to.
pub(super) fn command(node: &mut Node, client: ClientId, command: Command) {
    match command {
        Command::Write(change) => node.changes.write(&mut node.cx, client, change),
        Command::Patch(patching) => node.changes.patch(&mut node.cx, client, patching),
        Command::DryRun(change) => node.changes.dry_run(&mut node.cx, client, change),
        Command::PublishLocal {
            force,
            if_match,
            note,
        } => node
            .changes
            .publish_local(&mut node.cx, client, force, if_match, note),
        Command::Repair => node.changes.repair_on_purpose(&mut node.cx, client),
        Command::RemoveGroup { name, force, note } => {
            node.changes(|_, below| below.remove_group(client, &name, force, note));
        }
        Command::RepairHost(ending, forwarded) => node.changes(|changes, below| {
            changes.repair_elsewhere(below, client, &ending, *forwarded);
        }),
        Command::Restore {
            id,
            path,
            if_match,
            note,
        } => node.changes(|changes, below| {
            changes.restore(below, client, &id, path, if_match, note);
        }),
        Command::Settle {
            id,
            keep,
            if_match,
            note,
        } => node.changes(|changes, below| {
            changes.settle(below, client, &id, keep, if_match, note);
        }),
        Command::AcknowledgeDrift(name) => {
            node.local.acknowledge_drift(&mut node.cx, client, &name);
        }
        Command::AdoptDrift {
            name,
            if_match,
            note,
        } => node.changes(|changes, below| {
            changes.adopt_drift(below, client, &name, if_match, note);
        }),
        Command::Control(tokens) => {
            let answer = node.view().server_question(Question::Control(tokens));
            node.cx.effects.push(Effect::Answer(client, answer));
        }
    }
}

/// Has a host of another group change its document.
pub(super) fn command_group(
    node: &mut Node,
    client: ClientId,
    group: &str,
    command: &Command,
    forwarded: Option<Box<ForwardedRequest>>,
) {
    let denial = match command {
        _ if !node.view().is_known_group(group) => node.view().unknown_group(group),
        Command::Write(_)
        | Command::Patch(_)
        | Command::DryRun(_)
        | Command::Restore { .. }
        | Command::Settle { .. } => match forwarded {
            Some(forwarded) => {
                return node.changes(|changes, below| changes.forward(below, client, &forwarded));
            }
            None => node.peers.not_ours(&node.cx, group),
        },
        // Which of its servers is meant only that host's own client can say.
        Command::PublishLocal { .. } => node.peers.not_ours(&node.cx, group),
        Command::RemoveGroup { .. }
        | Command::AcknowledgeDrift(_)
        | Command::AdoptDrift { .. }
        | Command::Repair
        | Command::RepairHost(..)
        | Command::Control(_) => of_no_group(),
    };
    node.cx.reply(client, denial);
}

pub(in crate::node) fn of_no_group() -> Denial {
    RequestFault::OfNoGroup.into()
}
