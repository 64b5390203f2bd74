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

/// The most lines of a value that are searched for the one that a problem is about.
const MAX_LINES: usize = 64;

/// `problem`, whose place is that of its value, at the very place within the value, if that can be
/// found in the text: lines may be broken there where the value has a space.
#[must_use]
pub fn narrow(problem: Problem, text: &[u8]) -> Problem {
    match within(&problem, text) {
        Some(place) => problem.placed(Some(place)),
        None => problem,
    }
}

fn within(problem: &Problem, text: &[u8]) -> Option<Place> {
    let (inside, place) = (problem.inside.as_ref()?, problem.place?);
    let lines = str::from_utf8(text).ok()?.lines().zip(1_usize..);
    let lines = lines.skip(place.line.saturating_sub(1)).take(MAX_LINES);
    let chars = lines.flat_map(|(text, line)| {
        let skipped = if line == place.line { place.column.saturating_sub(1) } else { 0 };
        let chars = text.chars().zip(1_usize..).skip(skipped);
        chars.map(move |(char, column)| (char, Place { line, column }))
    });
    let written: Vec<_> = chars.filter(|(char, _)| !char.is_whitespace()).collect();
    let is_seen = |char: &char| !char.is_whitespace();
    let value: Vec<char> = inside.text.chars().filter(is_seen).collect();
    let before = inside.text.get(..inside.at)?.chars().filter(is_seen).count();
    let is_value = |window: &[(char, Place)]| window.iter().map(|(char, _)| char).eq(&value);
    let found = written.windows(value.len().max(1)).find(|window| is_value(window))?;
    match found.get(before) {
        Some((_, place)) => Some(*place),
        // At its end.
        None => found.last().map(|(_, last)| Place { column: last.column + 1, ..*last }),
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
