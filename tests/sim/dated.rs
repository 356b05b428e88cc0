//! Members that lie about heights, dates, and whose edits they make again: the worst that is
//! permitted, and what is not.

use std::sync::Arc;
use std::time::Duration;

use starlingd::limits::AHEAD_MAX_MS;
use starlingd::model::edit::{Change, Op, apply};
use starlingd::model::ledger::EditRef;
use starlingd::model::operation::operations;
use starlingd::model::path::Path;
use starlingd::model::record::{Header, Record, RecordId};
use starlingd::model::revision::{Draft, Edit, Origin, Revision};
use starlingd::model::stamp::Stamp;
use starlingd::node::rng::Rng;
use starlingd::sim::{SimClock, secret};

use crate::clients::Clients;
use crate::content::{INVENTED, value_of};
use crate::members::{draft, hello, in_pieces, signed};
use crate::nemesis::{Fault, Nemesis};
use crate::run::{Plan, Servers};
use crate::scenarios::holds;
use crate::watch::World;

const SECOND: Duration = Duration::from_secs(1);
const LIAR: u64 = 98;

/// What a liar says of a revision of its own, which leaves the document as it is and contains what
/// the head contains.
#[derive(Debug, Clone, Copy)]
pub enum Lie {
    /// As high and as far ahead as is taken: its base never had the height that follows from that.
    Permitted,
    /// Of another year.
    FarAhead,
    /// Higher than its date permits.
    TooHigh,
    /// A replay of an edit that the author of the head never made; below the head, so that somebody
    /// has to deal with it.
    ReplayBelow,
    /// The same, as the head.
    ReplayAbove,
}

/// Draws lies and short jumps of clocks, for some seeds. Not from the world's own chance: what that
/// draws stays as it is.
pub fn plan(nemesis: &mut Nemesis, world: &World) {
    let mut rng = Rng::new(world.seed ^ 0x6c69_6172);
    if rng.below(6) != 0 {
        return;
    }
    let ahead = rng.below(2) == 0;
    let years = if ahead { YEARS_33_MS } else { -YEARS_33_MS };
    let host = rng.below(world.hosts.len() as u64) as usize;
    let after = rng.up_to(20 * SECOND);
    nemesis.after(world, after, move |nemesis, world| {
        let usual = world.hosts[host].clock;
        world.hosts[host].clock = SimClock {
            off_ms: years,
            ..usual
        };
        nemesis.after(world, 4 * SECOND, move |_, world| {
            world.hosts[host].clock = usual
        });
    });
    for _ in 0..rng.below(3) {
        let lie = [
            Lie::Permitted,
            Lie::FarAhead,
            Lie::ReplayBelow,
            Lie::ReplayAbove,
        ][rng.below(4) as usize];
        let after = rng.up_to(20 * SECOND);
        nemesis.after(world, after, move |_, world| tell(world, host, lie));
    }
}

/// Somebody tells a host a lie.
pub fn tell(world: &mut World, host: usize, lie: Lie) {
    let Some(head) = world.hosts[host]
        .node
        .own_head()
        .filter(|_| world.hosts[host].up)
        .map(Arc::clone)
    else {
        return;
    };
    // Where a clock is wrong, what is far ahead may be taken: whoever lies there is as good as any
    // author.
    let right = world
        .hosts
        .iter()
        .all(|host| host.clock.off_ms == 0 && host.clock.stands_at_ms.is_none());
    let until = SimClock::default().wall_ms(world.now) + AHEAD_MAX_MS;
    let (height, stamp) = match lie {
        Lie::Permitted if head.rank().height < until - 1000 => (until, Stamp::at(until)),
        Lie::FarAhead if right => (1 << 45, Stamp::at(1 << 45)),
        Lie::TooHigh => ((1 << 48) - 1, Stamp::MAX),
        Lie::Permitted | Lie::FarAhead => return,
        Lie::ReplayBelow => (
            head.rank().height,
            Stamp::at(head.record.header.stamp.wall_ms().saturating_sub(1)),
        ),
        Lie::ReplayAbove => (
            head.rank().height + 1,
            Stamp::at(head.record.header.stamp.wall_ms() + 1),
        ),
    };
    // Beside the head, or on it.
    let below = head.record.header.base;
    let base = match lie {
        Lie::ReplayBelow => {
            let seen = world.observer().seen_mut();
            let Some(base) = seen.revisions.get(&below) else {
                return;
            };
            Arc::new(base.folded())
        }
        _ => head,
    };
    let revision = forged(&base, height, stamp, lie);
    let liar = world.puppet(host, hello(LIAR));
    let mut seen = world.observer().seen_mut();
    seen.note(
        world.now,
        format!("host {host} is told a lie: {lie:?}, {:?}", revision.id()),
    );
    drop(seen);
    for frame in in_pieces(&revision) {
        world.says(liar, frame);
    }
}

fn forged(head: &Arc<Revision>, height: u64, stamp: Stamp, lie: Lie) -> Revision {
    let invented = EditRef::odd(head.record.header.stamp, RecordId([LIAR as u8; 32]), 1);
    let op = Op {
        path: Path::parse("/config/lie").expect("it is one"),
        change: Change::Put(value_of(INVENTED)),
    };
    let edit = match matches!(lie, Lie::ReplayBelow | Lie::ReplayAbove) {
        true => Edit {
            origin: Origin::Replay(invented, head.record.header.author),
            operations: operations(&head.document, std::slice::from_ref(&op)),
        },
        false => Edit {
            origin: Origin::Original,
            operations: Vec::new(),
        },
    };
    // If it is made again, that is seen in the end.
    let document = if matches!(lie, Lie::ReplayBelow) {
        apply(&head.document, &op).expect("it is a member")
    } else {
        head.document.clone()
    };
    let draft = Draft {
        edit,
        ..draft(document)
    };
    let honest = signed(LIAR, "default", stamp, Some(head), draft);
    let header = Header {
        height,
        ..(*honest.record.header).clone()
    };
    let record = Record::sign(header, &honest.body, &secret(LIAR));
    Revision::decode(record, honest.body).expect("its author made it")
}

fn lied_to(lie: Lie) {
    let told =
        move |world: &mut World| (0..world.hosts.len()).for_each(|host| tell(world, host, lie));
    holds(4, || Plan {
        hosts: 4,
        clients: Clients::new(SECOND / 2, 20),
        faults: vec![(
            4 * SECOND,
            Fault::Deed(Box::new(move |_, world| told(world))),
        )],
        length: 12 * SECOND,
        servers: Servers::All,
        past: 0,
    });
}

#[test]
fn a_revision_dated_in_another_year_is_passed_over() {
    lied_to(Lie::FarAhead);
}

#[test]
fn nobody_makes_again_what_only_a_liar_says_was_made() {
    lied_to(Lie::ReplayBelow);
}

#[test]
fn a_head_that_says_it_is_a_replay_is_as_good_as_any() {
    lied_to(Lie::ReplayAbove);
}

#[test]
fn a_height_above_its_date_is_a_fault() {
    lied_to(Lie::TooHigh);
}

#[test]
fn after_the_worst_jump_that_is_permitted_everything_goes_on() {
    lied_to(Lie::Permitted);
}

const YEARS_33_MS: i64 = 33 * 365 * 86_400_000;
