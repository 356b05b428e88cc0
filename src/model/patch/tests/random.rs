use super::*;

/// Numbers by chance, the same each time (Knuth's MMIX generator).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

fn random_value(chance: &mut Chance, depth: usize) -> Value {
    match chance.below(if depth == 0 { 1 } else { 3 }) {
        0 => chance.below(4).into(),
        1 => (0..chance.below(4))
            .map(|_| random_value(chance, depth - 1))
            .collect(),
        _ => Value::Object(
            (0..chance.below(6))
                .map(|_| {
                    (
                        NAMES[chance.below(6)].into(),
                        random_value(chance, depth - 1),
                    )
                })
                .collect(),
        ),
    }
}

/// A pointer that leads somewhere more often than not.
fn random_pointer(chance: &mut Chance, mut value: &Value) -> String {
    let mut pointer = String::new();
    for _ in 0..1 + chance.below(3) {
        let token = match value {
            Value::Array(_) => ["0", "1", "2", "-"][chance.below(4)],
            _ => NAMES[chance.below(6)],
        };
        pointer.extend(["/", token]);
        match pointer::member(value, token) {
            Some(below) => value = below,
            None => break,
        }
    }
    pointer
}

fn random_step(chance: &mut Chance, value: &Value) -> String {
    let path = random_pointer(chance, value);
    let from = random_pointer(chance, value);
    let new = compact(&random_value(chance, 2));
    match chance.below(6) {
        0 | 1 => format!(r#"{{"op":"add","path":"{path}","value":{new}}}"#),
        2 => format!(r#"{{"op":"remove","path":"{path}"}}"#),
        3 => format!(r#"{{"op":"replace","path":"{path}","value":{new}}}"#),
        4 => format!(r#"{{"op":"copy","from":"{from}","path":"{path}"}}"#),
        5 if !path.starts_with(&format!("{from}/")) => {
            format!(r#"{{"op":"move","from":"{from}","path":"{path}"}}"#)
        }
        _ => {
            let present = Pointer::parse(&path).unwrap();
            let present = present
                .tokens()
                .iter()
                .try_fold(value, pointer::member)
                .map_or_else(|| new.clone(), compact);
            format!(r#"{{"op":"test","path":"{path}","value":{present}}}"#)
        }
    }
}

/// The edit is what is replicated: it must make of the document what the patch makes of it, or
/// hosts that make it again get something else.
#[test]
fn an_edit_makes_what_its_patch_makes_whatever_the_patch() {
    let mut chance = Chance(7);
    let (mut long, mut made) = (0, 0);
    for _ in 0..4000 {
        let mut value = random_value(&mut chance, 4);
        let before = Document::from_config(value.clone()).unwrap();
        let mut steps = Vec::new();
        for _ in 0..8 {
            let step = random_step(&mut chance, &value);
            let nowhere = &mut TouchedPlaces::below(&config());
            if let Ok(next) = json_patch(&format!("[{step}]")).patched(&value, nowhere) {
                value = next;
                steps.push(step);
            }
        }
        let patch = format!("[{}]", steps.join(","));
        let (ops, after) = json_patch(&patch).edit(&before, &config()).unwrap();
        assert!(
            same(after.config(), &value),
            "{patch} on {}: {ops:?}",
            before.text()
        );
        for (at, op) in ops.iter().enumerate() {
            let meets = |other: &Op| other.path.tokens().starts_with(op.path.tokens());
            assert!(
                !ops[..at].iter().chain(&ops[at + 1..]).any(meets),
                "{patch} on {}: {ops:?}",
                before.text()
            );
        }
        long += usize::from(ops.len() > 1);
        made += usize::from(!ops.is_empty());
    }
    assert!(
        made > 2000 && long > 1000,
        "{made} edits, {long} of several places"
    );
}

const NAMES: [&str; 6] = ["a", "b", "0", "c", "d", "e"];
