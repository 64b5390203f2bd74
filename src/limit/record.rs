//! What the shared store has of one principal, changed by compare-and-swap: the states of its buckets in
//! all limits of a group.

use super::Limit;
use super::group::Member;
use super::key::{Owner, StoreKey};
use super::lease::{Leases, ahead};
use super::meter::Meter;
use super::slot::{Seat, Slot};
use super::take::{Charge, Exceeded, Refused, Usage};
use crate::host::{Expected, Host, HostError, Swap};

/// How often a swap is tried before the store counts as too contended.
///
/// Each swap that is lost is another worker's success, so this many in a row are a storm.
pub(super) const MAX_ATTEMPTS: u32 = 16;

/// The record of the principal of some charges, as it was read.
pub(super) struct Record {
    owner: Owner,
    key: StoreKey,
    /// Without the charges.
    slot: Slot,
    seat: Seat,
    expected: Expected,
    /// Whether there is something to write even if nothing is charged: what no clock can have written
    /// is put right, and a bucket that was exceeded closes.
    is_mended: bool,
}

/// A charge that its bucket holds, not yet written.
#[derive(Clone, Copy)]
pub(super) struct Claim<'a> {
    charge: Charge<'a>,
    /// Of which record.
    record: usize,
    /// Where in the record.
    place: usize,
    /// The state of the bucket without the charge. INVARIANT: not idle, so that a slot that is
    /// put back is never written without any entry.
    before: u64,
    /// Its state with it.
    spent: u64,
    /// The same, with what is taken ahead of need. INVARIANT: not before `spent`.
    after: u64,
}

impl Record {
    /// Reads the record of the principal that a charge is for.
    pub(super) fn read(host: &impl Host, now: u64, charge: &Charge<'_>) -> Result<Self, Refused> {
        let (owner, group) = (charge.owner(), &*charge.limit.group);
        let key = owner.store_key();
        let (mut slot, expected) = match host.load(&key)? {
            None => (Slot::new(&group.columns), Expected::Absent),
            Some(stored) => {
                // Bytes that are no slot are an error: to take them for none would fill every bucket.
                let slot = Slot::read(stored.value).and_then(|slot| slot.with(group, now));
                (slot.ok_or(Refused::Unavailable)?, Expected::Version(stored.version))
            }
        };
        let seat = slot.seat(owner.tag(), now);
        Ok(Self { owner, key, slot, seat, expected, is_mended: false })
    }

    /// Whether a charge is for its principal, and for a limit that it has.
    pub(super) fn is_of(&self, charge: &Charge<'_>) -> bool {
        self.owner == charge.owner() && self.place_of(charge.limit).is_some()
    }

    fn place_of(&self, limit: &Limit) -> Option<usize> {
        self.slot.place_of(limit.member(), limit.place)
    }

