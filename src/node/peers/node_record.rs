//! What is held of one host: its node record, and what has followed it.
//!
//! Steps and beats are judged here by the chains that the record names, and by nothing else: what
//! says no more than what is held changes nothing.

use std::time::Duration;

use crate::codec::unhex_array;
use crate::limits::NODE_VALUES_MAX;
use crate::model::json::{self, Map, Value, object};
use crate::model::proof::{Proof, Statement};
use crate::model::record::{Record, RecordId};

/// What a node record names to be followed by proofs.
#[derive(Debug, Clone, Copy)]
struct Ends {
    /// The end of the chain of steps.
    steps: Proof,
    /// The end of the chain of beats.
    beats: Proof,
    /// The height of the head that the record names; 0 if it names none.
    height: u64,
}

/// The last step of a host: what has changed since its record was signed.
#[derive(Debug, Clone, Copy)]
pub(in crate::node) struct HeadStep {
    /// How many heights the head is above that of the record.
    pub(in crate::node) place: u16,
    /// The proof.
    pub(in crate::node) proof: Proof,
    /// The head.
    pub(in crate::node) head: RecordId,
}

/// What a proof was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::node) enum Judged {
    /// It says something new, and is held now.
    Taken,
    /// It says what is held.
    Held,
    /// It says less than is held, or something else at the same place.
    Old,
    /// It is none, or belongs to another record.
    False,
}

/// A node record as it is held.
#[derive(Debug, Clone)]
pub struct NodeRecord {
    /// Header and signature.
    pub record: Record,
    /// The body's bytes as they came.
    pub body: Vec<u8>,
    /// What the peer calls itself. All else that it says is decoded when it is asked for: there
    /// may be thousands of records.
    name: Option<Box<str>>,
    /// When it came.
    pub received: Duration,
    /// How old it was then.
    pub age_then: Duration,
    ends: Option<Ends>,
    step: Option<HeadStep>,
    /// The place and the proof of the last beat.
    beat: Option<(u16, Proof)>,
    /// When something newer than the record itself came of its author, and how old that was then.
    heard: Option<(Duration, Duration)>,
    /// Whether a link to the peer was lost since, with nothing heard of the peer from then on.
    pub lost: bool,
}

impl NodeRecord {
    /// From a record whose signature and body hash hold; `None` if the body is no JSON object.
    pub fn decode(
        record: Record,
        body: Vec<u8>,
        age_then: Duration,
        now: Duration,
    ) -> Option<Self> {
        let said = json::parse_own(&body)
            .ok()
            .filter(|said| said.is_object() && json::fits(said, 4, NODE_VALUES_MAX))?;
        let name = said.get("name").and_then(Value::as_str).map(Box::from);
        let ends = ends(&said);
        Some(Self {
            ends,
            step: None,
            beat: None,
            heard: None,
            record,
            body,
            name,
            received: now,
            age_then,
            lost: false,
        })
    }

    /// How long ago it was signed.
    pub fn age(&self, now: Duration) -> Duration {
        self.age_then + now.saturating_sub(self.received)
    }

    /// How long ago its author last said anything.
    pub fn heard(&self, now: Duration) -> Duration {
        let signed = self.age(now);
        self.heard.map_or(signed, |(came, age)| {
            signed.min(age + now.saturating_sub(came))
        })
    }

    /// Takes a step to this head, if that is above all before it and the proof is true. What it
    /// says is as old as `age`.
    pub(in crate::node) fn take_step(
        &mut self,
        height: u64,
        head: RecordId,
        proof: Proof,
        age: Duration,
        now: Duration,
    ) -> Judged {
        let Some((ends, above)) = self.ends.and_then(|ends| {
            let above = u16::try_from(height.checked_sub(ends.height)?).ok()?;
            Some((ends, above))
        }) else {
            return Judged::False;
        };
        let (place, known) = self
            .step
            .map_or((0, ends.steps), |step| (step.place, step.proof));
        if above <= place {
            let is_held = self.step.is_some_and(|step| {
                step.place == above && (step.proof, step.head) == (proof, head)
            });
            return if is_held { Judged::Held } else { Judged::Old };
        }
        let author = self.record.header.author;
        if !proof.follows(known, above - place, Statement::Step, &author) {
            return Judged::False;
        }
        self.step = Some(HeadStep {
            place: above,
            proof,
            head,
        });
        self.hear(age, now);
        Judged::Taken
    }

