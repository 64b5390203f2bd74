//! STUB, dropped at merge: just enough of a policy for the filter to have one.

use std::fmt;

use crate::json;

/// STUB.
#[derive(Debug)]
pub struct Policy {
    /// Requests all workers may let through together.
    pub limit: u64,
}

/// STUB.
#[derive(Debug)]
pub struct Problem(String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// STUB.
///
/// # Errors
///
/// What is wrong.
pub fn load(bytes: &[u8]) -> Result<Policy, Vec<Problem>> {
    let bounds = json::Bounds { bytes: 1 << 20, depth: 16, items: 1 << 16 };
    let value = json::parse(bytes, bounds).map_err(|error| vec![Problem(error.to_string())])?;
    if value.get("version").and_then(serde_json::Value::as_u64) != Some(1) {
        return Err(vec![Problem("`version` must be 1".into()), Problem("no `routes`".into())]);
    }
    let limit = value.get("limit").and_then(serde_json::Value::as_u64).unwrap_or(1000);
    Ok(Policy { limit })
}
