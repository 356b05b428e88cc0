//! Refusals that several kinds of changes have in common: guarded by another revision, no room, a
//! host that is not in step, a disk that hangs, and others that are always quicker.

use crate::model::record::RecordId;
use crate::node::answer::{Answer, Problem};
use crate::node::store::places::all_places_taken;
use crate::node::store::storing::hanging;

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
    let detail = match header.contains('"') || header.trim() == "*" {
        true => "the ETag given is not that of the present revision",
        false => "If-Match has no ETag in it: one stands in quotes",
    };
    if matches {
        Ok(())
    } else {
        Err(Problem::new(412, "The document has changed.", detail)
            .at(head)
            .into())
    }
}

/// Why a host changes nothing that is the fleet's.
pub(in crate::node) fn not_in_step() -> Problem {
    let detail = "it takes changes once it has completed an exchange with a host that is";
    Problem::new(503, "This host is not in step with its fleet yet.", detail)
}

/// Why nothing is written to a group that has no head: the others would not keep it.
pub(in crate::node) fn no_room() -> Problem {
    Problem::new(
        503,
        "There is no room for one more group.",
        format!("others would not keep it: {}", all_places_taken()),
    )
}

/// How a change is answered while the disk hangs.
pub(in crate::node) fn not_stored() -> Problem {
    Problem::new(507, "The change cannot be stored.", hanging())
}

/// The answer to a change that never had a word in.
pub(in crate::node) fn others_are_changing() -> Problem {
    Problem::new(
        503,
        "Others are changing the document too.",
        "try again in a moment",
    )
}
