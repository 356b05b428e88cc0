//! Proofs: twelve bytes by which a host shows that a short statement about it is its own.
//!
//! A node record is signed, and names the ends of two chains of hashes. Each proof is what the next
//! hashes to, so whoever holds the record, or a later proof, can tell a true one at the cost of a
//! hash or a few, and nobody but the author can name one that has not been named yet. As in PayWord
//! (Rivest and Shamir, 1996) and the certificates of Micali (1996), the place in the chain is what
//! is said: of the steps, how many heights the host's head is above that of its record; of the
//! beats, how often the host has said since that it still runs.

use sha2::{Digest, Sha256};

use super::peer_id::PeerId;
use super::signature::SecretKey;
use crate::limits::PROOFS_MAX;

/// What the proofs of a chain say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statement {
    /// That the host's server runs a head so many heights above that of the node record.
    Step = 1,
    /// That the host still runs.
    Beat = 2,
}

/// A link of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Proof(pub [u8; 12]);

impl Proof {
    /// What this proof hashes to: the proof before it.
    fn before(self, statement: Statement, author: &PeerId) -> Self {
        // Less than a block of SHA-256, so that each costs one.
        let mut hash = Sha256::new();
        hash.update([statement as u8]);
        hash.update(author.as_bytes());
        hash.update(self.0);
        let mut proof = [0; 12];
        proof.copy_from_slice(&hash.finalize()[..12]);
        Self(proof)
    }

    /// Whether this proof comes so many places after `known` in the chain of that author.
    pub fn follows(self, known: Self, places: u16, statement: Statement, author: &PeerId) -> bool {
        let first = || (0..places).fold(self, |proof, _| proof.before(statement, author));
        places <= PROOFS_MAX && first() == known
    }
}

/// The two chains of a node record, in the hands of its author.
#[derive(Clone)]
pub struct Chains {
    author: PeerId,
    seed: [u8; 32],
}

impl Chains {
    /// Those of the node record that is made with this much chance; a host that draws the same
    /// again must be making the same record.
    pub fn new(author: PeerId, secret: &SecretKey, chance: [u64; 3]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"starling/1 proofs\0");
        hash.update(secret.seed());
        chance
            .iter()
            .for_each(|number| hash.update(number.to_be_bytes()));
        Self {
            author,
            seed: hash.finalize().into(),
        }
    }

    /// The proof at a place, at most [`PROOFS_MAX`]; the one at place 0 is the end that the record
    /// names.
    pub fn proof(&self, statement: Statement, place: u16) -> Proof {
        let mut last = [0; 12];
        let from = 12 * (statement as usize - 1);
        last.copy_from_slice(&self.seed[from..from + 12]);
        (place..PROOFS_MAX).fold(Proof(last), |proof, _| {
            proof.before(statement, &self.author)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chains(seed: u8) -> (PeerId, Chains) {
        let secret = SecretKey::from_seed(&[seed; 32]);
        let author = PeerId::from_bytes(secret.public()).unwrap();
        (author, Chains::new(author, &secret, [1, 2, 3]))
    }

    #[test]
    fn a_proof_follows_all_before_it_and_none_after() {
        let (author, chains) = chains(1);
        let at = |place| chains.proof(Statement::Step, place);
        for (known, place) in [(0, 1), (0, PROOFS_MAX), (7, 9), (255, 256)] {
            assert!(at(place).follows(at(known), place - known, Statement::Step, &author));
            assert!(!at(known).follows(at(place), place - known, Statement::Step, &author));
            assert!(!at(place).follows(at(known), place - known + 1, Statement::Step, &author));
        }
        assert!(!at(0).follows(at(0), u16::MAX, Statement::Step, &author));
    }

    #[test]
    fn a_proof_says_one_thing_of_one_host() {
        let ((author, chains), (other, _)) = (chains(1), self::chains(2));
        let at = |place| chains.proof(Statement::Beat, place);
        assert!(at(1).follows(at(0), 1, Statement::Beat, &author));
        assert!(!at(1).follows(at(0), 1, Statement::Step, &author));
        assert!(!at(1).follows(at(0), 1, Statement::Beat, &other));
        assert_ne!(at(3), chains.proof(Statement::Step, 3));
    }
}
