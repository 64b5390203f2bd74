//! What was reserved of a quota for a call, to be corrected once it is known what the call has cost.

use super::group::Member;
use super::key::Owner;
use super::meter::Meter;
use super::record::change_bucket;
use super::take::{Charge, Usage};
use super::window;
use super::{BucketKey, Class, Ledger};
use crate::host::{Host, Timestamp};

/// What was reserved for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    owner: Owner,
    member: Member,
    meter: Meter,
    /// The bucket right after.
    state: u64,
    reserved: u32,
    /// Of a limit that replicas share, and when it was reserved, in nanoseconds.
    shared: Option<((Class, u8, BucketKey), u64)>,
}

impl Receipt {
    /// What was reserved by a charge that left the bucket so; nothing of a rate, which counts calls as
    /// they come.
    pub fn of(charge: &Charge<'_>, usage: &Usage, now: Timestamp) -> Option<Self> {
        let meter = charge.meter();
        let is_kept = matches!(meter, Meter::Quota(_) | Meter::InFlight(_));
        is_kept.then(|| Self {
            owner: charge.owner(),
            member: charge.limit.member(),
            meter,
            state: usage.state,
            reserved: charge.cost,
            shared: charge.limit.share.map(|_| (charge.bucket(), now.as_nanos())),
        })
    }

    /// Whether it is of a call that is counted until it ends, and not of what a call costs.
    pub const fn is_in_flight(&self) -> bool {
        matches!(self.meter, Meter::InFlight(_))
    }

    /// The call has ended.
    pub fn end(&self, host: &impl Host, now: Timestamp) {
        let Meter::InFlight(calls) = self.meter else { return };
        let now = now.as_nanos();
        let end = |state| calls.end(state, self.state, now);
        change_bucket(host, self.owner, (self.member, self.meter), now, end);
    }

    /// Counts `cost` in the place of what was reserved, if the window has not passed. What is more
    /// than there was is counted too: the next call has to wait for it.
    pub fn settle(&self, host: &impl Host, ledger: &Ledger, now: Timestamp, cost: u32) {
        let (bucket, now) = ((self.member, self.meter), now.as_nanos());
        if let Some((shared, then)) = self.shared {
            ledger.settle(shared, (self.reserved, then), cost, now);
        }
        change_bucket(host, self.owner, bucket, now, |state| {
            window::correct(state, self.state, self.reserved, cost)
        });
    }
}
