//! A policy written as JSON (RFC 8259).

use serde_json::Value;

use super::{LIMITS, number};
use crate::json;
use crate::policy::problem::{Place, Problem};

/// Reads one JSON document within [`LIMITS`].
///
/// # Errors
///
/// What is wrong with the text, with its place; or the path of a number that is out of range.
pub fn parse(text: &[u8]) -> Result<Value, Problem> {
    let mut value = json::parse(text, LIMITS).map_err(|error| problem(text, &error.to_string()))?;
    number::settle(&mut value)?;
    Ok(value)
}

/// serde_json ends its messages with ` at line 1 column 5`, the column counted in bytes.
fn problem(text: &[u8], message: &str) -> Problem {
    let split = message.rsplit_once(" at line ").and_then(|(what, place)| {
        let (line, column) = place.split_once(" column ")?;
        Some((what, line.parse::<usize>().ok()?, column.parse::<usize>().ok()?))
    });
    let Some((what, line, column)) = split else {
        return Problem::new(format!("not JSON that we read: {message}"));
    };
    let bytes = text.split(|byte| *byte == b'\n').nth(line.saturating_sub(1)).unwrap_or_default();
    let starts_character = |byte: &&u8| **byte & 0b1100_0000 != 0b1000_0000;
    let column = bytes.iter().take(column).filter(starts_character).count().max(1);
    Problem::new(format!("not JSON: {what}")).placed(Some(Place { line, column }))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn error(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn errors_carry_line_and_column_in_characters() {
        assert_snapshot!(error("{\n  \"é\": \"ü\",\n}"), @"line 3, column 1: not JSON: trailing comma");
        assert_snapshot!(error("{\"éé\": x}"), @"line 1, column 8: not JSON: expected value");
        assert_snapshot!(error("{\"a\": 1,\n \"a\": 2}"), @"line 2, column 4: not JSON: a member is named twice");
        assert_snapshot!(error("{\"a\": 1"), @"line 1, column 7: not JSON: EOF while parsing an object");
        assert_snapshot!(error(&" ".repeat(LIMITS.bytes + 1)), @"the policy: not JSON that we read: longer than 4194304 bytes");
    }

    #[test]
    fn a_number_out_of_range_is_told_by_path() {
        assert_snapshot!(error(r#"{"a": [9007199254740993]}"#), @"a[0]: expected a number within ±9007199254740991");
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(nested(LIMITS.depth).as_bytes()).is_ok());
        assert!(parse(nested(LIMITS.depth + 1).as_bytes()).is_err());
        assert!(parse(nested(1_000_000).as_bytes()).is_err());
    }
}
