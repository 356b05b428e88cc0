//! The handshake: `Noise_XXpsk0_25519_ChaChaPoly_SHA256`, as three messages between states that
//! consume themselves.
//!
//! Bytes go in and come out; the caller owns the socket, the deadlines, and the replay cache. With
//! `psk0` the first message already proves knowledge of the fleet key, so a stranger is told
//! nothing at all. Who the other side is, is proved by an Ed25519 signature over its role, the
//! handshake so far, and its Noise static key, which is made anew at each start. The one invariant:
//! a [`Hello`] and a [`Session`] leave this file together, and only when every check has passed.
//!
//! ```text
//! Dialling ── 8 clear bytes, message 1 ──▶ Listening
//!          ◀── message 2 (version, hello) ─┘ then AwaitingThird
//! Session  ── message 3 (hello) ─────────▶ Session
//! ```

mod error;

pub use self::error::HandshakeError;
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;

use snow::params::DHChoice;
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::{Builder, HandshakeState};

use super::address;
use super::fleet::{Fleet, FleetId};
use super::session::Session;
use crate::codec::{Malformed, Reader, Writer};
use crate::limits::{
    ADDRESSES_MAX, HANDSHAKE_EXTENSION_MAX, HANDSHAKE_MESSAGE_MAX, SEEN_EPHEMERALS,
};
use crate::model::peer_id::PeerId;
use crate::model::signature::{Purpose, SecretKey, verify};

/// This peer, as it takes part in every handshake.
pub struct LocalPeer {
    /// The key pair of the peer ID, which signs the handshake.
    pub identity: SecretKey,
    /// The fleet whose members this peer talks to.
    pub fleet: Fleet,
    /// The Noise static key: 32 random bytes, made anew at each start.
    pub static_secret: [u8; 32],
    /// The run number: random, made anew at each start.
    pub run: u64,
    /// Feature bits to offer; none is defined yet.
    pub features: u64,
}

/// What the other side said of itself in a handshake; its peer ID is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The peer ID of the other side.
    pub peer: PeerId,
    /// The peer's run number: another one means that it has started anew, or that two hosts bear
    /// one identity.
    pub run: u64,
    /// The feature bits that the peer offers; unknown ones mean nothing.
    pub features: u64,
    /// The addresses at which the peer says it listens, at most [`ADDRESSES_MAX`]: hints that
    /// nobody has checked.
    pub addresses: Vec<SocketAddr>,
}

/// The dialler, waiting for message 2.
pub struct Dialling {
    noise: HandshakeState,
}

impl Dialling {
    /// Begins, and gives the [`FIRST_LEN`] bytes to send. Fails only if the system has no
    /// randomness.
    pub fn begin(local: &LocalPeer) -> Result<(Self, Vec<u8>), HandshakeError> {
        let psk = local.fleet.key().psk(local.fleet.id());
        let prologue = prologue(&CLEAR, local.fleet.id());
        Self::start(builder(local, &psk, &prologue)?.build_initiator()?)
    }

    fn start(mut noise: HandshakeState) -> Result<(Self, Vec<u8>), HandshakeError> {
        let mut first = CLEAR.to_vec();
        first.extend(write(&mut noise, &[])?);
        assert_eq!(
            first.len(),
            FIRST_LEN,
            "an ephemeral key and a tag, nothing else"
        );
        Ok((Self { noise }, first))
    }

    /// Takes message 2 (without its length) and gives the framed message 3 to send, with
    /// `addresses` in it, of which the first [`ADDRESSES_MAX`] count.
    pub fn answer(
        mut self,
        local: &LocalPeer,
        addresses: &[SocketAddr],
        message2: &[u8],
    ) -> Result<(Vec<u8>, Hello, Session), HandshakeError> {
        refuse_zero_key(message2, 0)?;
        let before = hash(&self.noise);
        let payload = read(&mut self.noise, message2)?;
        let mut reader = Reader::new(&payload);
        let chosen = reader.u8("version")?;
        if chosen != VERSION {
            return Err(HandshakeError::Version {
                lowest: chosen,
                highest: chosen,
            });
        }
        let hello = read_hello(
            reader,
            local,
            &proof(LISTENER, &before, &remote_static(&self.noise)),
        )?;
        let before = hash(&self.noise);
        let message3 = write(
            &mut self.noise,
            &hello_bytes(&[], local, addresses, DIALLER, &before),
        )?;
        Ok((message3, hello, Session::new(self.noise)))
    }
}

