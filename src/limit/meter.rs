//! What a bucket is: one that fills steadily, a window of the calendar, or calls under way. Each is 64 bits.

use super::gcra::{self, Gcra};
use super::in_flight::InFlight;
use super::trip::{self, Trip};
use super::window::{self, Window};

/// The kind of a bucket, and its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meter {
    /// Its state is a TAT.
    Rate(Gcra),
    /// Its state is an end and what is used.
    Quota(Window),
    /// Its state is what has begun of late and not ended.
    InFlight(InFlight),
    /// Its state is a TAT, or when it opens again.
    Trip(Trip),
}

impl Meter {
    /// The same by the clocks of another place.
    pub(super) const fn in_zone(self, offset: i32) -> Self {
        match self {
            Self::Rate(_) | Self::InFlight(_) | Self::Trip(_) => self,
            Self::Quota(window) => Self::Quota(Window { offset, ..window }),
        }
    }

    /// Whether `cost` units fit into a full bucket.
    pub(super) fn admits(self, cost: u32) -> bool {
        match self {
            Self::Rate(gcra) => gcra.admits(cost),
            Self::Quota(window) => cost <= window.units,
            Self::InFlight(calls) => calls.most > 0,
            Self::Trip(trip) => trip.gcra.admits(cost),
        }
    }

    /// The state to go on with: what no clock of now can have put there is put right.
    pub(super) fn settle(self, state: u64, now: u64) -> u64 {
        match self {
            Self::Rate(gcra) => gcra.settle(state, now),
            Self::Quota(window) => window.settle(state, now),
            Self::InFlight(_) => state,
            Self::Trip(trip) => trip.settle(state, now),
        }
    }

    /// The state of a bucket that is looked at `now`: where it was idle, that of a full one of now.
    pub(super) fn begin(self, state: u64, now: u64) -> u64 {
        match self {
            Self::Rate(_) => state.max(now),
            Self::Quota(window) => window.begin(state, now),
            Self::InFlight(calls) => calls.begin(state, now),
            Self::Trip(trip) => trip.begin(state, now),
        }
    }

    /// Takes `cost` units: the state then, or the nanoseconds to wait.
    pub(super) fn take(self, state: u64, now: u64, cost: u32) -> Result<u64, u64> {
        match self {
            Self::Rate(gcra) => gcra.take(state, now, cost),
            Self::Quota(window) => window.take(state, now, cost),
            Self::InFlight(calls) => calls.take(state, now),
            Self::Trip(trip) => trip.take(state, now, cost),
        }
    }

    /// The state of a bucket that has refused a charge, if that changes it.
    pub(super) fn refuse(self, state: u64, now: u64) -> Option<u64> {
        match self {
            Self::Rate(_) | Self::Quota(_) | Self::InFlight(_) => None,
            Self::Trip(trip) => trip.close(state, now),
        }
    }

    /// The state to which so many units are given back, if there is anything to give.
    pub(super) fn credit(self, state: u64, now: u64, units: u32) -> Option<u64> {
        match self {
            Self::Rate(gcra) => gcra.credit(state, now, units),
            Self::Quota(_) | Self::InFlight(_) => None,
            Self::Trip(trip) => trip.credit(state, now, units),
        }
    }

    /// The state of which a charge is taken out again that made it `after` of `before`; nothing where
    /// that would give more than was taken.
    pub(super) fn give_back(
        self,
        state: u64,
        (before, after): (u64, u64),
        cost: u32,
        now: u64,
    ) -> Option<u64> {
        match self {
            Self::Rate(_) | Self::Trip(_) => (state == after).then_some(before),
            Self::Quota(_) => window::correct(state, after, cost, 0),
            Self::InFlight(calls) => calls.end(state, after, now),
        }
    }

    /// Whole units there are.
    pub(super) fn remaining(self, state: u64, now: u64) -> u32 {
        match self {
            Self::Rate(gcra) => gcra.remaining(state, now),
            Self::Quota(window) => window.remaining(state, now),
            Self::InFlight(calls) => calls.most.saturating_sub(calls.under_way(state, now)),
            Self::Trip(trip) => trip.remaining(state, now),
        }
    }

    /// Nanoseconds until there are more; 0 when the bucket is full.
    pub(super) fn until_more(self, state: u64, now: u64) -> u64 {
        match self {
            Self::Rate(gcra) => gcra.until_more(state, now),
            Self::Quota(window) => window.until_more(state, now),
            // Nobody knows when a call ends.
            Self::InFlight(_) => 0,
            Self::Trip(trip) => trip.until_more(state, now),
        }
    }

    /// Whether no worker can still see anything owed in a bucket: lossless to forget.
    pub(super) fn is_idle(self, state: u64, now: u64) -> bool {
        self.idle().is(state, now)
    }

    /// When that is.
    pub(super) const fn idle(self) -> Idle {
        match self {
            Self::Rate(_) => Idle::Rate,
            Self::Quota(_) => Idle::Quota,
            Self::InFlight(calls) => Idle::InFlight(calls.span),
            Self::Trip(trip) => Idle::Trip(trip.pause),
        }
    }
}

/// When nothing is owed in a bucket any more, whatever its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Idle {
    /// Of [`Meter::Rate`].
    Rate,
    /// Of [`Meter::Quota`].
    Quota,
    /// Of [`Meter::InFlight`], with the length of a span.
    InFlight(u64),
    /// Of [`Meter::Trip`], with the first pause.
    Trip(u64),
}

impl Idle {
    pub(super) fn is(self, state: u64, now: u64) -> bool {
        match self {
            Self::Rate => gcra::is_idle(state, now),
            Self::Quota => window::is_idle(state, now),
            Self::InFlight(span) => InFlight { most: 0, span }.is_idle(state, now),
            Self::Trip(pause) => trip::is_idle(pause, state, now),
        }
    }

    /// As it is kept: the kind, and nanoseconds.
    pub(super) const fn to_parts(self) -> (u8, u64) {
        match self {
            Self::Rate => (b'r', 0),
            Self::Quota => (b'q', 0),
            Self::InFlight(span) => (b'f', span),
            Self::Trip(pause) => (b't', pause),
        }
    }

    /// As it was kept.
    pub(super) const fn of_parts(kind: u8, nanos: u64) -> Option<Self> {
        match kind {
            b'r' => Some(Self::Rate),
            b'q' => Some(Self::Quota),
            b'f' => Some(Self::InFlight(nanos)),
            b't' => Some(Self::Trip(nanos)),
            _ => None,
        }
    }
}
