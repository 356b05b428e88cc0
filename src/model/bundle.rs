//! Bundles: a private key and its certificate chain, in PEM (RFC 7468), the key first or last, as
//! Unit takes them.
//!
//! [`uploaded`] is the one door for a bundle that a client uploads: whether a server that is given
//! it could use it. Unit takes a key that does not belong and a chain in the wrong order, and fails
//! without a reason when they are used. No signature is checked, and whether clients trust the
//! chain is not asked. Nothing here ever says anything of what is in a key.

mod certificate;
mod der;
mod key;
mod pem;

use std::fmt;

use self::certificate::Certificate;
pub use self::certificate::CertificateTime;
pub use self::key::KeyKind;
use self::key::Public;
use crate::limits::{CLOCK_SLACK_MS, CLOCK_SOUND_FROM_MS};

/// What a bundle is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The names that the leaf is for, at most
    /// [`CERTIFICATE_NAMES_MAX`](crate::limits::CERTIFICATE_NAMES_MAX); they are as a client
    /// wrote them, and may hold anything.
    pub names: Vec<String>,
    /// The kind of its key.
    pub key: KeyKind,
    /// Whether the key is known to belong to the leaf. An EC key need not hold its public half,
    /// and then it cannot be told.
    pub is_matched: bool,
    /// From when the leaf is valid.
    pub since: CertificateTime,
    /// The last moment at which it is.
    pub until: CertificateTime,
}

impl Bundle {
    /// What servers may have against it, though they take most of its kind.
    pub fn weakness(&self) -> Option<String> {
        match self.key {
            KeyKind::Rsa(bits) if bits < RSA_USUAL_BITS => Some(format!(
                "its key is {}, and OpenSSL wants {RSA_USUAL_BITS} bits, unless it is told \
                 otherwise",
                self.key
            )),
            _ if !self.is_matched => Some(format!(
                "whether its key ({}) belongs to it cannot be told",
                self.key
            )),
            KeyKind::Other => Some("its key is of a kind that not every OpenSSL knows".to_owned()),
            _ => None,
        }
    }

    /// Whether the leaf is valid at this moment of the host's clock, in milliseconds since 1970. A
    /// clock that must be wrong, for it shows a time before this program was made, refuses
    /// nothing; and one that is a day late does not refuse what was issued just now.
    pub fn check_time(&self, now_ms: u64) -> Result<(), BadBundle> {
        let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
        match () {
            () if now_ms < CLOCK_SOUND_FROM_MS => Ok(()),
            () if self.until.ms() < now_ms => Err(BadBundle::Expired {
                until: self.until,
                now: CertificateTime::at(now_ms),
            }),
            () if self.since.ms() > now_ms.saturating_add(CLOCK_SLACK_MS) => {
                Err(BadBundle::NotYetValid {
                    since: self.since,
                    now: CertificateTime::at(now_ms),
                })
            }
            () => Ok(()),
        }
    }
}

/// Why a text is no bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadBundle {
    /// There is nothing.
    Empty,
    /// No line begins a block.
    NotPem,
    /// The text is UTF-16, in which no server finds anything.
    Utf16,
    /// A block begins, and all of it is one line.
    NoLineEnds,
    /// A line that begins a block does not say of what kind it is.
    NoLabel,
    /// A block of this label, which servers take for nothing that belongs into a bundle.
    Label(String),
    /// Parameters of a curve that is not the key's, or that the key does not name.
    OtherCurve,
    /// A block has an empty line where none may be, or none after header lines.
    EmptyLine,
    /// After header lines, a line that is too long, or too short and not the last.
    LineLength,
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
    /// The leaf is not valid any more.
    Expired {
        /// The certificate was valid until then.
        until: CertificateTime,
        /// What the host's clock shows.
        now: CertificateTime,
    },
    /// The leaf is not valid yet.
    NotYetValid {
        /// The certificate is valid from then on.
        since: CertificateTime,
        /// What the host's clock shows.
        now: CertificateTime,
    },
}

