use proptest::prelude::*;
use prost_types::value::Kind;
use prost_types::{ListValue, Struct};
use serde_json::json;

use super::*;
use crate::policy::source::tests::policies;

use prost::Message as _;

/// The bytes another implementation makes of a policy.
pub(in crate::policy::source) fn encode(policy: &Value) -> Vec<u8> {
    match message(policy).kind {
        Some(Kind::StructValue(message)) => message.encode_to_vec(),
        _ => panic!("a policy is a map"),
    }
}

fn message(value: &Value) -> prost_types::Value {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap()),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(elements) => {
            Kind::ListValue(ListValue { values: elements.iter().map(message).collect() })
        }
        Value::Object(members) => Kind::StructValue(Struct {
            fields: members.iter().map(|(key, value)| (key.clone(), message(value))).collect(),
        }),
    };
    prost_types::Value { kind: Some(kind) }
}

fn field(id: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![id << 3 | 2, u8::try_from(content.len()).unwrap()];
    bytes.extend(content);
    bytes
}

fn member(key: &str, value: &[u8]) -> Vec<u8> {
    field(1, &[field(1, key.as_bytes()), field(2, value)].concat())
}

fn error(bytes: &[u8]) -> String {
    parse(bytes).unwrap_err().to_string()
}

#[test]
fn what_envoy_sends_is_read() {
    let policy = json!({ "version": 1, "routes": [{ "path": "/", "public": true, "x": null }] });
    assert_eq!(parse(&encode(&policy)), Ok(policy));
    assert_eq!(parse(&[]), Ok(json!({})));
}

#[test]
fn unknown_fields_are_skipped_and_groups_are_not() {
    let known = member("a", &[0x20, 1]);
    let with = |unknown: &[u8]| [known.as_slice(), unknown].concat();
    for unknown in
        [&[0x78, 5][..], &[0x79, 0, 0, 0, 0, 0, 0, 0, 0], &[0x7a, 1, 0], &[0x7d, 0, 0, 0, 0]]
    {
        assert_eq!(parse(&with(unknown)), Ok(json!({ "a": true })));
    }
    assert!(error(&with(&[0x7b, 0x7c])).contains("a group"));
    assert!(error(&with(&[0x02, 0])).contains("field number"));
    assert!(error(&with(&[0x7e])).contains("wire type"));
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let a = member("a", &[0x20, 1]);
    assert!(error(&[a.clone(), a].concat()).contains("key `a` is there twice"));
    assert!(error(&member("a", &[0x20, 1, 0x20, 0])).contains("a field twice"));
    assert!(error(&member("a", &[0x20, 1, 0x08, 0])).contains("a field twice"));
    assert!(error(&member("a", &[])).contains("no kind"));
    assert!(error(&field(1, &field(1, b"a"))).contains("without a value"));
    assert!(error(&member("a", &[0x20, 2])).contains("boolean"));
    assert!(error(&member("a", &[0x08, 1])).contains("null"));
    let keys = [field(1, b"a"), field(1, b"b"), field(2, &[0x20, 1])].concat();
    assert!(error(&field(1, &keys)).contains("a field twice"));
}

#[test]
fn malformed_bytes_are_refused_with_the_path_to_them() {
    let text = |bytes: &[u8]| field(3, bytes);
    assert_eq!(
        error(&member("a", &field(6, &field(1, &text(&[0xff]))))),
        "a[0]: not a `google.protobuf.Struct`: found a string that is not UTF-8",
    );
    for double in [f64::NAN, f64::INFINITY, 9007199254740992.0] {
        let value = [&[0x11][..], &double.to_le_bytes()].concat();
        assert!(error(&member("a", &value)).starts_with("a: expected a number"));
    }
    assert!(error(&member("a", &[0x21])).contains("its end within"));
    assert!(error(&member("a", &[0x25, 0, 0, 0, 0])).contains("another wire type"));
    assert!(error(&[0x0a, 0x7f]).contains("its end within"));
    assert!(error(&[0xff; 11]).contains("more than 64 bits"));
    assert!(error(&[[0xff; 9].as_slice(), &[0x02]].concat()).contains("more than 64 bits"));
}

#[test]
fn depth_size_and_count_are_bounded_as_in_json() {
    let nested = |depth: usize| (1..depth).fold(json!({}), |inner, _| json!({ "a": inner }));
    assert!(parse(&encode(&nested(LIMITS.depth))).is_ok());
    assert!(error(&encode(&nested(LIMITS.depth + 1))).ends_with("nested too deeply"));

    // The map and the list in it count as well.
    let list = |count: usize| json!({ "a": vec![Value::Null; count] });
    assert!(parse(&encode(&list(LIMITS.items - 2))).is_ok());
    assert!(error(&encode(&list(LIMITS.items - 1))).contains("too many values"));

    assert!(error(&vec![0; LIMITS.bytes + 1]).contains("longer than"));
}

proptest! {
    #[test]
    fn whatever_prost_writes_is_read_back(policy in policies()) {
        prop_assert_eq!(parse(&encode(&policy)), Ok(policy));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn damaged_bytes_do_not_panic(
        policy in policies(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = encode(&policy);
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = parse(&bytes);
    }
}
