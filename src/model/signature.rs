//! Ed25519: the one door to `ed25519-dalek`.
//!
//! What is signed is always `"starling/1 <what>\0" ‖ fleet ‖ bytes as sent`, so a signature made
//! for one purpose, or in one fleet, is worth nothing in another. Verification is strict (no
//! small-order points, no second spelling of a signature), as in RFC 8032 with the checks of
//! `verify_strict`.

use ed25519_dalek::{Signature as DalekSignature, Signer, SigningKey, VerifyingKey};

/// An Ed25519 signature, as on the wire.
pub type Signature = [u8; 64];

/// What a signature is for; part of what is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The ID of a record.
    Record,
    /// A side of a handshake.
    Handshake,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Record => b"starling/1 record\0",
            Self::Handshake => b"starling/1 handshake\0",
        }
    }
}

/// The secret half of an Ed25519 key pair. Zeroed when dropped, never printed.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// From the 32 bytes of RFC 8032, section 5.1.5.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The 32 bytes that [`SecretKey::from_seed`] takes, for the identity file.
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The public half.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs `message` for `purpose` in the fleet named by `fleet` (its owner's public key).
    pub fn sign(&self, purpose: Purpose, fleet: &[u8; 32], message: &[u8]) -> Signature {
        self.0.sign(&framed(purpose, fleet, message)).to_bytes()
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// Whether `key` is the one encoding of a point that is not of small order: anything else can be no
/// identity.
pub fn is_sound(key: &[u8; 32]) -> bool {
    VerifyingKey::from_bytes(key)
        .is_ok_and(|point| !point.is_weak() && point.as_bytes() == key && is_canonical(key))
}

/// Whether `signature` over `message` was made by the holder of `key`, for this purpose, in this
/// fleet.
pub fn verify(
    key: &[u8; 32],
    purpose: Purpose,
    fleet: &[u8; 32],
    message: &[u8],
    signature: &Signature,
) -> bool {
    let Ok(point) = VerifyingKey::from_bytes(key) else {
        return false;
    };
    point
        .verify_strict(
            &framed(purpose, fleet, message),
            &DalekSignature::from_bytes(signature),
        )
        .is_ok()
}

fn framed(purpose: Purpose, fleet: &[u8; 32], message: &[u8]) -> Vec<u8> {
    [purpose.label(), fleet, message].concat()
}

/// RFC 8032 section 5.1.3: y must be below p = 2^255 - 19. dalek reduces a larger one instead of
/// refusing it.
fn is_canonical(key: &[u8; 32]) -> bool {
    let mut y = *key;
    y[31] &= 0x7f;
    let at_least_p = y[0] >= 0xed && y[1..31].iter().all(|byte| *byte == 0xff) && y[31] == 0x7f;
    !at_least_p
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_one_purpose_and_one_fleet_only() {
        let key = SecretKey::from_seed(&[7; 32]);
        let signed = key.sign(Purpose::Record, &[1; 32], b"x");
        assert!(verify(
            &key.public(),
            Purpose::Record,
            &[1; 32],
            b"x",
            &signed
        ));
        assert!(!verify(
            &key.public(),
            Purpose::Handshake,
            &[1; 32],
            b"x",
            &signed
        ));
        assert!(!verify(
            &key.public(),
            Purpose::Record,
            &[2; 32],
            b"x",
            &signed
        ));
        assert!(!verify(
            &key.public(),
            Purpose::Record,
            &[1; 32],
            b"y",
            &signed
        ));
    }

    #[test]
    fn weak_and_second_spellings_of_keys_are_not_sound() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(
            !is_sound(&identity),
            "the neutral element verifies anything under lax rules"
        );
        let mut above_p = [0xff; 32];
        above_p[31] = 0x7f;
        assert!(
            !is_sound(&above_p),
            "y = 2^255 - 1 is a second spelling of y = 18"
        );
        assert!(is_sound(&SecretKey::from_seed(&[7; 32]).public()));
    }

    #[test]
    fn the_neutral_key_signs_nothing() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut forged = [0; 64];
        forged[0] = 1;
        assert!(!verify(
            &identity,
            Purpose::Record,
            &[1; 32],
            b"anything",
            &forged
        ));
    }
}
