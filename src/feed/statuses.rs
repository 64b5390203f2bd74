//! A list of what became of an issuer's tokens (draft-ietf-oauth-status-list-21).

use base64ct::{Base64UrlUnpadded, Encoding as _};
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use serde_json::{Value, json};

use super::signed::Signatory;
use super::{Failure, MAX_RESPONSE_BYTES};
use crate::host::Timestamp;
use crate::json::{self, Bounds};

/// The most lists that a policy may have.
pub const MAX_STATUS_LISTS: usize = 16;

/// The longest list, unpacked, in bytes: eight million tokens at one bit each.
const MAX_STATUS_BYTES: usize = 1 << 20;

const BOUNDS: Bounds = Bounds { bytes: MAX_RESPONSE_BYTES, depth: 8, items: 256 };

/// What `typ` says of a list (§5.1).
const TYPE: &str = "statuslist+jwt";

/// The status of each of an issuer's tokens, by its place.
#[derive(Debug)]
pub(super) struct StatusList {
    /// Bits for each token: 1, 2, 4 or 8.
    bits: u8,
    statuses: Vec<u8>,
    /// In seconds since the Unix epoch, when it is over; the last there is, if it does not say so.
    pub(super) expires: i64,
}

/// A list as it came, and what its text comes down to.
#[derive(Debug)]
pub(super) struct Received {
    /// How many tokens it is about.
    pub(super) count: usize,
    /// When it was made, in seconds since the Unix epoch: nobody is to bring out an older one again.
    pub(super) issued: i64,
    /// After how many seconds it is to be fetched anew, if it says so.
    pub(super) time_to_live: Option<u64>,
    pub(super) essence: Vec<u8>,
}

/// Reads a list as it comes from `uri`.
///
/// # Errors
///
/// It is none, or not its issuer's, or not of now.
pub(super) fn receive(
    body: &[u8],
    uri: &str,
    signatory: &Signatory<'_>,
    now: Timestamp,
) -> Result<Received, Failure> {
    let claims = signatory.read(body, TYPE, BOUNDS)?;
    let number = |name| claims.get(name).map(Value::as_i64);
    let is_about = |name, wanted: &str| claims.get(name).is_some_and(|value| value == wanted);
    let is_issuers = claims.get("iss").is_none() || is_about("iss", signatory.issuer);
    let (Some(Some(issued)), true, true) = (number("iat"), is_about("sub", uri), is_issuers) else {
        return Err(Failure::NotCurrent);
    };
    let (Some(expires), Some(time_to_live)) = (
        number("exp").unwrap_or(Some(i64::MAX)),
        number("ttl").map_or(Some(None), |ttl| Some(Some(u64::try_from(ttl?).ok()?))),
    ) else {
        return Err(Failure::NotAStatusList);
    };
    if expires <= now.as_secs() {
        return Err(Failure::NotCurrent);
    }
    let list = claims.get("status_list").ok_or(Failure::NotAStatusList)?;
    let essence = json!({ "bits": list.get("bits"), "lst": list.get("lst"), "exp": expires });
    let essence = essence.to_string().into_bytes();
    let count = read(&essence)?.len();
    Ok(Received { count, issued, time_to_live, essence })
}

/// Reads what [`receive`] came down to.
pub(super) fn read(essence: &[u8]) -> Result<StatusList, Failure> {
    let value = json::parse(essence, BOUNDS).map_err(|_| Failure::NotJson)?;
    StatusList::of(&value).ok_or(Failure::NotAStatusList)
}

impl StatusList {
    fn of(value: &Value) -> Option<Self> {
        let bits = value.get("bits")?.as_u64()?;
        let packed = Base64UrlUnpadded::decode_vec(value.get("lst")?.as_str()?).ok()?;
        let statuses = decompress_to_vec_zlib_with_limit(&packed, MAX_STATUS_BYTES).ok()?;
        let expires = value.get("exp")?.as_i64()?;
        let bits = u8::try_from(bits).ok().filter(|bits| matches!(bits, 1 | 2 | 4 | 8))?;
        Some(Self { bits, statuses, expires })
    }

    fn len(&self) -> usize {
        self.statuses.len().saturating_mul(usize::from(8 / self.bits))
    }

    /// The status at a place (§4.1), if there is such a place. Zero is valid; all else is not (§7.1).
    pub(super) fn get(&self, index: u64) -> Option<u8> {
        let bits = u64::from(self.bits);
        let each = 8 / bits;
        let byte = self.statuses.get(usize::try_from(index / each).ok()?)?;
        let shifted = byte >> (index % each * bits);
        Some(shifted & (u8::MAX >> (8 - self.bits)))
    }
}

#[cfg(test)]
mod tests;
