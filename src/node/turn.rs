//! What recurs: when each thing is due, and what is done then, in one table.
//!
//! After every input all of them have their turn, in the order of the table: what comes first makes
//! room for what follows. A thing without a time of its own is looked at whenever anything happens.

use std::time::Duration;

use super::Node;
use crate::limits::RETRY_SOON;
use crate::node::local::fold::fold_due;

/// Something that recurs.
pub(super) struct Recurring {
    /// When it is to be looked at, if nothing happens before.
    pub(super) due: fn(&Node) -> Option<Duration>,
    /// Does it, if it is due.
    pub(super) act: fn(&mut Node),
}

/// All of them. Links and bodies come first, for what they bring is judged after them; then the
/// disk, without which nothing can be made; then what is made again, before the next exchange tells
/// of it and before clients' changes are made on it; then the server; and in the end what is said
/// of all this, and whom to dial for it.
pub(super) const ALL: [Recurring; 23] = [
    Recurring {
        due: |node| node.peers.newcomers_due(),
        act: |node| node.peers.judge_newcomers(&mut node.cx),
    },
    Recurring {
        due: |node| Some(node.peers.pings_due()),
        act: |node| node.peers.check_pings(&mut node.cx),
    },
    Recurring {
        due: |node| node.exchange.pulls_due(),
        act: |node| {
            node.exchange
                .stalled_pulls(&mut node.cx, &mut node.peers, &node.store);
        },
    },
    Recurring {
        due: |node| node.exchange.spread_due(),
        act: |node| node.exchange.spread_on(&mut node.cx, &mut node.peers),
    },
    Recurring {
        due: |_| None,
        act: Node::follow_pulls,
    },
    Recurring {
        due: |_| None,
        act: |node| {
            node.exchange
                .fetch_on(&mut node.cx, &mut node.peers, &node.store);
        },
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
        due: |node| node.changes.rebase_due(&node.cx, &node.store, &node.local),
        act: |node| node.changes(|changes, below| changes.rebase_if_due(below)),
    },
    Recurring {
        due: exchange_due,
        act: Node::compare_if_due,
    },
    Recurring {
        due: |_| None,
        act: Node::serve_early_reads,
    },
    Recurring {
        due: |node| node.changes.forwarding.due(),
        act: |node| node.changes(|changes, below| changes.late_forwarded(below)),
    },
    Recurring {
        due: |node| node.changes.writes.due(),
        act: |node| node.changes(|changes, below| changes.serve_writes(below)),
    },
    // A client's change has the server from its first write to disk to its publication: what is
    // asked in between would be taken for the answer to it, or change what is about to be called
    // applied.
    Recurring {
        due: |node| {
            node.local
                .server
                .due()
                .filter(|_| node.changes.transaction.is_none())
        },
        act: |node| {
            if node.changes.transaction.is_none() {
                node.local.serve_server(&mut node.cx, &node.store);
            }
        },
    },
    Recurring {
        due: |node| node.local.kept.due(),
        act: |node| node.local.remember_if_due(&mut node.cx),
    },
    Recurring {
        due: |node| node.store.strike_due(),
        act: |node| node.store.strike_if_due(&mut node.cx, &node.peers),
    },
    Recurring {
        due: |node| node.cx.news.then_some(node.cx.now.elapsed),
        act: |node| node.peers.has_news(&mut node.cx),
    },
    Recurring {
        due: |node| Some(node.peers.own_record.due()),
        act: Node::refresh_own_record,
    },
    Recurring {
        due: |node| node.peers.news_due(),
        act: |node| node.peers.tell_news(&mut node.cx),
    },
    Recurring {
        due: |node| {
            node.peers
                .trim_due(&node.cx, |link| node.changes.forwarding.need(link))
        },
        act: |node| {
            node.peers
                .trim_if_due(&mut node.cx, |link| node.changes.forwarding.need(link));
        },
    },
    Recurring {
        due: dial_due,
        act: |node| {
            node.peers
                .dial_if_due(&mut node.cx, |link| node.changes.forwarding.need(link));
        },
    },
    Recurring {
        due: |node| node.cx.timers.save_book,
        act: |node| node.peers.save_book_if_due(&mut node.cx),
    },
    Recurring {
        due: |node| fold_due(&node.cx),
        act: |node| node.local.fold_if_due(&mut node.cx, &mut node.store),
    },
];

fn exchange_due(node: &Node) -> Option<Duration> {
    let overflowed = node.peers.links().filter(|link| link.overflowed);
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
