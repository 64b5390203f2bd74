//! What one worker has of one bucket that replicas share.

use super::SECOND;
use crate::limit::gcra::SKEW;

/// For how long units are good of which the service does not say when their window ends, in
/// nanoseconds, and the first pause before it is asked again after it said no.
const LAPSE: u64 = SECOND;

/// The longest such pause.
const LONGEST_PAUSE: u64 = 60 * SECOND;

/// The longest that a window may last, in nanoseconds: 32 days.
const LONGEST: u64 = 32 * 86_400 * SECOND;

/// At most one so many-th of a limit is asked for ahead of need, and of what the service says is left.
const PART: u32 = 16;

/// When units last for less, in nanoseconds, twice as many are asked for; when they last for longer
/// than four times as much, half as many.
const LASTS: u64 = SECOND;

/// What the service said besides yes or no.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// Units that are left to all, if it says so.
    pub(super) remaining: Option<u32>,
    /// Nanoseconds to the end of its window, if it says so.
    pub(super) reset: Option<u64>,
}

/// Why there are not enough units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// The service has none for so many nanoseconds.
    Closed(u64),
    /// None have been granted yet.
    Pending,
}

/// What one worker has of one bucket. All moments are in nanoseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    /// Units that were granted and are not spent, good until `until`.
    units: u32,
    until: u64,
    /// Units that were spent before they were granted.
    debt: u32,
    /// Units that could not be spent since the service was last asked.
    missed: u32,
    /// The most of them at once.
    largest: u32,
    /// How many are to be asked for ahead of need.
    batch: u32,
    /// How many less, after the service said no to more.
    fewer: Option<u32>,
    granted: u64,
    /// Since when units have been there of the window at hand.
    opened: u64,
    /// When the service was heard last. What it said is of no worth to a clock that is behind that.
    heard: u64,
    /// Units that were left to all by the service's last word, good as long as the units.
    remaining: Option<u32>,
    /// Whether the service says when its windows end.
    tells: bool,
    /// The service has none before.
    closed: u64,
    /// It had none when it was asked last, and nobody knows until when.
    is_exhausted: bool,
    pause: u64,
}

impl Account {
    /// Whether there are so many units, or they are lent.
    pub(super) fn check(&self, cost: u32, overdraft: u32, now: u64) -> Result<(), Lack> {
        let lacking = cost.saturating_sub(self.live(now));
        if lacking == 0 {
            return Ok(());
        }
        match self.closed_for(now) {
            Some(wait) => Err(Lack::Closed(wait)),
            None if self.lends(lacking, overdraft) => Ok(()),
            None => Err(Lack::Pending),
        }
    }

    /// Spends so many units, as far as they are there or lent; whether more are to be asked for.
    pub(super) fn spend(&mut self, cost: u32, overdraft: u32, now: u64) -> bool {
        let live = self.live(now);
        let lacking = cost.saturating_sub(live);
        self.units = live.saturating_sub(cost);
        let is_closed = self.closed_for(now).is_some();
        if lacking > 0 && !is_closed && self.lends(lacking, overdraft) {
            self.debt = self.debt.saturating_add(lacking);
        }
        !is_closed && (self.units <= self.batch / 2)
    }

    /// Units could not be spent.
    pub(super) fn miss(&mut self, cost: u32) {
        self.missed = self.missed.saturating_add(cost);
        self.largest = self.largest.max(cost);
    }

    /// A call has cost something else than was spent for it `then`.
    pub(super) fn settle(&mut self, (reserved, then): (u32, u64), cost: u32, now: u64) {
        let live = self.live(now);
        if cost <= reserved {
            // What was spent in another window is not given back to this one; nor is anything where
            // nobody knows when they end.
            if self.tells && self.lasts(now) && then >= self.opened {
                self.units = live.saturating_add(reserved.saturating_sub(cost));
            }
        } else {
            let more = cost.saturating_sub(reserved);
            self.units = live.saturating_sub(more);
            self.debt = self.debt.saturating_add(more.saturating_sub(live));
        }
    }

    /// The most units to hold ahead of need: so few, where nobody knows when they lapse, that all of
    /// them may be spent in the next window.
    pub(super) fn most(&self, quota: u32, overdraft: u32) -> u32 {
        let most = if self.tells { quota / PART } else { overdraft };
        // A call that costs more can only be paid at once.
        most.max(self.largest).max(1)
    }

