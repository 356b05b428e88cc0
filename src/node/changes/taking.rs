//! How a revision is taken in, wherever it comes from.
//!
//! Here several parts are dealt with in a row, in an order that matters: see
//! [`Below::take_revision`]. What changes are in the making learns of it only at its next turn.

use std::sync::Arc;

use crate::limits::REBASE_JITTER;
use crate::model::ledger::Standing;
use crate::model::revision::Revision;
use crate::node::changes::Below;
use crate::node::input::LinkId;
use crate::node::store::replica::Taken;

impl Below<'_> {
    /// Takes a revision in, passes it on and stores it as far as it changes what is kept. A new
    /// head is dealt with in this order:
    ///
    /// 1. It is held, so that nothing which follows sees another.
    /// 2. It is flooded: others wait for it, and what follows may take this host a while.
    /// 3. What it does not contain is read back and asked about, for that is to be made again.
    /// 4. The server is to run it: that only marks it as desired, and the job comes at the end of
    ///    the turn.
    /// 5. It is stored. That a revision from elsewhere is on the disk was promised to nobody, and a
    ///    full disk keeps it from nobody.
    /// 6. What waited for it goes on, edits are looked at again, and what is too old is let go,
    ///    which needs all of the above.
    pub(in crate::node) fn take_revision(&mut self, from: Option<LinkId>, revision: Arc<Revision>) {
        let Self {
            cx,
            peers,
            store,
            exchange,
            local,
        } = self;
        store.replica.judge_by(peers.bound_ms(cx));
        exchange.missing.remove(&revision.id());
        let group = revision.record.header.key.clone();
        let taken = store.replica.take(Arc::clone(&revision), cx.now.elapsed);
        let ours = group == cx.setup.group;
        store.note_received(&revision, cx.now.wall_ms);
        store.numbers.use_up(cx, &revision.record);
        if !matches!(taken, Taken::Stale | Taken::NoRoom) {
            store.note_held(revision.id());
        }
        match taken {
            Taken::Head(was) => {
                exchange.flood_revision(cx, peers, store, from, &revision);
                store.read_uncontained(cx, &group);
                if was
                    .as_ref()
                    .is_some_and(|was| revision.standing(&was.edit_ref()) != Standing::In)
                {
                    peers.is_unsure_again();
                }
                if let Some(from) = from {
                    exchange.ask_about_edits(cx, peers, store, from);
                }
                match ours {
                    _ if revision.is_removal() => {
                        exchange.group_goes(cx, peers, store, &revision);
                    }
                    true => local.head_moved(cx, peers, was.as_deref(), &revision, from.is_some()),
                    false => {}
                }
            }
            Taken::Uncontained => exchange.flood_revision(cx, peers, store, from, &revision),
            Taken::History => {}
            Taken::Stale => {
                if let Some(from) = from {
                    exchange.offer_head(cx, peers, store, from, &group);
                }
                return;
            }
            Taken::Held => return,
            Taken::NoRoom => {
                exchange.pull_settled(cx, &revision.id());
                return store.prune(cx, peers, &group);
            }
        }
        if from.is_some() {
            store.store(cx, &revision);
        }
        exchange.pull_settled(cx, &revision.id());
        if ours {
            cx.rebase_soon(REBASE_JITTER);
        }
        store.prune(cx, peers, &group);
    }
}
