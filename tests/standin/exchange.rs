//! HTTP as unitd speaks it: one request a connection, a head of at most 1024 bytes, chunks not
//! decoded, no word to the malformed.

use std::io::{self, Read, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use starlingd::model::json::{self, JsonError, Map, Value};

/// A request as far as unitd looks at it.
pub struct Request {
    pub method: String,
    pub target: String,
    pub body: Vec<u8>,
}

/// A status and a body.
pub struct Answer {
    status: u16,
    body: String,
}

impl Answer {
    /// 200 with `value`.
    pub fn listing(value: &Value) -> Self {
        Self {
            status: 200,
            body: json::unit_format(value),
        }
    }

    /// 200 with a sentence.
    pub fn success(text: &str) -> Self {
        Self {
            status: 200,
            body: json::unit_format(&object([("success", text.into())])),
        }
    }

    /// An error with a sentence.
    pub fn error(status: u16, text: &str) -> Self {
        Self {
            status,
            body: json::unit_format(&object([("error", text.into())])),
        }
    }

    /// 400: a body that is no JSON.
    pub fn invalid_json(error: &JsonError) -> Self {
        let location = object([
            ("offset", error.offset.into()),
            ("line", error.line.into()),
            ("column", error.column.into()),
        ]);
        let detail = Value::from(error.detail.to_string());
        let body = object([
            ("error", "Invalid JSON.".into()),
            ("detail", detail),
            ("location", location),
        ]);
        Self {
            status: 400,
            body: json::unit_format(&body),
        }
    }

    /// 400: JSON that is no configuration; FreeUnit says where, too.
    pub fn invalid_configuration(detail: &str, at: Option<&str>) -> Self {
        let mut body = object([
            ("error", "Invalid configuration.".into()),
            ("detail", detail.into()),
        ]);
        if let (Some(at), Value::Object(members)) = (at, &mut body) {
            members.insert("location".to_owned(), object([("path", at.into())]));
        }
        Self {
            status: 400,
            body: json::unit_format(&body),
        }
    }

    /// 400: a source that is no module.
    pub fn invalid_module(detail: &str) -> Self {
        let body = object([
            ("error", "Invalid JS module.".into()),
            ("detail", detail.into()),
        ]);
        Self {
            status: 400,
            body: json::unit_format(&body),
        }
    }
}

/// `None`: close without a word.
pub fn read(stream: &mut impl Read) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        more(stream, &mut bytes)?;
        match bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            Some(at) if at + 4 <= HEAD_MAX => break at,
            None if bytes.len() < HEAD_MAX => {}
            _ => return None,
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    // What came in the same packet belongs to the body even if no length says so.
    let mut body = bytes.split_off(end + 4);
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let sound = !method.is_empty()
        && method.bytes().all(|byte| byte.is_ascii_uppercase())
        && target.starts_with('/');
    if !sound || !matches!(version, "HTTP/1.0" | "HTTP/1.1") || words.next().is_some() {
        return None;
    }
    let mut length = 0;
    for line in lines {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse::<usize>().ok()?;
        }
    }
    while body.len() < length {
        more(stream, &mut body)?;
    }
    Some(Request {
        method: method.to_owned(),
        target: target.to_owned(),
        body,
    })
}

fn more(stream: &mut impl Read, bytes: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 16384];
    loop {
        match stream.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return None,
            Ok(count) => {
                bytes.extend_from_slice(&chunk[..count]);
                return Some(());
            }
        }
    }
}

/// Writes the answer, but of its body no more than `cut` bytes.
pub fn write(
    stream: &mut impl Write,
    version: &str,
    answer: &Answer,
    cut: usize,
) -> io::Result<()> {
    let reason = match answer.status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        _ => "Internal Server Error",
    };
    let (status, body, date) = (answer.status, answer.body.as_bytes(), date());
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\nServer: Unit/{version}\r\nDate: {date}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body[..body.len().min(cut)])
}

/// `Sun, 22 Nov 2026 12:45:58 GMT`.
fn date() -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (days, second) = (now / 86_400, now % 86_400);
    // The Gregorian calendar, in years that begin in March (Hinnant, "chrono-Compatible Low-Level
    // Date Algorithms").
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12;
    let year = era * 400 + year_of_era + u64::from(month < 2);
    let weekday = DAYS[usize::try_from(days % 7).expect("below seven")];
    let month = MONTHS[usize::try_from(month).expect("below twelve")];
    format!(
        "{weekday}, {day:02} {month} {year} {:02}:{:02}:{:02} GMT",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// An object with these members.
pub fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(
        members
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect::<Map<String, Value>>(),
    )
}

const HEAD_MAX: usize = 1024;
/// 1 January 1970 was a Thursday.
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
