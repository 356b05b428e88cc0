//! Fleets: who belongs together, and the keys that prove it.
//!
//! A fleet is named by its owner's public key and entered by its fleet key. What is needed of a
//! fleet key is never the key itself but one of three values derived from it, each under a label of
//! its own (HKDF, RFC 5869, with SHA-256 and the fleet's ID as salt), so that what is announced by
//! mDNS says nothing about what opens a handshake. Whoever holds a fleet key is a full member.

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;

use crate::codec::hex;
use crate::limits::{FLEET_KEYS_MAX, NAME_MAX};
use crate::model::name::is_name;
use crate::model::peer_id::PeerId;
use crate::model::signature;

/// A fleet as its members know it. Always has a proper name and one to three keys: there is no
/// other way to make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fleet {
    name: String,
    id: FleetId,
    keys: Vec<FleetKey>,
}

impl Fleet {
    /// From a name ([`is_name`]), the owner's public key, and 1 to [`FLEET_KEYS_MAX`] keys, of
    /// which the first is used for dialling.
    pub fn new(name: String, id: FleetId, keys: Vec<FleetKey>) -> Result<Self, NotAFleet> {
        if !is_name(&name) {
            return Err(NotAFleet::Name);
        }
        if keys.is_empty() || keys.len() > FLEET_KEYS_MAX {
            return Err(NotAFleet::Keys(keys.len()));
        }
        Ok(Self { name, id, keys })
    }

    /// The name by which people know the fleet. It does not decide who belongs to the fleet.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The owner's public key.
    pub fn id(&self) -> &FleetId {
        &self.id
    }

    /// The keys that a listener accepts, 1 to [`FLEET_KEYS_MAX`].
    pub fn keys(&self) -> &[FleetKey] {
        &self.keys
    }

    /// The key that a dialler uses, a token carries and the mDNS instance name is made with.
    pub fn key(&self) -> &FleetKey {
        self.keys
            .first()
            .expect("a fleet is made with at least one key")
    }
}

/// The public key of a fleet's owner. Always a sound point, for later records are verified against
/// it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FleetId([u8; 32]);

impl FleetId {
    /// From the bytes of a public key; `None` unless it is the canonical encoding of a point that
    /// is not weak.
    pub fn from_bytes(key: [u8; 32]) -> Option<Self> {
        signature::is_sound(&key).then_some(Self(key))
    }

    /// The 32 bytes of the public key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for FleetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FleetId({})", hex(&self.0[..4]))
    }
}

/// The secret that makes a peer a member. Never printed; 32 random bytes, whoever makes them.
#[derive(Clone, PartialEq, Eq)]
pub struct FleetKey([u8; 32]);

impl FleetKey {
    /// Makes a key of 32 bytes, which must be random.
    pub fn from_bytes(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The secret itself, for the fleet's file and the token.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The pre-shared key of the handshake.
    pub fn psk(&self, fleet: &FleetId) -> [u8; 32] {
        self.derive(fleet, &[LABEL_PSK])
    }

    /// What the member that bears this instance name and listens on this port announces by mDNS so
    /// that others of its fleet, and nobody else, know it for one: 16 hexadecimal digits.
    /// Whoever has heard it can repeat it, and that is all.
    pub fn tag(&self, fleet: &FleetId, instance: &str, port: u16) -> String {
        hex(&self.derive::<8>(
            fleet,
            &[LABEL_TAG, instance.as_bytes(), &port.to_be_bytes()],
        ))
    }

    /// The mDNS instance name and host label of a peer: 20 hexadecimal digits (80 bits, so no two
    /// peers share one and no probing is needed), from which a listener on the wire learns no
    /// peer ID.
    pub fn instance(&self, fleet: &FleetId, peer: &PeerId) -> String {
        hex(&self.derive::<10>(fleet, &[LABEL_INSTANCE, peer.as_bytes()]))
    }

    fn derive<const N: usize>(&self, fleet: &FleetId, info: &[&[u8]]) -> [u8; N] {
        let mut out = [0; N];
        let hkdf = Hkdf::<Sha256>::new(Some(fleet.as_bytes()), &self.0);
        hkdf.expand_multi_info(info, &mut out)
            .expect("HKDF gives up to 255 hashes of output, and this is at most one");
        out
    }
}

impl fmt::Debug for FleetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FleetKey(…)")
    }
}

