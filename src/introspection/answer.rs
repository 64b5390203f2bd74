//! What an issuer's answer means.

use serde_json::{Map, Value};

use super::Failure;
use crate::feed::Response;
use crate::json::{self, Bounds};

/// The longest answer that is read, in bytes.
pub const MAX_ANSWER_BYTES: usize = 16 * 1_024;

/// As deep and as many as the claims of a token may be.
const BOUNDS: Bounds = Bounds { bytes: MAX_ANSWER_BYTES, depth: 16, items: 256 };

/// The members of an answer that is one: status 200 and one JSON object, read strictly. What they
/// say is another matter.
pub(super) fn read(response: &Response<'_>) -> Result<Map<String, Value>, Failure> {
    match response.status {
        None => return Err(Failure::NoAnswer),
        Some(200) => {}
        Some(status) => return Err(Failure::Status(status)),
    }
    if response.length > MAX_ANSWER_BYTES {
        return Err(Failure::TooLong);
    }
    if response.body.len() != response.length {
        return Err(Failure::Broken);
    }
    match json::parse(response.body, BOUNDS) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(Failure::NotAnObject),
    }
}
