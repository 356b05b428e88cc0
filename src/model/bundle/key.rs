//! Keys: the public half of a private key (PKCS#1, PKCS#8, SEC1) and of a certificate, to be
//! compared.
//!
//! Nothing is computed with numbers of hundreds of digits: an RSA key and an EC key carry their
//! public half. An EC key may leave it out, and then nothing can be said; of Ed25519 it is
//! computed.

use std::fmt;

use super::der::{Der, tag};
use crate::model::signature::SecretKey;

/// A public key.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Public {
    /// The modulus.
    Rsa(Vec<u8>),
    /// The curve, and the point, compressed, if it is there.
    Ec(Curve, Option<Vec<u8>>),
    /// The key.
    Ed25519([u8; 32]),
    /// An algorithm that nothing is known of.
    Other,
}

/// An elliptic curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
    Other,
}

/// What kind of key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA, with the bits of its modulus.
    Rsa(usize),
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// ECDSA on P-521.
    P521,
    /// Ed25519.
    Ed25519,
    /// Anything else.
    Other,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA, {bits} bits"),
            Self::P256 => f.write_str("EC P-256"),
            Self::P384 => f.write_str("EC P-384"),
            Self::P521 => f.write_str("EC P-521"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Other => f.write_str("of another kind"),
        }
    }
}

impl Public {
    /// The public half of a private key in a block with this label.
    pub fn of_private(label: &str, content: &[u8]) -> Option<Self> {
        let mut all = Der(content);
        let key = all.open(tag::SEQUENCE)?.0;
        // OpenSSL takes PKCS#8 under the older labels, too.
        let key = match label {
            "PRIVATE KEY" => pkcs8(Der(key)),
            "RSA PRIVATE KEY" => rsa_private(Der(key)).or_else(|| pkcs8(Der(key))),
            "EC PRIVATE KEY" => ec_private(Der(key), None).or_else(|| pkcs8(Der(key))),
            _ => return pkcs8(Der(key)).or(Some(Self::Other)),
        };
        key.filter(|_| all.is_done())
    }

    /// A certificate's (RFC 5280, `SubjectPublicKeyInfo`).
    pub fn of_certificate(mut info: Der<'_>) -> Option<Self> {
        let mut algorithm = info.open(tag::SEQUENCE)?;
        let name = algorithm.take(tag::OID)?;
        let key = info.bits()?;
        match name {
            RSA | RSA_PSS => Der(key)
                .open(tag::SEQUENCE)?
                .number()
                .map(|modulus| Self::Rsa(modulus.to_owned())),
            EC => Some(Self::Ec(
                Curve::named(algorithm.take_if(tag::OID)),
                Some(compressed(key)?),
            )),
            ED25519 => key.try_into().ok().map(Self::Ed25519),
            _ => Some(Self::Other),
        }
    }

    /// Whether both are the same key; `None` if that cannot be told.
    pub fn is_same(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Other, Self::Other) => None,
            (Self::Ec(one, Some(a)), Self::Ec(two, Some(b))) => Some(one == two && a == b),
            (Self::Ec(one, _), Self::Ec(two, _)) if one == two => None,
            _ => Some(self == other),
        }
    }

    /// What kind it is.
    pub fn kind(&self) -> KeyKind {
        match self {
            Self::Rsa(modulus) => KeyKind::Rsa(
                8 * modulus.len()
                    - modulus
                        .first()
                        .map_or(0, |byte| byte.leading_zeros() as usize),
            ),
            Self::Ec(Curve::P256, _) => KeyKind::P256,
            Self::Ec(Curve::P384, _) => KeyKind::P384,
            Self::Ec(Curve::P521, _) => KeyKind::P521,
            Self::Ed25519(_) => KeyKind::Ed25519,
            Self::Ec(Curve::Other, _) | Self::Other => KeyKind::Other,
        }
    }
}

impl Curve {
    fn named(name: Option<&[u8]>) -> Self {
        match name {
            Some(P256) => Self::P256,
            Some(P384) => Self::P384,
            Some(P521) => Self::P521,
            _ => Self::Other,
        }
    }
}

/// The parameters of the curve that an EC key in a block with this label names, in DER (RFC 5480,
/// section 2.1.1).
pub(super) fn curve(label: &str, content: &[u8]) -> Option<Vec<u8>> {
    let mut key = Der(content).open(tag::SEQUENCE)?;
    key.number()?;
    if label == "EC PRIVATE KEY" && key.take_if(tag::OCTETS).is_some() {
        return key.take_if(tag::FIRST).map(<[u8]>::to_owned);
    }
    let mut algorithm = key.open(tag::SEQUENCE)?;
    algorithm.take(tag::OID).filter(|name| *name == EC)?;
    Some(algorithm.0.to_owned())
}

/// RFC 5208, `PrivateKeyInfo`.
fn pkcs8(mut info: Der<'_>) -> Option<Public> {
    info.number()?;
    let mut algorithm = info.open(tag::SEQUENCE)?;
    let name = algorithm.take(tag::OID)?;
    let mut key = Der(info.take(tag::OCTETS)?);
    match name {
        RSA | RSA_PSS => rsa_private(key.open(tag::SEQUENCE)?),
        EC => ec_private(key.open(tag::SEQUENCE)?, algorithm.take_if(tag::OID)),
        ED25519 => {
            let seed = key.take(tag::OCTETS)?.try_into().ok()?;
            Some(Public::Ed25519(SecretKey::from_seed(seed).public()))
        }
        _ => Some(Public::Other),
    }
}

/// RFC 8017, `RSAPrivateKey`.
fn rsa_private(mut key: Der<'_>) -> Option<Public> {
    key.number()?;
    key.number().map(|modulus| Public::Rsa(modulus.to_owned()))
}

/// RFC 5915, `ECPrivateKey`.
fn ec_private(mut key: Der<'_>, curve: Option<&[u8]>) -> Option<Public> {
    key.number()?;
    key.take(tag::OCTETS)?;
    let own = key
        .take_if(tag::FIRST)
        .and_then(|content| Der(content).take(tag::OID));
    let point = match key.take_if(tag::SECOND) {
        Some(content) => Some(compressed(Der(content).bits()?)?),
        None => None,
    };
    Some(Public::Ec(Curve::named(curve.or(own)), point))
}

/// A point (SEC 1, section 2.3.3) in its short form, for one may stand in the key and the other in
/// the certificate.
fn compressed(point: &[u8]) -> Option<Vec<u8>> {
    match point {
        [4, both @ ..] if !both.is_empty() && both.len() % 2 == 0 => {
            let (x, y) = both.split_at(both.len() / 2);
            let is_odd = y.last().is_some_and(|byte| byte & 1 == 1);
            Some([&[2 + u8::from(is_odd)], x].concat())
        }
        [2 | 3, _, ..] => Some(point.to_owned()),
        _ => None,
    }
}

/// 1.2.840.113549.1.1.1
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
/// 1.2.840.113549.1.1.10
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
/// 1.2.840.10045.2.1
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
/// 1.3.101.112
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
/// 1.2.840.10045.3.1.7
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
/// 1.3.132.0.34
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0, 34];
/// 1.3.132.0.35
const P521: &[u8] = &[0x2b, 0x81, 0x04, 0, 35];
