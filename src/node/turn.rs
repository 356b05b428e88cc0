//! What recurs: when each thing is due, and what is done then, in one table.
//!
//! After every input all of them have their turn, in the order of the table: what comes first makes
//! room for what follows. A thing without a time of its own is looked at whenever anything happens.

use std::time::Duration;

use super::Node;
use crate::limits::RETRY_SOON;

/// Something that recurs.
struct Recurring {
    /// When it is to be looked at, if nothing happens before.
    due: fn(&Node) -> Option<Duration>,
    /// Does it, if it is due.
    act: fn(&mut Node),
}

/// All of them. Links and bodies come first, for what they bring is judged after them; then the
/// disk, without which nothing can be made; then what is made again, before the next exchange tells
/// of it and before clients' changes are made on it; then the server; and in the end what is said
/// of all this, and whom to dial for it.
const ALL: [Recurring; 22] = [
    Recurring {
        due: |node| {
            node.peers
                .newcomers
                .iter()
                .map(|newcomer| newcomer.until)
                .min()
        },
        act: Node::judge_newcomers,
    },
    Recurring {
        due: |node| Some(node.peers.pings_due()),
        act: |node| node.peers.check_pings(&mut node.cx),
    },
    Recurring {
        due: |node| node.exchange.pulls.due(),
        act: Node::stalled_pulls,
    },
    Recurring {
        due: |_| None,
        act: Node::follow_pulls,
    },
    Recurring {
        due: |_| None,
        act: Node::fetch_on,
    },
    Recurring {
        due: |node| node.store.storing.due(),
        act: |node| node.store.probe_if_due(&mut node.cx),
    },
    Recurring {
        due: |_| None,
        act: Node::judge_disk,
    },
    Recurring {
        due: Node::rebase_due,
        act: Node::rebase_if_due,
    },
    Recurring {
        due: exchange_due,
        act: Node::exchange_if_due,
    },
    Recurring {
        due: |_| None,
        act: Node::serve_early_reads,
    },
    Recurring {
        due: |node| node.changes.forwarding.due(),
        act: Node::late_forwarded,
    },
    Recurring {
        due: |node| node.changes.writes.due(),
        act: Node::serve_writes,
    },
    Recurring {
        due: |node| {
            node.local
                .server
                .due()
                .filter(|_| node.changes.transaction.is_none())
        },
        act: Node::serve_server,
    },
    Recurring {
        due: |_| None,
        act: |node| node.local.note_adoption(&mut node.cx),
    },
    Recurring {
        due: |node| node.local.kept.due(),
        act: |node| node.local.remember_if_due(&mut node.cx),
    },
    Recurring {
        due: |node| node.store.strike_due(),
        act: Node::strike_if_due,
    },
    Recurring {
        due: |node| node.cx.news.then_some(node.cx.now.elapsed),
        act: |node| node.peers.news_is_due(&mut node.cx),
    },
    Recurring {
        due: |node| Some(node.peers.own_record.due()),
        act: Node::refresh_own_record,
    },
    Recurring {
        due: Node::trim_due,
        act: Node::trim_if_due,
    },
    Recurring {
        due: dial_due,
        act: Node::dial_if_due,
    },
    Recurring {
        due: |node| node.cx.timers.save_book,
        act: |node| node.peers.save_book_if_due(&mut node.cx),
    },
    Recurring {
        due: |node| node.cx.fold_due(),
        act: Node::fold_if_due,
    },
];

fn exchange_due(node: &Node) -> Option<Duration> {
    let overflowed = node.peers.links.values().filter(|link| link.overflowed);
    let again = overflowed
        .map(|link| link.exchange_at.max(node.cx.now.elapsed + RETRY_SOON))
        .min();
    [node.cx.timers.sync, node.cx.timers.sync_nodes]
        .into_iter()
        .chain(again)
        .min()
}

fn dial_due(node: &Node) -> Option<Duration> {
    let rotate = node.peers.is_large().then_some(node.cx.timers.rotate);
    rotate.into_iter().chain([node.cx.timers.dial]).min()
}

impl Node {
    /// When [`Node::handle`] must be called at the latest, if nothing happens before.
    pub fn deadline(&self) -> Duration {
        ALL.iter()
            .filter_map(|recurring| (recurring.due)(self))
            .min()
            .expect("there is always a next exchange")
    }

    /// Everything that is due by now, whatever it was that happened.
    pub(super) fn turn(&mut self) {
        ALL.iter().for_each(|recurring| (recurring.act)(self));
    }
}
