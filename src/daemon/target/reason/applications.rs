//! What keeps an application from starting: its user, or a path that it is told, is not on this
//! host.
//!
//! Whether a module of the server, or of the application's language, is there cannot be told from
//! outside.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::daemon::system::{GROUPS, USERS, beginning};
use crate::limits::{ACCOUNTS_MAX, APPLICATIONS_LOOKED_AT_MAX};
use crate::model::json::{Map, Value};

/// Adds to `found` what these applications lack on this host.
pub(super) fn examine(applications: &[(&str, &Map<String, Value>)], found: &mut Vec<String>) {
    for (name, application) in applications.iter().take(APPLICATIONS_LOOKED_AT_MAX) {
        let mut say = |what: String| found.push(format!("application \"{name}\": {what}"));
        for (member, file) in [("user", USERS), ("group", GROUPS)] {
            let missing = text(application, member)
                .filter(|account| is_missing_account(account, &beginning(file, ACCOUNTS_MAX)));
            missing
                .into_iter()
                .for_each(|account| say(format!("{member} \"{account}\" is not in {file}")));
        }
        // Another root has other paths.
        if application
            .get("isolation")
            .and_then(|isolation| isolation.get("rootfs"))
            .is_none()
        {
            let missing = paths(application)
                .into_iter()
                .filter(|(_, path)| does_not_exist(path));
            missing.for_each(|(member, path)| {
                say(format!("\"{member}\": {} does not exist", path.display()))
            });
        }
    }
}

fn text<'a>(object: &'a Map<String, Value>, member: &str) -> Option<&'a str> {
    object.get(member)?.as_str()
}

/// Whether no line begins with that name. A file that cannot be read names nobody, and says
/// nothing.
fn is_missing_account(name: &str, accounts: &str) -> bool {
    let has = |line: &str| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(':'))
    };
    !accounts.is_empty() && (accounts.len() as u64) < ACCOUNTS_MAX && !accounts.lines().any(has)
}

/// The paths that an application is told, each with the member that names it; only such as mean the
/// same to everybody.
fn paths(application: &Map<String, Value>) -> Vec<(&'static str, PathBuf)> {
    let home = text(application, "working_directory").unwrap_or_default();
    let mut paths = Vec::new();
    let mut add = |member: &'static str, base: &str, path: &str| {
        let path = Path::new(base).join(path);
        if path.is_absolute() {
            paths.push((member, path));
        }
    };
    for member in PATHS {
        let value = application.get(member);
        let several = value
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        value
            .and_then(Value::as_str)
            .into_iter()
            .chain(several)
            .for_each(|path| add(member, home, path));
    }
    let kind = text(application, "type").unwrap_or_default();
    let base = if kind.starts_with("php") {
        text(application, "root").unwrap_or_default()
    } else {
        home
    };
    if let Some(script) = text(application, "script") {
        add("script", base, script);
    }
    let targets = application
        .get("targets")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    for (_, target) in targets {
        if let Some(root) = target.get("root").and_then(Value::as_str) {
            add("root", home, root);
        }
    }
    paths
}

/// Whether that is sure: one that may not be looked at may be there.
fn does_not_exist(path: &Path) -> bool {
    let error = fs::metadata(path).err().map(|error| error.kind());
    matches!(
        error,
        Some(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
    )
}

/// The members that are a path, or a list of paths.
const PATHS: [&str; 7] = [
    "working_directory",
    "executable",
    "path",
    "root",
    "home",
    "webapp",
    "component",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json;

    fn found(application: &str) -> Vec<String> {
        let value = json::parse(application.as_bytes()).unwrap();
        let mut found = Vec::new();
        examine(&[("a", value.as_object().unwrap())], &mut found);
        found
    }

    #[test]
    fn accounts_are_looked_for_by_their_whole_name() {
        let accounts = "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/:/bin/false\n";
        assert!(!is_missing_account("www-data", accounts) && !is_missing_account("root", accounts));
        assert!(is_missing_account("www", accounts) && is_missing_account("x", accounts));
        assert!(!is_missing_account("anybody", ""), "it could not be read");
        assert_eq!(
            found(r#"{"user":"nobody-at-all","group":"none-at-all"}"#),
            [
                "application \"a\": user \"nobody-at-all\" is not in /etc/passwd",
                "application \"a\": group \"none-at-all\" is not in /etc/group"
            ]
        );
        assert!(found(r#"{"user":"root","group":"root"}"#).is_empty());
    }

    #[test]
    fn paths_that_are_not_here_are_named_with_the_member_that_names_them() {
        for (application, expected) in [
            (
                r#"{"type":"python","path":"/no/where","module":"wsgi"}"#,
                r#""path": /no/where does not exist"#,
            ),
            (
                r#"{"type":"python 3","path":["/","/no/where"]}"#,
                r#""path": /no/where does not exist"#,
            ),
            (
                r#"{"type":"external","executable":"/no/app"}"#,
                r#""executable": /no/app does not exist"#,
            ),
            (
                r#"{"type":"external","working_directory":"/tmp","executable":"no/app"}"#,
                r#""executable": /tmp/no/app does not exist"#,
            ),
            (
                r#"{"type":"php","root":"/tmp","script":"no.php"}"#,
                r#""script": /tmp/no.php does not exist"#,
            ),
            (
                r#"{"type":"php","targets":{"t":{"root":"/no/root"}}}"#,
                r#""root": /no/root does not exist"#,
            ),
            (
                r#"{"type":"ruby","script":"/etc/passwd/config.ru"}"#,
                r#""script": /etc/passwd/config.ru does not exist"#,
            ),
        ] {
            assert_eq!(
                found(application),
                [format!("application \"a\": {expected}")]
            );
        }
        for silent in [
            r#"{"type":"external","executable":"no/app"}"#,
            r#"{"type":"external","executable":"/no/app","isolation":{"rootfs":"/no"}}"#,
            r#"{"type":"php","root":"/tmp"}"#,
            r#"{"type":"java 17","module":"/no"}"#,
            r#"{"type":1,"path":{"a":1},"targets":[1]}"#,
        ] {
            assert!(found(silent).is_empty(), "{silent}");
        }
    }
}
