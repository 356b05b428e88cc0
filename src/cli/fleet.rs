//! `init`, `token`, `join` and `id`: who this host is, and which fleet it is in.
//!
//! `fleet.json` is written last: a host whose founding or joining was cut short is in no fleet, and
//! the same command goes on with the keys that were made.

use std::io::{self, Read};
use std::net::SocketAddr;

use super::failure::CommandError;
use super::output::{note, print};
use crate::codec::hex;
use crate::daemon::state_dir::{Membership, StateDir, StateError};
use crate::daemon::{entropy, interfaces};
use crate::limits;
use crate::model::json::{self, object};
use crate::model::peer_id::PeerId;
use crate::model::signature::SecretKey;
use crate::settings::{Resolved, Settings, Source};
use crate::wire::fleet::{Fleet, FleetId, FleetKey};
use crate::wire::token::Token;

/// `starling init`: founds a fleet of which this host is the first member.
pub(super) fn init(resolved: &Resolved, name: Option<&str>) -> Result<(), CommandError> {
    let settings = &resolved.settings;
    let name = name.map_or_else(any_name, |name| Ok(name.to_owned()))?;
    let key = FleetKey::from_bytes(secret()?);
    let fresh_owner = SecretKey::from_seed(&secret()?);
    // Before anything is made: whether the name will do, and whether there is room for a fleet.
    fleet(&name, &fresh_owner, key.clone())?;
    refuse_member(settings)?;

    let dir = writable(settings)?;
    let identity = dir.identity()?.map_or_else(|| make_identity(&dir), Ok)?;
    let owner = match dir.owner()? {
        Some(owner) => owner,
        None => dir.keep_owner(&fresh_owner).map(|()| fresh_owner)?,
    };
    dir.keep_membership(&Membership {
        fleet: fleet(&name, &owner, key)?,
        joined: true,
    })?;
    let me = peer_id(&identity);
    print(&format!(
        "This host is {me}.\nIt has founded the fleet {name}.\n\nNext, here:            starling \
         run{state}\nThen, for each host:   starling token{state} | ssh HOST starling join -\n",
        state = named_state(resolved)
    ))
}

/// `starling token`: prints the token with which other hosts join.
pub(super) fn token(resolved: &Resolved) -> Result<(), CommandError> {
    let settings = &resolved.settings;
    let membership = must_be_member(settings)?;
    let mut addresses = match resolved.source("peer") {
        // Named for this token: the user knows better than this host where it can be reached.
        Source::Flag => settings.peers.clone(),
        _ => own_addresses(settings)?
            .into_iter()
            .chain(settings.peers.iter().cloned())
            .collect(),
    };
    addresses.truncate(limits::ADDRESSES_MAX);
    interfaces::words_for_missing(&settings.interfaces)
        .iter()
        .for_each(|words| note(words));
    if let Some(words) = of_no_use(settings, &addresses) {
        note(words);
    }
    let token = Token::new(&membership.fleet, addresses)
        .map_err(|error| CommandError::Usage(format!("--peer: {error}")))?;
    print(&format!("{token}\n"))
}

/// `starling join`: makes this host a member of the token's fleet.
pub(super) fn join(resolved: &Resolved, operand: &str) -> Result<(), CommandError> {
    let settings = &resolved.settings;
    let text = if operand == "-" {
        read_token()?
    } else {
        operand.to_owned()
    };
    let token: Token = text
        .trim()
        .parse()
        .map_err(|error| CommandError::Usage(format!("TOKEN: {error}")))?;
    if let Some(member) = opened(settings)?
        .map(|dir| dir.membership())
        .transpose()?
        .flatten()
        && (member.fleet.id(), member.fleet.keys()) == (token.fleet().id(), token.fleet().keys())
    {
        // What was asked for is so: whoever runs this from a script may do it twice.
        let name = member.fleet.name();
        return print(&format!(
            "This host is in the fleet {name} already.\n\nNext:   starling run{}\n",
            named_state(resolved)
        ));
    }
    refuse_member(settings)?;

    let dir = writable(settings)?;
    let identity = dir.identity()?.map_or_else(|| make_identity(&dir), Ok)?;
    dir.keep_addresses(first_addresses(&token).as_bytes())?;
    dir.keep_membership(&Membership {
        fleet: token.fleet().clone(),
        joined: false,
    })?;
    let addresses = if token.addresses().is_empty() {
        "by mDNS only".to_owned()
    } else {
        token.addresses().join(", ")
    };
    print(&format!(
        "This host is {}.\nIt belongs to the fleet {}, to be found at: {addresses}.\n\nNext:   \
         starling run{}\n",
        peer_id(&identity),
        token.fleet().name(),
        named_state(resolved),
    ))
}

/// `starling id`: prints this host's peer ID.
pub(super) fn id(settings: &Settings) -> Result<(), CommandError> {
    let dir = opened(settings)?.ok_or_else(|| no_member(settings))?;
    let identity = match dir.identity()? {
        None if dir.membership()?.is_none() => return Err(no_member(settings)),
        None => dir.member_identity()?,
        Some(identity) => identity,
    };
    print(&format!("{}\n", peer_id(&identity)))
}

/// The fleet that this host is in; otherwise what to type.
pub(super) fn must_be_member(settings: &Settings) -> Result<Membership, CommandError> {
    let membership = opened(settings)?
        .map(|dir| dir.membership())
        .transpose()?
        .flatten();
    membership.ok_or_else(|| no_member(settings))
}

