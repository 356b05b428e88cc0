//! A member of a fleet in a test's hands: a real link, and whatever one likes to say over it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use starlingd::daemon::dialler::{self, Addresses};
use starlingd::model::document::Document;
use starlingd::model::json;
use starlingd::model::peer_id::PeerId;
use starlingd::model::record::{Header, Kind, Record, RecordId};
use starlingd::model::revision::{Author, Draft, Edit, Origin, Revision};
use starlingd::model::signature::SecretKey;
use starlingd::model::stamp::Stamp;
use starlingd::wire::fleet::Fleet;
use starlingd::wire::frame::{Frame, Payload};
use starlingd::wire::handshake::LocalPeer;
use starlingd::wire::news::{HostNews, NewsRecord};
use starlingd::wire::session::{Opener, Sealer};
use starlingd::wire::token::Token;

/// One link of a member, and its keys.
pub struct Member {
    secret: SecretKey,
    fleet: Fleet,
    stream: TcpStream,
    sealer: Sealer,
    frames: Receiver<Frame>,
}

impl Member {
    /// Links with the host at `address`, as the member whose identity has this number. The token is
    /// any of the fleet's.
    pub fn link(token: &str, identity: u8, address: &str) -> Self {
        let fleet = token
            .trim()
            .parse::<Token>()
            .expect("the program prints tokens")
            .fleet()
            .clone();
        let seed = [identity; 32];
        let local = LocalPeer {
            identity: SecretKey::from_seed(&seed),
            fleet: fleet.clone(),
            static_secret: seed,
            run: u64::from(identity),
            features: 0,
        };
        let nowhere: Addresses = Arc::new(|| vec![SocketAddr::from(([192, 0, 2, 1], 7117))]);
        let parts = dialler::dial(address, &local, &nowhere, PATIENCE).expect("a member is let in");
        let (sealer, opener) = parts.session.split();
        let reader = parts.stream.try_clone().expect("a socket can be shared");
        reader.set_read_timeout(None).expect("it is a socket");
        parts
            .stream
            .set_write_timeout(Some(PATIENCE))
            .expect("it is a socket");
        let (heard, frames) = mpsc::channel();
        thread::spawn(move || hear(reader, opener, |frame| heard.send(frame).is_ok()));
        Self {
            secret: SecretKey::from_seed(&seed),
            fleet,
            stream: parts.stream,
            sealer,
            frames,
        }
    }

    /// Sends a frame. False once the host has closed the link, or does not take anything for a long
    /// time.
    pub fn says(&mut self, frame: &Frame) -> bool {
        self.says_bytes(&frame.encode())
    }

    /// Sends bytes as a frame, whatever they are. As [`Member::says`].
    pub fn says_bytes(&mut self, frame: &[u8]) -> bool {
        let mut sealed = Vec::new();
        self.sealer
            .seal(frame, &mut sealed)
            .expect("a frame of legal length");
        self.stream.write_all(&sealed).is_ok()
    }

