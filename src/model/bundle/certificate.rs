//! Certificates (RFC 5280): of each only its names, its dates, its key, and what its place in a
//! chain depends on.
//!
//! No signature is checked: a server that is given a chain does not check them either.

use std::fmt;

use super::der::{Der, tag};
use super::key::Public;
use crate::limits::CERTIFICATE_NAMES_MAX;

/// What is read of one.
pub(super) struct Certificate {
    pub issuer: Name,
    pub subject: Name,
    /// The subject's common name and the DNS names, no name twice.
    pub names: Vec<String>,
    pub since: CertificateTime,
    pub until: CertificateTime,
    pub key: Public,
}

/// A distinguished name: its attributes, each with its value in lower case, for issuers write a
/// name in another string type than its owner.
pub(super) type Name = Vec<(Vec<u8>, Vec<u8>)>;

/// A moment, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CertificateTime {
    year: i64,
    month: i64,
    day: i64,
    second: i64,
}

impl CertificateTime {
    /// Milliseconds since 1970; negative before.
    pub fn ms(self) -> i64 {
        let Self {
            year,
            month,
            day,
            second,
        } = self;
        // Days from 1 March of year 0 (H. Hinnant, `days_from_civil`): leap days are last in their
        // years.
        let (year, month) = if month > 2 {
            (year, month - 3)
        } else {
            (year - 1, month + 9)
        };
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let days =
            era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 + day
                - 1
                - 719_468;
        (days * 86_400 + second) * 1000
    }

    /// The second in which this moment lies, in milliseconds since 1970.
    pub fn at(ms: i64) -> Self {
        let seconds = ms.div_euclid(1000);
        let (days, second) = (
            seconds.div_euclid(86_400) + 719_468,
            seconds.rem_euclid(86_400),
        );
        // `civil_from_days`, the way back from [`CertificateTime::ms`].
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let (month, later) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        Self {
            year: era * 400 + year + later,
            month,
            day,
            second,
        }
    }

    /// Shown to the minute.
    pub(super) fn minute(self) -> String {
        format!(
            "{self} {:02}:{:02} UTC",
            self.second / 3600,
            self.second / 60 % 60
        )
    }

    fn parse(tag: u8, text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text)
            .ok()?
            .strip_suffix('Z')
            .filter(|text| text.bytes().all(|c| c.is_ascii_digit()))?;
        let (year, rest) = match (tag, text.len()) {
            // 50 to 99 are of the last century (RFC 5280, section 4.1.2.5.1).
            (tag::UTC_TIME, 12) => {
                let year: i64 = text[..2].parse().ok()?;
                (
                    if year < 50 { 2000 + year } else { 1900 + year },
                    &text[2..],
                )
            }
            (tag::TIME, 14) => (text[..4].parse().ok()?, &text[4..]),
            _ => return None,
        };
        let two = |at: usize| rest[at..at + 2].parse::<i64>().ok();
        let (month, day, hour, minute, second) = (two(0)?, two(2)?, two(4)?, two(6)?, two(8)?);
        let is_sound = (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        is_sound.then_some(Self {
            year,
            month,
            day,
            second: hour * 3600 + minute * 60 + second,
        })
    }
}

impl fmt::Display for CertificateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl Certificate {
    /// From its DER. `more` lets something follow it.
    pub fn read(content: &[u8], more: bool) -> Option<Self> {
        let mut all = Der(content);
        let mut certificate = all.open(tag::SEQUENCE)?;
        if !more && !all.is_done() {
            return None;
        }
        let mut body = certificate.open(tag::SEQUENCE)?;
        body.take_if(tag::FIRST);
        body.take(tag::INTEGER)?;
        body.take(tag::SEQUENCE)?;
        let issuer = name(body.open(tag::SEQUENCE)?)?;
        let mut validity = body.open(tag::SEQUENCE)?;
        let (since, until) = (time(&mut validity)?, time(&mut validity)?);
        let subject = name(body.open(tag::SEQUENCE)?)?;
        let key = Public::of_certificate(body.open(tag::SEQUENCE)?)?;
        let mut names = Vec::new();
        let common = subject
            .iter()
            .filter(|(kind, _)| kind == COMMON_NAME)
            .map(|(_, value)| value.as_slice());
        for found in common.chain(dns_names(body)) {
            let text = String::from_utf8_lossy(found).into_owned();
            if names.len() < CERTIFICATE_NAMES_MAX && !names.contains(&text) {
                names.push(text);
            }
        }
        Some(Self {
            issuer,
            subject,
            names,
            since,
            until,
            key,
        })
    }
}

fn time(der: &mut Der<'_>) -> Option<CertificateTime> {
    der.next()
        .and_then(|(tag, text)| CertificateTime::parse(tag, text))
}

fn name(mut der: Der<'_>) -> Option<Name> {
    let mut name = Name::new();
    while !der.is_done() {
        let mut set = der.open(tag::SET)?;
        while !set.is_done() {
            let mut attribute = set.open(tag::SEQUENCE)?;
            let kind = attribute.take(tag::OID)?;
            let (_, value) = attribute.next()?;
            name.push((kind.to_owned(), value.trim_ascii().to_ascii_lowercase()));
        }
    }
    Some(name)
}

/// The DNS names among the alternative names, as far as they can be read: they are shown, and
/// nothing depends on them.
fn dns_names(mut body: Der<'_>) -> Vec<&[u8]> {
    let mut names = Vec::new();
    let extensions = std::iter::from_fn(|| body.next()).find(|(tag, _)| *tag == tag::FOURTH);
    let mut list = extensions
        .and_then(|(_, content)| Der(content).open(tag::SEQUENCE))
        .unwrap_or(Der(&[]));
    while let Some(mut extension) = list.open(tag::SEQUENCE) {
        if extension.take(tag::OID) != Some(ALTERNATIVE_NAMES) {
            continue;
        }
        let value = std::iter::from_fn(|| extension.next()).find(|(tag, _)| *tag == tag::OCTETS);
        let mut all = value
            .and_then(|(_, content)| Der(content).open(tag::SEQUENCE))
            .unwrap_or(Der(&[]));
        names.extend(
            std::iter::from_fn(|| all.next())
                .filter(|(tag, _)| *tag == tag::DNS_NAME)
                .map(|(_, name)| name),
        );
    }
    names
}

/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
/// 2.5.29.17
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 17];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        let ms =
            |tag, text: &str| CertificateTime::parse(tag, text.as_bytes()).map(CertificateTime::ms);
        assert_eq!(ms(tag::UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(ms(tag::UTC_TIME, "500101000000Z"), Some(-631_152_000_000));
        assert_eq!(ms(tag::UTC_TIME, "490101000000Z"), Some(2_493_072_000_000));
        assert_eq!(ms(tag::TIME, "20240229235959Z"), Some(1_709_251_199_000));
        assert_eq!(ms(tag::TIME, "99991231235959Z"), Some(253_402_300_799_000));
        for ms in [0, -631_152_000_000, 1_709_251_199_000, 253_402_300_799_000] {
            assert_eq!(CertificateTime::at(ms).ms(), ms);
        }
        assert_eq!(
            CertificateTime::at(1_709_251_199_999).minute(),
            "2024-02-29 23:59 UTC"
        );
        for bad in [
            "20241301000000Z",
            "20240101240000Z",
            "20240101000000",
            "2024010100000Z",
            "2024010100 000Z",
            "20240101000000+01",
        ] {
            assert_eq!(ms(tag::TIME, bad), None, "{bad}");
        }
    }
}
