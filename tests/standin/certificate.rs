//! A PEM bundle, read as far as unitd shows it: the kind of the key, and of each certificate names,
//! issuer and validity.
//!
//! Nothing is verified. unitd takes a key that belongs to another certificate, and a chain in the
//! wrong order, and fails when a listener is to use it: [`Certificate::fits`].

use starlingd::model::json::{Map, Value};

use super::exchange::object;
use super::pem;

/// A bundle that unitd would take.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The bundle as it came.
    pub pem: String,
    /// What unitd answers when it is asked for it.
    pub shown: Value,
    /// Whether the key is the first certificate's, or of another kind, which unitd does not
    /// notice.
    pub fits: bool,
}

impl Certificate {
    /// `None` for what has no key, no certificate, or a block that is neither.
    pub fn parse(bundle: &[u8]) -> Option<Self> {
        let (mut key, mut chain) = (None, Vec::new());
        for (label, der) in pem::blocks(bundle)? {
            match label.as_str() {
                "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
                    chain.push(Shown::read(&der)?)
                }
                label
                    if !label.ends_with("PRIVATE KEY")
                        || label.starts_with("ENCRYPTED")
                        || key.is_some() =>
                {
                    return None;
                }
                "RSA PRIVATE KEY" => key = Some(Key::rsa(&der).or_else(|| Key::pkcs8(&der))?),
                "EC PRIVATE KEY" => key = Some(Key::ec(&der).or_else(|| Key::pkcs8(&der))?),
                _ => key = Some(Key::pkcs8(&der)?),
            }
        }
        let (key, first) = (key?, chain.first()?);
        let fits = key.public.is_none()
            || key.kind != first.kind
            || key.public == Some(first.public.clone());
        let links = chain
            .into_iter()
            .map(|certificate| certificate.value)
            .collect();
        let shown = object([("key", key.words().into()), ("chain", Value::Array(links))]);
        Some(Self {
            pem: String::from_utf8_lossy(bundle).into_owned(),
            shown,
            fits,
        })
    }
}

#[derive(PartialEq, Clone, Copy)]
enum Kind {
    Rsa,
    Ec,
    Other,
}

struct Key {
    kind: Kind,
    /// The modulus, or the point; not every key file has the point.
    public: Option<Vec<u8>>,
}

impl Key {
    /// RFC 5208, section 5.
    fn pkcs8(der: &[u8]) -> Option<Self> {
        let mut fields = sequence(der)?;
        fields.take(INTEGER)?;
        let kind = kind(fields.take(SEQUENCE)?)?;
        let own = fields.take(OCTETS)?;
        match kind {
            Kind::Rsa => Self::rsa(own),
            Kind::Ec => Self::ec(own),
            Kind::Other => Some(Self { kind, public: None }),
        }
    }

    /// RFC 8017, appendix A.1.2.
    fn rsa(der: &[u8]) -> Option<Self> {
        let mut fields = sequence(der)?;
        fields.take(INTEGER)?;
        Some(Self {
            kind: Kind::Rsa,
            public: Some(magnitude(fields.take(INTEGER)?)),
        })
    }

    /// RFC 5915, section 3.
    fn ec(der: &[u8]) -> Option<Self> {
        let mut fields = sequence(der)?;
        fields.take(INTEGER)?;
        fields.take(OCTETS)?;
        let point = std::iter::from_fn(|| fields.next()).find(|(tag, _)| *tag == TAGGED_1);
        let point = point.and_then(|(_, inner)| Some(Der(inner).take(BITS)?.get(1..)?.to_vec()));
        Some(Self {
            kind: Kind::Ec,
            public: point,
        })
    }

    fn words(&self) -> String {
        match (self.kind, &self.public) {
            (Kind::Rsa, Some(modulus)) => {
                let unused = modulus.first().map_or(0, |byte| byte.leading_zeros());
                format!("RSA ({} bits)", modulus.len() * 8 - unused as usize)
            }
            (Kind::Ec, _) => "ECDH".to_owned(),
            _ => "unknown".to_owned(),
        }
    }
}

/// One certificate of the chain (RFC 5280, section 4.1).
struct Shown {
    kind: Kind,
    public: Vec<u8>,
    value: Value,
}

impl Shown {
    fn read(der: &[u8]) -> Option<Self> {
        let mut fields = Der(sequence(der)?.take(SEQUENCE)?);
        if fields.0.first() == Some(&TAGGED_0) {
            fields.next()?;
        }
        fields.take(INTEGER)?;
        fields.take(SEQUENCE)?;
        let issuer = names(fields.take(SEQUENCE)?)?;
        let mut validity = Der(fields.take(SEQUENCE)?);
        let [since, until] = [time(validity.next()?)?, time(validity.next()?)?];
        let subject = names(fields.take(SEQUENCE)?)?;
        let mut key = Der(fields.take(SEQUENCE)?);
        let kind = kind(key.take(SEQUENCE)?)?;
        let public = key.take(BITS)?.get(1..)?;
        let public = if kind == Kind::Rsa {
            magnitude(sequence(public)?.take(INTEGER)?)
        } else {
            public.to_vec()
        };
        let others = std::iter::from_fn(|| fields.next()).find(|(tag, _)| *tag == TAGGED_3);
        let others = others
            .map(|(_, extensions)| host_names(extensions))
            .unwrap_or_default();
        let value = object([
            ("subject", shown_name(&subject, others)),
            ("issuer", shown_name(&issuer, Vec::new())),
            (
                "validity",
                object([("since", since.into()), ("until", until.into())]),
            ),
        ]);
        Some(Self {
            kind,
            public,
            value,
        })
    }
}

