//! What a word without quotes means.

use serde_json::Value;

use crate::policy::problem::{Problem, quoted};
use crate::policy::source::number::number;

/// Booleans to readers of YAML 1.1, Envoy's among them, and strings to those of YAML 1.2.
const DISPUTED: [&str; 6] = ["y", "n", "yes", "no", "on", "off"];

/// Resolves a plain scalar by the core schema (YAML 1.2.2 §10.3.2).
///
/// # Errors
///
/// For a number out of range, and for words that readers of YAML 1.1 take for something else.
pub(super) fn resolve(text: &str) -> Result<Value, Problem> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    if DISPUTED.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return Err(disputed(text, "a boolean to some readers of YAML and a string to others")
            .help("write `true` or `false`, or put it in quotes"));
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if disputed_integer(unsigned) {
        return Err(disputed(text, "read differently by different readers of YAML")
            .help("put it in quotes, or leave out leading zeros and `_`"));
    }
    match double(text, unsigned) {
        Some(double) => number(double).map(Value::Number),
        None => Ok(Value::String(text.to_owned())),
    }
}

fn disputed(text: &str, what: &str) -> Problem {
    Problem::new(format!("{} is {what}", quoted(text)))
}

/// `007` is octal to some, `1_000` a thousand.
fn disputed_integer(unsigned: &str) -> bool {
    let (first, rest) = match unsigned.as_bytes() {
        [first, rest @ ..] if first.is_ascii_digit() => (first, rest),
        _ => return false,
    };
    let digits = rest.iter().all(|byte| byte.is_ascii_digit() || *byte == b'_');
    digits && !rest.is_empty() && (*first == b'0' || rest.contains(&b'_'))
}

/// The number that the text is, if it is one. Integers beyond 2^53 lose digits here and are out of
/// range for that reason.
fn double(text: &str, unsigned: &str) -> Option<f64> {
    match text.as_bytes() {
        [b'0', b'x', digits @ ..] => return radix(digits, 16),
        [b'0', b'o', digits @ ..] => return radix(digits, 8),
        _ => {}
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Some(f64::INFINITY);
    }
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(f64::NAN);
    }
    // Rust's own parser reads `inf` and `nan` as well, and nothing else that has no digit in front.
    let mantissa = unsigned.strip_prefix('.').unwrap_or(unsigned);
    if !mantissa.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    // First as JSON does, so that both round alike.
    serde_json::from_str(text).or_else(|_| text.parse()).ok()
}

fn radix(digits: &[u8], radix: u32) -> Option<f64> {
    let digits = std::str::from_utf8(digits).ok()?;
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    // More than 64 bits are out of range, as is the largest of 64.
    Some(u64::from_str_radix(digits, radix).unwrap_or(u64::MAX) as f64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_mean_what_the_core_schema_says() {
        for (text, value) in [
            ("", json!(null)),
            ("~", json!(null)),
            ("null", json!(null)),
            ("nULL", json!("nULL")),
            ("true", json!(true)),
            ("FALSE", json!(false)),
            ("tRue", json!("tRue")),
            ("0", json!(0)),
            ("-0", json!(0)),
            ("+12", json!(12)),
            ("0x1f", json!(31)),
            ("0o17", json!(15)),
            ("0x", json!("0x")),
            ("0xg", json!("0xg")),
            ("-0x1f", json!("-0x1f")),
            ("0x+1", json!("0x+1")),
            ("1.0", json!(1)),
            ("1.", json!(1)),
            (".5", json!(0.5)),
            ("-.5", json!(-0.5)),
            ("1e3", json!(1000)),
            ("1.5e-1", json!(0.15)),
            ("inf", json!("inf")),
            ("nan", json!("nan")),
            ("infinity", json!("infinity")),
            (".", json!(".")),
            ("-", json!("-")),
            ("+", json!("+")),
            (".e1", json!(".e1")),
            ("1e", json!("1e")),
            ("1.2.3", json!("1.2.3")),
            ("60/min", json!("60/min")),
            ("2026-12-01T00:00:00Z", json!("2026-12-01T00:00:00Z")),
            ("contacts:read", json!("contacts:read")),
            ("norway", json!("norway")),
        ] {
            assert_eq!(resolve(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn words_that_readers_take_differently_are_refused() {
        for text in ["yes", "No", "ON", "off", "y", "N", "007", "-010", "1_000", "0_1"] {
            assert!(resolve(text).is_err(), "{text}");
        }
        for text in [".inf", "-.INF", ".nan", "9007199254740992", "0xffffffffffffffffff", "1e99"] {
            assert!(resolve(text).is_err(), "{text}");
        }
    }
}