fn no_member(settings: &Settings) -> CommandError {
    CommandError::Failed(format!(
        "{}: this host is in no fleet; type: starling init (to found one), or: starling join \
         TOKEN (to join one; starling token, typed on a member, prints it)",
        settings.state.display()
    ))
}

fn refuse_member(settings: &Settings) -> Result<(), CommandError> {
    let Some(Membership { fleet, .. }) = opened(settings)?
        .map(|dir| dir.membership())
        .transpose()?
        .flatten()
    else {
        return Ok(());
    };
    let (name, state) = (fleet.name(), settings.state.display());
    Err(CommandError::Failed(format!(
        "this host is in the fleet {name} already; to leave it, stop starling and type: rm -r \
         {state}"
    )))
}

/// The state directory for reading; `None` if there is none.
fn opened(settings: &Settings) -> Result<Option<StateDir>, StateError> {
    match StateDir::open(&settings.state) {
        Err(StateError::Io(_, error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

fn writable(settings: &Settings) -> Result<StateDir, StateError> {
    let mut dir = StateDir::create(&settings.state)?;
    dir.lock()?;
    Ok(dir)
}

fn make_identity(dir: &StateDir) -> Result<SecretKey, CommandError> {
    let identity = SecretKey::from_seed(&secret()?);
    dir.keep_identity(&identity)?;
    Ok(identity)
}

fn fleet(name: &str, owner: &SecretKey, key: FleetKey) -> Result<Fleet, CommandError> {
    let id = FleetId::from_bytes(owner.public())
        .expect("the public half of a key that can sign is sound");
    Fleet::new(name.to_owned(), id, vec![key])
        .map_err(|error| CommandError::Usage(format!("--fleet: {error}")))
}

fn peer_id(identity: &SecretKey) -> PeerId {
    PeerId::from_bytes(identity.public()).expect("the public half of a key that can sign is sound")
}

/// A name that tells two fleets apart, until somebody thinks of a better one.
fn any_name() -> Result<String, CommandError> {
    Ok(format!("fleet-{}", hex(&random::<2>()?)))
}

fn secret() -> Result<[u8; 32], CommandError> {
    random()
}

fn random<const N: usize>() -> Result<[u8; N], CommandError> {
    entropy::bytes().map_err(|error| CommandError::Failed(error.to_string()))
}

/// The addresses at which other hosts can reach this one.
fn own_addresses(settings: &Settings) -> Result<Vec<String>, CommandError> {
    let listen = settings.listen;
    if listen.port() == 0 {
        return Err(CommandError::Usage(
            "--listen: port 0 is another at each start; name the address with --peer HOST:PORT"
                .to_owned(),
        ));
    }
    Ok(interfaces::told(listen, &settings.interfaces)
        .iter()
        .map(SocketAddr::to_string)
        .collect())
}

/// What to do about a token with which no other host could find this one.
fn of_no_use(settings: &Settings, addresses: &[String]) -> Option<&'static str> {
    let is_loopback = |address: &String| {
        address
            .parse::<SocketAddr>()
            .is_ok_and(|address| address.ip().is_loopback())
    };
    let is_meant =
        settings.listen.ip().is_loopback() || settings.interfaces.iter().any(|name| name == "lo");
    match addresses.iter().all(is_loopback) {
        true if addresses.is_empty() => Some(
            "the token names no address, for this host has none that others could dial: whoever \
             joins by it finds the fleet by mDNS, on the same wire, or not at all; name an \
             address with: starling token --peer HOST:PORT",
        ),
        true if !is_meant => Some(
            "the token names the loopback only, of use on this very host: for others name an \
             address with: starling token --peer HOST:PORT",
        ),
        _ => None,
    }
}

fn read_token() -> Result<String, CommandError> {
    let mut text = String::new();
    let most = TOKEN_INPUT_MAX;
    io::stdin()
        .take(most)
        .read_to_string(&mut text)
        .map_err(|error| CommandError::Failed(format!("standard input: {error}")))?;
    if text.trim().is_empty() {
        return Err(CommandError::Usage(
            "TOKEN: standard input is empty; type, on a member: starling token | ssh HOST \
             starling join - (and look whether that starling token had something to say)"
                .to_owned(),
        ));
    }
    Ok(text)
}

/// What a command has to be given that is to find the state directory that this one was told of.
fn named_state(resolved: &Resolved) -> String {
    let state = resolved.settings.state.display().to_string();
    let is_plain = state
        .chars()
        .all(|c| c.is_alphanumeric() || "/._+-".contains(c));
    match resolved.source("state") {
        Source::Flag if is_plain => format!(" --state {state}"),
        Source::Flag => format!(" --state '{}'", state.replace('\'', r"'\''")),
        _ => String::new(),
    }
}

/// The address book of a host that knows a token only.
fn first_addresses(token: &Token) -> String {
    let addresses = token
        .addresses()
        .iter()
        .map(|address| object! { "address": address.as_str() });
    json::compact(&object! { "addresses": addresses.collect::<Vec<_>>() }.into()) + "\n"
}

/// Standard input beyond this is no token; white space around one is.
const TOKEN_INPUT_MAX: u64 = 2 * limits::TOKEN_TEXT_MAX as u64;
