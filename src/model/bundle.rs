//! Bundles: a private key and its certificate chain, in PEM (RFC 7468), the key first or last, as Unit takes them.
//!
//! [`check`] is the one door for a bundle that a client uploads. It looks at the form only: whether the blocks are there that a server
//! needs. It never says anything of what is in them.

use std::fmt;

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
    /// The private key is encrypted.
    Encrypted,
    /// No block is a certificate.
    NoCertificate,
}

impl fmt::Display for BadBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "there is nothing in it",
            Self::NotPem => "it is not PEM: no line begins with -----BEGIN",
            Self::Unended => "a block has no -----END line of its own",
            Self::NoKey => "there is no private key in it",
            Self::Encrypted => "the private key is encrypted, and a server has nobody to ask for the password",
            Self::NoCertificate => "there is no certificate in it",
        })
    }
}

impl std::error::Error for BadBundle {}

/// Whether a text has the form of a bundle.
pub fn check(text: &str) -> Result<(), BadBundle> {
    if text.trim().is_empty() {
        return Err(BadBundle::Empty);
    }
    let blocks = blocks(text)?;
    let keys = || blocks.iter().filter(|block| block.label.ends_with("PRIVATE KEY"));
    match () {
        () if blocks.is_empty() => Err(BadBundle::NotPem),
        () if keys().any(Block::is_encrypted) => Err(BadBundle::Encrypted),
        () if keys().next().is_none() => Err(BadBundle::NoKey),
        () if !blocks.iter().any(|block| CERTIFICATES.contains(&block.label)) => Err(BadBundle::NoCertificate),
        () => Ok(()),
    }
}

struct Block<'a> {
    label: &'a str,
    /// Whether a header line says so, as in keys of the old form (RFC 1421).
    encrypted: bool,
}

impl Block<'_> {
    fn is_encrypted(&self) -> bool {
        self.encrypted || self.label.starts_with("ENCRYPTED")
    }
}

/// The blocks in a text; whatever stands between them is explanatory (RFC 7468, section 5.2).
fn blocks(text: &str) -> Result<Vec<Block<'_>>, BadBundle> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for line in text.lines().map(str::trim_end) {
        let label = |mark: &str| line.strip_prefix(mark)?.strip_suffix("-----");
        match (label("-----BEGIN "), label("-----END "), &mut open) {
            (Some(label), _, None) => open = Some(Block { label, encrypted: false }),
            (Some(_), _, Some(_)) => return Err(BadBundle::Unended),
            (_, Some(label), Some(block)) if block.label == label => blocks.extend(open.take()),
            (_, Some(_), _) => return Err(BadBundle::Unended),
            (None, None, Some(block)) => block.encrypted |= line.starts_with("Proc-Type:") && line.contains("ENCRYPTED"),
            (None, None, None) => {}
        }
    }
    if open.is_some() { Err(BadBundle::Unended) } else { Ok(blocks) }
}

/// The labels that OpenSSL takes for a certificate.
const CERTIFICATES: [&str; 3] = ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];

#[cfg(test)]
mod tests {
    use super::*;

    fn block(label: &str, content: &str) -> String {
        format!("-----BEGIN {label}-----\n{content}\n-----END {label}-----\n")
    }

    #[test]
    fn a_bundle_has_a_key_and_a_certificate_in_any_order() {
        let certificate = block("CERTIFICATE", "MIIB");
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"] {
            let key = block(label, "MIIE");
            assert_eq!(check(&format!("{key}{certificate}{certificate}")), Ok(()), "{label}");
            assert_eq!(check(&format!("who and why\r\n{certificate}\n{key}")), Ok(()), "{label}");
        }
        let with_windows_lines = format!("{certificate}{}", block("PRIVATE KEY", "MIIE")).replace('\n', "\r\n");
        assert_eq!(check(&with_windows_lines), Ok(()));
    }

    #[test]
    fn what_is_no_bundle_says_what_is_wrong() {
        let (key, certificate) = (block("PRIVATE KEY", "MIIE"), block("CERTIFICATE", "MIIB"));
        let old = block("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMIIE");
        for (text, expected) in [
            (" \n".to_owned(), BadBundle::Empty),
            ("hello".to_owned(), BadBundle::NotPem),
            (certificate.clone(), BadBundle::NoKey),
            (key.clone(), BadBundle::NoCertificate),
            (key.clone() + &block("CERTIFICATE REQUEST", "MIIB"), BadBundle::NoCertificate),
            (certificate.clone() + &block("ENCRYPTED PRIVATE KEY", "MIIE"), BadBundle::Encrypted),
            (certificate.clone() + &old, BadBundle::Encrypted),
            (certificate.clone() + &key[..key.len() - 5], BadBundle::Unended),
            (certificate.clone() + &key.replace("END PRIVATE", "END RSA PRIVATE"), BadBundle::Unended),
            (format!("-----BEGIN CERTIFICATE-----\n{key}"), BadBundle::Unended),
            (format!("{certificate}{key}-----END PRIVATE KEY-----"), BadBundle::Unended),
        ] {
            assert_eq!(check(&text), Err(expected), "{text}");
        }
    }
}
