//! What became of tokens since they were issued.

use super::Feeds;
use crate::denial::Refusal;
use crate::feed::seat::{Current, Holding, Seat, Subject};
use crate::feed::statuses::StatusList;
use crate::host::{Host, Timestamp};
use crate::token::{Rejected, StatusReference, Verified};

/// The status of a token: where it stands, and what stood there when it was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TokenStatus {
    seat: usize,
    /// Its place in the list.
    pub(crate) index: u64,
    value: u8,
}

impl TokenStatus {
    /// Whether the token is as good as when it was issued (draft-ietf-oauth-status-list-21 §7.1).
    pub(crate) const fn is_valid(self) -> bool {
        self.value == 0
    }
}

impl Feeds {
    /// Looks up what became of a token that is good in itself (draft-ietf-oauth-status-list-21 §8.3).
    ///
    /// # Errors
    ///
    /// It has a status, and of that nothing can be known, now or ever.
    pub(super) fn with_status<'p>(
        &self,
        mut verified: Verified<'p>,
        host: &impl Host,
        now: Timestamp,
    ) -> Result<Verified<'p>, Refusal> {
        let Some(StatusReference { uri, index }) = StatusReference::of(&verified.claims)? else {
            return Ok(verified);
        };
        let is_its = |(_, seat): &(usize, &Seat)| match &seat.subject {
            Subject::Statuses(by) => by.issuer == verified.issuer_id && seat.name == uri,
            Subject::Keys(_) | Subject::Revocations(_) => false,
        };
        let found = self.seats.iter().enumerate().find(is_its);
        let (number, seat) = found.ok_or(Rejected::StatusUnknown)?;
        let usable = seat.usable(now.as_nanos()).or_else(|| {
            // Another worker may have fetched it.
            self.adopt(seat, &seat.load(host).ok()?.record);
            seat.usable(now.as_nanos())
        });
        let why = "the list with the token's status is not there yet, or too old";
        let current = usable.ok_or_else(|| seat.not_ready(why))?;
        let value = current.statuses().and_then(|list| list.get(index));
        let value = value.ok_or(Rejected::StatusUnknown)?;
        let stale = Timestamp::from_nanos(seat.stale(&current)).as_secs();
        verified.expires = verified.expires.min(stale);
        verified.status = Some(TokenStatus { seat: number, index, value });
        Ok(verified)
    }

    /// Whether a token's status is what it was when it was looked up.
    pub(crate) fn still_stands(&self, status: TokenStatus) -> bool {
        let seat = self.seats.get(status.seat).filter(|seat| seat.changed.get());
        seat.is_none_or(|seat| {
            let current = seat.current.borrow();
            let list = current.as_deref().and_then(Current::statuses);
            list.and_then(|list| list.get(status.index)) == Some(status.value)
        })
    }
}

impl Current {
    fn statuses(&self) -> Option<&StatusList> {
        match &self.holding {
            Holding::Statuses(list) => Some(list),
            Holding::Keys(_) | Holding::Revocations(_) => None,
        }
    }
}
