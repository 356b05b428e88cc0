//! Inputs from inputs: honest ones with a few bytes changed, taken out, doubled, cut off or put
//! together.

use starlingd::node::rng::Rng;

fn below(rng: &mut Rng, bound: usize) -> usize {
    rng.below(bound as u64) as usize
}

/// Random bytes, at most `most` of them, or one of `corpus` with a few changes.
pub fn garbage(rng: &mut Rng, corpus: &[Vec<u8>], most: usize) -> Vec<u8> {
    if below(rng, 16) == 0 {
        return (0..below(rng, most))
            .map(|_| below(rng, 256) as u8)
            .collect();
    }
    let mut bytes = corpus[below(rng, corpus.len())].clone();
    if below(rng, 8) == 0 {
        let other = &corpus[below(rng, corpus.len())];
        bytes.truncate(below(rng, bytes.len() + 1));
        bytes.extend_from_slice(&other[below(rng, other.len() + 1)..]);
    }
    for _ in 0..=below(rng, 4) {
        change(rng, &mut bytes);
    }
    bytes.truncate(2 * most + corpus.iter().map(Vec::len).max().unwrap_or(0));
    bytes
}

fn change(rng: &mut Rng, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return bytes.push(below(rng, 256) as u8);
    }
    let at = below(rng, bytes.len());
    let to = at + below(rng, (bytes.len() - at).min(64) + 1);
    match below(rng, 9) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..to)),
        2 => bytes.insert(at, below(rng, 256) as u8),
        3 => bytes.extend_from_within(at..to),
        4 => bytes[at] ^= 1 << below(rng, 8),
        5 => bytes[at] = bytes[at].wrapping_add([1, 255][below(rng, 2)]),
        6 => bytes[at..to].fill([0, 0xff, b'9'][below(rng, 3)]),
        7 => {
            let word = WORDS[below(rng, WORDS.len())];
            drop(bytes.splice(at..at, word.iter().copied()));
        }
        _ => bytes[at] = [0, 0xff, b'"', b'\\', b'{', b'[', b'/', b'9'][below(rng, 8)],
    }
}

/// What decoders take note of.
const WORDS: [&[u8]; 14] = [
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"9223372036854775808",
    b"-0.0e999",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"%2f",
    b"/../",
    b"null",
    b"[[[[[[[[",
    b"{\"\":",
    b"-----BEGIN ",
    b"${",
];