/// In the order in which unitd lists them.
fn shown_name(names: &[(Vec<u8>, String)], others: Vec<String>) -> Value {
    let mut shown = Map::new();
    for (last, member) in MEMBERS {
        if let Some((_, text)) = names.iter().find(|(oid, _)| oid == &[0x55, 4, last]) {
            shown.insert(member.to_owned(), text.as_str().into());
        }
        if member == "common_name" && !others.is_empty() {
            shown.insert(
                "alt_names".to_owned(),
                Value::Array(others.iter().map(|name| name.as_str().into()).collect()),
            );
        }
    }
    Value::Object(shown)
}

fn names(rdns: &[u8]) -> Option<Vec<(Vec<u8>, String)>> {
    let mut all = Vec::new();
    let mut sets = Der(rdns);
    while let Some((_, set)) = sets.next() {
        let mut pair = sequence(set)?;
        let oid = pair.take(OID)?.to_vec();
        all.push((oid, String::from_utf8(pair.next()?.1.to_vec()).ok()?));
    }
    Some(all)
}

/// The DNS names among the alternative ones (RFC 5280, section 4.2.1.6); unitd leaves the others
/// out.
fn host_names(extensions: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    let Some(mut each) = sequence(extensions) else {
        return all;
    };
    while let Some((_, extension)) = each.next() {
        let mut fields = Der(extension);
        if fields.take(OID) != Some(&ALTERNATIVE_NAMES) {
            continue;
        }
        let value = std::iter::from_fn(|| fields.next()).find(|(tag, _)| *tag == OCTETS);
        let Some(mut names) = value.and_then(|(_, value)| sequence(value)) else {
            continue;
        };
        while let Some((tag, name)) = names.next() {
            all.extend(
                String::from_utf8(name.to_vec())
                    .ok()
                    .filter(|_| tag == DNS_NAME),
            );
        }
    }
    all
}

/// `Nov 22 12:34:43 2026 GMT`, from the two forms of RFC 5280, section 4.1.2.5.
fn time((tag, digits): (u8, &[u8])) -> Option<String> {
    let text = std::str::from_utf8(digits).ok()?;
    let (year, rest) = text.split_at_checked(if tag == UTC_TIME { 2 } else { 4 })?;
    let year: u32 = year.parse().ok()?;
    let year = if tag != UTC_TIME {
        year
    } else {
        year + if year < 50 { 2000 } else { 1900 }
    };
    let part = |at: usize| rest.get(at..at + 2)?.parse::<usize>().ok();
    let month = MONTHS.get(part(0)?.checked_sub(1)?)?;
    Some(format!(
        "{month} {:2} {:02}:{:02}:{:02} {year} GMT",
        part(2)?,
        part(4)?,
        part(6)?,
        part(8)?
    ))
}

fn kind(algorithm: &[u8]) -> Option<Kind> {
    Some(match Der(algorithm).take(OID)? {
        RSA => Kind::Rsa,
        EC => Kind::Ec,
        _ => Kind::Other,
    })
}

fn magnitude(integer: &[u8]) -> Vec<u8> {
    integer
        .iter()
        .copied()
        .skip_while(|byte| *byte == 0)
        .collect()
}

fn sequence(der: &[u8]) -> Option<Der<'_>> {
    Der(der).take(SEQUENCE).map(Der)
}

/// What is left of a run of DER values.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let bytes = rest
                .get(..usize::from(first & 0x7f))
                .filter(|bytes| (1..=4).contains(&bytes.len()))?;
            length = bytes
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte));
            rest = &rest[bytes.len()..];
        }
        let (value, after) = rest.split_at_checked(length)?;
        self.0 = after;
        Some((tag, value))
    }

    fn take(&mut self, wanted: u8) -> Option<&'a [u8]> {
        self.next()
            .filter(|(tag, _)| *tag == wanted)
            .map(|(_, value)| value)
    }
}

const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const DNS_NAME: u8 = 0x82;
const TAGGED_0: u8 = 0xa0;
const TAGGED_1: u8 = 0xa1;
const TAGGED_3: u8 = 0xa3;
/// 1.2.840.113549.1.1.1 and 1.2.840.10045.2.1, and 2.5.29.17.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const ALTERNATIVE_NAMES: [u8; 3] = [0x55, 0x1d, 0x11];
/// The last number of an attribute's name below 2.5.4, and what unitd calls it.
const MEMBERS: [(u8, &str); 6] = [
    (3, "common_name"),
    (6, "country"),
    (8, "state_or_province"),
    (7, "locality"),
    (10, "organization"),
    (11, "department"),
];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
