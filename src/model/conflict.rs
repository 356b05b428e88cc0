//! Open conflicts: edits that lost, as every host lists them until somebody settles them.
//!
//! A conflict stands in the head with all that a person needs to settle it: who wanted what, where,
//! and what stood there then. Long values, and certificates of any length, are given by length and
//! hash; an edit of which no host holds the record any more is given by its name alone.

use super::document::Document;
use super::edit::{Change, Op, Verb, hash_of};
use super::json::{self, Value, object};
use super::ledger::EditRef;
use super::operation::Operation;
use super::path::Path;
use super::peer_id::PeerId;
use super::resources;
use crate::codec::hex;
use crate::limits::{NOTE_MAX, OPEN_VALUE_MAX, OPERATIONS_MAX};

/// What an edit wanted to write.
#[derive(Debug, Clone, PartialEq)]
pub enum WantedValue {
    /// Nothing: a DELETE.
    Nothing,
    /// This value.
    Value(Value),
    /// A value whose compact text has this many bytes, and this hash as [`hash_of`] gives it.
    Long {
        /// Bytes of compact text.
        len: u64,
        /// SHA-256.
        hash: [u8; 32],
    },
}

/// An edit that the head does not contain.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OpenConflict {
    /// Who signed the record that this was taken from: its author or, where only a replay was to
    /// be had, whoever made that; `None` if no host holds a record of it any more.
    pub author: Option<PeerId>,
    /// Whether the edit was made with `If-Match`.
    pub guarded: bool,
    /// The author's note.
    pub note: String,
    /// The operations of the edit, each with the value that it wanted to write.
    pub operations: Vec<(Operation, WantedValue)>,
}

impl OpenConflict {
    /// About how many bytes of memory the conflict takes.
    pub fn weight(&self) -> usize {
        let wanted = |wanted: &WantedValue| {
            if let WantedValue::Value(value) = wanted {
                json::weight(value)
            } else {
                0
            }
        };
        let operations = self
            .operations
            .iter()
            .map(|(operation, value)| operation.weight() + wanted(value));
        size_of::<Self>() + self.note.len() + operations.sum::<usize>()
    }

    /// Whether all that was wanted stands here. Otherwise it takes the revision that first carried
    /// the edit to make it again.
    pub fn is_whole(&self) -> bool {
        self.author.is_some()
            && !self
                .operations
                .iter()
                .any(|(_, wanted)| matches!(wanted, WantedValue::Long { .. }))
    }

    /// The operations with their values, to be made again; `None` unless all stand here.
    pub fn ops(&self) -> Option<Vec<Op>> {
        let op = |(operation, wanted): &(Operation, WantedValue)| {
            let change = match (operation.verb, wanted) {
                (Verb::Put, WantedValue::Value(value)) => Change::Put(value.clone()),
                (Verb::Append, WantedValue::Value(value)) => Change::Append(value.clone()),
                (Verb::Delete, WantedValue::Nothing) => Change::Delete,
                _ => return None,
            };
            Some(Op {
                path: operation.path.clone(),
                change,
            })
        };
        if self.is_whole() {
            self.operations.iter().map(op).collect()
        } else {
            None
        }
    }

    /// The JSON form in which the conflict stands in a body, under the name of its edit.
    pub fn to_json(&self, edit: &EditRef) -> Value {
        let ops = self
            .operations
            .iter()
            .map(|(operation, wanted)| wanted.beside(operation.to_json()));
        Value::Object(object! {
            "edit": edit.to_string(),
            "author": self.author.map(|author| author.to_string()),
            "guarded": self.guarded,
            "note": self.note.as_str(),
            "ops": ops.collect::<Vec<_>>(),
        })
    }

