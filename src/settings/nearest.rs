//! The known name that is most like a mistyped one, for "did you mean".
//!
//! It only suggests: nothing is ever taken for the name that it is near to.

/// The name in `known` that takes the fewest single-character changes, if these are few enough to
/// be a slip of the hand.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if typed.len() > TYPED_MAX {
        return None;
    }
    let typed: Vec<char> = typed.chars().collect();
    let scored = known
        .into_iter()
        .map(|name| (distance(&typed, &name.chars().collect::<Vec<_>>()), name));
    let (changes, name) = scored.min_by_key(|(changes, _)| *changes)?;
    (changes <= name.len().div_ceil(3)).then_some(name)
}

/// Levenshtein's distance, one row at a time.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// No name is nearly as long as this; the comparison is quadratic.
const TYPED_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_recognised_and_another_word_is_not() {
        let known = ["status", "state", "token"];
        assert_eq!(nearest("satus", known), Some("status"));
        assert_eq!(nearest("tokne", known), Some("token"));
        assert_eq!(nearest("frobnicate", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"x".repeat(1 << 20), known), None);
    }
}