    /// Looks whether the bucket holds a charge, and where that is `wanted` some more; `record` is the
    /// place of this one.
    pub(super) fn look<'a>(
        &mut self,
        (charge, record): (Charge<'a>, usize),
        wanted: bool,
        now: u64,
    ) -> Result<Claim<'a>, Exceeded> {
        let meter = charge.meter();
        let Some(place) = self.place_of(charge.limit) else {
            // INVARIANT: never so, for it is asked first whether it is of this record.
            return Err(Exceeded { usage: Usage::used_up(&charge, 0), wait: 0 });
        };
        let state = self.slot.state(self.seat, place);
        let settled = meter.settle(state, now);
        let before = meter.begin(settled, now);
        match meter.take(before, now, charge.cost) {
            Ok(spent) => {
                let ahead = if wanted { ahead(meter, spent, now) } else { 0 };
                let after = spent.saturating_add(ahead);
                Ok(Claim { charge, record, place, before, spent, after })
            }
            Err(wait) => {
                let refused = meter.refuse(before, now).unwrap_or(settled);
                if refused != state {
                    self.slot.set_state(self.seat, place, refused);
                    self.is_mended = true;
                }
                Err(Exceeded { usage: Usage::new(&charge, before, now), wait })
            }
        }
    }

    /// Writes what was put right, where anything was: else a wait would start afresh with every try. A lost
    /// race is no harm, for the winner has put it right as well.
    pub(super) fn mend(&self, host: &impl Host) {
        if self.is_mended {
            let _ = host.swap(&self.key, self.slot.as_bytes(), self.expected);
        }
    }

    /// Writes the charges of this record; where another worker was first, looks again.
    pub(super) fn commit(
        &mut self,
        host: &impl Host,
        now: u64,
        (claims, place): (&mut [Option<Claim<'_>>], usize),
    ) -> Result<(), Refused> {
        for _ in 0..MAX_ATTEMPTS {
            for claim in claims.iter().flatten().filter(|claim| claim.record == place) {
                self.slot.set_state(self.seat, claim.place, claim.after);
            }
            self.slot.prune(self.seat, now);
            if host.swap(&self.key, self.slot.as_bytes(), self.expected)? == Swap::Done {
                return Ok(());
            }
            let mut own = claims.iter_mut().flatten().filter(|claim| claim.record == place);
            let Some(first) = own.next() else { return Ok(()) };
            *self = Self::read(host, now, &first.charge)?;
            for claim in [first].into_iter().chain(own) {
                let wanted = claim.after > claim.spent;
                *claim = self
                    .look((claim.charge, place), wanted, now)
                    .inspect_err(|_| self.mend(host))?;
            }
        }
        Err(Refused::Unavailable)
    }

    /// Takes committed charges out again, each as long as its bucket is as the charge left it.
    ///
    /// Once others were charged on top, part of it may have been refilled already, and to give it
    /// back in full would be to give more than was taken.
    pub(super) fn give_back(
        &self,
        host: &impl Host,
        now: u64,
        (claims, place): (&[Option<Claim<'_>>], usize),
    ) {
        change(host, self.owner, |slot, seat| {
            let mut is_changed = false;
            for claim in claims.iter().flatten().filter(|claim| claim.record == place) {
                let (charge, limit) = (&claim.charge, claim.charge.limit);
                let given = |state| {
                    let charges = (claim.before, claim.after);
                    charge.meter().give_back(state, charges, charge.cost, now)
                };
                is_changed |= change_one(slot, seat, (limit.member(), limit.meter), now, given);
            }
            is_changed
        });
    }
}

impl Claim<'_> {
    /// What the bucket holds then.
    pub(super) fn usage(&self, now: u64) -> Usage {
        Usage::new(&self.charge, self.spent, now)
    }

    /// Keeps what was taken ahead of need, once the charge is written.
    pub(super) fn lease(&self, leases: &mut Leases) {
        if self.after > self.spent {
            leases.keep(&self.charge, self.spent, self.after);
        }
    }
}

/// Changes the state of one bucket, if it is there and there is anything to change.
pub(super) fn change_bucket(
    host: &impl Host,
    owner: Owner,
    bucket: (Member, Meter),
    now: u64,
    to: impl Fn(u64) -> Option<u64>,
) {
    change(host, owner, |slot, seat| change_one(slot, seat, bucket, now, &to));
}

/// Gives as many units as a charge is for back to its bucket, if that owes any.
pub(super) fn credit(host: &impl Host, now: u64, charge: &Charge<'_>) {
    let meter = charge.meter();
    let bucket = (charge.limit.member(), meter);
    change_bucket(host, charge.owner(), bucket, now, |state| meter.credit(state, now, charge.cost));
}

fn change_one(
    slot: &mut Slot,
    seat: Seat,
    (member, meter): (Member, Meter),
    now: u64,
    to: impl Fn(u64) -> Option<u64>,
) -> bool {
    let Some(place) = slot.place_of(member, 0) else { return false };
    let state = slot.state(seat, place);
    let changed = to(state).filter(|_| !meter.is_idle(state, now));
    changed.into_iter().for_each(|changed| slot.set_state(seat, place, changed));
    changed.is_some()
}

/// Changes what there is of `owner`, if there is anything, and `change` says that it has.
fn change(host: &impl Host, owner: Owner, change: impl Fn(&mut Slot, Seat) -> bool) {
    let key = &owner.store_key();
    for _ in 0..MAX_ATTEMPTS {
        let Ok(Some(stored)) = host.load(key) else { return };
        let Some(mut slot) = Slot::read(stored.value) else { return };
        let Some(seat) = slot.find(owner.tag()) else { return };
        if !change(&mut slot, seat) {
            return;
        }
        match host.swap(key, slot.as_bytes(), Expected::Version(stored.version)) {
            Ok(Swap::Conflict) => {}
            Ok(Swap::Done) | Err(HostError) => return,
        }
    }
}

impl From<HostError> for Refused {
    fn from(_: HostError) -> Self {
        Self::Unavailable
    }
}
