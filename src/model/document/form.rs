//! Whether a text is a document, without making its values: a megabyte of text would make thirty of
//! them.
//!
//! Every revision that comes is judged by this, whichever its group, so that all hosts judge alike;
//! only whoever looks into a document has its tree made.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{MEMBERS, NotADocument, SHOWN};
use crate::limits::{DEPTH_MAX, DOCUMENT_MAX, RESOURCES_MAX, VALUES_MAX};
use crate::model::json::{self, Make, Value};
use crate::model::resources::{ResourceKind, is_resource_name};

/// Judges a text as [`super::Document::new`] judges a value. Says whether it is compact.
pub(super) fn check(text: &[u8]) -> Result<bool, NotADocument> {
    let whole = json::read_own::<DocumentForm>(text).map_err(NotADocument::Json)?;
    let Shape::Object(sketch) = whole.made else {
        return Err(NotADocument::NotAnObject);
    };
    if let Some(unknown) = sketch.unknown {
        return Err(NotADocument::Unknown(unknown.chars().take(SHOWN).collect()));
    }
    if let Some(place) = sketch.members.iter().position(Option::is_none) {
        return Err(NotADocument::Missing(MEMBERS[place]));
    }
    let mut count = 0;
    for (name, member) in MEMBERS
        .into_iter()
        .zip(sketch.members)
        .filter(|(name, _)| ResourceKind::ALL.map(ResourceKind::member).contains(name))
    {
        count += match member {
            Some(Member::Texts(texts)) => texts,
            Some(Member::Object) => return Err(NotADocument::NotAResourceIn(name)),
            _ => return Err(NotADocument::NotAnObjectIn(name)),
        };
    }
    match () {
        () if count > RESOURCES_MAX => Err(NotADocument::TooManyResources),
        () if whole.levels > DEPTH_MAX + 1 => Err(NotADocument::TooDeep),
        () if whole.values > VALUES_MAX => Err(NotADocument::TooManyValues),
        () if whole.is_compact && text.len() > DOCUMENT_MAX => Err(NotADocument::TooLarge),
        () => Ok(whole.is_compact),
    }
}

/// Makes nothing but what has to be known.
struct DocumentForm;

/// What is known of a value.
enum Shape<'a> {
    Text,
    Object(Box<Sketch<'a>>),
    Other,
}

/// What is known of an object.
struct Sketch<'a> {
    names: MemberNames<'a>,
    /// What is known of the members that a document has.
    members: [Option<Member>; MEMBERS.len()],
    /// The first other member.
    unknown: Option<Cow<'a, str>>,
    /// Whether all members are texts under names that certificates and modules can have.
    are_texts: bool,
}

/// What is known of a member of a document.
enum Member {
    /// So many certificates or modules.
    Texts(usize),
    /// An object of anything else.
    Object,
    /// Something else.
    Other,
}

impl Default for Sketch<'_> {
    fn default() -> Self {
        Self {
            names: MemberNames::default(),
            members: Default::default(),
            unknown: None,
            are_texts: true,
        }
    }
}

/// The names of an object's members: no two may be alike.
#[derive(Default)]
struct MemberNames<'a> {
    few: Vec<Cow<'a, str>>,
    many: BTreeSet<Cow<'a, str>>,
}

impl<'a> MemberNames<'a> {
    fn has(&self, name: &str) -> bool {
        self.few.iter().any(|other| other == name) || self.many.contains(name)
    }

    fn add(&mut self, name: Cow<'a, str>) {
        if self.few.len() < FEW {
            self.few.push(name);
        } else {
            self.many.insert(name);
        }
    }

    fn len(&self) -> usize {
        self.few.len() + self.many.len()
    }
}

impl<'a> Make<'a> for DocumentForm {
    type Made = Shape<'a>;
    type Elements = ();
    type Members = Box<Sketch<'a>>;

