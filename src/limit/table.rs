//! A limit's table in the shared store, changed by compare-and-swap.

use super::key::StoreKey;
use super::lease::{Leases, ahead};
use super::meter::Meter;
use super::slot::Slot;
use super::take::{Charge, Exceeded, Refused, Usage};
use crate::host::{Expected, Host, HostError, Swap};

/// How often a swap is tried before the store counts as too contended.
///
/// Each swap that is lost is another worker's success, so this many in a row are a storm.
pub(super) const MAX_ATTEMPTS: u32 = 16;

/// A charge that its bucket holds, not yet written.
pub(super) struct Claim<'a> {
    charge: Charge<'a>,
    key: StoreKey,
    /// The slot as it shall be.
    slot: Slot,
    expected: Expected,
    /// The state of the bucket without the charge. INVARIANT: not idle, so that a slot that is
    /// put back is never written without any entry.
    before: u64,
    /// Its state with it.
    spent: u64,
    /// The same, with what is taken ahead of need. INVARIANT: not before `spent`.
    after: u64,
}

/// Whether a bucket holds a charge.
pub(super) enum Attempt<'a> {
    Claimed(Claim<'a>),
    Exceeded(Exceeded),
}

impl<'a> Claim<'a> {
    /// Looks whether the bucket holds the charge, and where that is `wanted` some more.
    pub(super) fn read(
        host: &impl Host,
        now: u64,
        charge: Charge<'a>,
        wanted: bool,
    ) -> Result<Attempt<'a>, Refused> {
        let meter = charge.meter();
        let key = charge.key.store_key(charge.limit.class, charge.limit.index);
        let (mut slot, expected) = load(host, &key)?;
        let repaired = slot.settle(meter, now);
        let state = slot.seat(charge.key.tag, meter, now).ok_or(Refused::Unavailable)?;
        let before = meter.begin(*state, now);
        match meter.take(before, now, charge.cost) {
            Ok(spent) => {
                let ahead = if wanted { ahead(meter, spent, now) } else { 0 };
                let after = spent.saturating_add(ahead);
                *state = after;
                let claim = Self { charge, key, slot, expected, before, spent, after };
                Ok(Attempt::Claimed(claim))
            }
            Err(wait) => {
                let refused = meter.refuse(before, now);
                *state = refused.unwrap_or(*state);
                if repaired || refused.is_some() {
                    // Else the wait would start afresh with every try. A lost race is no harm: the
                    // winner has settled the slot as well.
                    let _ = host.swap(&key, slot.encode(meter, now).as_bytes(), expected);
                }
                let usage = Usage::new(&charge, before, now);
                Ok(Attempt::Exceeded(Exceeded { usage, wait }))
            }
        }
    }

    /// Writes the charge; where another worker was first, looks again.
    pub(super) fn commit(&mut self, host: &impl Host, now: u64) -> Result<Usage, Refused> {
        let meter = self.charge.meter();
        for _ in 0..MAX_ATTEMPTS {
            match host.swap(&self.key, self.slot.encode(meter, now).as_bytes(), self.expected)? {
                Swap::Done => return Ok(Usage::new(&self.charge, self.spent, now)),
                Swap::Conflict => {
                    match Self::read(host, now, self.charge, self.after > self.spent)? {
                        Attempt::Claimed(claim) => *self = claim,
                        Attempt::Exceeded(exceeded) => return Err(exceeded.into()),
                    }
                }
            }
        }
        Err(Refused::Unavailable)
    }

    /// Keeps what was taken ahead of need, once the charge is written.
    pub(super) fn lease(&self, leases: &mut Leases) {
        if self.after > self.spent {
            leases.keep(&self.charge, self.spent, self.after);
        }
    }

    /// Takes a committed charge out again, as long as the bucket is as the charge left it.
    ///
    /// Once others were charged on top, part of it may have been refilled already, and to give it
    /// back in full would be to give more than was taken.
    pub(super) fn give_back(&self, host: &impl Host, now: u64) {
        let (meter, charges) = (self.charge.meter(), (self.before, self.after));
        change(host, &self.key, (self.charge.key.tag, meter), now, |state| {
            meter.give_back(state, charges, self.charge.cost, now)
        });
    }
}

/// Changes the bucket with this tag, if it is there and there is anything to change.
pub(super) fn change(
    host: &impl Host,
    key: &StoreKey,
    (tag, meter): (u64, Meter),
    now: u64,
    change: impl Fn(u64) -> Option<u64>,
) {
    for _ in 0..MAX_ATTEMPTS {
        let Ok((mut slot, expected)) = load(host, key) else { return };
        let Some(state) = slot.seated(tag) else { return };
        let Some(changed) = change(*state).filter(|_| !meter.is_idle(*state, now)) else { return };
        *state = changed;
        match host.swap(key, slot.encode(meter, now).as_bytes(), expected) {
            Ok(Swap::Conflict) => {}
            Ok(Swap::Done) | Err(HostError) => return,
        }
    }
}

/// Gives as many units as a charge is for back to its bucket, if that owes any.
pub(super) fn credit(host: &impl Host, now: u64, charge: &Charge<'_>) {
    let (meter, key) =
        (charge.meter(), charge.key.store_key(charge.limit.class, charge.limit.index));
    change(host, &key, (charge.key.tag, meter), now, |state| meter.credit(state, now, charge.cost));
}

/// The slot under a key, and what to expect when replacing it.
///
/// Bytes that are no slot are an error: to take them for an empty slot would fill every bucket.
fn load(host: &impl Host, key: &StoreKey) -> Result<(Slot, Expected), Refused> {
    match host.load(key)? {
        None => Ok((Slot::default(), Expected::Absent)),
        Some(stored) => {
            let slot = Slot::decode(&stored.value).ok_or(Refused::Unavailable)?;
            Ok((slot, Expected::Version(stored.version)))
        }
    }
}

impl From<HostError> for Refused {
    fn from(_: HostError) -> Self {
        Self::Unavailable
    }
}
