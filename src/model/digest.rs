//! Digests: short summaries of a set of record IDs, for anti-entropy.
//!
//! The IDs are sorted into 256 buckets by their first byte. Two hosts that hold the same set have
//! the same 32-byte root; if not, the bucket hashes say where to look. A digest is a function of
//! the set alone, never of the order in which it was filled.

use sha2::{Digest as _, Sha256};

use super::record::RecordId;
use crate::limits::BUCKETS;

/// The summary of a set of IDs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The hash over all buckets.
    pub root: [u8; 32],
    /// The first eight bytes of the hash over each bucket's IDs; zeros for an empty bucket. 256 of
    /// them.
    pub buckets: Vec<[u8; 8]>,
}

impl Digest {
    /// Of these IDs, in any order, each counted once.
    pub fn of(ids: impl IntoIterator<Item = RecordId>) -> Self {
        let mut ids: Vec<RecordId> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        let mut buckets = vec![[0; 8]; BUCKETS];
        for run in ids.chunk_by(|a, b| bucket_of(a) == bucket_of(b)) {
            let mut hash = Sha256::new();
            run.iter().for_each(|id| hash.update(id.0));
            buckets[bucket_of(&run[0])].copy_from_slice(&hash.finalize()[..8]);
        }
        let mut root = Sha256::new();
        ids.iter().for_each(|id| root.update(id.0));
        Self {
            root: root.finalize().into(),
            buckets,
        }
    }

    /// The buckets in which two digests differ.
    pub fn differing(&self, other: &[[u8; 8]]) -> Vec<u8> {
        let pairs = self.buckets.iter().zip(other).enumerate();
        pairs
            .filter(|(_, (a, b))| a != b)
            .map(|(at, _)| u8::try_from(at).expect("there are 256 buckets"))
            .collect()
    }
}

/// The bucket that an ID belongs to.
pub fn bucket_of(id: &RecordId) -> usize {
    usize::from(id.0[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(seeds: impl IntoIterator<Item = u16>) -> Vec<RecordId> {
        seeds
            .into_iter()
            .map(|seed| RecordId(Sha256::digest(seed.to_be_bytes()).into()))
            .collect()
    }

    #[test]
    fn a_digest_is_a_function_of_the_set() {
        let forward = Digest::of(ids(0..500));
        let backward = Digest::of(ids((0..500).rev().chain(0..10)));
        assert_eq!(forward, backward);
        assert_ne!(forward.root, Digest::of(ids(0..499)).root);
    }

    #[test]
    fn the_buckets_say_where_to_look() {
        let whole = Digest::of(ids(0..500));
        let less = Digest::of(ids(1..500));
        let missing = ids([0])[0];
        assert_eq!(whole.differing(&less.buckets), vec![missing.0[0]]);
        assert!(whole.differing(&whole.buckets).is_empty());
    }

    /// The form cannot change any more: this is the root of nothing, and of one ID of ones.
    #[test]
    fn roots_are_these() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(crate::codec::hex(&Digest::of([]).root), empty);
        let one = Digest::of([RecordId([1; 32])]);
        assert_eq!(one.root, <[u8; 32]>::from(Sha256::digest([1; 32])));
        assert_eq!(one.buckets[1], one.root[..8]);
    }
}
