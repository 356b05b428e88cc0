//! As much of unitd's own validation as was observed: what it refuses with a detail, and what only
//! fails when it is to run.

use std::collections::BTreeMap;

use starlingd::model::json::{Map, Value};

use super::certificate::Certificate;
use super::config::{find, tokens};

/// What a configuration may name beside itself.
pub struct Named {
    pub certificates: Vec<String>,
    pub modules: Vec<String>,
}

/// Why a configuration is refused.
pub struct Refusal {
    /// Where, as FreeUnit says it besides: a JSON pointer.
    pub at: String,
    /// The detail of "Invalid configuration.".
    pub detail: String,
    /// FreeUnit's, where it checks something before that.
    pub freeunit: Option<String>,
}

/// `None` if there is nothing to refuse.
pub fn refusal(config: &Value, named: &Named) -> Option<Refusal> {
    let Value::Object(members) = config else {
        return refused(
            &[],
            format!(
                "The configuration must be an object, but not {}.",
                article(config)
            ),
        );
    };
    members
        .iter()
        .find_map(|(name, value)| member(config, named, name, value))
}

fn refused(at: &[&str], detail: String) -> Option<Refusal> {
    let at = at
        .iter()
        .map(|token| format!("/{}", token.replace('~', "~0").replace('/', "~1")))
        .collect();
    Some(Refusal {
        at,
        detail,
        freeunit: None,
    })
}

fn member(config: &Value, named: &Named, name: &str, value: &Value) -> Option<Refusal> {
    let (kinds, sound) = match name {
        "settings" | "listeners" | "applications" | "upstreams" => ("an object", value.is_object()),
        "routes" => (
            "an array or an object",
            value.is_array() || value.is_object(),
        ),
        "access_log" => (
            "a string or an object",
            value.is_string() || value.is_object(),
        ),
        _ => return refused(&[name], format!("Unknown parameter \"{name}\".")),
    };
    if !sound {
        return refused(
            &[name],
            format!(
                "The \"{name}\" value must be {kinds}, but not {}.",
                article(value)
            ),
        );
    }
    let Value::Object(members) = value else {
        return None;
    };
    match name {
        "listeners" => members
            .iter()
            .find_map(|(address, value)| listener(config, named, address, value)),
        "applications" => members
            .iter()
            .find_map(|(name, value)| application(name, value)),
        "settings" => missing(
            members.get("js_module")?,
            "JS module",
            &named.modules,
            &["settings", "js_module"],
        ),
        _ => None,
    }
}

fn listener(config: &Value, named: &Named, address: &str, value: &Value) -> Option<Refusal> {
    let at = ["listeners", address];
    if !is_address(address) {
        return refused(
            &at,
            format!("The listener address \"{address}\" is invalid."),
        );
    }
    let Value::Object(listener) = value else {
        return refused(
            &at,
            format!(
                "The \"{address}\" value must be an object, but not {}.",
                article(value)
            ),
        );
    };
    if let Some(Value::String(pass)) = listener.get("pass")
        && !leads_somewhere(config, pass)
    {
        let detail = format!("Request \"pass\" points to invalid location \"{pass}\".");
        return refused(&["listeners", address, "pass"], detail);
    }
    let at = ["listeners", address, "tls", "certificate"];
    missing(
        listener.get("tls")?.get("certificate")?,
        "Certificate",
        &named.certificates,
        &at,
    )
}

/// One name, or several.
fn missing(value: &Value, what: &str, known: &[String], at: &[&str]) -> Option<Refusal> {
    let (index, name) = names(value)
        .into_iter()
        .enumerate()
        .find(|(_, name)| !known.iter().any(|known| known == name))?;
    let empty = || {
        format!(
            "The \"{}\" value must not be empty.",
            at.last().copied().unwrap_or_default()
        )
    };
    let index = value.is_array().then(|| index.to_string());
    let at: Vec<&str> = at.iter().copied().chain(index.as_deref()).collect();
    let refusal = refused(&at, format!("{what} \"{name}\" is not found."))?;
    Some(Refusal {
        freeunit: name.is_empty().then(empty),
        ..refusal
    })
}

