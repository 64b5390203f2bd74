//! A short name for what a policy says, whatever it was written in.

use std::collections::BinaryHeap;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Bytes of the hash that are shown: 12 hexadecimal digits.
const SHOWN: usize = 6;

/// The member that is hashed as empty, whatever it says.
const SECRET: &str = "client_secret";

/// The member that is left out of it at the top: it decides nothing.
const CANDIDATE: &str = "candidate";

/// The first 12 hexadecimal digits of a SHA-256 over the policy's values.
///
/// The same for the same policy from YAML, JSON and `Struct`, in whatever order its keys were
/// written, whether a number was `1` or `1.0`, and whatever `client_secret` is. It tells revisions apart in logs and metrics and
/// is no protection against somebody who seeks two policies with one fingerprint.
pub fn fingerprint(policy: &Value) -> String {
    let mut hash = Sha256::new();
    match policy.as_object().filter(|members| members.contains_key(CANDIDATE)) {
        None => feed(&mut hash, policy),
        Some(members) => {
            let mut members = members.clone();
            members.remove(CANDIDATE);
            feed(&mut hash, &Value::Object(members));
        }
    }
    hash.finalize().iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect()
}

/// Each value is hashed as its kind, its length where it has one, and its content, so no two
/// values can be hashed as the same bytes.
fn feed(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Null => hash.update(b"n"),
        Value::Bool(value) => hash.update(if *value { b"t" } else { b"f" }),
        Value::Number(number) => {
            hash.update(b"d");
            // Adding zero makes the two zeros one.
            let double = number.as_f64().unwrap_or(f64::NAN) + 0.0;
            hash.update(double.to_be_bytes());
        }
        Value::String(text) => feed_text(hash, text),
        Value::Array(elements) => {
            hash.update(b"l");
            feed_length(hash, elements.len());
            elements.iter().for_each(|element| feed(hash, element));
        }
        Value::Object(members) => {
            hash.update(b"m");
            feed_length(hash, members.len());
            for key in BinaryHeap::from_iter(members.keys().map(String::as_str)).into_sorted_vec() {
                feed_text(hash, key);
                match members.get(key) {
                    // Backends and auditors see the fingerprint: nobody is to try secrets on it.
                    Some(Value::String(_)) if key == SECRET => feed_text(hash, ""),
                    member => member.into_iter().for_each(|member| feed(hash, member)),
                }
            }
        }
    }
}

fn feed_text(hash: &mut Sha256, text: &str) {
    hash.update(b"s");
    feed_length(hash, text.len());
    hash.update(text);
}

fn feed_length(hash: &mut Sha256, length: usize) {
    hash.update((length as u64).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_keeps_its_fingerprint_from_release_to_release() {
        let policy = json!({ "version": 1, "routes": [{ "path": "/", "public": true }] });
        assert_eq!(fingerprint(&policy), "c0467ba77559");
        assert_eq!(fingerprint(&json!({})).len(), 12);
    }

    #[test]
    fn order_and_the_spelling_of_numbers_do_not_count() {
        let read = |text| serde_json::from_str::<Value>(text).unwrap();
        let one = fingerprint(&read(r#"{"a":1,"b":[0.0]}"#));
        assert_eq!(one, fingerprint(&read(r#"{"b":[-0.0],"a":1.0}"#)));
    }

    #[test]
    fn a_secret_cannot_be_tried_on_a_fingerprint() {
        let with = |secret| {
            fingerprint(&json!({ "introspection": { "client_id": "a", "client_secret": secret } }))
        };
        assert_eq!(with(json!("one")), with(json!("two")));
        assert_ne!(with(json!("one")), with(json!(1)));
        assert_ne!(with(json!("one")), with(json!({ "role": "reader" })));
    }

    #[test]
    fn whatever_differs_otherwise_has_another_fingerprint() {
        let policies = [
            json!(null),
            json!(false),
            json!(true),
            json!(0),
            json!(0.5),
            json!(""),
            json!("0"),
            json!([]),
            json!([0]),
            json!([[0]]),
            json!({}),
            json!({ "0": 0 }),
            json!(["a", "b"]),
            json!(["b", "a"]),
            json!(["ab"]),
        ];
        let prints: std::collections::BTreeSet<_> = policies.iter().map(fingerprint).collect();
        assert_eq!(prints.len(), policies.len());
    }
}
