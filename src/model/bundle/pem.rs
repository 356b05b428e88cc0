//! PEM (RFC 7468): the blocks of a text, and what is in each.
//!
//! What a label promises is judged here, what is in a block by whoever decodes it further. The one door to `base64`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::BadBundle;

/// One block.
pub(super) struct Block<'a> {
    /// What it says it is.
    pub label: &'a str,
    /// Whether a header line says so, as in keys of the old form (RFC 1421).
    encrypted: bool,
    /// Between the first line and the last.
    text: &'a str,
}

impl Block<'_> {
    /// Whether it is a private key, of whatever form.
    pub fn is_key(&self) -> bool {
        self.label.ends_with("PRIVATE KEY")
    }

    /// Whether OpenSSL takes it for a certificate.
    pub fn is_certificate(&self) -> bool {
        CERTIFICATES.contains(&self.label)
    }

    /// Whether a password is needed to read it.
    pub fn is_encrypted(&self) -> bool {
        self.encrypted || self.label.starts_with("ENCRYPTED")
    }

    /// What is in it, decoded.
    pub fn content(&self) -> Option<Vec<u8>> {
        let base64: String = self.text.lines().map(str::trim).collect();
        STANDARD.decode(base64).ok().filter(|content| !content.is_empty())
    }
}

/// The blocks in a text; whatever stands between them is explanatory (RFC 7468, section 5.2).
pub(super) fn blocks(text: &str) -> Result<Vec<Block<'_>>, BadBundle> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    let mut rest = text;
    // Lines are not kept: there may be millions of them in a bundle that is none.
    while !rest.is_empty() {
        let here = rest;
        let (line, after) = rest.split_at(rest.find('\n').map_or(rest.len(), |end| end + 1));
        let line = line.trim_end();
        rest = after;
        let label = |mark: &str| line.strip_prefix(mark)?.strip_suffix("-----");
        match (label("-----BEGIN "), label("-----END "), &mut open) {
            (Some(label), _, None) => open = Some(Block { label, encrypted: false, text: after }),
            (Some(_), _, Some(_)) => return Err(BadBundle::Unended),
            (_, Some(label), Some(block)) if block.label == label => {
                block.text = &block.text[..block.text.len() - here.len()];
                blocks.extend(open.take());
            }
            (_, Some(_), _) => return Err(BadBundle::Unended),
            (None, None, Some(block)) => {
                block.encrypted |= line.starts_with("Proc-Type:") && line.contains("ENCRYPTED");
            }
            (None, None, None) => {}
        }
    }
    if open.is_some() { Err(BadBundle::Unended) } else { Ok(blocks) }
}

/// The labels that OpenSSL takes for a certificate.
const CERTIFICATES: [&str; 3] = ["CERTIFICATE", "X509 CERTIFICATE", TRUSTED];

/// A certificate in OpenSSL's own form, which goes on after its end.
pub(super) const TRUSTED: &str = "TRUSTED CERTIFICATE";