/// The listener, having seen a first message that verifies. Until here the other side has been
/// given nothing, not even memory.
pub struct Listening {
    noise: HandshakeState,
    ephemeral: [u8; 32],
}

impl Listening {
    /// Looks at the first flight, and tries each of the fleet's keys on it. For a stranger that
    /// costs, per key, one multiplication of the curve's base point (snow's, for our own static
    /// key: about as much as a signature), some hashes and one failed decryption.
    pub fn receive(local: &LocalPeer, first: &[u8; FIRST_LEN]) -> Result<Self, HandshakeError> {
        let message = first_message(first)?;
        let clear = first
            .first_chunk()
            .expect("FIRST_LEN is more than CLEAR_LEN");
        let prologue = prologue(clear, local.fleet.id());
        for key in local.fleet.keys() {
            let psk = key.psk(local.fleet.id());
            let noise = builder(local, &psk, &prologue)?.build_responder()?;
            if let Some(listening) = Self::verified(noise, message) {
                return Ok(listening);
            }
        }
        Err(HandshakeError::Stranger)
    }

    fn verified(mut noise: HandshakeState, message: &[u8; MESSAGE_1_LEN]) -> Option<Self> {
        let ephemeral = *message
            .first_chunk()
            .expect("message 1 begins with the ephemeral key");
        noise
            .read_message(message, &mut [])
            .ok()
            .map(|_| Self { noise, ephemeral })
    }

    /// The dialler's ephemeral key, by which a replayed first message is known
    /// ([`SeenEphemerals`]).
    pub fn ephemeral(&self) -> [u8; 32] {
        self.ephemeral
    }

    /// Gives the framed message 2 to send, with `addresses` in it, of which the first
    /// [`ADDRESSES_MAX`] count.
    pub fn reply(
        mut self,
        local: &LocalPeer,
        addresses: &[SocketAddr],
    ) -> Result<(Vec<u8>, AwaitingThird), HandshakeError> {
        let before = hash(&self.noise);
        let message2 = write(
            &mut self.noise,
            &hello_bytes(&[VERSION], local, addresses, LISTENER, &before),
        )?;
        Ok((message2, AwaitingThird { noise: self.noise }))
    }
}

/// The listener, waiting for message 3.
pub struct AwaitingThird {
    noise: HandshakeState,
}

impl AwaitingThird {
    /// Takes message 3 (without its length). Only now is it known who the other side is.
    pub fn finish(
        mut self,
        local: &LocalPeer,
        message3: &[u8],
    ) -> Result<(Hello, Session), HandshakeError> {
        let before = hash(&self.noise);
        let payload = read(&mut self.noise, message3)?;
        let hello = read_hello(
            Reader::new(&payload),
            local,
            &proof(DIALLER, &before, &remote_static(&self.noise)),
        )?;
        Ok((hello, Session::new(self.noise)))
    }
}

/// The ephemeral keys of the last [`SEEN_EPHEMERALS`] first messages that verified, so that none is
/// answered twice: a recorded first message would otherwise draw an answer from us at any time, and
/// a place for 5 s.
#[derive(Debug, Default)]
pub struct SeenEphemerals {
    order: VecDeque<[u8; 32]>,
    known: BTreeSet<[u8; 32]>,
}

