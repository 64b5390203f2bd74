//! Where a token says whether it was taken back since (draft-ietf-oauth-status-list-21 §6).

use serde_json::{Map, Value};

use super::{Claims, Rejected};

/// A place in a list that is published elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StatusReference<'c> {
    /// Where the list is.
    pub(crate) uri: &'c str,
    /// The place in it.
    pub(crate) index: u64,
}

impl<'c> StatusReference<'c> {
    /// What `claims` say, if they say anything: where `status` is no object it is something else,
    /// and no business of ours.
    ///
    /// # Errors
    ///
    /// [`Rejected::StatusMalformed`]: it has a status of which nothing can be known.
    pub(crate) fn of(claims: &'c Claims) -> Result<Option<Self>, Rejected> {
        let Some(status) = claims.status() else { return Ok(None) };
        Self::read(status).map(Some).ok_or(Rejected::StatusMalformed)
    }

    fn read(status: &'c Map<String, Value>) -> Option<Self> {
        // Another mechanism beside it would be one more that has a say.
        let list = status.get("status_list").filter(|_| status.len() == 1)?;
        Some(Self { uri: list.get("uri")?.as_str()?, index: list.get("idx")?.as_u64()? })
    }
}
