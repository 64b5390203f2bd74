//! A list of what is taken back, signed or not.

use serde_json::Value;

use super::signed::Signatory;
use super::{Failure, MAX_RESPONSE_BYTES, Source};
use crate::host::Timestamp;
use crate::json::{self, Bounds};
use crate::policy::revocations::{Document, GRANTS};
use crate::token::IssuerId;

/// As deep and as many as a list of that length can be.
const BOUNDS: Bounds = Bounds { bytes: MAX_RESPONSE_BYTES, depth: 8, items: 65_536 };

/// What `typ` says of a list that is signed.
const TYPE: &str = "revocations+jwt";

/// Where what is taken back is told, and what to do without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Where the list is.
    pub source: Source,
    /// The issuer that signs it, if it has to be signed.
    pub signer: Option<IssuerId>,
    /// Whether requests are denied while the list is not there or too old.
    pub denies_when_stale: bool,
}

/// A list, and what its text comes down to.
#[derive(Debug)]
pub(super) struct List {
    pub(super) document: Document,
    /// When it was made, in seconds since the Unix epoch, where it is signed: nobody is to bring out
    /// an older one again.
    pub(super) issued: i64,
    pub(super) essence: Vec<u8>,
}

/// Reads a list as it comes.
///
/// # Errors
///
/// It is none, or not signed as it has to be.
pub(super) fn receive(
    body: &[u8],
    signatory: Option<&Signatory<'_>>,
    now: Timestamp,
) -> Result<List, Failure> {
    let Some(signatory) = signatory else {
        let value = json::parse(body, BOUNDS).map_err(|_| Failure::NotJson)?;
        // Whoever can put something in its place could give anybody anything.
        if value.get(GRANTS).is_some() {
            return Err(Failure::NotSigned);
        }
        return List::of(&value, 0);
    };
    let claims = signatory.read(body, TYPE, BOUNDS)?;
    let moment = |name| claims.get(name).map(Value::as_i64);
    let (Some(Some(issued)), None | Some(Some(_))) = (moment("iat"), moment("exp")) else {
        return Err(Failure::NotCurrent);
    };
    let now = now.as_secs();
    let is_over = moment("exp").flatten().is_some_and(|end| end <= now);
    if claims.get("iss").is_none_or(|name| name != signatory.issuer) || is_over {
        return Err(Failure::NotCurrent);
    }
    List::of(claims.get("revocations").ok_or(Failure::NotRevocations)?, issued)
}

/// Reads what [`receive`] came down to.
pub(super) fn read(essence: &[u8]) -> Result<Document, Failure> {
    let value = json::parse(essence, BOUNDS).map_err(|_| Failure::NotJson)?;
    Document::read(&value).ok_or(Failure::NotRevocations)
}

impl List {
    fn of(value: &Value, issued: i64) -> Result<Self, Failure> {
        let document = Document::read(value).ok_or(Failure::NotRevocations)?;
        Ok(Self { document, issued, essence: value.to_string().into_bytes() })
    }
}