impl SeenEphemerals {
    /// Whether `ephemeral` is not among them; it is from now on, in place of the oldest if there
    /// are too many.
    pub fn is_new(&mut self, ephemeral: [u8; 32]) -> bool {
        if !self.known.insert(ephemeral) {
            return false;
        }
        self.order.push_back(ephemeral);
        if self.order.len() > SEEN_EPHEMERALS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

impl std::error::Error for HandshakeError {}

/// Noise of `local` in one fleet, before it is decided who dials.
fn builder<'a>(
    local: &'a LocalPeer,
    psk: &'a [u8; 32],
    prologue: &'a [u8],
) -> Result<Builder<'a>, snow::Error> {
    let suite = SUITE
        .parse()
        .expect("the suite is one that snow was built with");
    Builder::new(suite)
        .psk(0, psk)?
        .local_private_key(&local.static_secret)?
        .prologue(prologue)
}

/// Both sides must have sent and seen the same clear bytes and mean the same fleet, else message 1
/// does not verify.
fn prologue(clear: &[u8; CLEAR_LEN], fleet: &FleetId) -> Vec<u8> {
    [&clear[..], fleet.as_bytes()].concat()
}

/// Message 1 within the first flight, if the clear bytes and the length before it are in order.
fn first_message(first: &[u8; FIRST_LEN]) -> Result<&[u8; MESSAGE_1_LEN], HandshakeError> {
    let mut reader = Reader::new(first);
    if reader.array("magic")? != *MAGIC {
        return Err(Malformed {
            what: "magic",
            at: 0,
        }
        .into());
    }
    let (lowest, highest) = (reader.u8("lowest version")?, reader.u8("highest version")?);
    if !(lowest..=highest).contains(&VERSION) {
        return Err(HandshakeError::Version { lowest, highest });
    }
    if usize::from(reader.u16("message length")?) != MESSAGE_1_LEN {
        return Err(reader.malformed("message length").into());
    }
    refuse_zero_key(first, CLEAR_LEN + PREFIX)?;
    Ok(first
        .last_chunk()
        .expect("FIRST_LEN is more than message 1"))
}

/// With the zero point as ephemeral key every Diffie-Hellman result with it is zero, which snow
/// lets pass (Noise specification, section 12.1, leaves the check to the application). This catches
/// a peer whose randomness is broken; one that is malicious can give its keys away in many other
/// ways.
fn refuse_zero_key(message: &[u8], at: usize) -> Result<(), HandshakeError> {
    let is_zero = message[at.min(message.len())..].starts_with(&[0; 32]);
    if is_zero {
        Err(Malformed {
            what: "ephemeral key",
            at,
        }
        .into())
    } else {
        Ok(())
    }
}

/// The next message of the pattern, with its length before it.
fn write(noise: &mut HandshakeState, payload: &[u8]) -> Result<Vec<u8>, snow::Error> {
    let mut framed = vec![0; PREFIX + HANDSHAKE_MESSAGE_MAX];
    let length = noise.write_message(payload, &mut framed[PREFIX..])?;
    let prefix = u16::try_from(length)
        .expect("no longer than the buffer")
        .to_be_bytes();
    framed[..PREFIX].copy_from_slice(&prefix);
    framed.truncate(PREFIX + length);
    Ok(framed)
}

/// The payload of the next message of the pattern.
fn read(noise: &mut HandshakeState, message: &[u8]) -> Result<Vec<u8>, HandshakeError> {
    if message.len() > HANDSHAKE_MESSAGE_MAX {
        return Err(Malformed {
            what: "message length",
            at: 0,
        }
        .into());
    }
    let mut payload = vec![0; message.len()];
    let length = noise.read_message(message, &mut payload)?;
    payload.truncate(length);
    Ok(payload)
}

fn hash(noise: &HandshakeState) -> [u8; 32] {
    noise
        .get_handshake_hash()
        .try_into()
        .expect("a SHA-256 hash has 32 bytes")
}

fn remote_static(noise: &HandshakeState) -> [u8; 32] {
    let key = noise
        .get_remote_static()
        .expect("messages 2 and 3 of XX carry the static key");
    key.try_into().expect("an X25519 key has 32 bytes")
}

/// The public half of a Noise static key. snow works it out but does not show it.
fn public_half(static_secret: &[u8; 32]) -> [u8; 32] {
    let mut pair = DefaultResolver
        .resolve_dh(&DHChoice::Curve25519)
        .expect("snow was built with X25519");
    pair.set(static_secret);
    pair.pubkey()
        .try_into()
        .expect("an X25519 key has 32 bytes")
}