impl fmt::Display for BadBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is nothing in it"),
            Self::NotPem => f.write_str("it is not PEM: no line begins with -----BEGIN"),
            Self::Utf16 => {
                f.write_str("it is UTF-16, which no server reads: save it as ASCII or UTF-8")
            }
            Self::NoLineEnds => f.write_str(
                "it has no line ends, which a block needs: curl keeps them with --data-binary, \
                 and takes them out with -d",
            ),
            Self::NoLabel => f.write_str("a line begins with -----BEGIN and does not say what"),
            Self::Label(label) => write!(
                f,
                "there is a block {label:?} in it, and servers refuse a bundle with anything but \
                 certificates and a private key: remove that block"
            ),
            Self::OtherCurve => f.write_str(
                "the block \"EC PARAMETERS\" in it is not of the key's curve: remove that block, \
                 or take another key",
            ),
            Self::EmptyLine => f.write_str(
                "a block has an empty line in it: only header lines are followed by one, and \
                 always",
            ),
            Self::LineLength => f.write_str(
                "in a block with header lines, all lines after them but the last have 64 \
                 characters",
            ),
            Self::Unended => f.write_str("a block has no -----END line of its own"),
            Self::NoKey => f.write_str("there is no private key in it"),
            Self::SeveralKeys => f.write_str("there is more than one private key in it"),
            Self::Encrypted => f.write_str(
                "the private key is encrypted, and a server has nobody to ask for the password",
            ),
            Self::UnreadableKey => f.write_str(
                "the private key cannot be read: it is not DER in base64, or of an unknown form",
            ),
            Self::NoCertificate => f.write_str("there is no certificate in it"),
            Self::UnreadableCertificate(place) => {
                write!(
                    f,
                    "certificate {place} in it cannot be read: it is not DER in base64, or of an \
                     unknown form"
                )
            }
            Self::LeafNotFirst(place) => {
                write!(
                    f,
                    "the private key belongs to certificate {place} in it, which must be the first"
                )
            }
            Self::WrongKey { key, certificate } if key == certificate => {
                write!(
                    f,
                    "the private key does not belong to the certificate: both are {key}, but not \
                     the same key"
                )
            }
            Self::WrongKey { key, certificate } => {
                write!(
                    f,
                    "the private key does not belong to the certificate: it is {key}, the \
                     certificate's is {certificate}"
                )
            }
            Self::WrongOrder(place) => write!(
                f,
                "the chain is not in order: certificate {place} was not issued by certificate {}, \
                 which follows it",
                place + 1
            ),
            Self::Expired { until, now } => write!(
                f,
                "the certificate expired on {until}, and this host's clock shows {}; with ?force \
                 it is taken all the same",
                now.minute()
            ),
            Self::NotYetValid { since, now } => write!(
                f,
                "the certificate is valid only from {since} on, and this host's clock shows {}; \
                 with ?force it is taken all the same",
                now.minute()
            ),
        }
    }
}

impl std::error::Error for BadBundle {}

/// What a text is that a client uploads as a bundle, and the text as servers take it: without what
/// only `openssl ecparam` needs, the curve of the key before the key, without byte order marks, and
/// in UTF-8, in which documents are. Nothing else is changed in it. The dates are for
/// [`Bundle::check_time`].
pub fn uploaded(text: &[u8]) -> Result<(Bundle, String), BadBundle> {
    let pem = blocks(text)?;
    let (parameters, blocks): (Vec<_>, Vec<_>) = pem
        .blocks
        .into_iter()
        .partition(|block| block.label == pem::EC_PARAMETERS);
    let bundle = bundle(&blocks)?;
    let curve = blocks
        .iter()
        .find(|block| block.is_key())
        .and_then(|key| key::curve(key.label, &key.content()?));
    if parameters
        .iter()
        .any(|block| block.content().is_none() || block.content() != curve)
    {
        return Err(BadBundle::OtherCurve);
    }
    let mut left = text.to_owned();
    let mut unwanted: Vec<_> = parameters
        .into_iter()
        .map(|block| block.place)
        .chain(pem.marks)
        .collect();
    unwanted.sort_by_key(|place| place.start);
    unwanted
        .into_iter()
        .rev()
        .for_each(|place| drop(left.drain(place)));
    Ok((bundle, String::from_utf8_lossy(&left).into_owned()))
}