/// Why something is no fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAFleet {
    /// The name is not as [`is_name`] wants it.
    Name,
    /// So many keys, where 1 to [`FLEET_KEYS_MAX`] are in order.
    Keys(usize),
}

impl fmt::Display for NotAFleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => write!(
                f,
                "a name has 1 to {NAME_MAX} letters, digits, '.', '_' or '-', and does not begin \
                 with '.'"
            ),
            Self::Keys(count) => write!(f, "a fleet has 1 to {FLEET_KEYS_MAX} keys, not {count}"),
        }
    }
}

impl std::error::Error for NotAFleet {}

/// The labels end in a zero byte so that none is the beginning of another with a peer ID behind it.
const LABEL_PSK: &[u8] = b"starling/1 noise psk\0";
const LABEL_TAG: &[u8] = b"starling/1 mdns tag\0";
const LABEL_INSTANCE: &[u8] = b"starling/1 mdns instance\0";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::signature::SecretKey;

    fn fleet_id(seed: u8) -> FleetId {
        FleetId::from_bytes(SecretKey::from_seed(&[seed; 32]).public()).unwrap()
    }

    /// Worked out by another program (HMAC-SHA-256 as in RFC 5869, written out).
    #[test]
    fn what_is_derived_from_a_fleet_key_never_changes() {
        let fleet = fleet_id(1);
        let key = FleetKey::from_bytes([2; 32]);
        let peer = PeerId::from_bytes(SecretKey::from_seed(&[3; 32]).public()).unwrap();
        assert_eq!(
            hex(&key.psk(&fleet)),
            "3aa941948583ad2e3ab6477f360a3518a4acd82ce07d33943535a6537ca1d076"
        );
        assert_eq!(
            key.tag(&fleet, "ab647baa7bafdbb0990e", 7117),
            "736ce1c375c40f30"
        );
        assert_eq!(key.instance(&fleet, &peer), "ab647baa7bafdbb0990e");
    }

    #[test]
    fn another_fleet_key_fleet_or_peer_gives_other_values() {
        let (key, other_key) = (FleetKey::from_bytes([2; 32]), FleetKey::from_bytes([4; 32]));
        let peers = [3, 5]
            .map(|seed| PeerId::from_bytes(SecretKey::from_seed(&[seed; 32]).public()).unwrap());
        assert_ne!(key.psk(&fleet_id(1)), key.psk(&fleet_id(2)));
        assert_ne!(key.psk(&fleet_id(1)), other_key.psk(&fleet_id(1)));
        let tags = [
            key.tag(&fleet_id(1), "ab", 1),
            other_key.tag(&fleet_id(1), "ab", 1),
            key.tag(&fleet_id(2), "ab", 1),
            key.tag(&fleet_id(1), "ac", 1),
            key.tag(&fleet_id(1), "ab", 2),
        ];
        assert_eq!(
            tags.iter().collect::<std::collections::BTreeSet<_>>().len(),
            tags.len(),
            "a tag is of one instance at one port"
        );
        assert_ne!(
            key.instance(&fleet_id(1), &peers[0]),
            key.instance(&fleet_id(1), &peers[1])
        );
    }

    #[test]
    fn a_fleet_has_a_name_and_one_to_three_keys() {
        let make = |name: &str, keys| {
            Fleet::new(
                name.to_owned(),
                fleet_id(1),
                vec![FleetKey::from_bytes([2; 32]); keys],
            )
        };
        assert_eq!(make("../etc", 1), Err(NotAFleet::Name));
        assert_eq!(make("a", 0), Err(NotAFleet::Keys(0)));
        assert_eq!(make("a", 4), Err(NotAFleet::Keys(4)));
        assert_eq!(make("a", 3).unwrap().keys().len(), 3);
    }

    #[test]
    fn an_unsound_owner_names_no_fleet() {
        let mut neutral = [0; 32];
        neutral[0] = 1;
        assert_eq!(FleetId::from_bytes(neutral), None);
    }

    #[test]
    fn a_fleet_key_is_never_printed() {
        let fleet = Fleet::new(
            "a".to_owned(),
            fleet_id(1),
            vec![FleetKey::from_bytes([0xab; 32])],
        )
        .unwrap();
        let text = format!("{fleet:?}");
        assert!(
            text.contains("FleetKey(…)") && !text.contains("171") && !text.contains("abab"),
            "{text}"
        );
    }
}
