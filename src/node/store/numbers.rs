//! The numbers of own edits.
//!
//! They are those of a series that this process has begun: one that outlived it could be gone on
//! with by a host whose disk was put back, or by two with one disk. A number is used up when its
//! revision is published, or given to the disk for good; what the server refuses, or is only tried,
//! leaves no gap. If somebody else seems to write the same series, or this process seems to have
//! been stopped and copied, another is begun.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::replica::Group;
use crate::limits::{CLOCKS_PART_MS, OWN_RUNS_MAX};
use crate::model::ledger::{Place, Series};
use crate::model::record::{Numbered, Record, RecordId};
use crate::model::revision::Origin;
use crate::node::context::Context;

/// The series that this process writes.
#[derive(Debug, Default)]
pub(in crate::node) struct Numbers {
    /// What names it; none before the first edit.
    nonce: Option<[u8; 8]>,
    /// The last number that is used up in each group.
    used: BTreeMap<String, u64>,
    /// By how many milliseconds the clock was ahead of the time that this process runs.
    ahead_ms: i128,
}

impl Numbers {
    /// The number of the next edit in a group.
    pub(in crate::node) fn next(
        &mut self,
        cx: &Context,
        name: &str,
        group: Option<&Group>,
    ) -> Numbered {
        let ahead_ms = i128::from(cx.now.wall_ms) - cx.now.elapsed.as_millis() as i128;
        let parted = (ahead_ms - self.ahead_ms).unsigned_abs() > CLOCKS_PART_MS;
        let goes_on = self.nonce.filter(|nonce| {
            let used = self.used.get(name).copied().unwrap_or_default();
            let series = Series::of(name, &cx.me, *nonce);
            !parted && !group.is_some_and(|group| is_spoilt(group, &series, used))
        });
        let nonce = goes_on.unwrap_or_else(|| {
            // The clock too, for whoever was copied has the same seed.
            let drawn = [
                &cx.setup.seed.to_be_bytes()[..],
                &cx.now.wall_ms.to_be_bytes(),
                &cx.now.elapsed.as_nanos().to_be_bytes(),
                &self.nonce.unwrap_or_default(),
            ];
            let hash: [u8; 32] = Sha256::digest(drawn.concat()).into();
            (self.ahead_ms, self.used) = (ahead_ms, BTreeMap::new());
            std::array::from_fn(|at| hash[at])
        });
        self.nonce = Some(nonce);
        let number = self.used.get(name).copied().unwrap_or_default() + 1;
        Numbered { nonce, number }
    }

    /// A revision of this host's is published, or on its way to the disk for good.
    pub(in crate::node) fn use_up(&mut self, cx: &Context, record: &Record) {
        let header = &record.header;
        if let Some(numbered) = header.numbered
            && header.author == cx.me
            && Some(numbered.nonce) == self.nonce
        {
            let used = self.used.entry(header.key.clone()).or_default();
            *used = numbered.number.max(*used);
        }
    }
}

/// Whether somebody else has given numbers of this series, or gaps make it costly.
fn is_spoilt(group: &Group, series: &Series, used: u64) -> bool {
    let said = group
        .head()
        .map_or((0, 0), |head| head.ledger.extent(series));
    let mut own: BTreeMap<Place, RecordId> = BTreeMap::new();
    let is_foreign = group
        .history()
        .filter(|summary| summary.origin == Origin::Original)
        .map(|summary| summary.edit_ref())
        .filter(|edit| edit.place.series == *series)
        .any(|edit| edit.place.number > used || own.insert(edit.place, edit.id).is_some());
    said.0 > used || said.1 > OWN_RUNS_MAX || is_foreign
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing;
    use std::time::Duration;

    #[test]
    fn a_number_is_given_until_it_is_used_up_and_a_series_ends_when_the_clocks_part() {
        let mut cx = testing::context(1);
        let mut numbers = Numbers::default();
        let first = numbers.next(&cx, "default", None);
        assert_eq!(first.number, 1);
        assert_eq!(
            numbers.next(&cx, "default", None),
            first,
            "it was only tried"
        );
        numbers.used.insert("default".to_owned(), 1);
        let second = numbers.next(&cx, "default", None);
        assert_eq!((second.nonce, second.number), (first.nonce, 2));
        assert_eq!(numbers.next(&cx, "other", None).number, 1);
        cx.now.elapsed += Duration::from_secs(3600);
        cx.now.wall_ms += 3_604_000;
        assert_eq!(numbers.next(&cx, "default", None), second);
        cx.now.wall_ms += 2_000;
        let other = numbers.next(&cx, "default", None);
        assert_eq!(other.number, 1);
        assert_ne!(other.nonce, second.nonce);
    }
}
