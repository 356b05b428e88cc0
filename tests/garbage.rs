//! Everything that reads what others wrote, fed garbage: random bytes, and honest input with a few
//! bytes changed.
//!
//! The decoders are those of tests/fuzz, which `make fuzz` feeds for as long as one likes; here
//! each gets the same few inputs every time. Nothing may panic, and nothing may take more memory
//! than its bounds allow: the process's greatest size, as Linux counts it, must hardly
//! grow. `STARLING_SEED=7` runs one seed again.

#[path = "fuzz/frames.rs"]
mod frames;
#[path = "fuzz/mutate.rs"]
mod mutate;
#[path = "fuzz/targets.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};

use mutate::garbage;
use starlingd::limits::VALUES_MAX;
use starlingd::model::record::{Header, Kind, Record};
use starlingd::model::{delta, json};
use starlingd::node::rng::Rng;
use starlingd::wire::handshake::{Dialling, Listening};
use targets::{Target, local, revision, secret};

/// Inputs for each decoder and seed.
const ROUNDS: usize = 1_500;
/// By how much the process may grow over one decoder, in KiB: a few bodies of the greatest length,
/// parsed.
const GROWTH_MAX_KIB: u64 = 64 << 10;

fn seeds() -> std::ops::Range<u64> {
    let only = std::env::var("STARLING_SEED")
        .ok()
        .map(|text| text.parse().expect("STARLING_SEED is a number"));
    only.map_or(0..4, |seed: u64| seed..seed + 1)
}

/// Feeds a decoder, and prints how often it accepted: garbage that is always refused at the first
/// byte tests little.
fn feed(target: &Target) {
    let before = greatest_size_kib();
    let mut accepted = 0;
    for seed in seeds() {
        let mut rng = Rng::new(seed);
        for round in 0..ROUNDS {
            let bytes = garbage(&mut rng, &target.honest, target.most);
            let taken = catch_unwind(AssertUnwindSafe(|| (target.decode)(&bytes)));
            let name = target.name;
            accepted += usize::from(
                taken
                    .unwrap_or_else(|_| {
                        panic!("seed {seed}, round {round}: {name} panics over {bytes:?}")
                    })
                    .is_ok(),
            );
        }
    }
    // The system counts it in steps, each thread for itself: it can seem to fall.
    let grown = greatest_size_kib().saturating_sub(before);
    println!(
        "{}: {accepted} of {} accepted, {grown} KiB more",
        target.name,
        seeds().count() * ROUNDS
    );
    assert!(grown < GROWTH_MAX_KIB, "{} took {grown} KiB", target.name);
}

/// The most memory that this process has had; 0 where the system does not say.
fn greatest_size_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}

#[test]
fn every_decoder_stands_garbage() {
    targets::all().iter().for_each(feed);
}

#[test]
fn every_decoder_accepts_what_is_honest() {
    for target in targets::all() {
        for bytes in &target.honest {
            assert_eq!(
                (target.decode)(bytes),
                Ok(()),
                "{} refuses {:?}",
                target.name,
                String::from_utf8_lossy(bytes)
            );
        }
    }
}

/// A short delta that copies the base over and over again stops at the length that the header
/// names.
#[test]
fn a_greedy_delta_stops_at_the_length_of_its_header() {
    let greedy: Vec<u8> = std::iter::repeat_n([0, 0, 0, 0, 0, 0, 0, 0, 200], 1_000)
        .flatten()
        .collect();
    assert!(delta::apply(&revision().body, &greedy, 5_000).is_err());
}

#[test]
fn json_without_end_is_refused() {
    for flood in [
        b"[".repeat(100_000),
        b"{\"a\":".repeat(100_000),
        b"[[],".repeat(50_000),
    ] {
        assert!(json::parse(&flood).is_err() && json::parse_own(&flood).is_err());
    }
    assert!(
        json::parse(&[b"[", &b"0,".repeat(VALUES_MAX)[..], b"0]"].concat()).is_err(),
        "too many values"
    );
}

#[test]
fn second_and_third_messages_of_garbage() {
    let (listener, dialler) = (local(1), local(2));
    let mut rng = Rng::new(0);
    for round in 0..200 {
        let (dialling, first) = Dialling::begin(&dialler).expect("there is randomness");
        let listening =
            Listening::receive(&listener, first.as_slice().try_into().expect("its length"))
                .expect("of this fleet");
        let (second, awaiting) = listening
            .reply(&listener, &[])
            .expect("there is randomness");
        let honest = second[2..].to_vec();
        if round % 2 == 0 {
            let bad = garbage(&mut rng, std::slice::from_ref(&honest), 2_000);
            assert!(bad == honest || dialling.answer(&dialler, &[], &bad).is_err());
            continue;
        }
        let (third, ..) = dialling
            .answer(&dialler, &[], &honest)
            .expect("it is honest");
        let bad = garbage(&mut rng, &[third[2..].to_vec()], 2_000);
        assert!(bad == third[2..] || awaiting.finish(&listener, &bad).is_err());
    }
}

/// A later version's header is longer, and signed: it is taken as it is, within its bound.
#[test]
fn what_a_later_version_appends_is_bounded() {
    let revision = revision();
    let mut header = (*revision.record.header).clone();
    header.kind = Kind::Document;
    let plain = Record::sign(
        Header {
            note: String::new(),
            ..header
        },
        &revision.body,
        &secret(1),
    );
    // It begins with a nonce and a number.
    let cases = [
        (1, false),
        (16, true),
        (17, true),
        (1_024, true),
        (1_025, false),
        (60_000, false),
    ];
    for (extra, fits) in cases {
        let mut bytes = plain.bytes.to_vec();
        let end = bytes.len();
        bytes[end - 2..].copy_from_slice(&(extra as u16).to_be_bytes());
        bytes.resize(end + extra, 0);
        bytes.iter_mut().skip(end).for_each(|byte| *byte = 7);
        bytes
            .iter_mut()
            .skip(end + 8)
            .take(7)
            .for_each(|byte| *byte = 0);
        assert_eq!(
            Record::decode(&bytes, [0; 64]).is_ok(),
            fits,
            "{extra} bytes more"
        );
    }
}
