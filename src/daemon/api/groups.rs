//! The groups of the fleet over REST: how one is named, and removed.
//!
//! Whether a group may go is for the node to say; here it is only seen to that a name is one.

use super::{HttpResponse, note, only, query};
use crate::daemon::gate::HttpRequest;
use crate::limits::NAME_MAX;
use crate::model::name::is_name;
use crate::node::ask::Command;

/// The name of a group. One that cannot be must not pass for the own group.
pub(super) fn name(name: &str) -> Result<String, HttpResponse> {
    if is_name(name) {
        return Ok(name.to_owned());
    }
    let detail =
        format!("expected 1 to {NAME_MAX} letters, digits, -, _ and ., not beginning with a dot");
    Err(HttpResponse::error(
        400,
        "That is no name of a group.",
        &detail,
    ))
}

/// `DELETE /fleet/groups/NAME`
pub(super) fn remove(request: &HttpRequest, group: &str) -> Result<Command, HttpResponse> {
    only("DELETE", request)?;
    let force = query(request, "force").is_some();
    Ok(Command::RemoveGroup {
        name: name(group)?,
        force,
        note: note(request)?,
    })
}
