//! PEM (RFC 7468): the blocks of a text, and what is in each.
//!
//! Read as OpenSSL's own reader does it, for that is what servers read it with: text of whatever
//! encoding may stand around blocks, a byte order mark before one, header lines and an empty line
//! in one. What a label promises is judged here, what is in a block by whoever decodes it further.
//! The one door to `base64`.

use std::ops::Range;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::BadBundle;

/// A block of a PEM text.
pub(super) struct Block<'a> {
    /// What it says it is: letters, digits, blanks and a few signs.
    pub label: &'a str,
    /// Whether a header line says so, as in keys of the old form (RFC 1421).
    encrypted: bool,
    /// The lines that hold its content: those after the headers, if there are any.
    lines: Vec<&'a [u8]>,
    /// From its first line to its last, with their ends.
    pub place: Range<usize>,
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
        let base64: Vec<u8> = self
            .lines
            .concat()
            .into_iter()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect();
        let lenient = GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
        GeneralPurpose::new(&STANDARD, lenient)
            .decode(base64)
            .ok()
            .filter(|content| !content.is_empty())
    }
}

/// What a text is made of.
pub(super) struct Pem<'a> {
    /// The blocks; whatever stands between them is explanatory (RFC 7468, section 5.2).
    pub blocks: Vec<Block<'a>>,
    /// Where byte order marks stand that OpenSSL passes over: in the first line, and in the line
    /// after a block.
    pub marks: Vec<Range<usize>>,
}

/// Takes a text apart.
pub(super) fn read(text: &[u8]) -> Result<Pem<'_>, BadBundle> {
    let mut pem = Pem {
        blocks: Vec::new(),
        marks: Vec::new(),
    };
    let mut rest = Lines { text, at: 0 };
    let mut is_first = true;
    while let Some((start, mut line)) = rest.next() {
        // OpenSSL looks for one in the first line that it reads for a block.
        if is_first && let Some(after) = line.strip_prefix(MARK) {
            pem.marks.push(start..start + MARK.len());
            line = after;
        }
        is_first = false;
        if let Some(label) = line
            .strip_prefix(BEGIN)
            .and_then(|line| line.strip_suffix(DASHES))
        {
            let block = block(sound(label)?, start, &mut rest)?;
            pem.blocks.push(block);
            is_first = true;
        }
    }
    Ok(pem)
}

/// The block whose first line, at `start`, has just been read.
fn block<'a>(label: &'a str, start: usize, rest: &mut Lines<'a>) -> Result<Block<'a>, BadBundle> {
    let mut block = Block {
        label,
        encrypted: false,
        lines: Vec::new(),
        place: start..start,
    };
    let (mut has_colon, mut has_headers) = (false, false);
    while let Some((_, line)) = rest.next() {
        if let Some(end) = line.strip_prefix(END) {
            let is_own = end.strip_suffix(DASHES) == Some(label.as_bytes());
            block.place.end = rest.at;
            // Header lines that no empty line ends leave nothing for the content.
            return match (is_own, has_headers || !has_colon) {
                (true, true) => Ok(block),
                (true, false) => Err(BadBundle::EmptyLine),
                (false, _) => Err(BadBundle::Unended),
            };
        }
        if line.starts_with(BEGIN) {
            return Err(BadBundle::Unended);
        }
        has_colon |= line.contains(&b':');
        match (line.is_empty(), has_headers) {
            // What stood before it were headers; OpenSSL does without colons, and loses the lines
            // then.
            (true, false) if has_colon || block.lines.is_empty() => {
                let says =
                    |line: &&[u8]| line.starts_with(b"Proc-Type:") && line.ends_with(b"ENCRYPTED");
                block.encrypted = block.lines.iter().any(says);
                block.lines.clear();
                has_headers = true;
            }
            (true, _) => return Err(BadBundle::EmptyLine),
            // After headers lines are as long as OpenSSL writes them, but for the last.
            (false, true)
                if line.len() > LINE
                    || block.lines.last().is_some_and(|last| last.len() < LINE) =>
            {
                return Err(BadBundle::LineLength);
            }
            (false, _) => block.lines.push(line),
        }
    }
    Err(BadBundle::Unended)
}

/// The label, if it can be one. What else stands there may be anything, even a key in one line, and
/// is not shown.
fn sound(label: &[u8]) -> Result<&str, BadBundle> {
    let is_sound =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'#' | b'.' | b'-');
    let text = std::str::from_utf8(label)
        .ok()
        .filter(|text| text.len() <= LABEL_MAX && text.bytes().all(is_sound));
    text.filter(|text| !text.contains("--"))
        .ok_or(BadBundle::NoLabel)
}

/// The lines of a text, each with its place, and without blanks and control characters at its end.
/// They are not kept: there may be millions of them in a bundle that is none.
struct Lines<'a> {
    text: &'a [u8],
    /// Where the next one begins.
    at: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = (usize, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (start, rest) = (self.at, &self.text[self.at..]);
        if rest.is_empty() {
            return None;
        }
        let length = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(rest.len(), |end| end + 1);
        self.at += length;
        let last = rest[..length]
            .iter()
            .rposition(|byte| *byte > b' ')
            .map_or(0, |last| last + 1);
        Some((start, &rest[..last]))
    }
}

/// The labels that OpenSSL takes for a certificate.
const CERTIFICATES: [&str; 3] = ["CERTIFICATE", "X509 CERTIFICATE", TRUSTED];

/// A certificate in OpenSSL's own form, which goes on after its end.
pub(super) const TRUSTED: &str = "TRUSTED CERTIFICATE";

/// The curve of a key, which `openssl ecparam -genkey` writes before it.
pub(super) const EC_PARAMETERS: &str = "EC PARAMETERS";

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
/// U+FEFF in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";
/// Characters of a line of Base64 as OpenSSL writes it.
const LINE: usize = 64;
/// The longest label that anybody uses has 31 characters.
const LABEL_MAX: usize = 64;
