//! As much of unitd's own validation as was observed: what it refuses with a detail, and what only fails when it is to run.

use starlingd::model::json::{Map, Value};

use super::config::{find, tokens};

/// The detail of "Invalid configuration.", if there is something to refuse.
pub fn detail(config: &Value) -> Option<String> {
    let Value::Object(members) = config else {
        return Some(format!("The configuration must be an object, but not {}.", article(config)));
    };
    members.iter().find_map(|(name, value)| member(config, name, value))
}

fn member(config: &Value, name: &str, value: &Value) -> Option<String> {
    let (kinds, sound) = match name {
        "settings" | "listeners" | "applications" | "upstreams" => ("an object", value.is_object()),
        "routes" => ("an array or an object", value.is_array() || value.is_object()),
        "access_log" => ("a string or an object", value.is_string() || value.is_object()),
        _ => return Some(format!("Unknown parameter \"{name}\".")),
    };
    if !sound {
        return Some(format!("The \"{name}\" value must be {kinds}, but not {}.", article(value)));
    }
    match (name, value) {
        ("listeners", Value::Object(listeners)) => listeners.iter().find_map(|(address, value)| listener(config, address, value)),
        ("applications", Value::Object(applications)) => applications.values().find_map(application),
        ("settings", Value::Object(settings)) => missing(settings.get("js_module")?, "JS module"),
        _ => None,
    }
}

fn listener(config: &Value, address: &str, value: &Value) -> Option<String> {
    if !is_address(address) {
        return Some(format!("The listener address \"{address}\" is invalid."));
    }
    let Value::Object(listener) = value else {
        return Some(format!("The \"{address}\" value must be an object, but not {}.", article(value)));
    };
    if let Some(Value::String(pass)) = listener.get("pass")
        && !leads_somewhere(config, pass)
    {
        return Some(format!("Request \"pass\" points to invalid location \"{pass}\"."));
    }
    missing(listener.get("tls")?.get("certificate")?, "Certificate")
}

/// No certificates and no modules are kept here yet, so each that is named is missing.
fn missing(named: &Value, what: &str) -> Option<String> {
    let name = match named {
        Value::Array(names) => names.first()?.as_str()?,
        name => name.as_str()?,
    };
    Some(format!("{what} \"{name}\" is not found."))
}

fn is_address(address: &str) -> bool {
    if let Some(path) = address.strip_prefix("unix:") {
        return !path.is_empty();
    }
    let Some((host, port)) = address.rsplit_once(':') else { return false };
    let host_is = host == "*" || host.parse::<std::net::Ipv4Addr>().is_ok() || host.starts_with('[');
    host_is && port.parse::<u16>().is_ok_and(|port| port > 0)
}

fn leads_somewhere(config: &Value, pass: &str) -> bool {
    // A pass with variables is looked up when a request comes.
    let Some(tokens) = tokens(pass) else { return false };
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    pass.contains('$')
        || match tokens.as_slice() {
            ["routes"] => find(config, &["routes"]).is_some_and(Value::is_array),
            ["routes", _] => find(config, &tokens).is_some() && find(config, &["routes"]).is_some_and(Value::is_object),
            ["applications", name, ..] => find(config, &["applications", name]).is_some(),
            ["upstreams", _] => find(config, &tokens).is_some(),
            _ => false,
        }
}

fn application(value: &Value) -> Option<String> {
    let kind = value.get("type")?.as_str()?;
    let known = KINDS.iter().any(|known| kind.starts_with(known));
    (!known).then(|| format!("The module to run \"{kind}\" is not found among the available application modules."))
}

/// Whether what is valid fails all the same when it is to run, which depends on the host.
pub fn cannot_run(config: &Value) -> bool {
    let none = Map::new();
    let members = |name: &str| config.get(name).and_then(Value::as_object).unwrap_or(&none);
    let listener = |(address, value): (&String, &Value)| {
        address.starts_with(FOREIGN_HOST) || address.ends_with(BUSY_PORT) || value.get("pass").is_none()
    };
    members("listeners").iter().any(listener)
        || members("applications").values().any(|value| value.get("module").and_then(Value::as_str) == Some(MISSING_MODULE))
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
