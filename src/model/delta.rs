//! Deltas: a body written as copies from another body and bytes between them.
//!
//! A change of 200 bytes to a document of a megabyte should cross a link in a kilobyte. A body
//! changes in few places: its head line (of the ledger a series grows) and one run inside the
//! document. [`between`] knows these places; [`apply`] knows nothing but copies and insertions, so
//! a better [`between`] needs no new form. A delta is never trusted: what it yields must match the
//! hash in the header like any other body.

use crate::codec::{Malformed, Reader, Writer};

/// A delta that makes `new` from `base`; about as long as what differs, never much longer than
/// `new`.
pub fn between(base: &[u8], new: &[u8]) -> Vec<u8> {
    let (base_head, base_document) = split(base);
    let (new_head, new_document) = split(new);
    let mut out = Script::default();
    head_between(&mut out, base_head, new_head);
    let common = common_prefix(base_document, new_document);
    let (base_rest, new_rest) = (&base_document[common..], &new_document[common..]);
    let tail = common_suffix(base_rest, new_rest);
    out.copy(base_head.len(), common);
    out.insert(&new_rest[..new_rest.len() - tail]);
    out.copy(base.len() - tail, tail);
    out.finish()
}

/// The body of exactly `len` bytes that `delta` makes from `base`. Never allocates more than `len`.
pub fn apply(base: &[u8], delta: &[u8], len: usize) -> Result<Vec<u8>, Malformed> {
    let mut reader = Reader::new(delta);
    let mut body = Vec::with_capacity(len);
    while !reader.is_empty() {
        let step = reader.u8("step of a delta")?;
        let run = match step {
            COPY => {
                let (from, count) = (
                    reader.u32("copy offset")? as usize,
                    reader.u32("copy length")? as usize,
                );
                let run = from.checked_add(count).and_then(|end| base.get(from..end));
                run.ok_or(reader.malformed("copy beyond the base"))?
            }
            INSERT => {
                let count = reader.u32("insert length")? as usize;
                reader.take(count, "inserted bytes")?
            }
            _ => return Err(reader.malformed("step of a delta")),
        };
        if run.len() > len - body.len() {
            return Err(reader.malformed("delta longer than its body"));
        }
        body.extend_from_slice(run);
    }
    if body.len() == len {
        Ok(body)
    } else {
        Err(reader.malformed("delta shorter than its body"))
    }
}

/// The head line ends in the ledger, of which most stays from one revision to the next: a series
/// that grows moves to its end, and others drop out at its beginning.
fn head_between(out: &mut Script, base: &[u8], new: &[u8]) {
    let (Some(base_at), Some(new_at)) = (ledger_at(base), ledger_at(new)) else {
        return out.insert(new);
    };
    let (old, fresh) = (&base[base_at..], &new[new_at..]);
    let found_in = |old: &[u8], text: &[u8]| {
        let first = text.get(..ENTRY_LEN)?;
        old.windows(ENTRY_LEN).position(|window| window == first)
    };
    // Beyond what has come in between or is gone, and the one whose difference it changed.
    let next_in = |from: usize, at: usize| {
        (0..=2 * ENTRY_LEN_MAX).find_map(|skipped| {
            let place = found_in(&old[from..], fresh.get(at + skipped..)?)?;
            Some((skipped, from + place))
        })
    };
    let Some((mut at, mut from)) = next_in(0, 0) else {
        return out.insert(new);
    };
    out.insert(&new[..new_at + at]);
    for _ in 0..LEDGER_RUNS_MAX {
        let common = common_prefix(&old[from..], &fresh[at..]);
        out.copy(base_at + from, common);
        (from, at) = (from + common, at + common);
        let Some((skipped, place)) = next_in(from, at) else {
            break;
        };
        out.insert(&fresh[at..at + skipped]);
        (from, at) = (place, at + skipped);
    }
    out.insert(&fresh[at..]);
}

/// Where the text of the ledger begins in a head line. Should an open conflict's value hold the
/// same words before it, the delta is longer than it need be.
fn ledger_at(head: &[u8]) -> Option<usize> {
    head.windows(LEDGER_LABEL.len())
        .position(|window| window == LEDGER_LABEL)
        .map(|at| at + LEDGER_LABEL.len())
}

