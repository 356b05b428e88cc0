//! A conflict as it is shown to people: whose edit it was, what it wanted, and whether the head
//! lists it. How certificates in it are shown is for whoever spells it.

use crate::node::answer::views::ConflictView;
use crate::node::peers::Peers;
use crate::node::store::conflicts::Shown;

pub(in crate::node) fn conflict_view(peers: &Peers, shown: Shown) -> ConflictView {
    let Shown {
        edit,
        conflict,
        open,
    } = shown;
    ConflictView {
        edit,
        author_name: conflict.author.map(|author| peers.roster.name(&author)),
        conflict,
        is_open: open,
    }
}
