//! What an answer of the provider means.

use super::Failure;
use crate::json::{self, Bounds};
use crate::token::{KeySet, KeySetError, Skipped, essence};

/// The longest answer that is read, in bytes.
pub const MAX_RESPONSE_BYTES: usize = 256 * 1024;

/// As deep and as many as no key set is.
const BOUNDS: Bounds = Bounds { bytes: MAX_RESPONSE_BYTES, depth: 8, items: 16_384 };

/// What came back for a [`Fetch`](crate::host::Fetch).
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// The HTTP status; none where nobody answered.
    pub status: Option<u16>,
    /// How long the body is.
    pub length: usize,
    /// The body, where it is not longer than [`MAX_RESPONSE_BYTES`].
    pub body: &'a [u8],
}

/// A key set, and what its text comes down to.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) set: KeySet,
    pub(super) skipped: usize,
    /// The keys that are used, with the members that are read.
    pub(super) essence: Vec<u8>,
}

/// Reads a key set as a provider publishes it.
///
/// # Errors
///
/// It is no key set that can be used.
pub fn read(body: &[u8]) -> Result<(KeySet, Vec<Skipped>), Failure> {
    parse(body).map(|(set, skipped, _)| (set, skipped))
}

fn parse(body: &[u8]) -> Result<(KeySet, Vec<Skipped>, Vec<u8>), Failure> {
    let value = json::parse(body, BOUNDS).map_err(|_| Failure::NotJson)?;
    let (set, skipped) = KeySet::from_fetched(&value).map_err(|error| match error {
        KeySetError::TooManyKeys => Failure::TooManyKeys,
        KeySetError::NoUsableKey(_) => Failure::NoUsableKey,
        KeySetError::AmbiguousKeyId(_) | KeySetError::Mixed | KeySetError::NotAKeySet => {
            Failure::NotAKeySet
        }
    })?;
    let essence = essence(&value, &skipped).to_string().into_bytes();
    Ok((set, skipped, essence))
}

impl Answer {
    /// What `response` says, if it is a key set: whatever else it is, nothing is known.
    pub(super) fn read(response: &Response<'_>) -> Result<Self, Failure> {
        match response.status {
            None => return Err(Failure::NoAnswer),
            Some(200) => {}
            Some(status) => return Err(Failure::Status(status)),
        }
        if response.length > MAX_RESPONSE_BYTES {
            return Err(Failure::TooLong);
        }
        if response.body.len() != response.length {
            return Err(Failure::Broken);
        }
        let (set, skipped, essence) = parse(response.body)?;
        Ok(Self { set, skipped: skipped.len(), essence })
    }
}
