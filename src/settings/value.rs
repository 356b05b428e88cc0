//! The values of single settings, from their text. Each error is what was expected, for the
//! sentence "expected …, found …".
//!
//! Form only: no name is looked up, no path is tried, no port is opened, for what is not there now
//! may be there when it is needed. What depends on several settings at once is checked by the
//! caller.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use log::Level;

use super::daemon::{CONTROL_MODE, DriftChoice, Settings, UnitChoice};
use crate::limits::{self, HISTORY_KEPT_MAX, HISTORY_KEPT_MIN};
use crate::model::name::is_name;
use crate::wire::token::is_address;

/// What was expected.
pub(super) type Expected = &'static str;

/// A path; made of at least one character, so that "empty" can mean "not set".
pub(super) fn path(text: &str) -> Result<PathBuf, Expected> {
    match text {
        "" => Err("a path"),
        _ => Ok(PathBuf::from(text)),
    }
}

pub(super) fn socket_address(text: &str) -> Result<SocketAddr, Expected> {
    text.parse()
        .map_err(|_| "an address and a port such as 127.0.0.1:3000 or [::1]:3000")
}

/// `host:port`, where an IPv6 address stands in brackets; a link-local one may name its interface.
/// The name is not looked up: it may exist later.
pub(super) fn host_and_port(text: &str) -> Result<String, Expected> {
    let without_scope = match text
        .split_once('%')
        .map(|(address, rest)| (address, rest.split_once(']')))
    {
        Some((address, Some((scope, port))))
            if address.starts_with('[') && interface(scope).is_ok() =>
        {
            format!("{address}]{port}")
        }
        _ => text.to_owned(),
    };
    let is_good = is_address(&without_scope) && !text.starts_with(['-', '.']);
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
        .and_then(|(ip, _)| ip.parse::<Ipv6Addr>().ok());
    if is_good && bare.is_some_and(|ip| ip.is_unicast_link_local()) {
        return Err(
            "a link-local address with the interface that leads to it, such as [fe80::1%eth0]:7117",
        );
    }
    if is_good {
        Ok(text.to_owned())
    } else {
        Err("a host and a port such as gull:7117, 192.0.2.1:7117 or [2001:db8::1]:7117")
    }
}

pub(super) fn interface(text: &str) -> Result<String, Expected> {
    let is_fit = |c: char| c.is_ascii_graphic() && c != '/';
    let is_good =
        (1..=limits::INTERFACE_NAME_MAX).contains(&text.len()) && text.chars().all(is_fit);
    if is_good {
        Ok(text.to_owned())
    } else {
        Err("an interface's name such as eth0")
    }
}

pub(super) fn unit(text: &str) -> Result<UnitChoice, Expected> {
    let at_least_one = |rest: &str| !rest.is_empty();
    match text {
        "auto" => Ok(UnitChoice::Auto),
        "none" => Ok(UnitChoice::None),
        _ if text.starts_with('/') => Ok(UnitChoice::At(text.to_owned())),
        _ if text.strip_prefix("unix:").is_some_and(at_least_one) => {
            Ok(UnitChoice::At(text.to_owned()))
        }
        _ if text.strip_prefix("http://").is_some_and(is_authority) => {
            Ok(UnitChoice::At(text.to_owned()))
        }
        _ => Err("the absolute path of a control socket, http://HOST:PORT, auto or none"),
    }
}

/// `host:port`, and at most a slash behind it.
fn is_authority(text: &str) -> bool {
    let is_fit = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | '@' | '?' | '#');
    let is_host = |host: &str| {
        !host.is_empty() && host.chars().all(is_fit) && host.parse::<Ipv6Addr>().is_err()
    };
    let (host, port) = text
        .strip_suffix('/')
        .unwrap_or(text)
        .rsplit_once(':')
        .unwrap_or_default();
    is_host(host) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

pub(super) fn node_name(text: &str) -> Result<String, Expected> {
    let is_good =
        (1..=limits::NAME_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    if is_good {
        Ok(text.to_owned())
    } else {
        Err("a name of 1 to 63 bytes without control characters")
    }
}

/// A name that [`node_name`] takes, whatever the kernel says.
pub(super) fn host_name(kernel: &str) -> String {
    let mut name: String = kernel.trim().chars().filter(|c| !c.is_control()).collect();
    while name.len() > limits::NAME_MAX {
        name.pop();
    }
    if name.is_empty() {
        "unnamed".to_owned()
    } else {
        name
    }
}

pub(super) fn group(text: &str) -> Result<String, Expected> {
    if is_name(text) {
        Ok(text.to_owned())
    } else {
        Err("a group's name: 1 to 63 of A-Z a-z 0-9 . _ -, not beginning with a dot")
    }
}

/// A variable and its value, which may be empty and hold whatever it likes.
pub(super) fn variable(text: &str) -> Result<String, Expected> {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let named = text
        .split_once('=')
        .filter(|(name, _)| (1..=limits::VARIABLE_NAME_MAX).contains(&name.len()));
    let is_good = named.is_some_and(|(name, _)| name.bytes().all(is_fit));
    if is_good {
        Ok(text.to_owned())
    } else {
        Err("NAME=VALUE, the name 1 to 63 of A-Z a-z 0-9 . _ -")
    }
}

pub(super) fn drift(text: &str) -> Result<DriftChoice, Expected> {
    DRIFTS
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, drift)| *drift)
        .ok_or("report, repair or adopt")
}