    /// Takes a beat, if it is beyond all before it and the proof is true. What it says is as old as
    /// `age`.
    pub(in crate::node) fn take_beat(
        &mut self,
        place: u16,
        proof: Proof,
        age: Duration,
        now: Duration,
    ) -> Judged {
        let Some(ends) = self.ends else {
            return Judged::False;
        };
        let (last, known) = self.beat.unwrap_or((0, ends.beats));
        if place <= last {
            let is_held = self.beat == Some((place, proof));
            return if is_held { Judged::Held } else { Judged::Old };
        }
        let author = self.record.header.author;
        if !proof.follows(known, place - last, Statement::Beat, &author) {
            return Judged::False;
        }
        self.beat = Some((place, proof));
        self.hear(age, now);
        Judged::Taken
    }

    fn hear(&mut self, age: Duration, now: Duration) {
        if age < self.heard(now) {
            self.heard = Some((now, age));
            self.lost = false;
        }
    }

    /// The last step since the record was signed, and the height of its head.
    pub(in crate::node) fn step(&self) -> Option<(u64, HeadStep)> {
        let base = self.ends?.height;
        self.step.map(|step| (base + u64::from(step.place), step))
    }

    /// The last beat since the record was signed.
    pub(in crate::node) fn beat(&self) -> Option<(u16, Proof)> {
        self.beat
    }

    /// What names this record together with its last step, when two hosts compare what they hold of
    /// all hosts: the record's ID, and in its last two bytes the place of the step.
    pub(in crate::node) fn news_id(&self) -> RecordId {
        let mut id = self.record.id;
        let place = self.step.map_or(0, |step| step.place).to_be_bytes();
        id.0[30..]
            .iter_mut()
            .zip(place)
            .for_each(|(byte, of)| *byte ^= of);
        id
    }

    /// What the peer's clock shows now, in milliseconds since 1970, as far as its record tells:
    /// what it showed when the peer signed, and the age since.
    pub fn clock_ms(&self, now: Duration) -> u64 {
        let age = u64::try_from(self.age(now).as_millis()).unwrap_or(u64::MAX);
        self.record.header.stamp.wall_ms().saturating_add(age)
    }

    /// What the peer says of itself: an object. Its last step is taken in.
    pub fn said(&self) -> Value {
        let mut said = json::parse_own(&self.body).expect("it was read when the record came");
        if let (Some(step), Some(members)) = (self.step, said.as_object_mut()) {
            step_on(members, step.head);
        }
        said
    }

    /// What the peer calls itself.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

/// What is said after a step to this head.
pub(in crate::node) fn step_on(said: &mut Map<String, Value>, head: RecordId) {
    let head = head.to_string();
    if said.get("applied").is_some_and(Value::is_string) {
        said.extend(object! { "applied": head.as_str() });
    }
    said.extend(object! { "desired": head });
}

/// What a record names of its chains; a record without them is not followed by proofs.
fn ends(said: &Value) -> Option<Ends> {
    let proof = |member| text(said, member).and_then(unhex_array).map(Proof);
    Some(Ends {
        steps: proof("steps")?,
        beats: proof("beats")?,
        height: said.get("height")?.as_u64()?,
    })
}

/// A member of what a peer says of itself, if that is text.
pub(in crate::node) fn text<'a>(said: &'a Value, member: &str) -> Option<&'a str> {
    said.get(member).and_then(Value::as_str)
}
