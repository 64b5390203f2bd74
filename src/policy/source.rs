//! Bytes become a policy's values.
//!
//! A policy may be written in three ways, and all are read into a [`Value`]: [`json`], the
//! `google.protobuf.Struct` that Envoy makes of a policy inline in its own configuration
//! ([`protobuf`]), and, with the feature `yaml`, YAML. The filter reads the first two with
//! [`read`]; the command reads text with `document::parse` and knows the places in it.
//!
//! The three are held to one reading. What another reader might take differently is refused: a key
//! that comes twice, a whole number beyond 2^53, an alias, a word that only some YAML readers take
//! for a boolean. [`fingerprint`] is therefore the same whichever way a policy came.
//!
//! [`de::from_value`] then reads the values into types, and tells by path what does not fit.

pub mod de;
#[cfg(feature = "yaml")]
pub mod document;
mod fingerprint;
pub mod json;
mod number;
#[cfg(feature = "yaml")]
mod positions;
pub mod protobuf;
#[cfg(test)]
mod tests;
#[cfg(feature = "yaml")]
pub mod yaml;

use serde_json::Value;

pub use self::fingerprint::fingerprint;
use super::problem::Problem;
use crate::json::Bounds;

/// How large a policy may be, in whatever it is written: 4 MiB, 32 levels, a million values.
pub const LIMITS: Bounds = Bounds { bytes: 4 << 20, depth: 32, items: 1_000_000 };

/// Reads a policy as the filter is given it: JSON, or a `google.protobuf.Struct`.
///
/// # Errors
///
/// What is wrong with it, or what was expected where it is neither.
pub fn read(bytes: &[u8]) -> Result<Value, Problem> {
    // Both may begin with a line feed and a brace. But no JSON holds a control character that is
    // not white space, and no `Struct` is without one: the tag of an entry's value is 0x12.
    if bytes.iter().any(|byte| byte.is_ascii_control() && !is_blank(byte)) {
        return protobuf::parse(bytes);
    }
    match bytes.iter().find(|byte| !is_blank(byte)) {
        Some(b'{') => json::parse(bytes),
        Some(_) => Err(Problem::new("expected JSON, from `{` on, or a `google.protobuf.Struct`")
            .help("YAML is read by the `postern` command")),
        None => Err(empty()),
    }
}

/// White space of JSON.
fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn empty() -> Problem {
    Problem::new("empty, expected at least `version: 1`")
}