    /// What is to be asked for: what is owed, and so much ahead of need.
    pub(super) fn ask(&self, most: u32, now: u64) -> Option<(u32, u32)> {
        if self.closed_for(now).is_some() {
            return None;
        }
        let fewer = self.fewer.filter(|fewer| *fewer > 0 || self.debt > 0);
        let batch = fewer.unwrap_or_else(|| self.batch.max(self.missed).max(1));
        let ahead = batch.min(most).saturating_sub(self.live(now));
        (self.debt > 0 || ahead > 0).then_some((self.debt, ahead))
    }

    /// The service granted what it was asked at `begun`.
    pub(super) fn grant(&mut self, (debt, ahead): (u32, u32), word: &Word, begun: u64, now: u64) {
        let live = self.live(now);
        if !self.lasts(now) {
            self.opened = now;
        }
        self.heard = now;
        self.debt = self.debt.saturating_sub(debt);
        self.units = live.saturating_add(ahead);
        self.until = begun.saturating_add(word.reset.unwrap_or(LAPSE).min(LONGEST));
        self.remaining = word.remaining;
        self.tells = word.reset.is_some();
        (self.fewer, self.is_exhausted, self.pause) = (None, false, 0);
        (self.missed, self.largest) = (0, 0);
        let lasted = now.saturating_sub(self.granted);
        self.granted = now;
        self.batch = match lasted {
            ..LASTS => self.batch.max(ahead).max(1).saturating_mul(2),
            _ if lasted > 4 * LASTS => self.batch / 2,
            _ => self.batch,
        };
        if let Some(remaining) = word.remaining {
            self.batch = self.batch.min(remaining / PART);
            if let (0, Some(reset)) = (remaining, word.reset) {
                self.closed = now.saturating_add(reset.min(LONGEST));
            }
        }
        self.batch = self.batch.max(1);
    }

    /// The service refused what it was asked; whether it is to be asked again at once, for less.
    pub(super) fn deny(&mut self, (debt, ahead): (u32, u32), word: &Word, now: u64) -> bool {
        self.tells = word.reset.is_some();
        let has_more = word.remaining != Some(0);
        if has_more && (ahead > 1 || (ahead == 1 && debt > 0)) {
            self.fewer = Some(ahead / 2);
            return true;
        }
        self.heard = now;
        // What was spent before it was granted is spent: that is what the overdraft bounds.
        self.debt = self.debt.saturating_sub(debt);
        (self.missed, self.largest) = (0, 0);
        (self.fewer, self.batch, self.remaining) = (None, 1, Some(0));
        match word.reset {
            // No earlier than it ends, as units are good for no longer: it answered in between.
            Some(reset) => self.closed = now.saturating_add(reset.min(LONGEST)),
            None => {
                self.is_exhausted = true;
                self.pause = self.pause.saturating_mul(2).clamp(LAPSE, LONGEST_PAUSE);
                self.closed = now.saturating_add(self.pause);
            }
        }
        false
    }

    /// Units that are left to all, as far as it is known.
    pub(super) fn left(&self, now: u64) -> Option<u32> {
        let is_known = self.lasts(now) || self.closed_for(now).is_some();
        let remaining = self.remaining.filter(|_| is_known)?;
        Some(remaining.saturating_add(self.live(now)))
    }

    /// Whether nothing is lost when it is forgotten.
    pub(super) fn is_idle(&self, now: u64) -> bool {
        self.live(now) == 0 && self.debt == 0 && self.closed_for(now).is_none()
    }

    /// Units that are still good.
    fn live(&self, now: u64) -> u32 {
        if self.lasts(now) { self.units } else { 0 }
    }

    /// Whether the window is still that of the last grant.
    fn lasts(&self, now: u64) -> bool {
        self.is_of_now(now) && now < self.until
    }

    /// Whether the clock has not gone back since the service was heard.
    const fn is_of_now(&self, now: u64) -> bool {
        now.saturating_add(SKEW) >= self.heard
    }

    /// For how long the service has none, as far as it is known.
    fn closed_for(&self, now: u64) -> Option<u64> {
        let left = self.closed.saturating_sub(now);
        (left > 0 && self.is_of_now(now)).then_some(left)
    }

    fn lends(&self, units: u32, overdraft: u32) -> bool {
        !self.is_exhausted && self.debt.saturating_add(units) <= overdraft
    }
}
