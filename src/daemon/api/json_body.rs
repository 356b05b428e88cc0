//! What responses in JSON have alike.
//!
//! Bodies end with CRLF and are indented as Unit indents them.

use crate::daemon::http::HttpResponse;
use crate::model::json::{self, Value};
use crate::model::record::RecordId;

/// A response with this value, printed as Unit prints JSON.
pub(in crate::daemon) fn json_response(status: u16, value: &Value) -> HttpResponse {
    HttpResponse {
        status,
        headers: vec![json_type()],
        body: json::unit_format(value).into_bytes(),
    }
}

/// The header that says that a body is JSON.
pub(in crate::daemon) fn json_type() -> (String, String) {
    ("Content-Type".into(), "application/json".into())
}

/// The header that names the revision which the server runs, if it runs one.
pub(in crate::daemon) fn applied_header(applied: Option<RecordId>) -> Option<(String, String)> {
    applied.map(|applied| ("Starling-Applied".into(), applied.to_string()))
}
