//! The generic cell rate algorithm, in whole nanoseconds.
//!
//! A bucket is one moment: its theoretical arrival time (TAT), at which it will be full again. The
//! farther it lies ahead of now, the more is owed; a bucket whose TAT has passed is idle, and equal
//! to one that was never used.

use std::num::NonZeroU32;

use super::rate::Rate;

/// How far the clocks of two workers may be apart, in nanoseconds, before one of them must have
/// jumped: a second.
///
/// A worker reads the clock, then the store, and may be held up in between; what it then sees there
/// comes from later than its now. Within this distance nothing is forgotten that a worker still
/// behind would need.
pub(super) const SKEW: u64 = NANOS_PER_SEC;

/// The longest that an empty bucket may take to fill, in nanoseconds: 366 days.
pub(super) const MAX_SPAN: u64 = 366 * 86_400 * NANOS_PER_SEC;

pub(super) const NANOS_PER_SEC: u64 = 1_000_000_000;

/// The shape of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gcra {
    /// Between two units at the steady rate. INVARIANT: at least 1.
    interval: u64,
    /// From empty to full. INVARIANT: a multiple of `interval`, at most [`MAX_SPAN`].
    span: u64,
}

impl Gcra {
    /// `None` if the bucket would take longer than [`MAX_SPAN`] to fill.
    pub(super) fn new(rate: Rate, burst: NonZeroU32) -> Option<Self> {
        let interval = Self::interval(rate);
        let span = interval.checked_mul(burst.get().into()).filter(|span| *span <= MAX_SPAN)?;
        Some(Self { interval, span })
    }

    /// The largest burst that a bucket of this rate may have.
    pub(super) fn max_burst(rate: Rate) -> u32 {
        u32::try_from(MAX_SPAN / Self::interval(rate)).unwrap_or(u32::MAX)
    }

    /// Rounded up, so that no rounding admits more than the rate.
    fn interval(rate: Rate) -> u64 {
        let period = u64::from(rate.period_secs().get()) * NANOS_PER_SEC;
        period.div_ceil(rate.quota().get().into())
    }

    /// The same with an interval of whole milliseconds, rounded up.
    pub(super) fn in_millis(self) -> Self {
        let burst = self.span / self.interval;
        let interval = self.interval.next_multiple_of(NANOS_PER_SEC / 1_000);
        Self { interval, span: interval.saturating_mul(burst) }
    }

    /// Whether a unit takes a millisecond or longer.
    pub(super) const fn is_slow(self) -> bool {
        self.interval >= NANOS_PER_SEC / 1_000
    }

    /// Whether `cost` units fit into a full bucket.
    pub(super) fn admits(self, cost: u32) -> bool {
        self.price(cost) <= self.span
    }

    /// The TAT to go on with: where none of this clock and this limit could have put it, all is
    /// owed from now.
    ///
    /// So after the clock went back, or the limit was tightened, nobody waits for longer than one
    /// bucket takes to fill.
    pub(super) fn settle(self, tat: u64, now: u64) -> u64 {
        let full_debt = now.saturating_add(self.span);
        if tat > full_debt.saturating_add(SKEW) { full_debt } else { tat }
    }

    /// Whether a bucket with this TAT owes no more than there is to owe.
    pub(super) fn can_owe(self, tat: u64, now: u64) -> bool {
        tat.saturating_sub(now) <= self.span
    }

    /// Takes `cost` units: the new TAT, or the nanoseconds to wait until they are there.
    ///
    /// The wait for a cost above the burst, which is never there, is the longest there is.
    pub(super) fn take(self, tat: u64, now: u64, cost: u32) -> Result<u64, u64> {
        let price = self.price(cost);
        let owed = tat.saturating_sub(now).saturating_add(price);
        if owed <= self.span {
            now.checked_add(owed).ok_or(self.span)
        } else if price > self.span {
            Err(self.span)
        } else {
            Err(owed.saturating_sub(self.span))
        }
    }

    /// The TAT once so many units are given back, if there is anything to give.
    pub(super) fn credit(self, tat: u64, now: u64, units: u32) -> Option<u64> {
        (tat > now).then(|| tat.saturating_sub(self.price(units)).max(now))
    }

    /// Whole units there are.
    pub(super) fn remaining(self, tat: u64, now: u64) -> u32 {
        u32::try_from(self.free(tat, now) / self.interval).unwrap_or(u32::MAX)
    }

    /// Nanoseconds until there is one unit more; 0 when the bucket is full.
    pub(super) fn until_more(self, tat: u64, now: u64) -> u64 {
        let debt = tat.saturating_sub(now);
        if debt == 0 {
            return 0;
        }
        debt.saturating_sub(self.span) + (self.interval - self.free(tat, now) % self.interval)
    }

    /// Whole units that are one `share`th of a bucket, in nanoseconds.
    pub(super) fn part(self, share: u64) -> u64 {
        (self.span / self.interval).checked_div(share).unwrap_or_default() * self.interval
    }

    fn free(self, tat: u64, now: u64) -> u64 {
        self.span.saturating_sub(tat.saturating_sub(now))
    }

    /// What so many units cost, in nanoseconds.
    pub(super) fn price(self, cost: u32) -> u64 {
        self.interval.saturating_mul(cost.into())
    }
}