/// How many bytes two texts have in common at the beginning. Most of a large document is the same:
/// whole runs are compared first.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let runs = a
        .chunks_exact(RUN)
        .zip(b.chunks_exact(RUN))
        .take_while(|(a, b)| a == b)
        .count()
        * RUN;
    runs + a[runs..]
        .iter()
        .zip(&b[runs..])
        .take_while(|(a, b)| a == b)
        .count()
}

/// How many bytes two texts have in common at the end.
fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    let runs = a
        .rchunks_exact(RUN)
        .zip(b.rchunks_exact(RUN))
        .take_while(|(a, b)| a == b)
        .count()
        * RUN;
    let (a, b) = (&a[..a.len() - runs], &b[..b.len() - runs]);
    runs + a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .take_while(|(a, b)| a == b)
        .count()
}

/// The head line with its line end, and the document.
fn split(body: &[u8]) -> (&[u8], &[u8]) {
    let end = body
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    body.split_at(end)
}

#[derive(Default)]
struct Script(Writer);

impl Script {
    fn copy(&mut self, from: usize, count: usize) {
        if count > 0 {
            self.0.u8(COPY).u32(number(from)).u32(number(count));
        }
    }

    fn insert(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.0.u8(INSERT).u32(number(bytes.len())).raw(bytes);
        }
    }

    fn finish(self) -> Vec<u8> {
        self.0.finish()
    }
}

fn number(value: usize) -> u32 {
    u32::try_from(value).expect("bodies are shorter than 4 GiB")
}

const COPY: u8 = 0;
const INSERT: u8 = 1;
/// How a head line introduces its ledger.
const LEDGER_LABEL: &[u8] = b"\"ledger\":\"";
/// What a series takes at least in a ledger's text: enough to be found by.
const ENTRY_LEN: usize = 19;
/// What one takes unless it has many runs.
const ENTRY_LEN_MAX: usize = 40;
/// So many runs of a ledger are copied at most. Hardly ever are there more than two.
const LEDGER_RUNS_MAX: usize = 8;
/// Bytes that are compared at a time.
const RUN: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn body(entries: std::ops::Range<u32>, document: &str) -> Vec<u8> {
        let ledger: String = entries.map(|n| format!("C{n:016x}AA")).collect();
        format!("{{\"edit\":{{}},\"ledger\":\"{ledger}\"}}\n{document}").into_bytes()
    }

    #[test]
    fn a_small_change_to_a_large_document_is_a_small_delta() {
        let text = "x".repeat(1 << 20);
        let base = body(0..256, &format!("{{\"a\":1,\"b\":\"{text}\"}}"));
        let new = body(1..257, &format!("{{\"a\":22,\"b\":\"{text}\"}}"));
        let delta = between(&base, &new);
        assert!(delta.len() < 400, "{} bytes", delta.len());
        assert_eq!(apply(&base, &delta, new.len()).unwrap(), new);
    }

    #[test]
    fn any_two_bodies_have_a_delta() {
        let bodies = [
            body(0..0, ""),
            body(0..1, "{}"),
            body(5..9, "{\"a\":[]}"),
            body(7..300, "aaaa"),
            body(300..301, "aa"),
            b"no line".to_vec(),
            Vec::new(),
            b"\n".to_vec(),
        ];
        for base in &bodies {
            for new in &bodies {
                assert_eq!(
                    apply(base, &between(base, new), new.len()).as_ref(),
                    Ok(new)
                );
            }
        }
    }

    #[test]
    fn a_delta_that_lies_is_refused() {
        let (base, new) = (body(0..9, "old"), body(1..10, "new"));
        let delta = between(&base, &new);
        assert!(
            apply(&base, &delta, new.len() - 1).is_err(),
            "longer than said"
        );
        assert!(
            apply(&base, &delta, new.len() + 1).is_err(),
            "shorter than said"
        );
        assert!(
            apply(&base[..20], &delta, new.len()).is_err(),
            "copies beyond the base"
        );
        for cut in 0..delta.len() {
            assert!(apply(&base, &delta[..cut], new.len()).is_err());
        }
        assert!(
            apply(
                b"",
                &[COPY, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                9
            )
            .is_err()
        );
    }
}