    fn literal(_: Value) -> Shape<'a> {
        Shape::Other
    }

    fn number(_: &'a str) -> Shape<'a> {
        Shape::Other
    }

    fn string(_: Cow<'a, str>) -> Shape<'a> {
        Shape::Text
    }

    fn push((): &mut (), _: Shape<'a>) {}

    fn has(sketch: &Box<Sketch<'a>>, name: &str) -> bool {
        sketch.names.has(name)
    }

    fn insert(sketch: &mut Box<Sketch<'a>>, name: Cow<'a, str>, member: Shape<'a>) {
        sketch.are_texts &= matches!(member, Shape::Text) && is_resource_name(&name);
        match MEMBERS.iter().position(|known| *known == name) {
            Some(place) => {
                sketch.members[place] = Some(match member {
                    Shape::Object(inner) if inner.are_texts => Member::Texts(inner.names.len()),
                    Shape::Object(_) => Member::Object,
                    Shape::Text | Shape::Other => Member::Other,
                });
            }
            None if sketch.unknown.is_none() => sketch.unknown = Some(name.clone()),
            None => {}
        }
        sketch.names.add(name);
    }

    fn array((): ()) -> Shape<'a> {
        Shape::Other
    }

    fn object(sketch: Box<Sketch<'a>>) -> Shape<'a> {
        Shape::Object(sketch)
    }
}

/// So many names are looked through one by one.
const FEW: usize = 16;

#[cfg(test)]
mod tests {
    use super::super::Document;
    use super::*;
    use crate::model::json::compact;

    /// What the two ways to judge a text say of it must be the same: one host makes a document, all
    /// others judge its text.
    #[test]
    fn a_text_is_judged_as_its_value_is() {
        let names: Vec<String> = (0..40)
            .map(|number| format!("\"m{}\":\"\"", number % 39))
            .collect();
        let many = format!(
            r#"{{"config":{{{}}},"certificates":{{}},"js_modules":{{}}}}"#,
            names.join(",")
        );
        for text in [
            r#"{"config":1,"certificates":{},"js_modules":{}}"#,
            r#"{"certificates":{"a":"b"},"config":{"config":[],"x":{"y":null}},"js_modules":{"m":"é\n\u0007"}}"#,
            r#"{"config":{},"certificates":{"a":{}},"js_modules":{}}"#,
            r#"{"config":{},"certificates":{"":"x"},"js_modules":{}}"#,
            r#"{"config":{},"certificates":"x","js_modules":{}}"#,
            r#"{"config":{},"config":{},"certificates":{},"js_modules":{}}"#,
            r#"{"config":{},"js_modules":{},"more":1,"most":2}"#,
            r#"{"config":{},"js_modules":{}}"#,
            r#""config""#,
            &many,
        ] {
            let by_value = json::parse_own(text.as_bytes())
                .map_err(NotADocument::Json)
                .and_then(Document::new);
            assert_eq!(
                check(text.as_bytes()).map(drop),
                by_value.map(drop),
                "{text}"
            );
        }
    }

    #[test]
    fn a_text_that_is_written_otherwise_than_it_is_printed_is_noticed() {
        let around = |config: &str| {
            format!(r#"{{"config":{config},"certificates":{{}},"js_modules":{{}}}}"#)
        };
        for (config, expected) in [
            ("[1,2.50,1e3,{\"a\\\"b\":\"\\u0001\\n\",\"\":[]}]", true),
            ("[1, 2]", false),
            ("[1,2,]", false),
            ("{\"a\":1,}", false),
            ("\"\\u0041\"", false),
            ("\"\\/\"", false),
            ("1/**/", false),
        ] {
            let text = around(config);
            assert_eq!(check(text.as_bytes()), Ok(expected), "{config}");
            let printed = compact(&json::parse_own(text.as_bytes()).unwrap());
            assert_eq!(printed == text, expected, "{config}");
            assert_eq!(Document::parse(text.as_bytes()).unwrap().text(), printed);
        }
        let marked = [b"\xef\xbb\xbf", around("1").as_bytes()].concat();
        assert_eq!(check(&marked), Ok(false));
    }
}
