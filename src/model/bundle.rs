//! Bundles: a private key and its certificate chain, in PEM (RFC 7468), the key first or last, as Unit takes them.
//!
//! [`check`] is the one door for a bundle that a client uploads: whether a server that is given it could use it. Unit takes a key that
//! does not belong and a chain in the wrong order, and fails without a reason when they are used. No signature is checked, and whether
//! clients trust the chain is not asked. Nothing here ever says anything of what is in a key.

mod certificate;
mod der;
mod key;
mod pem;

use std::fmt;

use self::certificate::Certificate;
pub use self::certificate::Time;
pub use self::key::KeyKind;
use self::key::Public;
use crate::limits::{CLOCK_SLACK_MS, CLOCK_SOUND_FROM_MS};

/// What a bundle is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The names that the leaf is for, at most [`CERTIFICATE_NAMES_MAX`](crate::limits::CERTIFICATE_NAMES_MAX); they are as a client
    /// wrote them, and may hold anything.
    pub names: Vec<String>,
    /// The kind of its key.
    pub key: KeyKind,
    /// Whether the key is known to belong to the leaf. An EC key need not hold its public half, and then it cannot be told.
    pub is_matched: bool,
    /// From when the leaf is valid.
    pub since: Time,
    /// The last moment at which it is.
    pub until: Time,
}

impl Bundle {
    /// Whether the leaf is valid at this moment of the host's clock, in milliseconds since 1970. A clock that must be wrong, for it
    /// shows a time before this program was made, refuses nothing; and one that is a day late does not refuse what was issued just now.
    pub fn check_time(&self, now_ms: u64) -> Result<(), BadBundle> {
        let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
        match () {
            () if now_ms < CLOCK_SOUND_FROM_MS => Ok(()),
            () if self.until.ms() < now_ms => Err(BadBundle::Expired(self.until)),
            () if self.since.ms() > now_ms.saturating_add(CLOCK_SLACK_MS) => Err(BadBundle::NotYetValid(self.since)),
            () => Ok(()),
        }
    }
}

/// Why a text is no bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadBundle {
    /// There is nothing.
    Empty,
    /// No line begins a block.
    NotPem,
    /// A block is not ended by the line that belongs to it.
    Unended,
    /// No block is a private key.
    NoKey,
    /// More than one block is.
    SeveralKeys,
    /// The private key is encrypted.
    Encrypted,
    /// The private key cannot be read.
    UnreadableKey,
    /// No block is a certificate.
    NoCertificate,
    /// This certificate, counted from 1, cannot be read.
    UnreadableCertificate(usize),
    /// The key belongs to this certificate, counted from 1, and not to the first.
    LeafNotFirst(usize),
    /// The key belongs to no certificate.
    WrongKey {
        /// What it is.
        key: KeyKind,
        /// What the first certificate's is.
        certificate: KeyKind,
    },
    /// This certificate, counted from 1, was not issued by the next.
    WrongOrder(usize),
    /// The leaf was valid until then.
    Expired(Time),
    /// The leaf is valid only from then on.
    NotYetValid(Time),
}

impl fmt::Display for BadBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is nothing in it"),
            Self::NotPem => f.write_str("it is not PEM: no line begins with -----BEGIN"),
            Self::Unended => f.write_str("a block has no -----END line of its own"),
            Self::NoKey => f.write_str("there is no private key in it"),
            Self::SeveralKeys => f.write_str("there is more than one private key in it"),
            Self::Encrypted => f.write_str("the private key is encrypted, and a server has nobody to ask for the password"),
            Self::UnreadableKey => f.write_str("the private key cannot be read: it is not DER in base64, or of an unknown form"),
            Self::NoCertificate => f.write_str("there is no certificate in it"),
            Self::UnreadableCertificate(place) => {
                write!(f, "certificate {place} in it cannot be read: it is not DER in base64, or of an unknown form")
            }
            Self::LeafNotFirst(place) => {
                write!(f, "the private key belongs to certificate {place} in it, which must be the first")
            }
            Self::WrongKey { key, certificate } if key == certificate => {
                write!(f, "the private key does not belong to the certificate: both are {key}, but not the same key")
            }
            Self::WrongKey { key, certificate } => {
                write!(f, "the private key does not belong to the certificate: it is {key}, the certificate's is {certificate}")
            }
            Self::WrongOrder(place) => write!(
                f,
                "the chain is not in order: certificate {place} was not issued by certificate {}, which follows it",
                place + 1
            ),
            Self::Expired(until) => write!(f, "the certificate expired on {until}; with ?force it is taken all the same"),
            Self::NotYetValid(since) => {
                write!(f, "the certificate is valid only from {since} on; with ?force it is taken all the same")
            }
        }
    }
}

impl std::error::Error for BadBundle {}

/// What a text is that is to be a bundle; its dates are for [`Bundle::check_time`].
pub fn check(text: &str) -> Result<Bundle, BadBundle> {
    if text.trim().is_empty() {
        return Err(BadBundle::Empty);
    }
    let blocks = pem::blocks(text)?;
    let mut keys = blocks.iter().filter(|block| block.is_key());
    let key = match (keys.next(), keys.next()) {
        _ if blocks.is_empty() => return Err(BadBundle::NotPem),
        _ if blocks.iter().any(|block| block.is_key() && block.is_encrypted()) => return Err(BadBundle::Encrypted),
        (None, _) => return Err(BadBundle::NoKey),
        (Some(_), Some(_)) => return Err(BadBundle::SeveralKeys),
        (Some(key), None) => key,
    };
    let chain = chain(&blocks)?;
    let leaf = chain.first().ok_or(BadBundle::NoCertificate)?;
    let content = key.content().ok_or(BadBundle::UnreadableKey)?;
    let key = Public::of_private(key.label, &content).ok_or(BadBundle::UnreadableKey)?;
    let is_matched = belongs(&key, &chain)?;
    let unlinked = chain.windows(2).position(|pair| pair[0].issuer != pair[1].subject);
    if let Some(place) = unlinked {
        return Err(BadBundle::WrongOrder(place + 1));
    }
    Ok(Bundle { names: leaf.names.clone(), key: leaf.key.kind(), is_matched, since: leaf.since, until: leaf.until })
}

fn chain(blocks: &[pem::Block<'_>]) -> Result<Vec<Certificate>, BadBundle> {
    let certificates = blocks.iter().filter(|block| block.is_certificate());
    let read = certificates.enumerate().map(|(place, block)| {
        let content = block.content();
        let certificate = content.and_then(|content| Certificate::read(&content, block.label == pem::TRUSTED));
        certificate.ok_or(BadBundle::UnreadableCertificate(place + 1))
    });
    read.collect()
}

/// Whether the key is seen to belong to the first of them.
fn belongs(key: &Public, chain: &[Certificate]) -> Result<bool, BadBundle> {
    let Some((leaf, others)) = chain.split_first() else { return Err(BadBundle::NoCertificate) };
    match key.is_same(&leaf.key) {
        Some(false) => match others.iter().position(|other| key.is_same(&other.key) == Some(true)) {
            Some(place) => Err(BadBundle::LeafNotFirst(place + 2)),
            None => Err(BadBundle::WrongKey { key: key.kind(), certificate: leaf.key.kind() }),
        },
        same => Ok(same.is_some()),
    }
}

#[cfg(test)]
mod tests;
