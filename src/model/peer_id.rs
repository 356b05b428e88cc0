//! Peer IDs: a host's Ed25519 public key, and its text.
//!
//! The text is exactly libp2p's for an Ed25519 key (specs, "Peer Ids and Keys": the key as a
//! protobuf, inlined by the identity multihash, in base58btc): 52 characters that begin with
//! `12D3KooW`. Since the first eight never differ, people are shown the last eight. Decoding is
//! strict: one text for one key, and only keys that can sign.

use std::fmt;
use std::str::FromStr;

use super::signature;

/// The public key that names a peer. Always a sound point: there is no other way to make one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId([u8; 32]);

impl PeerId {
    /// From the bytes of a public key; `None` unless it is the canonical encoding of a point that
    /// is not weak.
    pub fn from_bytes(key: [u8; 32]) -> Option<Self> {
        signature::is_sound(&key).then_some(Self(key))
    }

    /// The 32 bytes of the public key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The last eight characters of the text: what a person is shown.
    pub fn short(&self) -> String {
        let text = self.to_string();
        text[text.len() - SHORT..].to_owned()
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&PREFIX[..], &self.0].concat();
        f.write_str(&bs58::encode(bytes).into_string())
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId(…{})", self.short())
    }
}

impl FromStr for PeerId {
    type Err = NotAPeerId;

    fn from_str(text: &str) -> Result<Self, NotAPeerId> {
        if text.len() != TEXT_LEN {
            return Err(NotAPeerId::Length(text.len()));
        }
        let mut bytes = [0; PREFIX.len() + 32];
        let count = bs58::decode(text)
            .onto(&mut bytes[..])
            .map_err(|_| NotAPeerId::Base58)?;
        if count != bytes.len() || bytes[..PREFIX.len()] != PREFIX {
            return Err(NotAPeerId::Prefix);
        }
        let key = bytes[PREFIX.len()..]
            .try_into()
            .expect("the array is the prefix and 32 bytes");
        Self::from_bytes(key).ok_or(NotAPeerId::Point)
    }
}

/// Why a text is no peer ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAPeerId {
    /// Not 52 characters long, but this many bytes.
    Length(usize),
    /// A character that base58btc does not have.
    Base58,
    /// Not an inlined Ed25519 key.
    Prefix,
    /// Not a point on the curve in its one spelling, or one that verifies anything.
    Point,
}

impl fmt::Display for NotAPeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(bytes) => write!(f, "a peer ID has {TEXT_LEN} characters, not {bytes}"),
            Self::Base58 => f.write_str("a peer ID is written in base58 (no 0, O, I or l)"),
            Self::Prefix => f.write_str("not the peer ID of an Ed25519 key (12D3KooW…)"),
            Self::Point => f.write_str("not a usable Ed25519 public key"),
        }
    }
}

impl std::error::Error for NotAPeerId {}

/// identity multihash (0x00) of 36 bytes (0x24): protobuf field 1 = 1 (Ed25519), field 2 = 32
/// bytes.
const PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];
const TEXT_LEN: usize = 52;
const SHORT: usize = 8;

#[cfg(test)]
mod tests {
    use super::super::signature::SecretKey;
    use super::*;
    use crate::codec::unhex_array;

    /// libp2p specs, peer-ids/peer-ids.md, "Test vectors", Ed25519: the public half of that key
    /// pair.
    #[test]
    fn the_text_is_that_of_the_libp2p_specification() {
        let public =
            unhex_array::<32>("1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e")
                .unwrap();
        let id = PeerId::from_bytes(public).unwrap();
        let text = id.to_string();
        assert_eq!(text.len(), TEXT_LEN);
        assert!(text.starts_with("12D3KooW"));
        assert_eq!(text.parse::<PeerId>(), Ok(id));
        // The same key by the specification's own recipe, written out.
        let inlined = [&[0x00, 0x24, 0x08, 0x01, 0x12, 0x20][..], &public].concat();
        assert_eq!(bs58::decode(&text).into_vec().unwrap(), inlined);
    }

    #[test]
    fn every_other_text_is_refused_by_name() {
        let id = PeerId::from_bytes(SecretKey::from_seed(&[9; 32]).public()).unwrap();
        let text = id.to_string();
        assert_eq!(text[1..].parse::<PeerId>(), Err(NotAPeerId::Length(51)));
        assert_eq!(
            text.replace("12D3", "0000").parse::<PeerId>(),
            Err(NotAPeerId::Base58)
        );
        assert_eq!(
            text.replace("12D3KooW", "22D3KooW").parse::<PeerId>(),
            Err(NotAPeerId::Prefix)
        );
        let mut weak = [0; 38];
        weak[..6].copy_from_slice(&PREFIX);
        weak[6] = 1;
        assert_eq!(
            bs58::encode(weak).into_string().parse::<PeerId>(),
            Err(NotAPeerId::Point)
        );
        assert_eq!(id.short(), text[44..]);
    }
}
