use super::*;
use crate::limits::INLINE_MAX;
use crate::model::record::Record;
use crate::model::signature::SecretKey;
use crate::node::ask::Command;
use crate::node::input::LinkId;
use crate::wire::frame::Payload;

#[test]
fn a_body_whose_pieces_take_long_is_not_asked_for_with_every_piece() {
    let mut author = Lone::new(false);
    author.write(1, &"x".repeat(10 * INLINE_MAX));
    author.serve(&Outcome::Applied);
    let head = Arc::clone(author.node.head().unwrap());
    let mut lone = Lone::new(false);
    lone.linked(1, 2);
    lone.deliver(Input::Frame(
        1,
        Frame::Record(head.record.clone(), 0, Payload::Announced).encode(),
    ));
    for (n, bytes) in head.body.chunks(INLINE_MAX).enumerate() {
        // As on a wire of 50 kbit/s.
        let comes = lone.now.elapsed + Duration::from_millis(2_600);
        while lone.node.deadline() < comes {
            lone.now.elapsed = lone.node.deadline();
            lone.deliver(Input::Tick);
        }
        lone.now.elapsed = comes;
        let offset = u32::try_from(n * INLINE_MAX).unwrap();
        lone.deliver(Input::Frame(
            1,
            Frame::Piece {
                id: head.id(),
                offset,
                bytes: bytes.to_vec(),
            }
            .encode(),
        ));
    }
    assert_eq!(lone.node.head().map(|head| head.id()), Some(head.id()));
    let asks = |effect: &&Effect| matches!(effect, Effect::Send(1, bytes) if matches!(Frame::decode(bytes), Ok(Some(Frame::Pull { .. }))));
    let asked = lone.effects.iter().filter(asks).count();
    assert!(asked <= 2, "asked for {asked} times");
}