pub(super) fn show_drift(settings: &Settings) -> String {
    DRIFTS
        .iter()
        .filter(|(_, drift)| *drift == settings.drift)
        .map(|(name, _)| (*name).to_owned())
        .collect()
}

/// How many older revisions are kept.
pub(super) fn history(text: &str) -> Result<usize, Expected> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    let count = text
        .parse()
        .ok()
        .filter(|count| is_decimal && (HISTORY_KEPT_MIN..=HISTORY_KEPT_MAX).contains(count));
    count.ok_or("a number from 16 to 1024")
}

/// For how many seconds the key of a certificate that is gone stays in the history.
pub(super) fn keys_kept(text: &str) -> Result<u64, Expected> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text
        .parse()
        .ok()
        .filter(|seconds| is_decimal && *seconds <= limits::KEYS_KEPT_MAX);
    seconds.ok_or("a number of seconds from 0 to 604800")
}

/// What revisions may take on disk, in MiB.
pub(super) fn state_mib(text: &str) -> Result<u64, Expected> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    let mib = text
        .parse()
        .ok()
        .filter(|mib| is_decimal && (limits::STATE_MIB_MIN..=limits::STATE_MIB_MAX).contains(mib));
    mib.ok_or("a number of MiB from 64 to 1048576")
}

/// The mode of the control socket, in octal. Whoever can write to it changes every server's
/// configuration, and so runs programs: its owner can, a group may, and all others never.
pub(super) fn control_mode(text: &str) -> Result<u32, Expected> {
    let is_octal = text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let mode = u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| is_octal && mode & !GROUP_BITS == CONTROL_MODE);
    mode.ok_or(
        "an octal mode that lets the owner read and write, and others nothing: 600, 620, 640 or \
         660",
    )
}

/// The name of a group of the system, or its number.
pub(super) fn system_group(text: &str) -> Result<String, Expected> {
    let is_fit = |c: char| c.is_ascii_graphic() && !matches!(c, ':' | '/' | ',');
    let is_good = (1..=limits::SYSTEM_NAME_MAX).contains(&text.len()) && text.chars().all(is_fit);
    if is_good {
        Ok(text.to_owned())
    } else {
        Err("the name or the number of a group of this system")
    }
}

/// `--no-mdns` says `true` when it is given; the file may also say `false`.
pub(super) fn yes(text: &str) -> Result<bool, Expected> {
    text.parse().map_err(|_| "true or false")
}

pub(super) fn log(text: &str) -> Result<Level, Expected> {
    LEVELS
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, level)| *level)
        .ok_or("error, warn, info or debug")
}

pub(super) fn show_log(settings: &Settings) -> String {
    LEVELS
        .iter()
        .filter(|(_, level)| *level == settings.log)
        .map(|(name, _)| (*name).to_owned())
        .collect()
}

pub(super) fn show_unit(settings: &Settings) -> String {
    match &settings.unit {
        UnitChoice::Auto => "auto".to_owned(),
        UnitChoice::None => "none".to_owned(),
        UnitChoice::At(place) => place.clone(),
    }
}

/// Adds to a list, within its bound.
pub(super) fn add(list: &mut Vec<String>, item: String) -> Result<(), Expected> {
    if list.len() == limits::SETTING_LIST_MAX {
        return Err("at most 64 of them");
    }
    if !list.contains(&item) {
        list.push(item);
    }
    Ok(())
}

const GROUP_BITS: u32 = 0o060;

const DRIFTS: [(&str, DriftChoice); 3] = [
    ("report", DriftChoice::Report),
    ("repair", DriftChoice::Repair),
    ("adopt", DriftChoice::Adopt),
];
const LEVELS: [(&str, Level); 4] = [
    ("error", Level::Error),
    ("warn", Level::Warn),
    ("info", Level::Info),
    ("debug", Level::Debug),
];

/// Texts in a row, for people.
pub(super) fn listed(items: &[String]) -> String {
    if items.is_empty() {
        "none".to_owned()
    } else {
        items.join(" ")
    }
}
