//! The glossary at the head of `lib.rs` against the man pages: a term that no page knows is a word
//! of our own, and a word that was given up must not come back by way of a page or a comment.

use crate::source::words;

/// Words that stood for what the field has a name for, each with that name.
const OUTDATED: [(&str, &str); 16] = [
    ("beaten", "uncontained, or that lost"),
    ("crown", "set the head"),
    ("crowned", "made the head"),
    ("doubts", "containment query"),
    ("errand", "forwarded request"),
    ("errands", "forwarded requests"),
    ("fallen", "uncontained"),
    ("porter", "acceptor"),
    ("ruling", "containment reply"),
    ("rulings", "containment reply"),
    ("selfie", "own node record"),
    ("shelf", "list, or directory"),
    ("shelves", "lists, or directories"),
    ("stock", "inventory"),
    ("trial", "transaction"),
    ("trials", "transactions"),
];

/// The terms of the glossary: what stands in bold at the beginning of each of its items, where one
/// item may explain several.
pub fn terms(lib: &str) -> Vec<&str> {
    let glossary = lib.lines().skip_while(|line| *line != "//! # Glossary");
    let items = glossary
        .skip(1)
        .take_while(|line| !line.starts_with("//! # "))
        .filter_map(|line| line.strip_prefix("//! - **")?.split("**").next());
    items.flat_map(|item| item.split(", ")).collect()
}

/// Whether the pages have a term, in whatever form: its words one after the other, each with
/// whatever ending ("rolls back", "links").
pub fn has(pages: &str, term: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '-';
    let term = term.to_lowercase();
    let term: Vec<&str> = term.split(' ').collect();
    let text = pages.to_lowercase();
    let text: Vec<&str> = text
        .split(|letter| !is_part(letter))
        .filter(|word| !word.is_empty())
        .collect();
    text.windows(term.len()).any(|found| {
        found
            .iter()
            .zip(&term)
            .all(|(found, word)| found.starts_with(word))
    })
}

/// The outdated words in a page, with their lines; not where such a word is quoted as what the
/// program prints.
pub fn outdated_in_page(page: &str) -> Vec<(usize, String)> {
    outdated(page.lines().zip(1..))
}

/// The outdated words in the doc comments of a source file, with their lines; not in code that they
/// quote.
pub fn outdated_in_docs(source: &str) -> Vec<(usize, String)> {
    let is_doc = |line: &str| line.starts_with("///") || line.starts_with("//!");
    let docs = source
        .lines()
        .zip(1..)
        .filter(|(line, _)| is_doc(line.trim_start()));
    let prose: Vec<(String, usize)> = docs
        .map(|(line, number)| (line.split('`').step_by(2).collect(), number))
        .collect();
    outdated(prose.iter().map(|(line, number)| (&line[..], *number)))
}

fn outdated<'a>(lines: impl Iterator<Item = (&'a str, usize)>) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, number) in lines {
        let lower = line.to_lowercase();
        for (word, instead) in OUTDATED {
            let is_quoted = |at: usize| {
                ["cm ", "em ", "("]
                    .iter()
                    .any(|mark| lower[..at].ends_with(mark))
            };
            if words(&lower, word).any(|at| !is_quoted(at)) {
                found.push((number, format!("{word:?}: say {instead}")));
            }
        }
    }
    found
}

#[test]
fn a_term_that_no_page_has_is_noticed() {
    let lib = "//! # Floors\n//! - **no**: x\n//! # Glossary\n//!\n//! - **roll back**: to put\n//!   back\n\
               //! - **one, two three**: x\n//! # Threads\n//! - **no**: x";
    assert_eq!(terms(lib), ["roll back", "one", "two three"]);
    let pages = ".Em Rolled\nback and onward\ntwo , threefold anti-entropy";
    let lacking: Vec<&str> = ["roll back", "one", "two three", "anti-entropy", "entropy"]
        .into_iter()
        .filter(|term| !has(pages, term))
        .collect();
    assert_eq!(lacking, ["one", "entropy"]);
}

#[test]
fn an_outdated_word_is_noticed_in_pages_and_in_doc_comments() {
    let page = "A change that was Beaten\n.It Cm beaten\nx (beaten)\n.Em beaten .\nshelves\n";
    let lines =
        |found: Vec<(usize, String)>| found.iter().map(|(line, _)| *line).collect::<Vec<_>>();
    assert_eq!(lines(outdated_in_page(page)), [1, 5]);
    let source = "//! the errand\nlet trial = 1; // trial\n    /// See `trial`.\n    /// A `b` trial.\n/// industrial\n";
    assert_eq!(lines(outdated_in_docs(source)), [1, 4]);
}
