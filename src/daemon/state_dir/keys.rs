//! Keys and membership: `identity.key`, `owner.key`, `fleet.json`.
//!
//! Each is text that says what it is. They are made once and never replaced, but for the mark in
//! `fleet.json` that the peer has completed an exchange with one that had: see the design on hosts
//! that have just joined.

use super::error::StateError;
use super::{FLEET, IDENTITY, OWNER, StateDir, write};
use crate::codec::{hex, unhex_array};
use crate::limits;
use crate::model::json::{self, Value, object};
use crate::model::signature::SecretKey;
use crate::wire::fleet::{Fleet, FleetId, FleetKey};

/// The fleet that this host is in.
#[derive(Debug, Clone)]
pub struct Membership {
    /// The fleet's name, owner and keys.
    pub fleet: Fleet,
    /// Whether this peer may speak for the fleet: it founded it, or has completed one exchange
    /// with a peer that may.
    pub joined: bool,
}

impl StateDir {
    /// The peer's own key; `None` if none was made yet.
    pub fn identity(&self) -> Result<Option<SecretKey>, StateError> {
        self.key(IDENTITY, IDENTITY_TITLE)
    }

    /// The identity of a host that is in a fleet; a missing one is an error: there is no other cure
    /// than a copy, or to join again.
    pub fn member_identity(&self) -> Result<SecretKey, StateError> {
        let missing = || StateError::Content {
            path: self.path.join(IDENTITY),
            wrong: "is missing".to_owned(),
        };
        self.identity()?.ok_or_else(missing)
    }

    /// Keeps the peer's own key, durably; refused if there is one. Needs the lock.
    pub fn keep_identity(&self, key: &SecretKey) -> Result<(), StateError> {
        self.keep_key(IDENTITY, IDENTITY_TITLE, key)
    }

    /// The fleet's owner's key, which only the host of `init` has.
    pub fn owner(&self) -> Result<Option<SecretKey>, StateError> {
        self.key(OWNER, OWNER_TITLE)
    }

    /// Keeps the owner's key, durably; refused if there is one. Needs the lock.
    pub fn keep_owner(&self, key: &SecretKey) -> Result<(), StateError> {
        self.keep_key(OWNER, OWNER_TITLE, key)
    }

    /// The fleet that this host is in; `None` if in none.
    pub fn membership(&self) -> Result<Option<Membership>, StateError> {
        let Some(text) = self.read(FLEET, limits::STATE_FILE_MAX)? else {
            return Ok(None);
        };
        let wrong = |wrong: String| StateError::Content {
            path: self.path.join(FLEET),
            wrong,
        };
        let value = json::parse_own(&text).map_err(|error| wrong(error.to_string()))?;
        membership(&value).map(Some).ok_or_else(|| {
            wrong("needs name, id, keys and joined as Starling writes them".to_owned())
        })
    }

    /// Keeps the membership, durably; refused if there is one. Needs the lock.
    pub fn keep_membership(&self, membership: &Membership) -> Result<(), StateError> {
        refuse_existing(write::whole_new(
            &self.locked().path,
            FLEET,
            text(membership).as_bytes(),
        ))
    }

    /// Marks the membership as joined, or as not joined after all, durably. Needs the lock and a
    /// membership.
    pub(crate) fn set_joined(&self, joined: bool) -> Result<(), StateError> {
        match self.membership()? {
            Some(membership) if membership.joined == joined => Ok(()),
            Some(membership) => write::whole(
                &self.locked().path,
                FLEET,
                text(&Membership {
                    joined,
                    ..membership
                })
                .as_bytes(),
            ),
            None => Err(StateError::Content {
                path: self.path.join(FLEET),
                wrong: "is gone".to_owned(),
            }),
        }
    }

    fn key(&self, name: &str, title: &str) -> Result<Option<SecretKey>, StateError> {
        let Some(bytes) = self.read(name, limits::STATE_FILE_MAX)? else {
            return Ok(None);
        };
        let seed = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| seed(text, title));
        let wrong = || format!("expected the line {title:?} and 64 hexadecimal digits");
        let key = seed.map(|seed| SecretKey::from_seed(&seed));
        key.map(Some).ok_or_else(|| StateError::Content {
            path: self.path.join(name),
            wrong: wrong(),
        })
    }

    fn keep_key(&self, name: &str, title: &str, key: &SecretKey) -> Result<(), StateError> {
        let text = format!("{title}\n{}\n", hex(&key.seed()));
        refuse_existing(write::whole_new(&self.locked().path, name, text.as_bytes()))
    }
}

fn refuse_existing(result: Result<(), StateError>) -> Result<(), StateError> {
    result.map_err(|error| match error {
        StateError::Io(path, error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            StateError::Exists(path)
        }
        other => other,
    })
}

fn seed(text: &str, title: &str) -> Option<[u8; 32]> {
    let mut lines = text.lines();
    let has_title = lines.next()? == title;
    let seed = unhex_array(lines.next()?)?;
    (has_title && lines.next().is_none()).then_some(seed)
}

fn membership(value: &Value) -> Option<Membership> {
    let name = value.get("name")?.as_str()?.to_owned();
    let id = FleetId::from_bytes(unhex_array(value.get("id")?.as_str()?)?)?;
    let keys = value.get("keys")?.as_array()?.iter();
    let keys: Option<Vec<FleetKey>> = keys
        .map(|key| Some(FleetKey::from_bytes(unhex_array(key.as_str()?)?)))
        .collect();
    Some(Membership {
        fleet: Fleet::new(name, id, keys?).ok()?,
        joined: value.get("joined")?.as_bool()?,
    })
}

fn text(membership: &Membership) -> String {
    let Membership { fleet, joined } = membership;
    let members = object! {
        "name": fleet.name(),
        "id": hex(fleet.id().as_bytes()),
        "keys": fleet.keys().iter().map(|key| hex(key.as_bytes())).collect::<Vec<_>>(),
        "joined": *joined,
    };
    json::unit_format(&Value::Object(members)).replace("\r\n", "\n")
}

/// The first lines of the key files: whoever meets one knows what it is.
const IDENTITY_TITLE: &str =
    "starling identity key 1, secret: whoever has it can speak as this host";
const OWNER_TITLE: &str = "starling owner key 1, secret: whoever has it owns the fleet";