fn names(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        name => name.as_str().into_iter().collect(),
    }
}

/// The certificates that a configuration names.
pub fn certificates(config: &Value) -> Vec<&str> {
    let listeners = config.get("listeners").and_then(Value::as_object);
    let named = |listener: &'_ Value| {
        listener
            .get("tls")
            .and_then(|tls| tls.get("certificate"))
            .is_some()
    };
    let listeners = listeners
        .into_iter()
        .flat_map(Map::values)
        .filter(|listener| named(listener));
    listeners
        .flat_map(|listener| names(&listener["tls"]["certificate"]))
        .collect()
}

/// The modules that it names.
pub fn modules(config: &Value) -> Vec<&str> {
    config
        .get("settings")
        .and_then(|settings| settings.get("js_module"))
        .map(names)
        .unwrap_or_default()
}

fn is_address(address: &str) -> bool {
    if let Some(path) = address.strip_prefix("unix:") {
        return !path.is_empty();
    }
    let Some((host, port)) = address.rsplit_once(':') else {
        return false;
    };
    let host_is =
        host == "*" || host.parse::<std::net::Ipv4Addr>().is_ok() || host.starts_with('[');
    host_is && port.parse::<u16>().is_ok_and(|port| port > 0)
}

fn leads_somewhere(config: &Value, pass: &str) -> bool {
    // A pass with variables is looked up when a request comes.
    let Some(tokens) = tokens(pass) else {
        return false;
    };
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    pass.contains('$')
        || match tokens.as_slice() {
            ["routes"] => find(config, &["routes"]).is_some_and(Value::is_array),
            ["routes", _] => {
                find(config, &tokens).is_some()
                    && find(config, &["routes"]).is_some_and(Value::is_object)
            }
            ["applications", name, ..] => find(config, &["applications", name]).is_some(),
            ["upstreams", _] => find(config, &tokens).is_some(),
            _ => false,
        }
}

fn application(name: &str, value: &Value) -> Option<Refusal> {
    let kind = value.get("type")?.as_str()?;
    if KINDS.iter().any(|known| kind.starts_with(known)) {
        return None;
    }
    let detail = format!(
        "The module to run \"{kind}\" is not found among the available application modules."
    );
    refused(&["applications", name, "type"], detail)
}

/// Whether what is valid fails all the same when it is to run, which depends on the host, and on
/// what has run so far.
pub fn cannot_run(
    config: &Value,
    so_far: &Value,
    certificates: &BTreeMap<String, Certificate>,
) -> bool {
    let none = Map::new();
    let members = |name: &str| config.get(name).and_then(Value::as_object).unwrap_or(&none);
    let listener = |(address, value): (&String, &Value)| {
        // unitd never takes away what is in the place of a socket, not even a socket that a crash
        // left there.
        let is_new = so_far
            .get("listeners")
            .is_none_or(|listeners| listeners.get(address).is_none());
        let is_left = address
            .strip_prefix("unix:")
            .is_some_and(|path| is_new && std::fs::symlink_metadata(path).is_ok());
        is_left
            || address.starts_with(FOREIGN_HOST)
            || address.ends_with(BUSY_PORT)
            || value.get("pass").is_none()
    };
    let misfit = |name: &str| {
        certificates
            .get(name)
            .is_some_and(|certificate| !certificate.fits)
    };
    members("listeners").iter().any(listener)
        || self::certificates(config).into_iter().any(misfit)
        || members("applications")
            .values()
            .any(|value| value.get("module").and_then(Value::as_str) == Some(MISSING_MODULE))
}

fn article(value: &Value) -> &'static str {
    match value {
        Value::Null => "a null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.as_str().contains(['.', 'e', 'E']) => "a number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// What the recorded server had modules for; a version may follow.
const KINDS: [&str; 2] = ["python", "external"];
/// An address that the recorded host did not have,
const FOREIGN_HOST: &str = "10.9.8.7:";
/// a port that was taken there,
const BUSY_PORT: &str = ":8439";
/// and a module that was not there.
const MISSING_MODULE: &str = "nope";
