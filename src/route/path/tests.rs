use std::borrow::Cow;

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

use super::{AmbiguousPath, MAX_PATH_BYTES, MAX_SEGMENTS, NormalPath};

fn segments(raw: &str) -> Vec<String> {
    let path = NormalPath::parse(raw.as_bytes()).unwrap();
    path.segments().map(str::to_owned).collect()
}

fn refusal(raw: impl AsRef<[u8]>) -> AmbiguousPath {
    NormalPath::parse(raw.as_ref()).unwrap_err()
}

#[test]
fn a_plain_path_is_borrowed() {
    let path = NormalPath::parse(b"/v1/contacts/7?a=/../%2f;\\?").unwrap();
    assert!(matches!(path.text, Cow::Borrowed("/v1/contacts/7")));
    assert_eq!(path.query(), Some("a=/../%2f;\\?"));
}

#[test]
fn what_is_encoded_is_decoded_once() {
    assert_eq!(segments("/%61%2Db/caf%c3%A9/%20%3a"), ["a-b", "café", " :"]);
    assert_eq!(segments("/100%25/%25zz"), ["100%", "%zz"]);
}

#[test]
fn a_trailing_slash_is_an_empty_last_segment() {
    assert_eq!(segments("/"), [""]);
    assert_eq!(segments("/a"), ["a"]);
    assert_eq!(segments("/a/"), ["a", ""]);
    assert_eq!(NormalPath::parse(b"/a?").unwrap().query(), Some(""));
    assert_eq!(NormalPath::parse(b"/a").unwrap().query(), None);
}

#[test]
fn dots_that_are_not_a_whole_segment_are_kept() {
    assert_eq!(segments("/.well-known/a..b/...?x=.."), [".well-known", "a..b", "..."]);
}

#[test]
fn each_ambiguity_is_refused_by_its_name() {
    let table: &[(AmbiguousPath, &[&str])] = &[
        (AmbiguousPath::Backslash, &["/a\\b", "/\\", "/a/..\\b"]),
        (AmbiguousPath::BadEncoding, &["/%", "/%2", "/%zz", "/%2g", "/%+1", "/a%/b", "/%u002f"]),
        (
            AmbiguousPath::BadUtf8,
            &["/%ff", "/%c0%af", "/%c0%ae", "/%e0%80%af", "/%c3", "/%ed%a0%80"],
        ),
        (
            AmbiguousPath::DotSegment,
            &[
                "/.",
                "/..",
                "/./",
                "/a/../b",
                "/a/.",
                "/%2e",
                "/%2E%2e/b",
                "/.%2e",
                "/%2e.",
                "/%2e/",
                "/a/%2e%2E",
            ],
        ),
        (
            AmbiguousPath::DoubleEncoding,
            &["/%252f", "/%252e%252e", "/a%2541", "/%25%32%66", "/%25%32f", "/%252%46", "/%25252f"],
        ),
        (AmbiguousPath::EmptySegment, &["//", "//a", "/a//b", "/a//", "//host/a"]),
        (AmbiguousPath::EncodedControl, &["/a%00", "/%0d%0a", "/%1f", "/%7f", "/%C2%85", "/%09"]),
        (
            AmbiguousPath::EncodedDelimiter,
            &["/a%2fb", "/a%2F..", "/%5c", "/%5C", "/..%2f", "/a%3fb", "/a%3F", "/a%23"],
        ),
        (
            AmbiguousPath::ForbiddenByte,
            &["/a b", "/a\tb", "/\0", "/\x7f", "/é", "/a?b c", "/ ", "/\u{ff0e}"],
        ),
        (AmbiguousPath::Fragment, &["/a#b", "/#", "/a?b#c", "#"]),
        (
            AmbiguousPath::NotOriginForm,
            &["", "*", "a", "?", "?/a", "http://h/a", "h:443", "%2fa", "\\a"],
        ),
        (AmbiguousPath::PathParameter, &["/a;b", "/;/a", "/a%3bx=1", "/a%3B", "/..;/a"]),
    ];
    for (reason, paths) in table {
        for path in *paths {
            assert_eq!(refusal(path), *reason, "{path:?}");
        }
    }
    assert_eq!(refusal(b"/\xff"), AmbiguousPath::ForbiddenByte);
}

#[test]
fn length_and_segments_are_bounded() {
    let long = format!("/{}", "a".repeat(MAX_PATH_BYTES - 1));
    assert!(NormalPath::parse(long.as_bytes()).is_ok());
    assert_eq!(refusal(format!("{long}a")), AmbiguousPath::TooLong);

    let deep = "/a".repeat(MAX_SEGMENTS);
    assert_eq!(segments(&deep).len(), MAX_SEGMENTS);
    assert_eq!(refusal(format!("{deep}/")), AmbiguousPath::TooManySegments);
}

#[test]
fn the_bounds_in_the_reasons_are_the_bounds() {
    assert!(AmbiguousPath::TooLong.reason().contains(&MAX_PATH_BYTES.to_string()));
    assert!(AmbiguousPath::TooManySegments.reason().contains(&MAX_SEGMENTS.to_string()));
}

/// Says again, in another way, what an accepted path promises.
fn promises_hold(raw: &[u8]) -> bool {
    let Ok(path) = NormalPath::parse(raw) else { return true };
    let segments: Vec<_> = path.segments().collect();
    let (last, others) = segments.split_last().unwrap();
    let sound = |segment: &&str| {
        ![".", ".."].contains(segment)
            && !segment.contains(['/', '\\', ';', '\0', '?', '#'])
            && !segment.chars().any(char::is_control)
    };
    segments.len() <= MAX_SEGMENTS
        && others.iter().all(|segment| !segment.is_empty())
        && sound(last)
        && segments.iter().all(sound)
        && format!("/{}", segments.join("/")) == path.as_str()
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(raw in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(promises_hold(&raw));
    }

    #[test]
    fn what_is_accepted_has_one_reading(raw in "/(/|\\.|%2[eEfF5]|%5c|%25|%00|%c[0-3]|%a9|a|2|e|;|\\?|%|\\\\){0,12}") {
        prop_assert!(promises_hold(raw.as_bytes()));
    }

    #[test]
    fn the_spelling_of_a_segment_does_not_matter(segment in "[a-z0-9_~-]{1,8}", encoded in prop::collection::vec(any::<bool>(), 8)) {
        let spelt: String = segment
            .bytes()
            .zip(encoded)
            .map(|(byte, encoded)| if encoded { format!("%{byte:02x}") } else { char::from(byte).into() })
            .collect();
        prop_assert_eq!(segments(&format!("/{spelt}")), [segment]);
    }
}