/// A small change made while a large document is on its way over a slow link must not bring the
/// whole document a second time.
#[test]
fn a_delta_waits_for_its_base_while_that_is_being_pulled() {
    let mut author = Lone::new(false);
    author.write(1, &"x".repeat(4 * INLINE_MAX));
    author.serve(&Outcome::Applied);
    let base = Arc::clone(author.node.head().unwrap());
    author.write(2, "short");
    author.serve(&Outcome::Applied);
    let head = Arc::clone(author.node.head().unwrap());
    let delta = crate::model::delta::between(&base.body, &head.body);
    let mut lone = Lone::new(false);
    lone.linked(1, 2);
    lone.deliver(Input::Frame(
        1,
        Frame::Record(base.record.clone(), 0, Payload::Announced).encode(),
    ));
    lone.deliver(Input::Frame(
        1,
        Frame::Record(head.record.clone(), 0, Payload::Delta(base.id(), delta)).encode(),
    ));
    for (n, bytes) in base.body.chunks(INLINE_MAX).enumerate() {
        let offset = u32::try_from(n * INLINE_MAX).unwrap();
        lone.deliver(Input::Frame(
            1,
            Frame::Piece {
                id: base.id(),
                offset,
                bytes: bytes.to_vec(),
            }
            .encode(),
        ));
    }
    assert_eq!(lone.node.head().map(|head| head.id()), Some(head.id()));
    let pulled = lone.effects.iter().filter_map(|effect| match effect {
        Effect::Send(1, bytes) => match Frame::decode(bytes) {
            Ok(Some(Frame::Pull { id, .. })) => Some(id),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(pulled.collect::<Vec<_>>(), [base.id()]);
}

/// A kill or a full disk between the two would lose what somebody had configured by hand.
#[test]
fn what_the_server_ran_is_on_disk_before_it_is_given_anything_else() {
    let mut lone = Lone::new(true);
    let served = |lone: &mut Lone, wanted: fn(&Effect) -> Option<Ticket>| {
        lone.effects.iter().find_map(wanted)
    };
    let asked = |effect: &Effect| match effect {
        Effect::Server(ticket, _) => Some(*ticket),
        _ => None,
    };
    let kept = |effect: &Effect| match effect {
        Effect::Disk(DiskJob::BeforeStarling(ticket, _)) => Some(*ticket),
        _ => None,
    };
    lone.serve(&Outcome::Applied);
    lone.write(1, "one");
    // The server is looked at once more for the first change of all.
    let ticket = served(&mut lone, asked).expect("it is looked at");
    lone.effects.clear();
    lone.deliver(Input::Server(ServerReport::new(ticket, observed())));
    let ticket = served(&mut lone, kept).expect("what it runs is kept");
    assert!(!lone.effects.iter().any(|effect| matches!(
        effect,
        Effect::Server(..) | Effect::Disk(DiskJob::Pending(..))
    )));
    lone.deliver(Input::Stored(
        ticket,
        Err("No space left on device (os error 28)".into()),
    ));
    lone.serve(&Outcome::Applied);
    assert_eq!(
        lone.statuses(),
        [(1, 200)],
        "the factory default that cannot be kept is no reason to refuse changes"
    );
}

#[test]
fn in_a_large_fleet_not_all_speak_of_themselves_at_once() {
    let mut turns = BTreeSet::new();
    for seed in 0..20 {
        let mut lone = Lone::new(false);
        lone.node.cx.rng = Rng::new(seed);
        for number in 0..100 {
            let secret = SecretKey::from_seed(&[number + 2; 32]);
            let header = crate::model::record::Header {
                kind: crate::model::record::Kind::Node,
                flags: 0,
                fleet: *lone.node.cx.setup.fleet.id().as_bytes(),
                key: String::new(),
                author: PeerId::from_bytes(secret.public()).unwrap(),
                height: 1,
                stamp: crate::model::stamp::Stamp::default(),
                base: RecordId::NONE,
                body_len: 0,
                body_hash: [0; 32],
                numbered: None,
                note: String::new(),
            };
            let record = Record::sign(header, b"{}", &secret);
            let node = crate::node::peers::node_record::NodeRecord::decode(
                record,
                b"{}".to_vec(),
                Duration::ZERO,
                Duration::ZERO,
            )
            .unwrap();
            assert!(lone.node.peers.roster.take(node, Duration::ZERO, |_| false));
        }
        lone.now.elapsed = Duration::from_secs(100);
        lone.deliver(Input::Tick);
        lone.now.elapsed = Duration::from_secs(110);
        lone.deliver(Input::Addresses(vec!["10.0.0.1:7117".parse().unwrap()]));
        lone.now.elapsed += crate::limits::REFRESH_GATHER;
        lone.deliver(Input::Tick);
        turns.insert(lone.node.peers.own_record.due() - lone.now.elapsed);
    }
    assert!(turns.len() > 10, "{turns:?}");
    assert!(
        turns.last().unwrap() <= &(4 * crate::limits::REFRESH_MIN + crate::limits::REFRESH_GATHER),
        "{turns:?}"
    );
}

/// The order of what a link says is kept, nothing of it is read meanwhile, and other links go on.
#[test]
fn while_a_body_of_megabytes_is_decoded_its_link_waits_and_no_other() {
    let mut author = Lone::new(false);
    author.write(1, &"x".repeat(1 << 20));
    author.serve(&Outcome::Applied);
    let head = Arc::clone(author.node.head().unwrap());
    let mut lone = Lone::new(false);
    lone.linked(1, 2);
    lone.linked(2, 3);
    lone.deliver(Input::Frame(
        1,
        Frame::Record(head.record.clone(), 0, Payload::Announced).encode(),
    ));
    for (n, bytes) in head.body.chunks(INLINE_MAX).enumerate() {
        let offset = u32::try_from(n * INLINE_MAX).unwrap();
        let piece = Frame::Piece {
            id: head.id(),
            offset,
            bytes: bytes.to_vec(),
        };
        lone.node
            .handle(lone.now, Input::Frame(1, piece.encode()), &mut lone.effects);
    }
    let (ticket, undecoded) = lone.undecoded().expect("it is decoded elsewhere");
    assert!(
        lone.effects
            .iter()
            .any(|effect| matches!(effect, Effect::Hold(1)))
    );
    let pongs = |lone: &Lone, link: LinkId| {
        let is_pong = |bytes: &[u8]| matches!(Frame::decode(bytes), Ok(Some(Frame::Pong(7))));
        lone.effects
            .iter()
            .filter(
                |effect| matches!(effect, Effect::Send(to, bytes) if *to == link && is_pong(bytes)),
            )
            .count()
    };
    for link in [1, 2] {
        lone.node.handle(
            lone.now,
            Input::Frame(link, Frame::Ping(7).encode()),
            &mut lone.effects,
        );
    }
    assert_eq!((pongs(&lone, 1), pongs(&lone, 2)), (0, 1));
    // Whoever else offers it meanwhile is not asked.
    lone.node.handle(
        lone.now,
        Input::Frame(
            2,
            Frame::Record(head.record.clone(), 0, Payload::Announced).encode(),
        ),
        &mut lone.effects,
    );
    assert!(lone.node.head().is_none());
    lone.node.handle(
        lone.now,
        Input::Decoded(ticket, undecoded.decode()),
        &mut lone.effects,
    );
    assert_eq!(lone.node.head().map(|head| head.id()), Some(head.id()));
    assert_eq!(pongs(&lone, 1), 1);
    assert!(
        lone.effects
            .iter()
            .any(|effect| matches!(effect, Effect::GoOn(1)))
    );
    let asked = |effect: &&Effect| matches!(effect, Effect::Send(2, bytes) if matches!(Frame::decode(bytes), Ok(Some(Frame::Pull { .. }))));
    assert_eq!(lone.effects.iter().filter(asked).count(), 0);
}

#[test]
fn of_many_revisions_to_be_restored_four_are_read_and_the_rest_are_told_so_at_once() {
    let mut lone = Lone::new(false);
    (0..3).for_each(|client| lone.write(client, &format!("{client}")));
    lone.serve(&Outcome::Applied);
    let base = lone
        .node
        .head()
        .expect("it was published")
        .record
        .header
        .base;
    lone.effects.clear();
    for client in 10..16 {
        let path = Path::parse("/config").unwrap();
        let restore = Command::Restore {
            id: base.to_string(),
            path,
            if_match: None,
            note: String::new(),
        };
        lone.deliver(Input::Asked(client, restore.into()));
    }
    assert_eq!(lone.statuses(), [(14, 503), (15, 503)]);
    let loads: Vec<Ticket> = lone
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Load(ticket, ..) => Some(*ticket),
            _ => None,
        })
        .collect();
    assert_eq!(loads.len(), crate::limits::NEEDED_MAX);
    for ticket in loads {
        lone.deliver(Input::Loaded(
            ticket,
            Err("Input/output error (os error 5)".into()),
        ));
    }
    assert_eq!(
        lone.statuses()[2..],
        [(10, 500), (11, 500), (12, 500), (13, 500)]
    );
}

impl Node {
    /// The head of the own group.
    pub(in crate::node) fn head(&self) -> Option<&Arc<Revision>> {
        self.store.head(&self.cx)
    }
}
