//! Refusals that several kinds of changes have in common: guarded by another revision, no room, a
//! host that is not in step, a disk that hangs, and others that are always quicker.

use crate::model::record::RecordId;
use crate::node::answer::Answer;
use crate::node::refusal::FleetState;

/// RFC 9110, section 13.1.1: `*`, or a list of entity tags of which a strong one must be the
/// head's.
pub(in crate::node) fn check_if_match(
    header: Option<&str>,
    head: Option<RecordId>,
) -> Result<(), Answer> {
    let Some(header) = header else { return Ok(()) };
    let matches = match head {
        None => false,
        Some(_) if header.trim() == "*" => true,
        Some(head) => header
            .split(',')
            .any(|tag| tag.trim() == format!("\"{head}\"")),
    };
    let is_tag = header.contains('"') || header.trim() == "*";
    if matches {
        Ok(())
    } else {
        Err(FleetState::HasMoved { is_tag }.at(head).into())
    }
}
