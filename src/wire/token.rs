//! What people copy and paste: the fleet's ID, and the token with which a host joins. The wire's
//! one door to base58.
//!
//! A token is one line without spaces, `starling1-` and then base58btc of
//! `version ‖ name ‖ fleet ‖ key ‖ addresses ‖ checksum`. It holds the fleet key: whoever has the
//! line is a member. The checksum is against slips of the hand, not against malice. Reading is
//! strict: one text for one token.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::fleet::{Fleet, FleetId, FleetKey};
use crate::codec::{Malformed, Reader, Writer};
use crate::limits::{ADDRESSES_MAX, NAME_MAX, TOKEN_ADDRESS_MAX, TOKEN_TEXT_MAX};
use crate::model::name::is_name;

/// All that a host needs in order to join: the fleet, with one key, and where some of its members
/// listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    fleet: Fleet,
    addresses: Vec<String>,
}

impl Token {
    /// For `fleet`, of whose keys the token carries the first alone, and at most [`ADDRESSES_MAX`]
    /// `addresses`, each `host:port` ([`is_address`]).
    pub fn new(fleet: &Fleet, addresses: Vec<String>) -> Result<Self, NotAToken> {
        if addresses.len() > ADDRESSES_MAX {
            return Err(NotAToken::Addresses(addresses.len()));
        }
        if let Some(bad) = addresses.iter().find(|address| !is_address(address)) {
            return Err(NotAToken::Address(bad.clone()));
        }
        let fleet = Fleet::new(
            fleet.name().to_owned(),
            *fleet.id(),
            vec![fleet.key().clone()],
        );
        Ok(Self {
            fleet: fleet.expect("a fleet with one of its keys is a fleet"),
            addresses,
        })
    }

    /// The fleet, with one key.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Where members listen, `host:port`; may be empty.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(VERSION).short(self.fleet.name().as_bytes());
        writer
            .raw(self.fleet.id().as_bytes())
            .raw(self.fleet.key().as_bytes());
        writer.u8(u8::try_from(self.addresses.len()).expect("at most ADDRESSES_MAX"));
        for address in &self.addresses {
            writer.short(address.as_bytes());
        }
        writer.finish()
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, NotAToken> {
        let mut reader = Reader::new(bytes);
        let version = reader.u8("version")?;
        if version != VERSION {
            return Err(NotAToken::Version(version));
        }
        let name = text(reader.short(NAME_MAX, "name")?).filter(|name| is_name(name));
        let name = name.ok_or(reader.malformed("name"))?;
        let id = FleetId::from_bytes(reader.array("fleet")?).ok_or(reader.malformed("fleet"))?;
        let key = FleetKey::from_bytes(reader.array("key")?);
        let count = usize::from(reader.u8("addresses")?);
        if count > ADDRESSES_MAX {
            return Err(NotAToken::Addresses(count));
        }
        let mut addresses = Vec::with_capacity(count);
        for _ in 0..count {
            let address = text(reader.short(TOKEN_ADDRESS_MAX, "address")?);
            addresses.push(address.ok_or(reader.malformed("address"))?);
        }
        reader.end("end")?;
        let fleet =
            Fleet::new(name, id, vec![key]).expect("the name was looked at, and there is one key");
        Self::new(&fleet, addresses)
    }
}

impl fmt::Display for Token {
    /// The whole token, fleet key included.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.to_bytes();
        bytes.extend(checksum(&bytes));
        write!(f, "{PREFIX}{}", bs58::encode(bytes).into_string())
    }
}

impl FromStr for Token {
    type Err = NotAToken;

    /// White space around the token is the caller's to trim.
    fn from_str(text: &str) -> Result<Self, NotAToken> {
        if text.len() > TOKEN_TEXT_MAX {
            return Err(NotAToken::Long);
        }
        let letters = text.strip_prefix(PREFIX).ok_or(NotAToken::Prefix)?;
        let bytes = bs58::decode(letters)
            .into_vec()
            .map_err(|_| NotAToken::Base58)?;
        let (body, sum) = bytes
            .split_last_chunk::<CHECKSUM>()
            .ok_or(NotAToken::Checksum)?;
        // Before anything else, so that a slip of the hand is called that and not, say, an unknown
        // version.
        if *sum != checksum(body) {
            return Err(NotAToken::Checksum);
        }
        Self::from_bytes(body)
    }
}

impl FleetId {
    /// The last eight characters of the text: what a person is shown.
    pub fn short(&self) -> String {
        let text = self.to_string();
        text[text.len() - SHORT..].to_owned()
    }
}

impl fmt::Display for FleetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bs58::encode(self.as_bytes()).into_string())
    }
}

/// Whether `address` is `host:port`: a name, an IPv4 address or a bracketed IPv6 address, then a
/// port from 1 to 65535, at most [`TOKEN_ADDRESS_MAX`] bytes in all. Whether the name exists is
/// found out by whoever dials.
pub fn is_address(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else {
        return false;
    };
    let bracketed = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let host_ok = match bracketed {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_'))
        }
    };
    let digits = port.bytes().all(|c| c.is_ascii_digit()) && !port.starts_with('0');
    host_ok && digits && port.parse::<u16>().is_ok() && address.len() <= TOKEN_ADDRESS_MAX
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM] {
    let hash = Sha256::digest(body);
    *hash.first_chunk().expect("a SHA-256 hash has 32 bytes")
}

/// Why a text is no token, or a token cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAToken {
    /// Longer than any token.
    Long,
    /// Does not begin as tokens do.
    Prefix,
    /// A character that base58btc does not have.
    Base58,
    /// Mistyped or cut short: the checksum is another.
    Checksum,
    /// Made by a later version of Starling, in this form.
    Version(u8),
    /// Whole, and yet without sense: made by something that is not Starling.
    Malformed(Malformed),
    /// So many addresses, where [`ADDRESSES_MAX`] are allowed.
    Addresses(usize),
    /// This one is not `host:port`.
    Address(String),
}

impl From<Malformed> for NotAToken {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl fmt::Display for NotAToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Long => write!(f, "a token has at most {TOKEN_TEXT_MAX} characters"),
            Self::Prefix => write!(f, "a token begins with {PREFIX}"),
            Self::Base58 => f.write_str(
                "the token has a character that no token has: mistyped, or something was added",
            ),
            Self::Checksum => f.write_str("the token is mistyped or cut short"),
            Self::Version(version) => write!(
                f,
                "the token has form {version}, this Starling knows form {VERSION}"
            ),
            Self::Malformed(malformed) => write!(f, "the token makes no sense: {malformed}"),
            Self::Addresses(count) => write!(
                f,
                "a token has at most {ADDRESSES_MAX} addresses, not {count}"
            ),
            Self::Address(address) => write!(f, "{address:?} is not host:port"),
        }
    }
}

impl std::error::Error for NotAToken {}

const PREFIX: &str = "starling1-";
const VERSION: u8 = 1;
const CHECKSUM: usize = 4;
const SHORT: usize = 8;

#[cfg(test)]
mod tests;
