//! Units that one worker took ahead of need, so that it need not ask the shared store each time.
//!
//! Where a bucket is wide, a worker charges a small batch at once and spends it by itself: workers
//! meet in the store less often. The bound of the limit holds all the same. A unit is an interval
//! of the bucket's time (see [`super::gcra`]): it is charged once, and it can be spent only until
//! the moment from which it lies in the past, when the bucket has filled up by as much. So what is
//! admitted in any span of time are different intervals that end within that span and a burst.
//!
//! What a worker took and does not spend is lost to the others until then: at most one
//! [`SHARE`]th of the burst for each worker. Nothing is taken ahead from a bucket that is not half
//! full, so whoever comes near a limit is counted exactly.

use super::meter::Meter;
use super::take::Charge;
use super::{BucketKey, Class};

/// The most leases that one worker holds; a bucket beyond them is charged in the store each time.
pub const MAX_LEASES: usize = 256;

/// Which part of a burst is taken ahead of need. Below twice as many units, none is.
pub(super) const SHARE: u64 = 256;

/// The units that one worker took ahead of need, in at most [`MAX_LEASES`] buckets.
#[derive(Debug, Default)]
pub struct Leases {
    // INVARIANT: empty, or `MAX_LEASES` long, each lease at the place of its bucket.
    leases: Vec<Lease>,
}

/// Units of one bucket.
#[derive(Clone, Copy, Debug)]
struct Lease {
    bucket: (Class, u8, BucketKey),
    /// Where the units that are left begin, as a TAT.
    next: u64,
    /// Where they end.
    end: u64,
}

impl Leases {
    /// The TAT that stands for what has been spent once `charge` is paid from a lease; `None` when
    /// no lease holds enough.
    pub(super) fn find(&self, charge: &Charge<'_>, now: u64) -> Option<u64> {
        let lease = self.leases.get(place(charge)).filter(|lease| lease.is_of(charge))?;
        let Meter::Rate(gcra) = charge.limit.meter else { return None };
        let spent = lease.next.max(now).checked_add(gcra.price(charge.cost))?;
        // The clock may have gone back since.
        (spent <= lease.end && gcra.can_owe(lease.end, now)).then_some(spent)
    }

    /// Pays `charge` from a lease; the TAT that stands for what has been spent then, or `None`
    /// when no lease holds enough.
    pub(super) fn spend(&mut self, charge: &Charge<'_>, now: u64) -> Option<u64> {
        let spent = self.find(charge, now)?;
        self.leases.get_mut(place(charge))?.next = spent;
        Some(spent)
    }

    /// Whether a lease of the bucket of `charge` would be kept: its place is not taken by another
    /// that still holds units.
    pub(super) fn has_room(&self, charge: &Charge<'_>, now: u64) -> bool {
        let lease = self.leases.get(place(charge));
        lease.is_none_or(|lease| lease.is_of(charge) || lease.end <= now)
    }

    /// Keeps the units from `next` to `end`.
    pub(super) fn keep(&mut self, charge: &Charge<'_>, next: u64, end: u64) {
        let lease = Lease { bucket: charge.bucket(), next, end };
        if self.leases.is_empty() {
            self.leases = vec![Lease { next: 0, end: 0, ..lease }; MAX_LEASES];
        }
        if let Some(kept) = self.leases.get_mut(place(charge)) {
            *kept = lease;
        }
    }
}

impl Lease {
    fn is_of(&self, charge: &Charge<'_>) -> bool {
        self.bucket == charge.bucket()
    }
}

fn place(charge: &Charge<'_>) -> usize {
    let [low, ..] = (charge.key.tag ^ u64::from(charge.limit.index)).to_le_bytes();
    usize::from(low)
}

/// Nanoseconds' worth of units to take ahead of need from a bucket with this TAT.
pub(super) fn ahead(meter: Meter, tat: u64, now: u64) -> u64 {
    let Meter::Rate(gcra) = meter else { return 0 };
    let batch = gcra.part(SHARE);
    let owed = tat.saturating_sub(now);
    if batch >= gcra.price(2) && owed.saturating_add(batch) <= gcra.part(2) { batch } else { 0 }
}

#[cfg(test)]
mod tests;
