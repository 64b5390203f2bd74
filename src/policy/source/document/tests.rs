use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::policy::problem::Path;
use crate::policy::source::protobuf::tests::encode;
use crate::policy::source::tests::policies;
use crate::policy::source::{fingerprint, read};

const POLICY: &str = "\
# a policy
version: 1
roles:
  reader: { permissions: [contacts:read] }
  \"a b\":
    inherits: [reader]
routes:
  - path: /v1/contacts
    permission: contacts:read
  - { path: /é, public: true }
note: |
  two
  lines
";

fn value(text: &str) -> Value {
    parse(text.as_bytes()).unwrap().0
}

fn error(text: &str) -> String {
    parse(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn yaml_is_read() {
    assert_eq!(
        value(POLICY),
        json!({
            "version": 1,
            "roles": {
                "reader": { "permissions": ["contacts:read"] },
                "a b": { "inherits": ["reader"] },
            },
            "routes": [
                { "path": "/v1/contacts", "permission": "contacts:read" },
                { "path": "/é", "public": true },
            ],
            "note": "two\nlines\n",
        })
    );
    assert_eq!(value("--- # one document\na: 'no'\n...\n"), json!({ "a": "no" }));
    assert_eq!(value("a:\n  - \n  - ~\n  - \"~\"\n"), json!({ "a": [null, null, "~"] }));
}

#[test]
fn a_key_set_is_written_as_everybody_writes_it() {
    // RFC 7518 §6.2.1.3 and §6.3.1.1 call members `y` and `n`.
    assert_eq!(value("kty: EC\ny: abc\nn: def\n"), json!({ "kty": "EC", "y": "abc", "n": "def" }));
    for text in ["a: y\n", "a: n\n", "on: x\n", "Y: x\n"] {
        assert!(parse(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn every_value_has_its_place() {
    let positions = parse(POLICY.as_bytes()).unwrap().1;
    let at = |path: Path| positions.locate(&path).to_string();
    let routes = Path::root().join("routes");
    assert_eq!(at(Path::root()), "line 2, column 1");
    assert_eq!(at(Path::root().join("roles").join("a b")), "line 5, column 3");
    assert_eq!(at(routes.clone()), "line 7, column 1");
    assert_eq!(at(routes.join(0)), "line 8, column 5");
    assert_eq!(at(routes.join(0).join("permission")), "line 9, column 5");
    assert_eq!(at(routes.join(1).join("public")), "line 10, column 17");
    assert_eq!(at(routes.join(1).join("cost")), "line 10, column 5");
}

#[test]
fn what_can_be_read_in_two_ways_is_refused_with_its_place() {
    assert_snapshot!(error("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n"), @"line 5, column 3: b: key `c` is there twice, first on line 3, column 3");
    assert_snapshot!(error("a: &x [1]\nb: *x\n"), @"line 1, column 4: a: anchors and aliases (`&`, `*`) are not read; write the value out, or put it in quotes if it is a string");
    assert_snapshot!(error("b: *x\n"), @"line 1, column 4: anchors and aliases (`&`, `*`) are not read; write the value out, or put it in quotes if it is a string");
    assert_snapshot!(error("path: *\n"), @"line 1, column 7: anchors and aliases (`&`, `*`) are not read; write the value out, or put it in quotes if it is a string");
    assert_snapshot!(error("a:\n  <<: { b: 1 }\n"), @"line 2, column 3: a: merge keys (`<<`) are not read; write the members out");
    assert_snapshot!(error("a: !!str 1\n"), @"line 1, column 4: a: tags (`!`) are not read; write the value out, or put it in quotes if it is a string");
    assert_snapshot!(error("a: !vault x\n"), @"line 1, column 4: a: tags (`!`) are not read; write the value out, or put it in quotes if it is a string");
    assert_snapshot!(error("a: 1\n---\nb: 2\n"), @"line 2, column 1: a second document, expected one policy in a file");
    assert_snapshot!(error("a: { public: yes }\n"), @"line 1, column 14: a.public: `yes` is a boolean to some readers of YAML and a string to others; write `true` or `false`, or put it in quotes");
    assert_snapshot!(error("a: 007\n"), @"line 1, column 4: a: `007` is read differently by different readers of YAML; put it in quotes, or leave out leading zeros and `_`");
    assert_snapshot!(error("404: a\n"), @"line 1, column 1: expected a string as key, found `404`; put it in quotes");
    assert_snapshot!(error("[a]: b\n"), @"line 1, column 1: expected a string as key, found a list or a map");
    assert_snapshot!(error("a: [1, .inf]\n"), @"line 1, column 8: a[1]: expected a number within ±9007199254740991");
}

#[test]
fn what_is_not_yaml_is_told_with_its_place() {
    assert_snapshot!(error("a:\n\tb: 1\n"), @"line 2, column 1: a tab in the indentation; YAML indents with spaces only");
    assert_snapshot!(error("a:\n  b: 1\n\tc: 1\n"), @"line 3, column 1: a tab in the indentation; YAML indents with spaces only");
    assert_snapshot!(error("a: b: c\n"), @"line 1, column 5: not YAML: mapping values are not allowed in this context");
    assert_snapshot!(error("a: [1, 2\nb: 3\n"), @"line 2, column 2: not YAML: illegal placement of ':' indicator");
    assert_snapshot!(error("a: \"x\n"), @"line 1, column 4: not YAML: while scanning a quoted scalar, found unexpected end of stream");
    assert_snapshot!(error("a: 1\n  b: 2\n"), @"line 2, column 4: not YAML: mapping values are not allowed in this context");
    assert_snapshot!(error("a: @x\n"), @"line 1, column 4: not YAML: unexpected character: `@'");
    assert_snapshot!(error("a: é\0\n"), @"line 1, column 5: not YAML: found unprintable character");
}

#[test]
fn an_empty_file_is_told_so() {
    assert_snapshot!(error(""), @"the policy: empty, expected at least `version: 1`");
    assert_snapshot!(error("\n \n"), @"the policy: empty, expected at least `version: 1`");
    assert_snapshot!(error("# nothing yet\n"), @"the policy: empty, expected at least `version: 1`");
    assert_snapshot!(error("---\n"), @"the policy: empty, expected at least `version: 1`");
}

#[test]
fn a_byte_that_is_not_utf8_has_a_place() {
    assert_snapshot!(parse(b"a: 1\n\xc3\xa9: \xff").unwrap_err(), @"line 2, column 4: a byte that is not UTF-8");
}

#[test]
fn json_is_read_as_the_filter_reads_it_and_has_places() {
    let text = "{\n\t\"a\": [1,\n\t\t9007199254740993]\n}";
    assert_snapshot!(error(text), @"line 3, column 3: a[1]: expected a number within ±9007199254740991");
    // YAML would take both.
    assert_snapshot!(error("{ a: 1 }"), @"line 1, column 3: not JSON: key must be a string");
    assert_snapshot!(error("{ \"a\": 1, }"), @"line 1, column 11: not JSON: trailing comma");
    let (value, positions) = parse(b"{\n\t\"a\": [1]\n}").unwrap();
    assert_eq!(value, json!({ "a": [1] }));
    assert_eq!(positions.locate(&Path::root().join("a").join(0)), Place { line: 2, column: 8 });
}

#[test]
fn depth_and_count_are_bounded_as_in_json() {
    let deep = |levels: usize| "- ".repeat(levels) + "a";
    assert!(parse(deep(LIMITS.depth).as_bytes()).is_ok());
    assert!(error(&deep(LIMITS.depth + 1)).ends_with("nested too deeply"));
    let flow = |levels: usize| format!("a: {}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(parse(flow(LIMITS.depth - 1).as_bytes()).is_ok());
    assert!(error(&flow(LIMITS.depth)).ends_with("nested too deeply"));

    let list = |count: usize| "- 1\n".repeat(count);
    assert!(parse(list(LIMITS.items - 1).as_bytes()).is_ok());
    assert!(error(&list(LIMITS.items)).ends_with("too many values"));
    assert!(error(&" ".repeat(LIMITS.bytes + 1)).contains("longer than"));
}

/// Block YAML, with each string quoted by JSON's rules, which are among YAML's.
fn block(value: &Value, indent: usize) -> String {
    let line = |head: String, inner: &Value| match inner {
        Value::Array(list) if !list.is_empty() => format!("\n{head}{}", block(inner, indent + 2)),
        Value::Object(map) if !map.is_empty() => format!("\n{head}{}", block(inner, indent + 2)),
        _ => format!("\n{head} {}", block(inner, indent + 2)),
    };
    let pad = " ".repeat(indent);
    match value {
        Value::Array(list) if !list.is_empty() => {
            list.iter().map(|inner| line(format!("{pad}-"), inner)).collect()
        }
        Value::Object(map) if !map.is_empty() => {
            map.iter().map(|(key, inner)| line(format!("{pad}{}:", json!(key)), inner)).collect()
        }
        scalar => scalar.to_string(),
    }
}

proptest! {
    #[test]
    fn a_policy_has_one_fingerprint_in_yaml_json_and_struct(policy in policies()) {
        prop_assume!(policy != json!({}));
        let yaml = block(&policy, 0);
        let yaml = parse(yaml.as_bytes()).map_err(|e| TestCaseError::fail(format!("{e}\n{yaml}")))?.0;
        prop_assert_eq!(&yaml, &policy);
        let json = read(&serde_json::to_vec(&policy).unwrap()).unwrap();
        let message = read(&encode(&policy)).unwrap();
        prop_assert_eq!(fingerprint(&yaml), fingerprint(&json));
        prop_assert_eq!(fingerprint(&yaml), fingerprint(&message));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_yaml_panics(text in "([-?:] |[a-z0-9&*!|>%@'\"#,\\[\\]{}.~<\t]| {1,4}|\n|---|\\.\\.\\.|é){0,60}") {
        let _ = yaml::parse(&text);
    }
}