/// Whether no worker can still see anything owed in a bucket with this TAT: lossless to forget.
pub(super) const fn is_idle(tat: u64, now: u64) -> bool {
    tat.saturating_add(SKEW) <= now
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limit::tests::assert_within;

    fn gcra(rate: &str, burst: u32) -> Gcra {
        Gcra::new(rate.parse().unwrap(), NonZeroU32::new(burst).unwrap()).unwrap()
    }

    const NOW: u64 = 1_800_000_000 * NANOS_PER_SEC;

    #[test]
    fn a_burst_is_admitted_at_once_and_then_one_unit_an_interval() {
        let gcra = gcra("60/min", 3);
        let mut tat = 0;
        for left in [2, 1, 0] {
            tat = gcra.take(tat, NOW, 1).unwrap();
            assert_eq!(gcra.remaining(tat, NOW), left);
        }
        assert_eq!(gcra.take(tat, NOW, 1), Err(NANOS_PER_SEC));
        assert_eq!(gcra.until_more(tat, NOW), NANOS_PER_SEC);
        assert!(gcra.take(tat, NOW + NANOS_PER_SEC - 1, 1).is_err());
        assert!(gcra.take(tat, NOW + NANOS_PER_SEC, 1).is_ok());
    }

    #[test]
    fn a_full_bucket_gets_no_more() {
        assert_eq!(gcra("60/min", 3).until_more(NOW, NOW), 0);
        assert_eq!(gcra("60/min", 3).remaining(0, NOW), 3);
    }

    #[test]
    fn a_cost_above_the_burst_is_refused_with_the_longest_wait() {
        let gcra = gcra("60/min", 3);
        assert!(gcra.admits(3) && !gcra.admits(4));
        assert_eq!(gcra.take(0, NOW, 4), Err(3 * NANOS_PER_SEC));
        assert_eq!(gcra.take(0, NOW, u32::MAX), Err(3 * NANOS_PER_SEC));
    }

    #[test]
    fn rounding_never_raises_the_rate() {
        assert_eq!(gcra("7/s", 1).interval, 142_857_143);
        assert_eq!(gcra("4294967295/s", 1).interval, 1);
    }

    #[test]
    fn a_bucket_that_takes_more_than_a_year_to_fill_is_none() {
        let rate: Rate = "1/365d".parse().unwrap();
        assert_eq!(Gcra::max_burst(rate), 1);
        assert!(Gcra::new(rate, NonZeroU32::new(1).unwrap()).is_some());
        assert!(Gcra::new(rate, NonZeroU32::new(2).unwrap()).is_none());
        assert!(Gcra::new(rate, NonZeroU32::MAX).is_none());
    }

    #[test]
    fn the_end_of_time_admits_nothing() {
        assert!(gcra("60/min", 3).take(0, u64::MAX, 1).is_err());
    }

    proptest! {
        #[test]
        fn no_interval_admits_more_than_rate_times_time_and_burst(
            quota in 1_u32..50,
            period in 1_u32..20,
            burst in 1_u32..20,
            arrivals in prop::collection::vec((0_u64..3_000_000_000, 1_u32..4), 1..120),
        ) {
            let rate: Rate = format!("{quota}/{period}s").parse().unwrap();
            let gcra = Gcra::new(rate, NonZeroU32::new(burst).unwrap()).unwrap();
            let (mut now, mut tat, mut admitted) = (NOW, 0, Vec::new());
            for (pause, cost) in arrivals {
                now += pause;
                match gcra.take(gcra.settle(tat, now), now, cost) {
                    Ok(next) => {
                        tat = next;
                        admitted.push((now, cost));
                    }
                    // Not unduly strict either: exactly when it was told to come, it is let in.
                    Err(wait) if gcra.admits(cost) => {
                        prop_assert!(gcra.take(tat, now + wait - 1, cost).is_err());
                        prop_assert!(gcra.take(tat, now + wait, cost).is_ok());
                    }
                    Err(wait) => prop_assert_eq!(wait, gcra.span),
                }
            }
            assert_within(rate, burst, &admitted);
        }

        #[test]
        fn remaining_units_can_be_taken_and_one_more_comes_when_told(
            quota in 1_u32..1_000,
            burst in 1_u32..1_000,
            debt in 0_u64..20_000_000_000,
        ) {
            let gcra = gcra(&format!("{quota}/10s"), burst);
            let tat = gcra.settle(NOW + debt, NOW);
            let left = gcra.remaining(tat, NOW);
            if left > 0 {
                prop_assert!(gcra.take(tat, NOW, left).is_ok());
            }
            prop_assert!(gcra.take(tat, NOW, left + 1).is_err());
            let wait = gcra.until_more(tat, NOW);
            if left < burst {
                prop_assert_eq!(gcra.remaining(tat, NOW + wait), left + 1);
                prop_assert_eq!(gcra.remaining(tat, NOW + wait - 1), left);
            }
        }

        #[test]
        fn no_numbers_make_it_panic_and_no_wait_is_beyond_the_bucket_and_the_skew(
            tat: u64,
            now: u64,
            cost: u32,
            burst in 1_u32..,
        ) {
            let gcra = gcra("1000000/s", burst);
            let tat = gcra.settle(tat, now);
            if let Err(wait) = gcra.take(tat, now, cost) {
                prop_assert!(wait <= gcra.span + SKEW);
            }
            let _ = (gcra.remaining(tat, now), gcra.until_more(tat, now), is_idle(tat, now));
        }
    }
}