/// What the signature in a hello is over. The role keeps a side from being answered with its own
/// words; `before` is the handshake hash before the message that carries it, hence fresh and of
/// this fleet; the static key ties the signer to the session.
fn proof(role: u8, before: &[u8; 32], static_public: &[u8; 32]) -> [u8; 65] {
    let mut proof = [role; 65];
    proof[1..33].copy_from_slice(before);
    proof[33..].copy_from_slice(static_public);
    proof
}

fn hello_bytes(
    version: &[u8],
    local: &LocalPeer,
    addresses: &[SocketAddr],
    role: u8,
    before: &[u8; 32],
) -> Vec<u8> {
    let mut writer = Writer::new();
    writer
        .raw(version)
        .raw(&local.identity.public())
        .u64(local.features)
        .u64(local.run);
    address::encode_all(
        &mut writer,
        &addresses[..addresses.len().min(ADDRESSES_MAX)],
    );
    let proof = proof(role, before, &public_half(&local.static_secret));
    writer
        .raw(
            &local
                .identity
                .sign(Purpose::Handshake, local.fleet.id().as_bytes(), &proof),
        )
        .medium(&[]);
    writer.finish()
}

fn read_hello(
    mut reader: Reader<'_>,
    local: &LocalPeer,
    proof: &[u8; 65],
) -> Result<Hello, HandshakeError> {
    let key = reader.array("peer ID")?;
    let (features, run) = (reader.u64("features")?, reader.u64("run")?);
    let addresses = address::decode_all(&mut reader)?;
    let signature = reader.array("signature")?;
    reader.medium(HANDSHAKE_EXTENSION_MAX, "extension")?;
    reader.end("end")?;
    let peer = PeerId::from_bytes(key).ok_or(HandshakeError::Key)?;
    if !verify(
        &key,
        Purpose::Handshake,
        local.fleet.id().as_bytes(),
        proof,
        &signature,
    ) {
        return Err(HandshakeError::Signature);
    }
    if key == local.identity.public() && run == local.run {
        return Err(HandshakeError::Oneself);
    }
    Ok(Hello {
        peer,
        run,
        features,
        addresses,
    })
}

/// The dialler's first flight, in bytes: the clear bytes, a length, message 1.
pub const FIRST_LEN: usize = CLEAR_LEN + PREFIX + MESSAGE_1_LEN;
/// The version of the protocol, the only one yet. It governs all that follows message 1.
pub const VERSION: u8 = 1;

const SUITE: &str = "Noise_XXpsk0_25519_ChaChaPoly_SHA256";
/// With what the first flight of a dialler begins, in the clear.
pub const MAGIC: &[u8; 6] = b"STARLG";
/// What a dialler says in clear: the magic, and the lowest and highest version that it speaks.
const CLEAR: [u8; CLEAR_LEN] = *b"STARLG\x01\x01";
const CLEAR_LEN: usize = 8;
/// The length before each message, a big-endian u16.
const PREFIX: usize = 2;
/// An ephemeral key and the tag of an empty payload.
const MESSAGE_1_LEN: usize = 32 + 16;
const DIALLER: u8 = 1;
const LISTENER: u8 = 2;

const _: () = assert!(
    CLEAR[6] == VERSION && CLEAR[7] == VERSION,
    "what is offered is what is spoken"
);

/// The version, the largest hello, and around it message 2's ephemeral key, sealed static key and
/// tag.
const LARGEST: usize = 1
    + 32
    + 8
    + 8
    + 1
    + ADDRESSES_MAX * (1 + 16 + 2)
    + 64
    + 2
    + HANDSHAKE_EXTENSION_MAX
    + 32
    + 48
    + 16;
const _: () = assert!(
    LARGEST <= HANDSHAKE_MESSAGE_MAX,
    "what a later version may say must fit what this one reads"
);

#[cfg(test)]
mod tests;
