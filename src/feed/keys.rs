//! A key set, as its issuer publishes it.

use super::{Failure, MAX_RESPONSE_BYTES};
use crate::json::{self, Bounds};
use crate::token::{KeySet, KeySetError, Skipped, essence};

/// As deep and as many as no key set is.
const BOUNDS: Bounds = Bounds { bytes: MAX_RESPONSE_BYTES, depth: 8, items: 16_384 };

/// Reads a key set as a provider publishes it.
///
/// # Errors
///
/// It is no key set that can be used.
pub fn read(body: &[u8]) -> Result<(KeySet, Vec<Skipped>), Failure> {
    parse(body).map(|(set, skipped, _)| (set, skipped))
}

/// The same, and what its text comes down to: the keys that are used, with the members that are read.
pub(super) fn parse(body: &[u8]) -> Result<(KeySet, Vec<Skipped>, Vec<u8>), Failure> {
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
