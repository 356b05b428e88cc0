//! What unit tests make parts of a node with, alone and without a `Node`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::input::{LinkId, Now};
use super::peers::Peers;
use super::setup::Setup;
use super::store::Store;
use super::store::replica::Keeping;
use crate::model::document::Document;
use crate::model::edit::{Change, Op, apply};
use crate::model::json::Value;
use crate::model::operation::operations;
use crate::model::path::Path;
use crate::model::peer_id::PeerId;
use crate::model::record::Record;
use crate::model::revision::{Author, Draft, Edit, Origin, Revision};
use crate::model::signature::SecretKey;
use crate::model::stamp::Stamp;
use crate::wire::fleet::{Fleet, FleetId, FleetKey};
use crate::wire::handshake::Hello;

/// What the peer with this number is made with: in group `default`, without a server.
pub(in crate::node) fn setup(number: u8) -> Setup {
    let id = FleetId::from_bytes(SecretKey::from_seed(&[250; 32]).public()).unwrap();
    Setup {
        secret: SecretKey::from_seed(&[number; 32]),
        fleet: Fleet::new("test".into(), id, vec![FleetKey::from_bytes([9; 32])]).unwrap(),
        run: 1,
        name: "gull".into(),
        group: "default".into(),
        version: "test".into(),
        server: false,
        joined: true,
        peers: Vec::new(),
        before_kept: false,
        history: crate::limits::HISTORY_KEPT_MAX,
        keys_kept: Duration::ZERO..Duration::MAX,
        files_max: crate::limits::STATE_MIB << 20,
        seed: 7,
        overlay: Default::default(),
        drift: Default::default(),
        words: |denial| format!("{denial:?}"),
        is_signed: Record::is_signed,
    }
}

/// What the parts of the peer with this number share, at the beginning of its time. Its clock shows
/// no possible time, so that nothing is dated too far ahead.
pub(in crate::node) fn context(number: u8) -> Context {
    let now = Now {
        elapsed: Duration::ZERO,
        wall_ms: 1_000,
    };
    Context::new(setup(number), now)
}

/// A store that holds nothing yet.
pub(in crate::node) fn store(cx: &Context) -> Store {
    Store::new(Keeping {
        me: cx.me,
        group: cx.setup.group.clone(),
        history: cx.setup.history,
        files_max: cx.setup.files_max,
    })
}

/// The ID of the peer with this number.
pub(in crate::node) fn peer(number: u8) -> PeerId {
    PeerId::from_bytes(SecretKey::from_seed(&[number; 32]).public()).unwrap()
}

/// A link comes up with the peer of this number, which has dialled.
pub(in crate::node) fn link(peers: &mut Peers, cx: &mut Context, link: LinkId, number: u8) {
    let hello = Hello {
        peer: peer(number),
        run: 5,
        features: 0,
        addresses: Vec::new(),
    };
    peers.linked(cx, link, hello, "10.0.0.2:7117".parse().unwrap(), None);
}

/// A change by the peer with this number to a group, at a place of the peer's own.
pub(in crate::node) fn revision(
    number: u8,
    group: &str,
    base: Option<&Revision>,
    ms: u64,
) -> Arc<Revision> {
    let setup = setup(number);
    let before = base.map_or_else(Document::factory, |base| base.document.clone());
    let op = Op {
        path: Path::parse(format!("/config/applications/{number}")).unwrap(),
        change: Change::Put(Value::from(ms)),
    };
    let document = apply(&before, &op).unwrap();
    let edit = Edit {
        origin: Origin::Original,
        operations: operations(&before, &[op]),
    };
    let author = Author {
        secret: &setup.secret,
        fleet: *setup.fleet.id().as_bytes(),
        group,
        stamp: Stamp::from_u64(ms << 16).unwrap(),
        numbered: None,
    };
    let draft = Draft {
        edit,
        document,
        opens: BTreeMap::new(),
        settles: Vec::new(),
        flags: 0,
        note: String::new(),
    };
    Arc::new(Revision::author(&author, base, draft).unwrap())
}
