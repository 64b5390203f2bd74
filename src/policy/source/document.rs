//! A policy as a person wrote it: YAML or JSON, with the place of every value.

use serde_json::Value;

pub use super::positions::Positions;
use super::{LIMITS, empty, is_blank, json, positions, yaml};
use crate::policy::problem::{Place, Problem};

/// Reads a policy's text, by the JSON parser if it begins with `{` as the filter does, so that
/// what passes here passes there, and as YAML otherwise.
///
/// # Errors
///
/// What is wrong with the text, with its place.
pub fn parse(bytes: &[u8]) -> Result<(Value, Positions), Problem> {
    if bytes.len() > LIMITS.bytes {
        return Err(Problem::new(format!("longer than {} bytes", LIMITS.bytes)));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
    match bytes.iter().find(|byte| !is_blank(byte)) {
        None => Err(empty()),
        Some(b'{') => {
            let positions = || positions::of_json(text);
            match json::parse(bytes) {
                Ok(value) => positions()
                    .map(|positions| (value, positions))
                    .ok_or_else(|| Problem::new("not JSON")),
                Err(problem) if problem.place.is_some() => Err(problem),
                // A number out of range: the text itself is well-formed.
                Err(problem) => Err(match positions() {
                    Some(positions) => positions.place(problem),
                    None => problem,
                }),
            }
        }
        Some(_) => yaml::parse(text),
    }
}

fn not_utf8(bytes: &[u8], valid: usize) -> Problem {
    let before = bytes.get(..valid).and_then(|valid| std::str::from_utf8(valid).ok());
    let before = before.unwrap_or_default();
    let last = before.rsplit('\n').next().unwrap_or_default();
    let place = Place {
        line: before.matches('\n').count().saturating_add(1),
        column: last.chars().count().saturating_add(1),
    };
    Problem::new("a byte that is not UTF-8").placed(Some(place))
}

#[cfg(test)]
mod tests;
