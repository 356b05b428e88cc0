//! What a denial comes to: what became of the document, and whether trying again helps.
//!
//! Both are asked of the value, never of a status code or of a sentence.

use crate::model::record::RecordId;
use crate::node::refusal::{
    Aftermath, Denial, DiskFault, FleetState, LimitReached, Obstacle, ServerFault,
};

impl From<DiskFault> for Denial {
    fn from(fault: DiskFault) -> Self {
        Self {
            obstacle: Obstacle::Disk(fault),
            head: None,
        }
    }
}

impl Denial {
    /// The same, naming the head that the request met.
    pub fn at(mut self, head: Option<RecordId>) -> Self {
        self.head = head;
        self
    }

    /// What became of the document.
    pub fn aftermath(&self) -> Aftermath {
        match self.obstacle {
            Obstacle::Fleet(FleetState::Unanswered(_))
            | Obstacle::Disk(DiskFault::Silent { .. }) => Aftermath::Unknown,
            Obstacle::Disk(DiskFault::OnlyPublished { .. }) => Aftermath::Changed,
            _ => Aftermath::Unchanged,
        }
    }

    /// Whether what stands in the way may go away by itself, so that trying again helps.
    pub fn passes(&self) -> bool {
        match &self.obstacle {
            Obstacle::Request(_) => false,
            Obstacle::Fleet(state) => matches!(
                state,
                FleetState::NotInStep
                    | FleetState::OthersAreChanging
                    | FleetState::Unlisted { .. }
                    | FleetState::Fetching { .. }
                    | FleetState::Unreachable { .. }
            ),
            Obstacle::Server(fault) => matches!(
                fault,
                ServerFault::Unreachable { .. }
                    | ServerFault::Untouched { .. }
                    | ServerFault::OverlayUnknown { .. }
                    | ServerFault::Unseen { .. }
                    | ServerFault::OffHead { refuses: false, .. }
            ),
            Obstacle::Disk(fault) => matches!(
                fault,
                DiskFault::NotStored { .. }
                    | DiskFault::BeforeNotKept { .. }
                    | DiskFault::DriftNotKept { .. }
                    | DiskFault::NotAcknowledged { .. }
            ),
            Obstacle::Limit(limit) => matches!(
                limit,
                LimitReached::StateFull
                    | LimitReached::ChangesWaiting
                    | LimitReached::FilesBeingRead
                    | LimitReached::RevisionsBeingRead
                    | LimitReached::GroupsKept { .. }
            ),
        }
    }
}
