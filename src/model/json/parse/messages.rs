//! What is said of a payload that is no JSON, in Unit's own words.
//!
//! Clients of Unit know these sentences; none may change by a letter.

pub(super) const EMPTY: &str = "An empty JSON payload isn't allowed.  It must be either a literal \
                                (null, true, or false), a number, a string (in double quotes \
                                \"\"), an array (with brackets []), or an object (with braces {}).";

pub(super) const AFTER_THE_END: &str = "Unexpected character after the end of a valid JSON value.";

pub(super) const VALUE_EXPECTED: &str = "A valid JSON value is expected here.  It must be either \
                                         a literal (null, true, or false), a number, a string (in \
                                         double quotes \"\"), an array (with brackets []), or an \
                                         object (with braces {}).";

pub(super) const OBJECT_NOT_CLOSED: &str =
    "Unexpected end of JSON payload.  There's an object without a closing brace (}).";

pub(super) const NAME_EXPECTED: &str = "A double quote (\") is expected here.  There must be a \
                                        valid JSON object member starts with a name, which is a \
                                        string enclosed in double quotes.";

pub(super) const DUPLICATE: &str =
    "Duplicate object member.  All JSON object members must have unique names.";

pub(super) const NO_VALUE: &str =
    "Unexpected end of JSON payload.  There's an object member without a value.";

pub(super) const COLON_EXPECTED: &str =
    "A colon (:) is expected here.  There must be a colon after a JSON member name.";

pub(super) const BRACE_OR_COMMA: &str = "Either a closing brace (}) or a comma (,) is expected \
                                         here.  Each JSON object must be enclosed in braces and \
                                         its members must be separated by commas.";

pub(super) const ARRAY_NOT_CLOSED: &str =
    "Unexpected end of JSON payload.  There's an array without a closing bracket (]).";

pub(super) const BRACKET_OR_COMMA: &str = "Either a closing bracket (]) or a comma (,) is \
                                           expected here.  Each array must be enclosed in \
                                           brackets and its members must be separated by commas.";

pub(super) const CONTROL_CHARACTER: &str =
    "Unexpected character.  All control characters in a JSON string must be escaped.";

pub(super) const STRAY_BACKSLASH: &str = "Unexpected backslash.  A literal backslash in a JSON \
                                          string must be escaped with a second backslash (\\\\).";

pub(super) const BAD_ESCAPE: &str = "Invalid escape sequence.  An escape sequence in a JSON string must start with a backslash, \
     followed by the lowercase letter u, followed by four hexadecimal digits (\\uXXXX).";

pub(super) const STRING_NOT_CLOSED: &str =
    "Unexpected end of JSON payload.  There's a string without a final double quote (\").";

pub(super) const BAD_SURROGATE_PAIR: &str = "Invalid JSON encoding sequence.  This 12-byte \
                                             sequence composes an illegal UTF-16 surrogate pair.";

pub(super) const LONE_SURROGATE: &str = "Invalid JSON encoding sequence.  This 6-byte sequence \
                                         does not represent a valid UTF character.";

pub(super) const NO_FRACTION: &str =
    "The number is invalid.  A fraction part in JSON numbers must contain at least one digit.";

pub(super) const LEADING_ZEROS: &str =
    "The number is invalid.  Leading zeros are not allowed in JSON numbers.";

pub(super) const NO_EXPONENT: &str =
    "The number is invalid.  An exponent part in JSON numbers must contain at least one digit.";

pub(super) const NUMBER_TOO_LONG: &str =
    "The number is too long.  Such a long JSON number value is not supported.";

pub(super) const OUT_OF_RANGE: &str =
    "The number is out of representable range.  Such JSON number value is not supported.";

/// FreeUnit's words.
pub(super) const TOO_DEEP: &str = "JSON nesting exceeds the maximum supported depth.";

/// Starling's own, for what Unit has no words.
pub(super) const TOO_MANY_VALUES: &str = "JSON payload has too many values.";

pub(super) const NOT_UTF8: &str = "Invalid character encoding.  A JSON payload must be UTF-8.";
