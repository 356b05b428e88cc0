//! The body of an answer that refuses something, as Unit writes it: `{"error": "…", "detail":
//! "…"}`, and perhaps more.
//!
//! Every such body is printed and read here. What of it is shown to whom is for the caller to say:
//! nothing is cut or made harmless.

use super::json::{self, Map, Value, object};

/// The members of such a body: `error` is a sentence, and `detail` what else is to be said; left
/// out if it is empty.
pub fn members(error: &str, detail: &str) -> Map<String, Value> {
    let mut members = object! { "error": error };
    if !detail.is_empty() {
        members.extend(object! { "detail": detail });
    }
    members
}

/// The body itself, in Unit's formatting.
pub fn print(error: &str, detail: &str) -> Vec<u8> {
    json::unit_format(&members(error, detail).into()).into_bytes()
}

/// What such a body says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorBody {
    /// What is wrong, as the server put it.
    pub error: String,
    /// What else it said, if it said more.
    pub detail: Option<String>,
}

impl ErrorBody {
    /// Reads a body that [`print`] or a server wrote; `None` if it is anything else.
    pub fn read(body: &[u8]) -> Option<Self> {
        let value = json::parse_own(body).ok()?;
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            error: text("error")?,
            detail: text("detail"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_back() {
        let body = |error: &str, detail: Option<&str>| ErrorBody {
            error: error.to_owned(),
            detail: detail.map(str::to_owned),
        };
        assert_eq!(
            ErrorBody::read(&print("No \"x\".", "why")),
            Some(body("No \"x\".", Some("why")))
        );
        assert_eq!(ErrorBody::read(&print("No.", "")), Some(body("No.", None)));
        assert_eq!(print("No.", ""), b"{\r\n\t\"error\": \"No.\"\r\n}\r\n");
        for other in [&b"{}"[..], b"", b"[]", b"{\"error\": 1}", b"<html>"] {
            assert_eq!(ErrorBody::read(other), None);
        }
    }
}