    /// Reads what [`OpenConflict::to_json`] writes; `None` if it is anything else or out of bounds.
    pub fn from_json(value: &Value) -> Option<(EditRef, Self)> {
        let edit = EditRef::parse(value.get("edit")?.as_str()?)?;
        let author = match value.get("author")? {
            Value::Null => None,
            Value::String(text) => Some(text.parse().ok()?),
            _ => return None,
        };
        let note = value
            .get("note")?
            .as_str()
            .filter(|note| note.len() <= NOTE_MAX)?
            .to_owned();
        let ops = value
            .get("ops")?
            .as_array()
            .filter(|ops| ops.len() <= OPERATIONS_MAX)?;
        let read = |op: &Value| {
            let (operation, wanted) = (Operation::from_json(op)?, WantedValue::from(op)?);
            let in_clear =
                matches!(wanted, WantedValue::Value(_)) && resources::is_secret(&operation.path);
            (!in_clear).then_some((operation, wanted))
        };
        let operations = ops.iter().map(read).collect::<Option<Vec<_>>>()?;
        let given = operations.iter().map(|(_, wanted)| match wanted {
            WantedValue::Value(value) => json::compact(value).len(),
            WantedValue::Nothing | WantedValue::Long { .. } => 0,
        });
        (given.sum::<usize>() <= OPEN_VALUE_MAX).then_some(())?;
        Some((
            edit,
            Self {
                author,
                guarded: value.get("guarded")?.as_bool()?,
                note,
                operations,
            },
        ))
    }
}

impl WantedValue {
    /// What the operations of an edit wanted to write, each beside its operation; the values are
    /// taken from `document`, which the edit was applied to.
    pub(super) fn by(operations: &[Operation], document: &Document) -> Vec<(Operation, Self)> {
        let mut room = OPEN_VALUE_MAX;
        let mut wanted = |operation: &Operation| {
            let value = document.get(&operation.path);
            let value = match operation.verb {
                Verb::Delete => None,
                Verb::Put => value,
                Verb::Append => value.and_then(Value::as_array).and_then(|list| list.last()),
            };
            value.map_or(Self::Nothing, |value| {
                Self::of(&operation.path, value, &mut room)
            })
        };
        operations
            .iter()
            .map(|operation| (operation.clone(), wanted(operation)))
            .collect()
    }

    /// The value itself if it may be shown and there is `room` for it, which it then takes.
    fn of(path: &Path, value: &Value, room: &mut usize) -> Self {
        let text = json::compact(value);
        if text.len() <= *room && !resources::is_secret(path) {
            *room -= text.len();
            return Self::Value(value.clone());
        }
        Self::Long {
            len: text.len() as u64,
            hash: hash_of(path, value),
        }
    }

    fn beside(&self, mut operation: Value) -> Value {
        let members = operation
            .as_object_mut()
            .expect("an operation is written as an object");
        match self {
            Self::Nothing => {}
            Self::Value(value) => members.extend(object! { "value": value.clone() }),
            Self::Long { len, hash } => {
                members.extend(object! { "value_len": *len, "value_hash": hex(hash) })
            }
        }
        operation
    }

