//! Signatures, each checked once: in a simulated fleet every host is shown the same records, and a
//! check takes longer than all else.
//!
//! Only what has been found good is remembered, by the record's ID and the very signature, so no
//! host believes what it would not have believed by itself.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::model::record::{Record, RecordId};
use crate::model::signature::Signature;

thread_local! {
    static GOOD: RefCell<BTreeSet<(RecordId, Signature)>> = const { RefCell::new(BTreeSet::new()) };
}

/// What [`Record::is_signed`] says.
pub(super) fn is_signed(record: &Record) -> bool {
    GOOD.with_borrow_mut(|good| {
        let known = good.contains(&(record.id, record.signature));
        if !known && record.is_signed() {
            if good.len() >= REMEMBERED {
                good.clear();
            }
            return good.insert((record.id, record.signature));
        }
        known
    })
}

/// Beyond so many all are forgotten: some 10 MB.
const REMEMBERED: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::{Header, Kind};
    use crate::model::stamp::Stamp;
    use crate::sim::secret;

    #[test]
    fn a_good_signature_is_good_again_and_a_bad_one_never() {
        let secret = secret(1);
        let header = Header {
            kind: Kind::Node,
            flags: 0,
            fleet: [2; 32],
            key: String::new(),
            author: crate::model::peer_id::PeerId::from_bytes(secret.public()).unwrap(),
            height: 1,
            stamp: Stamp::default(),
            base: RecordId::NONE,
            body_len: 0,
            body_hash: [0; 32],
            numbered: None,
            note: String::new(),
        };
        let good = Record::sign(header, b"{}", &secret);
        let mut bad = good.clone();
        bad.signature[0] ^= 1;
        for _ in 0..2 {
            assert!(is_signed(&good) && !is_signed(&bad));
        }
    }
}
