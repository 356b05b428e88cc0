//! `show --effective`: what this host's server is given, and what of it is this host's own.
//!
//! The configuration comes last and as Unit prints it, so that it can be cut off and sent
//! somewhere.

use std::fmt::Write;

use super::asking::Daemon;
use super::failure::CommandError;
use super::output;
use super::page::{short, text};
use crate::daemon::logger::one_line;
use crate::model::json::{self, Value};

/// Prints the effective document of this host.
pub(super) fn print(daemon: &Daemon, as_json: bool) -> Result<(), CommandError> {
    let answer = daemon.get("/fleet/effective")?;
    output::print(&if as_json {
        answer.json_text()
    } else {
        page(&answer.json()?)
    })
}

fn page(view: &Value) -> String {
    let mut page = String::new();
    let of = match view["revision"].is_string() {
        true => format!("revision {}", short(view, "/revision")),
        false => "no revision yet".to_owned(),
    };
    let _ = writeln!(page, "group {}, {of}", one_line(&text(view, "/group")));
    for kind in ["certificates", "js_modules"] {
        let names = list(view, kind)
            .filter_map(Value::as_str)
            .map(one_line)
            .collect::<Vec<_>>();
        if !names.is_empty() {
            let _ = writeln!(page, "{}: {}", kind.replace('_', " "), names.join(", "));
        }
    }
    for place in list(view, "overlay").filter_map(Value::as_str) {
        let _ = writeln!(page, "overlay at {}", one_line(place));
    }
    for used in list(view, "variables") {
        let [path, name, value] =
            ["/path", "/name", "/value"].map(|member| one_line(&text(used, member)));
        let _ = writeln!(page, "${{starling.{name}}} at {path} is {value}");
    }
    page + &json::unit_format(&view["config"]).replace("\r\n", "\n")
}

fn list<'a>(view: &'a Value, member: &str) -> impl Iterator<Item = &'a Value> {
    view[member].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_what_comes_from_where_and_ends_with_the_configuration() {
        let view = r#"{"group":"default","revision":"0123456789abcdef","overlay":["/config/a"],
            "variables":[{"path":"/config/b","name":"name","value":"gull"}],"certificates":["shop"],"js_modules":[],
            "config":{"a":1,"b":"gull"}}"#;
        let page = page(&json::parse_own(view.as_bytes()).unwrap());
        let expected = "group default, revision 01234567\ncertificates: shop\noverlay at /config/a\n\
                        ${starling.name} at /config/b is gull\n{\n\t\"a\": 1,\n\t\"b\": \"gull\"\n}\n";
        assert_eq!(page, expected);
    }
}
