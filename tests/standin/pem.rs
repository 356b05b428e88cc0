//! PEM as OpenSSL 3 reads it (`crypto/pem/pem_lib.c`: `get_name`, `get_header_and_data`), line by
//! line, and Base64 after it.
//!
//! Written after that code, not after the model's reader, so that one checks the other.

/// Where the reader is in a block.
#[derive(PartialEq)]
enum Header {
    Maybe,
    In,
    Post,
}

/// Labels and contents; `None` if a block is read with an error.
pub fn blocks(text: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let mut lines = text
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii_end);
    let mut all = Vec::new();
    while let Some(label) = name(&mut lines) {
        let content = content(&mut lines, &label)?;
        all.push((label, content));
    }
    Some(all)
}

/// The label of the next line that begins a block. In the first line that is read, a byte order
/// mark is passed over.
fn name<'a>(lines: &mut impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let mut is_first = true;
    for line in lines {
        let line = if is_first {
            line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
        } else {
            line
        };
        is_first = false;
        if let Some(label) = line
            .strip_prefix(b"-----BEGIN ")
            .and_then(|line| line.strip_suffix(b"-----"))
        {
            return Some(String::from_utf8_lossy(label).into_owned());
        }
    }
    None
}

fn content<'a>(lines: &mut impl Iterator<Item = &'a [u8]>, label: &str) -> Option<Vec<u8>> {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let (mut state, mut is_last) = (Header::Maybe, false);
    for line in lines {
        if state == Header::Maybe && line.contains(&b':') {
            state = Header::In;
        }
        if line.is_empty() {
            if state == Header::Post {
                return None;
            }
            state = Header::Post;
        } else if let Some(end) = line.strip_prefix(b"-----END ") {
            let is_own = end
                .strip_prefix(label.as_bytes())
                .is_some_and(|rest| rest == b"-----");
            let content = if state == Header::Maybe {
                before
            } else {
                after
            };
            return is_own
                .then(|| base64(&content))?
                .filter(|content| !content.is_empty());
        } else if is_last {
            return None;
        } else if state == Header::Post {
            is_last = line.len() < 64;
            after.extend_from_slice(line);
            if line.len() > 64 {
                return None;
            }
        } else {
            before.extend_from_slice(line);
        }
    }
    None
}

fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0);
    let text: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    if !text.len().is_multiple_of(4) {
        return None;
    }
    for byte in text.into_iter().filter(|byte| *byte != b'=') {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}