    fn from(operation: &Value) -> Option<Self> {
        match (
            operation.get("value"),
            operation.get("value_len"),
            operation.get("value_hash"),
        ) {
            (None, None, None) => Some(Self::Nothing),
            (Some(value), None, None) => Some(Self::Value(value.clone())),
            (None, Some(len), Some(hash)) => Some(Self::Long {
                len: len.as_u64()?,
                hash: crate::codec::unhex_array(hash.as_str()?)?,
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::edit::Found;
    use crate::model::path::Path;
    use crate::model::record::RecordId;
    use crate::model::signature::SecretKey;
    use crate::model::stamp::Stamp;

    fn edit() -> EditRef {
        EditRef::odd(Stamp::from_u64(7 << 16).unwrap(), RecordId([4; 32]), 3)
    }

    fn conflict() -> OpenConflict {
        let author = PeerId::from_bytes(SecretKey::from_seed(&[1; 32]).public());
        let operation = |verb, path: &str| Operation {
            verb,
            path: Path::parse(path).unwrap(),
            found: Found::Absent,
        };
        let long = Value::from("x".repeat(OPEN_VALUE_MAX));
        let mut room = OPEN_VALUE_MAX;
        let mut wanted =
            |value: &Value| WantedValue::of(&Path::parse("/config").unwrap(), value, &mut room);
        let operations = vec![
            (operation(Verb::Put, "/config/a"), wanted(&Value::from(1))),
            (operation(Verb::Put, "/config/b"), wanted(&long)),
            (operation(Verb::Delete, "/config/c"), WantedValue::Nothing),
            (
                operation(Verb::Put, "/config/d"),
                WantedValue::Value(Value::Null),
            ),
        ];
        OpenConflict {
            author,
            guarded: true,
            note: "why".into(),
            operations,
        }
    }

    #[test]
    fn a_conflict_survives_its_json_with_short_values_whole_and_long_ones_by_hash() {
        let json = conflict().to_json(&edit());
        assert_eq!(OpenConflict::from_json(&json), Some((edit(), conflict())));
        assert_eq!(json["ops"][0]["value"], 1);
        assert_eq!(json["ops"][1]["value_len"], OPEN_VALUE_MAX + 2);
        assert!(json["ops"][1].get("value").is_none() && json["ops"][2].get("value").is_none());
        assert!(
            json::compact(&json).len() < 1_000,
            "no long value is carried along"
        );
    }

    #[test]
    fn a_certificate_is_given_by_hash_however_short_and_one_in_clear_is_no_conflict() {
        let mut room = OPEN_VALUE_MAX;
        let path = Path::parse("/certificates/a").unwrap();
        let wanted = WantedValue::of(&path, &"key".into(), &mut room);
        assert_eq!(
            wanted,
            WantedValue::Long {
                len: 5,
                hash: resources::fingerprint("key")
            }
        );
        let operation = Operation {
            verb: Verb::Put,
            path,
            found: Found::Absent,
        };
        let conflict = OpenConflict {
            operations: vec![(operation, wanted)],
            ..conflict()
        };
        let mut json = conflict.to_json(&edit());
        assert_eq!(OpenConflict::from_json(&json), Some((edit(), conflict)));
        let op = json["ops"][0].as_object_mut().unwrap();
        op.retain(|name, _| !name.starts_with("value"));
        op.insert("value".into(), "key".into());
        assert_eq!(OpenConflict::from_json(&json), None);
    }

    #[test]
    fn what_was_wanted_can_be_made_again_if_it_all_stands_there() {
        assert_eq!(
            (conflict().is_whole(), conflict().ops()),
            (false, None),
            "a value is given by its hash"
        );
        assert_eq!(
            (
                OpenConflict::default().is_whole(),
                OpenConflict::default().ops()
            ),
            (false, None),
            "nothing is known of it"
        );
        let mut whole = conflict();
        whole.operations.remove(1);
        let changes: Vec<Change> = whole
            .ops()
            .expect("it is whole")
            .into_iter()
            .map(|op| op.change)
            .collect();
        assert_eq!(
            changes,
            [
                Change::Put(Value::from(1)),
                Change::Delete,
                Change::Put(Value::Null)
            ]
        );
        whole.operations[0].1 = WantedValue::Nothing;
        assert_eq!(whole.ops(), None, "a PUT of nothing is no operation");
    }

    #[test]
    fn an_edit_whose_record_nobody_holds_is_listed_by_its_name_alone() {
        let nameless = OpenConflict::default();
        let json = nameless.to_json(&edit());
        assert_eq!(json["author"], Value::Null);
        assert_eq!(OpenConflict::from_json(&json), Some((edit(), nameless)));
    }

    #[test]
    fn what_is_missing_wrong_or_out_of_bounds_is_no_conflict() {
        let json = conflict().to_json(&edit());
        for member in ["edit", "author", "guarded", "note", "ops"] {
            let mut less = json.clone();
            less.as_object_mut().unwrap().shift_remove(member);
            assert_eq!(OpenConflict::from_json(&less), None, "without {member}");
        }
        let wrong = |change: fn(&mut Value)| {
            let mut other = json.clone();
            change(&mut other);
            OpenConflict::from_json(&other).is_none()
        };
        assert!(wrong(|json| json["author"] = "nobody".into()));
        assert!(wrong(|json| json["note"] = "x".repeat(NOTE_MAX + 1).into()));
        assert!(wrong(
            |json| json["ops"] = vec![json["ops"][0].clone(); OPERATIONS_MAX + 1].into()
        ));
        assert!(
            wrong(|json| json["ops"][1]["value"] = 1.into()),
            "a value and a hash of one"
        );
        assert!(wrong(|json| json["ops"][1]["value_hash"] = "00".into()));
        assert!(
            !wrong(|json| json["later"] = 1.into()),
            "what a later version adds is left alone"
        );
    }
}
