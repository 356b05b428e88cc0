use super::make::Tree;
use super::parse::{Bounds, parse as parse_within};
use super::*;

fn value(text: &str) -> Value {
    parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The beginning of the detail, and the place.
fn fault(text: &str) -> (&'static str, usize) {
    let error = parse(text.as_bytes()).expect_err(text);
    (
        error.detail.rsplit("  ").next().unwrap_or_default(),
        error.offset,
    )
}

#[test]
fn comments_and_trailing_commas_are_read_over() {
    let text = "\u{feff}// top\n{ /* c **/ \"a\" : [ 1 , /*/*/ 2,], // x\n\"b\"//\n:{},}/**/\r\n\t";
    assert_eq!(compact(&value(text)), r#"{"a":[1,2],"b":{}}"#);
}

#[test]
fn numbers_keep_their_text() {
    for number in [
        "200.0",
        "2e2",
        "2E+2",
        "2e+2",
        "-0",
        "0",
        "-0.5e-3",
        "9e18",
        "0e999",
        "1e05",
        "99999999999999",
    ] {
        assert_eq!(compact(&value(number)), number);
        assert_eq!(compact(&parse_own(number.as_bytes()).unwrap()), number);
    }
    assert_eq!(
        compact(&parse_own(b"[18446744073709,123456789012345678]").unwrap()),
        "[18446744073709,123456789012345678]"
    );
}

#[test]
fn strings_are_written_with_as_few_escapes_as_unit_uses() {
    let text = r#""\/\"\\\n\r\t\b\f\u0001\u001F\u0000\u00e9\ud83d\ude00""#;
    let plain = "/\"\\\n\r\t\u{8}\u{c}\u{1}\u{1f}\0é😀";
    assert_eq!(value(text), Value::from(plain));
    assert_eq!(
        compact(&value(text)),
        "\"/\\\"\\\\\\n\\r\\t\\b\\f\\u0001\\u001F\\u0000é😀\""
    );
    assert_eq!(value(&compact(&value(text))), Value::from(plain));
}

#[test]
fn every_fault_is_reported_in_units_words_at_units_place() {
    let value_expected = "It must be either a literal (null, true, or false), a number, a string (in double quotes \"\"), an array \
        (with brackets []), or an object (with braces {}).";
    for (text, detail, offset) in [
        (" ", value_expected, 0),
        ("// only a comment\n", value_expected, 0),
        (
            "{} x",
            "Unexpected character after the end of a valid JSON value.",
            3,
        ),
        (
            "{} // no newline",
            "Unexpected character after the end of a valid JSON value.",
            3,
        ),
        (" nul", value_expected, 1),
        ("[/* open", value_expected, 1),
        ("-", value_expected, 0),
        ("-.5", value_expected, 0),
        ("[1.2.3]", value_expected, 1),
        ("[1x]", value_expected, 1),
        ("[1:2]", value_expected, 1),
        ("{", "There's an object without a closing brace (}).", 1),
        (
            r#"{"a":1"#,
            "There's an object without a closing brace (}).",
            6,
        ),
        (
            "{,}",
            "There must be a valid JSON object member starts with a name, which is a string enclosed in double quotes.",
            1,
        ),
        (
            r#"{"a":1,"a" x"#,
            "All JSON object members must have unique names.",
            7,
        ),
        (r#"{"a" "#, "There's an object member without a value.", 5),
        (r#"{"a": "#, "There's an object member without a value.", 6),
        (
            r#"{"a" 1"#,
            "There must be a colon after a JSON member name.",
            5,
        ),
        (
            r#"{"a":1 2}"#,
            "Each JSON object must be enclosed in braces and its members must be separated by commas.",
            7,
        ),
        ("[", "There's an array without a closing bracket (]).", 1),
        ("[1 ", "There's an array without a closing bracket (]).", 3),
        ("[,]", value_expected, 1),
        (
            "[1 2]",
            "Each array must be enclosed in brackets and its members must be separated by commas.",
            3,
        ),
        (
            "\"a\tb\"",
            "All control characters in a JSON string must be escaped.",
            2,
        ),
        (
            r#""a\x""#,
            "A literal backslash in a JSON string must be escaped with a second backslash (\\\\).",
            2,
        ),
        (
            r#""\u00g0""#,
            "An escape sequence in a JSON string must start with a backslash, followed by the lowercase letter u, followed by four \
             hexadecimal digits (\\uXXXX).",
            5,
        ),
        (
            r#""abc"#,
            "There's a string without a final double quote (\").",
            4,
        ),
        (
            r#""\"#,
            "There's a string without a final double quote (\").",
            2,
        ),
        (
            r#""\u12"#,
            "There's a string without a final double quote (\").",
            5,
        ),
        (
            r#""x\ud800\u0041""#,
            "This 12-byte sequence composes an illegal UTF-16 surrogate pair.",
            2,
        ),
        (
            r#""x\ud800y""#,
            "This 6-byte sequence does not represent a valid UTF character.",
            2,
        ),
        (
            r#""\udc00\ud800""#,
            "This 6-byte sequence does not represent a valid UTF character.",
            1,
        ),
        (
            "[1.]",
            "A fraction part in JSON numbers must contain at least one digit.",
            1,
        ),
        (
            "[-1.e5]",
            "A fraction part in JSON numbers must contain at least one digit.",
            2,
        ),
        ("[01]", "Leading zeros are not allowed in JSON numbers.", 1),
        (
            "[1e]",
            "An exponent part in JSON numbers must contain at least one digit.",
            1,
        ),
        (
            "[-1e+]",
            "An exponent part in JSON numbers must contain at least one digit.",
            1,
        ),
        (
            "[200.00000000000]",
            "Such a long JSON number value is not supported.",
            1,
        ),
        ("1e19", "Such JSON number value is not supported.", 0),
        ("-1e999", "Such JSON number value is not supported.", 0),
        ("1e-999", "Such JSON number value is not supported.", 0),
    ] {
        assert_eq!(fault(text), (detail, offset), "{text}");
    }
}

#[test]
fn what_unit_would_take_but_nobody_could_carry_is_refused() {
    assert_eq!(
        fault("[-007]"),
        ("Leading zeros are not allowed in JSON numbers.", 2)
    );
    let error = parse(b"{\"\xff\xfe\":1}").unwrap_err();
    assert_eq!(
        (error.detail, error.offset),
        (
            "Invalid character encoding.  A JSON payload must be UTF-8.",
            2
        )
    );
}

#[test]
fn bytes_of_a_comment_may_be_anything_and_change_no_place() {
    for text in [
        &b"{} // end \xef\t\n"[..],
        b"/* \xef\t\x08 */ {}",
        b"/*\xff\xfe*/{ // \xe9\r\n}/**\xc3**/",
        b"// \xed\xa0\x80 \"\n{}",
        b"{}/* \xf0\x9f\x98 */",
    ] {
        assert_eq!(
            parse(text).map(|value| value.to_string()),
            Ok("{}".to_owned()),
            "{}",
            text.escape_ascii()
        );
    }
    let value = parse(b"{\"//a\":\"/*\\\"\", // \xff\n\"b\":1}").unwrap();
    assert_eq!(value.to_string(), r#"{"//a":"/*\"","b":1}"#);
    let error = parse(b"/* \xff\xff */ x").unwrap_err();
    assert_eq!((error.offset, error.line, error.column), (9, 1, 10));
    for (text, offset) in [
        (&b"{\"//\xff\":1}"[..], 4),
        (b"{} /* \xff", 6),
        (b"/* \xff */ \"\xff\"", 9),
        (b"// \xff", 3),
    ] {
        let error = parse(text).unwrap_err();
        assert!(
            error.detail.starts_with("Invalid character encoding.") && error.offset == offset,
            "{}",
            text.escape_ascii()
        );
    }
}

#[test]
fn a_place_is_counted_in_lines_and_characters() {
    let error = parse("\u{feff}{\n \"é\": x}".as_bytes()).unwrap_err();
    assert_eq!((error.offset, error.line, error.column), (9, 2, 7));
    assert!(
        error
            .to_string()
            .ends_with("(with braces {}) at line 2, column 7"),
        "{error}"
    );
}

#[test]
fn depth_and_number_of_values_are_bounded() {
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert!(parse(deep(DEPTH_MAX).as_bytes()).is_ok());
    assert_eq!(
        fault(&deep(DEPTH_MAX + 1)),
        (
            "JSON nesting exceeds the maximum supported depth.",
            DEPTH_MAX
        )
    );
    assert!(parse_own(deep(DEPTH_MAX + OWN_LEVELS_MAX).as_bytes()).is_ok());
    assert!(parse(&b"[{".repeat(1 << 20)).is_err());

    let bounds = || Bounds {
        number: 9,
        depth: 9,
        values: 4,
    };
    assert!(parse_within::<Tree>(b"[1,{\"a\":2}]", bounds()).is_ok());
    let error = parse_within::<Tree>(b"[1,[2,3]]", bounds()).unwrap_err();
    assert_eq!(
        (error.detail, error.offset),
        ("JSON payload has too many values.", 6)
    );
    assert!(fits(&value("[1,{\"a\":2}]"), 2, 4));
    assert!(!fits(&value("[1,{\"a\":2}]"), 1, 4));
    assert!(!fits(&value("[1,{\"a\":2}]"), 2, 3));
}

#[test]
fn the_deepest_value_fits_a_small_stack() {
    let work = || {
        let levels = (DEPTH_MAX + OWN_LEVELS_MAX) / 2;
        let text = "{\"a\":[".repeat(levels) + "1" + &"]}".repeat(levels);
        let (value, other) = (
            parse_own(text.as_bytes()).unwrap(),
            parse_own(text.replace('1', "2").as_bytes()).unwrap(),
        );
        assert_eq!(differing(&value, &other, 9).len(), 1);
        assert_eq!(compact(&value.clone()), text);
        assert!(unit_format(&value).len() > text.len());
    };
    // Without optimisation frames are several times as large; 192 KiB were enough then.
    let thread = std::thread::Builder::new()
        .stack_size(256 << 10)
        .spawn(work)
        .unwrap();
    thread.join().unwrap();
}

#[test]
fn values_are_the_same_whatever_the_order_of_members() {
    assert!(same(
        &value(r#"{"a":1,"b":[1,2]}"#),
        &value(r#"{"b":[1,2],"a":1}"#)
    ));
    for (a, b) in [
        ("1", "1.0"),
        ("1e2", "1E2"),
        ("[1,2]", "[2,1]"),
        (r#"{"a":1}"#, r#"{"a":1,"b":1}"#),
        ("0", "-0"),
    ] {
        assert!(!same(&value(a), &value(b)), "{a} {b}");
    }
}

#[test]
fn differences_are_named_by_path() {
    let cases: [(&str, &str, &[&str]); 7] = [
        (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, &[]),
        ("1", "2", &[""]),
        (
            r#"{"a/b":{"c":1},"d":[1,{"e":2}]}"#,
            r#"{"a/b":{"c":2},"d":[1,{"e":3}]}"#,
            &["/a%2Fb/c", "/d/1/e"],
        ),
        (r#"{"a":1,"b":{}}"#, r#"{"b":{},"c":2}"#, &["/a", "/c"]),
        (r#"{"a":[1,2]}"#, r#"{"a":[2]}"#, &["/a"]),
        (r#"{"x":{"":1,"b":1}}"#, r#"{"x":{"":2,"b":2}}"#, &["/x"]),
        (r#"{"x":{"":1,"b":1}}"#, r#"{"x":{"":1,"b":2}}"#, &["/x/b"]),
    ];
    for (a, b, expected) in cases {
        assert_eq!(differing(&value(a), &value(b), 9), expected, "{a} {b}");
    }
    assert_eq!(
        differing(&value("[1,2,3]"), &value("[3,1,2]"), 2),
        ["/0", "/1"]
    );
}

#[test]
fn an_answer_is_laid_out_as_units_are() {
    let text = r#"{"a":{},"b":{"c":[[1],[],[{"d":1,"e":2},3]],"f":0},"g":"h","i":[]}"#;
    let laid_out = "{\n\t\"a\": {},\n\t\"b\": {\n\t\t\"c\": [\n\t\t\t[\n\t\t\t\t1\n\t\t\t],\n\t\t\t[],\n\t\t\t[\n\t\t\t\t{\n\
        \t\t\t\t\t\"d\": 1,\n\t\t\t\t\t\"e\": 2\n\t\t\t\t},\n\t\t\t\t3\n\t\t\t]\n\t\t],\n\n\t\t\"f\": 0\n\t},\n\n\
        \t\"g\": \"h\",\n\t\"i\": []\n}\n";
    assert_eq!(unit_format(&value(text)), laid_out.replace('\n', "\r\n"));
    assert_eq!(compact(&value(&unit_format(&value(text)))), text);
    assert_eq!(unit_format(&value("{}")), "{}\r\n");
    assert_eq!(unit_format(&value("204")), "204\r\n");
}

/// splitmix64: the same garbage in every run.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn garbage_is_refused_or_written_back_to_the_same_value_or_path() {
    let pieces = r#"{ } [ ] , : " "a" "b" \u12 \ud83d \ude00 \n \ 1 0 - .5 e9 true null // /* */ é %2f %25 % / .. ?"#;
    let pieces = pieces
        .split(' ')
        .map(str::as_bytes)
        .chain([&b"\n"[..], b" ", b"\xff"])
        .collect::<Vec<_>>();
    let mut state = 11;
    let mut taken = 0;
    for _ in 0..60_000 {
        let count = random(&mut state) % 12;
        let text = (0..count)
            .flat_map(|_| pieces[random(&mut state) as usize % pieces.len()])
            .copied()
            .collect::<Vec<u8>>();
        let target = [b"/".as_slice(), &text].concat();
        if let Ok(path) = path::Path::parse(&target) {
            assert_eq!(path::Path::parse(path.to_string()), Ok(path));
        }
        let Ok(value) = parse(&text) else { continue };
        taken += 1;
        assert_eq!(
            parse(compact(&value).as_bytes()).as_ref(),
            Ok(&value),
            "{text:?}"
        );
        assert_eq!(
            parse(unit_format(&value).as_bytes()).as_ref(),
            Ok(&value),
            "{text:?}"
        );
    }
    assert!(
        taken > 1_000,
        "only {taken} texts were JSON: the garbage is too wild to test anything"
    );
}

#[test]
fn a_text_with_one_byte_changed_never_panics() {
    let whole = br#"{"config":{"a":[1,-2.5e+3,"\u00e9\ud83d\ude00\n"],"b":{"c":null}},"certificates":{},"js_modules":{}}"#;
    let mut state = 12;
    for _ in 0..60_000 {
        let mut text = whole.to_vec();
        let at = (random(&mut state) % text.len() as u64) as usize;
        text[at] = random(&mut state) as u8;
        let cut = (random(&mut state) % text.len() as u64) as usize;
        let _ = parse(&text[cut..]);
        if let Ok(document) = crate::model::document::Document::parse(&text) {
            assert!(
                crate::model::document::Document::parse(document.text().as_bytes()) == Ok(document)
            );
        }
    }
}

#[test]
fn an_object_is_made_of_its_members_in_their_order() {
    const NAME: &str = "z";
    let inner = object! { "none": None::<u64>, "some": Some("x") };
    let made =
        object! { NAME: 1, "a": vec![true, false], "inner": inner, "text": String::from("t"), };
    assert_eq!(
        compact(&made.into()),
        r#"{"z":1,"a":[true,false],"inner":{"none":null,"some":"x"},"text":"t"}"#
    );
}