/// What a text is that is to be a bundle on a server, just as it stands.
pub fn check(text: &str) -> Result<Bundle, BadBundle> {
    bundle(&blocks(text.as_bytes())?.blocks)
}

fn blocks(text: &[u8]) -> Result<pem::Pem<'_>, BadBundle> {
    let has = |word: &[u8]| text.windows(word.len()).any(|part| part == word);
    match pem::read(text) {
        _ if text.trim_ascii().is_empty() => Err(BadBundle::Empty),
        _ if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") => {
            Err(BadBundle::Utf16)
        }
        Ok(pem) if !pem.blocks.is_empty() => Ok(pem),
        _ if has(b"-----BEGIN ") && !text.trim_ascii().contains(&b'\n') => {
            Err(BadBundle::NoLineEnds)
        }
        Ok(_) => Err(BadBundle::NotPem),
        Err(error) => Err(error),
    }
}

fn bundle(blocks: &[pem::Block<'_>]) -> Result<Bundle, BadBundle> {
    if let Some(other) = blocks
        .iter()
        .find(|block| !block.is_key() && !block.is_certificate())
    {
        return Err(BadBundle::Label(other.label.to_owned()));
    }
    let mut keys = blocks.iter().filter(|block| block.is_key());
    let key = match (keys.next(), keys.next()) {
        _ if blocks
            .iter()
            .any(|block| block.is_key() && block.is_encrypted()) =>
        {
            return Err(BadBundle::Encrypted);
        }
        (None, _) => return Err(BadBundle::NoKey),
        (Some(_), Some(_)) => return Err(BadBundle::SeveralKeys),
        (Some(key), None) => key,
    };
    let chain = chain(blocks)?;
    let leaf = chain.first().ok_or(BadBundle::NoCertificate)?;
    let content = key.content().ok_or(BadBundle::UnreadableKey)?;
    let key = Public::of_private(key.label, &content).ok_or(BadBundle::UnreadableKey)?;
    let is_matched = belongs(&key, &chain)?;
    let unlinked = chain
        .windows(2)
        .position(|pair| pair[0].issuer != pair[1].subject);
    if let Some(place) = unlinked {
        return Err(BadBundle::WrongOrder(place + 1));
    }
    Ok(Bundle {
        names: leaf.names.clone(),
        key: leaf.key.kind(),
        is_matched,
        since: leaf.since,
        until: leaf.until,
    })
}

fn chain(blocks: &[pem::Block<'_>]) -> Result<Vec<Certificate>, BadBundle> {
    let certificates = blocks.iter().filter(|block| block.is_certificate());
    let read = certificates.enumerate().map(|(place, block)| {
        let content = block.content();
        let certificate =
            content.and_then(|content| Certificate::read(&content, block.label == pem::TRUSTED));
        certificate.ok_or(BadBundle::UnreadableCertificate(place + 1))
    });
    read.collect()
}

/// Whether the key is seen to belong to the first of them.
fn belongs(key: &Public, chain: &[Certificate]) -> Result<bool, BadBundle> {
    let Some((leaf, others)) = chain.split_first() else {
        return Err(BadBundle::NoCertificate);
    };
    match key.is_same(&leaf.key) {
        Some(false) => match others
            .iter()
            .position(|other| key.is_same(&other.key) == Some(true))
        {
            Some(place) => Err(BadBundle::LeafNotFirst(place + 2)),
            None => Err(BadBundle::WrongKey {
                key: key.kind(),
                certificate: leaf.key.kind(),
            }),
        },
        same => Ok(same.is_some()),
    }
}

/// What OpenSSL's security level 2 asks of RSA keys, which is the usual one.
const RSA_USUAL_BITS: usize = 2048;

#[cfg(test)]
mod tests;
