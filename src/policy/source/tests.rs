use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::{Map, json};

use super::protobuf::tests::encode;
use super::*;

/// Maps of whatever a policy may hold, in the form in which the front-ends keep it.
pub(super) fn policies() -> impl Strategy<Value = Value> {
    let text = || "[ -~é😀\t\n\"\\\\]{0,8}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-(1_i64 << 53) + 1..1 << 53).prop_map(Value::from),
        // Few enough digits for every reader to round them alike.
        (-99_999_i32..99_999).prop_map(|n| Value::from(f64::from(2 * n + 1) / 64.0)),
        text().prop_map(Value::String),
        "(true|no|1e3|0x1f|~|null|[0-9.]{1,4})".prop_map(Value::String),
    ];
    let any = leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            members(text(), inner).prop_map(Value::Object),
        ]
    });
    members("[a-z ]{0,4}", any).prop_map(Value::Object)
}

fn members(
    keys: &'static str,
    values: impl Strategy<Value = Value>,
) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map(keys, values, 0..4).prop_map(|map| map.into_iter().collect())
}

fn error(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

#[test]
fn the_filter_reads_json_and_struct() {
    let policy = json!({ "version": 1 });
    assert_eq!(read(b"\n\t{\"version\": 1.0}\r\n"), Ok(policy.clone()));
    assert_eq!(read(&encode(&policy)), Ok(policy));
}

#[test]
fn a_struct_that_begins_like_json_is_a_struct() {
    // An entry of 123 bytes: its length is `{`.
    let policy = json!({ "a": "x".repeat(116) });
    let bytes = encode(&policy);
    assert!(bytes.starts_with(b"\n{"), "{bytes:?}");
    assert_eq!(read(&bytes), Ok(policy));
}

#[test]
fn what_is_neither_is_told_what_was_expected() {
    assert_snapshot!(error(b""), @"the policy: empty, expected at least `version: 1`");
    assert_snapshot!(error(b" \n\t"), @"the policy: empty, expected at least `version: 1`");
    assert_snapshot!(error(b"version: 1\n"), @"the policy: expected JSON, from `{` on, or a `google.protobuf.Struct`; YAML is read by the `postern` command");
    assert_snapshot!(error(b"[1]"), @"the policy: expected JSON, from `{` on, or a `google.protobuf.Struct`; YAML is read by the `postern` command");
    assert_snapshot!(error(b"\n{\"version\": 1,}"), @"line 2, column 15: not JSON: trailing comma");
    assert_snapshot!(error(b"{\"version\": \xff}"), @"line 1, column 13: not JSON: expected value");
    assert_snapshot!(error(b"\x08\x01\x12"), @"the policy: not a `google.protobuf.Struct`: found a field of another wire type");
}

proptest! {
    #[test]
    fn a_policy_is_read_alike_from_json_and_struct(policy in policies()) {
        prop_assume!(policy != json!({}));
        let text = serde_json::to_vec_pretty(&policy).unwrap();
        prop_assert_eq!(&read(&text), &Ok(policy.clone()));
        prop_assert_eq!(&read(&encode(&policy)), &Ok(policy));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }

    #[test]
    fn no_text_panics(text in "[{}\\[\\]:,\"0-9a-z.\n ]{0,60}") {
        let _ = read(text.as_bytes());
    }
}
