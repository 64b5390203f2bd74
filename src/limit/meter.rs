//! What a bucket is: one that fills steadily, or a window of the calendar. Either is 64 bits.

use super::gcra::{self, Gcra};
use super::window::{self, Window};

/// The kind of a bucket, and its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meter {
    /// Its state is a TAT.
    Rate(Gcra),
    /// Its state is an end and what is used.
    Quota(Window),
}

impl Meter {
    /// The same by the clocks of another place.
    pub(super) const fn in_zone(self, offset: i32) -> Self {
        match self {
            Self::Rate(_) => self,
            Self::Quota(window) => Self::Quota(Window { offset, ..window }),
        }
    }

    /// Whether `cost` units fit into a full bucket.
    pub(super) fn admits(self, cost: u32) -> bool {
        match self {
            Self::Rate(gcra) => gcra.admits(cost),
            Self::Quota(window) => cost <= window.units,
        }
    }

    /// The state to go on with: what no clock of now can have put there is put right.
    pub(super) fn settle(self, state: u64, now: u64) -> u64 {
        match self {
            Self::Rate(gcra) => gcra.settle(state, now),
            Self::Quota(window) => window.settle(state, now),
        }
    }

    /// The state of a bucket that is looked at `now`: where it was idle, that of a full one of now.
    pub(super) fn begin(self, state: u64, now: u64) -> u64 {
        match self {
            Self::Rate(_) => state.max(now),
            Self::Quota(window) => window.begin(state, now),
        }
    }

    /// Takes `cost` units: the state then, or the nanoseconds to wait.
    pub(super) fn take(self, state: u64, now: u64, cost: u32) -> Result<u64, u64> {
        match self {
            Self::Rate(gcra) => gcra.take(state, now, cost),
            Self::Quota(window) => window.take(state, now, cost),
        }
    }

    /// The state of which a charge is taken out again that made it `after` of `before`; nothing where
    /// that would give more than was taken.
    pub(super) fn give_back(
        self,
        state: u64,
        (before, after): (u64, u64),
        cost: u32,
    ) -> Option<u64> {
        match self {
            Self::Rate(_) => (state == after).then_some(before),
            Self::Quota(_) => window::correct(state, after, cost, 0),
        }
    }

    /// Whole units there are.
    pub(super) fn remaining(self, state: u64, now: u64) -> u32 {
        match self {
            Self::Rate(gcra) => gcra.remaining(state, now),
            Self::Quota(window) => window.remaining(state, now),
        }
    }

    /// Nanoseconds until there are more; 0 when the bucket is full.
    pub(super) fn until_more(self, state: u64, now: u64) -> u64 {
        match self {
            Self::Rate(gcra) => gcra.until_more(state, now),
            Self::Quota(window) => window.until_more(state, now),
        }
    }

    /// Whether no worker can still see anything owed in a bucket: lossless to forget.
    pub(super) fn is_idle(self, state: u64, now: u64) -> bool {
        match self {
            Self::Rate(_) => gcra::is_idle(state, now),
            Self::Quota(_) => window::is_idle(state, now),
        }
    }
}
