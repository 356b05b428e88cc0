//! `If-Match`: whether a change was made for the head that it meets (RFC 9110, section 13.1.1).
//!
//! Only the tags of the header are compared here; when it is looked at, and again, is for those who
//! make the change to say.

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
