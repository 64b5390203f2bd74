use proptest::prelude::{prop, prop_assert_eq, proptest};

use super::{AmbiguousPath, MAX_PATH_BYTES, MAX_SEGMENTS, Pattern, PatternError, Segment};

fn parsed(text: &str) -> Vec<Segment> {
    text.parse::<Pattern>().unwrap().segments
}

fn error(text: &str) -> PatternError {
    text.parse::<Pattern>().unwrap_err()
}

fn literal(text: &str) -> Segment {
    Segment::Literal(text.into())
}

#[test]
fn each_kind_of_segment_is_read() {
    assert_eq!(
        parsed("/v1/{Id_2}/*/x/**"),
        [
            literal("v1"),
            Segment::One(Some("Id_2".into())),
            Segment::One(None),
            literal("x"),
            Segment::Rest
        ]
    );
    assert_eq!(parsed("/"), [literal("")]);
    assert_eq!(parsed("/**"), [Segment::Rest]);
    assert_eq!(parsed("/*/"), [Segment::One(None), literal("")]);
}

#[test]
fn literals_are_the_same_plain_and_encoded() {
    assert_eq!(parsed("/café"), parsed("/caf%c3%A9"));
    assert_eq!(parsed("/a%20b"), [literal("a b")]);
    assert_eq!(parsed("/%2A/%2a%2A/%7Bid%7D"), [literal("*"), literal("**"), literal("{id}")]);
}

#[test]
fn the_one_spelling_is_the_shortest() {
    for (written, shown) in [
        ("/caf%c3%a9/%61", "/café/a"),
        ("/a%20b%c2%a0", "/a%20b%C2%A0"),
        ("/%2a/%7bid%7d/{id}", "/%2A/%7Bid%7D/{id}"),
        ("/100%25", "/100%25"),
        ("/a/", "/a/"),
        ("/", "/"),
    ] {
        assert_eq!(written.parse::<Pattern>().unwrap().to_string(), shown);
    }
}

#[test]
fn what_no_path_could_match_is_refused() {
    for (text, reason) in [
        ("//a", AmbiguousPath::EmptySegment),
        ("/a/../b", AmbiguousPath::DotSegment),
        ("/a/%2e", AmbiguousPath::DotSegment),
        ("/a%2fb", AmbiguousPath::EncodedDelimiter),
        ("/a\\b", AmbiguousPath::Backslash),
        ("/a;v=1", AmbiguousPath::PathParameter),
        ("/a%00", AmbiguousPath::EncodedControl),
        ("/100%", AmbiguousPath::BadEncoding),
        ("/%2541", AmbiguousPath::DoubleEncoding),
        ("/%ff", AmbiguousPath::BadUtf8),
        (&format!("/{}", "a".repeat(MAX_PATH_BYTES)), AmbiguousPath::TooLong),
        (&"/a".repeat(MAX_SEGMENTS + 1), AmbiguousPath::TooManySegments),
    ] {
        assert_eq!(error(text), PatternError::Ambiguous(reason));
    }
}

#[test]
fn an_error_says_what_was_expected() {
    for (text, message) in [
        ("", "``: expected a path that starts with `/`"),
        ("v1/a", "`v1/a`: expected a path that starts with `/`"),
        ("/a/**/b", "`**`: expected no segment after it"),
        ("/a/**/", "`**`: expected no segment after it"),
        ("/{id}/{ID}", "the name `ID` is given twice"),
        ("/a?b=1", "segment `a?b=1`: expected a path without query or fragment"),
        ("/a ", "segment `a `: expected white space to be percent-encoded, such as `%20`"),
        ("/a\n", "segment `a\\n`: expected white space to be percent-encoded, such as `%20`"),
        ("/../a", "the pattern has a `.` or `..` segment, and no such path is let in"),
    ] {
        assert_eq!(error(text).to_string(), message);
    }
    for text in ["/{}", "/{a", "/a}", "/x{a}", "/{a}{b}", "/{a-b}", "/{*}", "/{é}"] {
        assert!(matches!(error(text), PatternError::BadName(_)), "{text}");
    }
    for text in ["/a*", "/***", "/*.json"] {
        assert!(matches!(error(text), PatternError::PartOfSegment(_)), "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_shown_reads_back(parts in prop::collection::vec("[a%*{}_ é2-]{1,4}|\\*|\\{[a-z]{2}\\}", 1..5)) {
        let text: String = parts.iter().map(|part| format!("/{part}")).collect();
        let encoded: String = parts
            .iter()
            .map(|part| format!("/{}", part.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>()))
            .collect();
        for pattern in [text, encoded].iter().filter_map(|text| text.parse::<Pattern>().ok()) {
            prop_assert_eq!(pattern.to_string().parse::<Pattern>(), Ok(pattern));
        }
    }
}