    /// The next frame that is of interest; `None` when the link has ended or nothing of the kind
    /// has come for long.
    pub fn hears<T>(&self, mut wanted: impl FnMut(Frame) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let frame = self
                .frames
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
                .ok()?;
            if let Some(found) = wanted(frame) {
                return Some(found);
            }
        }
    }

    /// Whether the host has taken in all that was said to it: it answers a ping, which it does in
    /// order.
    pub fn is_heard(&mut self) -> bool {
        self.says(&Frame::Ping(HEARD))
            && self
                .hears(|frame| matches!(frame, Frame::Pong(HEARD)).then_some(()))
                .is_some()
    }

    /// Whether the host has closed the link; waits for that for a while.
    pub fn is_closed_upon(&self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            if matches!(
                self.frames.recv_timeout(left),
                Err(mpsc::RecvTimeoutError::Disconnected)
            ) {
                return true;
            }
        }
        false
    }

    /// A revision by this member, as the library makes one: of the group `default`, on `base`, with
    /// this configuration.
    pub fn revision(&self, base: Option<&Revision>, stamp_ms: u64, config: &str) -> Revision {
        let stamp = Stamp::from_u64(stamp_ms << 16).expect("a stamp in bounds");
        let author = Author {
            secret: &self.secret,
            fleet: *self.fleet.id().as_bytes(),
            group: "default",
            stamp,
            numbered: None,
        };
        let config = json::parse(config.as_bytes()).expect("a test writes JSON");
        let document = Document::from_config(config).expect("a test writes documents");
        let edit = Edit {
            origin: Origin::Original,
            operations: Vec::new(),
        };
        let draft = Draft {
            edit,
            document,
            opens: Default::default(),
            settles: Vec::new(),
            flags: 0,
            note: String::new(),
        };
        Revision::author(&author, base, draft).expect("a test stays within bounds")
    }

    /// The record of a revision with another height and date, on a base that there never was.
    pub fn forged(&self, revision: &Revision, height: u64, stamp_ms: u64) -> Record {
        let header = (*revision.record.header).clone();
        let forged = Header {
            height,
            stamp: Stamp::at(stamp_ms),
            base: RecordId([7; 32]),
            ..header
        };
        Record::sign(forged, &revision.body, &self.secret)
    }

    /// What an invented host of this number says of itself.
    pub fn node_record(&self, number: u32, body: &str) -> Frame {
        let mut seed = [200; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        let secret = SecretKey::from_seed(&seed);
        let header = Header {
            kind: Kind::Node,
            flags: 0,
            fleet: *self.fleet.id().as_bytes(),
            key: String::new(),
            author: PeerId::from_bytes(secret.public()).expect("a key pair's public half is sound"),
            height: 1,
            stamp: Stamp::default(),
            base: RecordId::NONE,
            body_len: 0,
            body_hash: [0; 32],
            numbered: None,
            note: String::new(),
        };
        Frame::News(HostNews {
            records: vec![NewsRecord {
                record: Record::sign(header, body.as_bytes(), &secret),
                age: 0,
                body: body.as_bytes().to_vec(),
            }],
            ..HostNews::default()
        })
    }

    /// A record of this height whose base nobody has seen, with its body: it contains nothing, and
    /// nothing contains it.
    pub fn stray(&self, height: u64, stamp_ms: u64, config: &str) -> (Record, Vec<u8>) {
        let revision = self.revision(None, stamp_ms, config);
        let base = RecordId([height.to_be_bytes()[7] | 1; 32]);
        let header = Header {
            height,
            base,
            ..(*revision.record.header).clone()
        };
        (
            Record::sign(header, &revision.body, &self.secret),
            revision.body.to_vec(),
        )
    }

    /// Offers a record whose body is to be pulled, and sends the body, whoever asks for it. Says
    /// whether it was asked for.
    pub fn offers(&mut self, record: &Record, body: &[u8]) -> bool {
        let id = record.id;
        self.says(&Frame::Record(record.clone(), 0, Payload::Announced))
            && self
                .hears(|frame| {
                    matches!(frame, Frame::Pull { id: wanted, .. } if wanted == id).then_some(())
                })
                .is_some()
            && self.says_body(id, body)
    }

    /// Sends a body in pieces of the greatest length.
    fn says_body(&mut self, id: RecordId, body: &[u8]) -> bool {
        let pieces = body.chunks(PIECE).enumerate();
        let mut pieces = pieces.map(|(number, bytes)| (number * PIECE, bytes.to_vec()));
        pieces.all(|(offset, bytes)| {
            self.says(&Frame::Piece {
                id,
                offset: u32::try_from(offset).expect("bodies are short"),
                bytes,
            })
        })
    }
}

/// A record with its body, for bodies that may travel so.
pub fn whole(revision: &Revision) -> Frame {
    Frame::Record(
        revision.record.clone(),
        0,
        Payload::Whole(revision.body.to_vec()),
    )
}

/// Opens what comes until the link ends or `heard` has enough.
fn hear(mut stream: TcpStream, mut opener: Opener, heard: impl Fn(Frame) -> bool) {
    let mut next = || {
        let mut length = [0; 2];
        stream.read_exact(&mut length).ok()?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut message).ok()?;
        opener.open(&message).ok()
    };
    while let Some(bytes) = next() {
        if let Ok(Some(frame)) = Frame::decode(&bytes)
            && !heard(frame)
        {
            return;
        }
    }
}

/// The number of a ping that nothing else sends.
const HEARD: u64 = 0x4845_4152_4421;
/// Pieces of bodies are no longer than this.
const PIECE: usize = starlingd::limits::INLINE_MAX;
/// Far more than anything here takes; what takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);
