//! What one part of a node has to say to the parts above it.
//!
//! A part calls those below it and is handed what it needs of them; to those above it speaks by
//! events. The node passes each on, in the order in which they were told, before the next thing
//! begins: see `route`.

use std::sync::Arc;

use super::input::LinkId;
use crate::model::revision::Revision;
use crate::node::refusal::Denial;

/// Something that happened in one part and concerns others.
pub(super) enum Event {
    /// A link was admitted. With whether this host dialled, for that side begins to compare.
    Linked(LinkId, bool),
    /// A link has ended.
    Unlinked(LinkId),
    /// The peer of a link has no room for it, and has begun nothing that it was asked for.
    TurnedAway(LinkId),
    /// What the peer of a link said while it waited was not heard: this side begins to compare.
    Unheard(LinkId),
    /// A link's peer is told how many others this host is linked with.
    Degree(LinkId),
    /// A whole revision is here, from this link or by this host.
    Revision(Option<LinkId>, Arc<Revision>),
    /// More is known of the time, or of what is held: heads may be dated too far ahead.
    Heads,
    /// Another peer's clock was heard of, and this link has brought what was passed over: it is
    /// compared with again.
    PassedOver(LinkId),
    /// All that a link had to bring may be here, so that its peer can be believed.
    Whole(LinkId),
    /// What the server runs past Starling is to be published.
    Adopt,
    /// What came of that.
    AdoptionEnded(Adoption),
    /// The server could not be looked at.
    LookedInVain,
    /// The server is another than it was when it was looked at for a change.
    LookAgain,
    /// The next change cannot be made, for this reason.
    Deny(Denial),
    /// The revision in hand did not come to the server, for this reason.
    NotTried(Denial),
    /// A server was not given the head for the client who wanted that, for this reason.
    NotInStep(Denial),
}

/// What came of publishing what somebody had changed on the server. With why not, in words.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Adoption {
    /// The change is published, or the head has it already.
    Published,
    /// Something stands in the way for now.
    Delayed(String),
    /// The change cannot be published, as long as the server and the head are what they are.
    Impossible(String),
}
