//! A number of units for each hour, day or month of the calendar: all at once or little by little.
//!
//! What is kept of a bucket is when its window ends and what is used of it, in 64 bits: the second of the
//! end in the upper half, the units in the lower. So of two buckets of one window that one is the greater of
//! which more is used, and one whose window has passed is idle.

use super::gcra::{NANOS_PER_SEC, SKEW};
use crate::calendar::{days_in, days_since_1970};

/// The longest window: a month of 31 days.
const LONGEST_SECS: u64 = 31 * 86_400;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// How long a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A month.
    Month,
}

impl Period {
    /// As policies write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// In seconds, where all are as long.
    pub const fn seconds(self) -> Option<u32> {
        match self {
            Self::Hour => Some(3_600),
            Self::Day => Some(86_400),
            Self::Month => None,
        }
    }
}

/// Units for each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) units: u32,
    pub(super) period: Period,
    /// What clocks say there, less UTC, in seconds.
    pub(super) offset: i32,
}

impl Window {
    /// When the window ends in which `now` is, in seconds since the Unix epoch.
    fn end(self, now: u64) -> u32 {
        let offset = i64::from(self.offset);
        let here = (now / NANOS_PER_SEC).cast_signed().saturating_add(offset);
        let next = |length: i64| here.div_euclid(length).saturating_add(1).saturating_mul(length);
        let end = match self.period {
            Period::Hour => next(HOUR),
            Period::Day => next(DAY),
            Period::Month => next_month(here.div_euclid(DAY)).saturating_mul(DAY),
        };
        u32::try_from(end.saturating_sub(offset)).unwrap_or(u32::MAX)
    }

    /// The bucket as it is to be gone on with: one whose window is farther ahead than any is from now is
    /// of a clock that went back, and ends as late as one may.
    pub(super) fn settle(self, state: u64, now: u64) -> u64 {
        let longest = self.period.seconds().map_or(LONGEST_SECS, u64::from);
        let latest = (now.saturating_add(SKEW) / NANOS_PER_SEC).saturating_add(longest);
        let (end, used) = parts(state);
        if u64::from(end) <= latest {
            return state;
        }
        whole(u32::try_from(latest).unwrap_or(u32::MAX), used)
    }

    /// The window at hand and what is used of it. One that another worker is in already counts.
    fn current(self, state: u64, now: u64) -> (u32, u32) {
        let (end, used) = parts(state);
        if u64::from(end).saturating_mul(NANOS_PER_SEC) > now {
            (end, used)
        } else {
            (self.end(now), 0)
        }
    }

    /// The bucket in its window of now.
    pub(super) fn begin(self, state: u64, now: u64) -> u64 {
        let (end, used) = self.current(state, now);
        whole(end, used)
    }

    /// Takes `cost` units: the bucket then, or the nanoseconds to wait until they may be there.
    pub(super) fn take(self, state: u64, now: u64, cost: u32) -> Result<u64, u64> {
        let (end, used) = self.current(state, now);
        match used.checked_add(cost).filter(|used| *used <= self.units) {
            Some(used) => Ok(whole(end, used)),
            None => Err(until(end, now)),
        }
    }

    /// Units there are.
    pub(super) fn remaining(self, state: u64, now: u64) -> u32 {
        self.units.saturating_sub(self.current(state, now).1)
    }

    /// Nanoseconds until there are more; 0 while all are there.
    pub(super) fn until_more(self, state: u64, now: u64) -> u64 {
        match self.current(state, now) {
            (_, 0) => 0,
            (end, _) => until(end, now),
        }
    }
}

/// The bucket in which `cost` is used in the place of `reserved`, if its window is still the one of
/// `then`.
pub(super) fn correct(state: u64, then: u64, reserved: u32, cost: u32) -> Option<u64> {
    let ((end, used), (at, _)) = (parts(state), parts(then));
    (end == at).then(|| whole(end, used.saturating_sub(reserved).saturating_add(cost)))
}

/// Whether no worker is in its window any more.
pub(super) fn is_idle(state: u64, now: u64) -> bool {
    u64::from(parts(state).0).saturating_mul(NANOS_PER_SEC).saturating_add(SKEW) <= now
}

const fn whole(end: u32, used: u32) -> u64 {
    ((end as u64) << u32::BITS) | used as u64
}

const fn parts(state: u64) -> (u32, u32) {
    ((state >> u32::BITS) as u32, state as u32)
}

fn until(end: u32, now: u64) -> u64 {
    u64::from(end).saturating_mul(NANOS_PER_SEC).saturating_sub(now)
}

/// The first day of the month after that of `day`, both counted from 1970.
fn next_month(day: i64) -> i64 {
    // Of 400 years all have as many days; which of them it is is found by trying.
    let mut year = 1970_i64.saturating_add(day.div_euclid(366));
    while days_since_1970(year.saturating_add(1), 1, 1) <= day {
        year = year.saturating_add(1);
    }
    let mut next = days_since_1970(year, 1, 1);
    for month in 1..=12 {
        next = next.saturating_add(days_in(year, month));
        if next > day {
            break;
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Moment;

    fn at(text: &str) -> u64 {
        let moment: Moment = text.parse().unwrap();
        moment.as_secs().cast_unsigned() * NANOS_PER_SEC
    }

    fn window(period: Period, offset: i32) -> Window {
        Window { units: 10, period, offset }
    }

    #[test]
    fn windows_end_where_the_calendar_has_it() {
        for (period, offset, now, end) in [
            (Period::Hour, 0, "2026-11-28T21:59:59Z", "2026-11-28T22:00:00Z"),
            (Period::Hour, 0, "2026-11-28T22:00:00Z", "2026-11-28T23:00:00Z"),
            (Period::Hour, 19_800, "2026-11-28T22:00:00Z", "2026-11-28T22:30:00Z"),
            (Period::Day, 0, "2026-11-28T22:00:00Z", "2026-11-29T00:00:00Z"),
            (Period::Day, 3_600, "2026-11-28T22:59:59Z", "2026-11-28T23:00:00Z"),
            (Period::Day, 3_600, "2026-11-28T23:00:00Z", "2026-11-29T23:00:00Z"),
            (Period::Day, -18_000, "2026-11-28T04:59:59Z", "2026-11-28T05:00:00Z"),
            (Period::Month, 0, "2026-11-28T22:00:00Z", "2026-12-01T00:00:00Z"),
            (Period::Month, 0, "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"),
            (Period::Month, 3_600, "2026-12-31T23:00:00Z", "2027-01-31T23:00:00Z"),
            (Period::Month, 0, "2028-02-10T00:00:00Z", "2028-03-01T00:00:00Z"),
            (Period::Month, 0, "2100-02-28T00:00:00Z", "2100-03-01T00:00:00Z"),
        ] {
            let found = window(period, offset).end(at(now));
            assert_eq!(u64::from(found) * NANOS_PER_SEC, at(end), "{period:?} {offset} {now}");
        }
    }

    #[test]
    fn every_day_is_in_a_month_that_ends_after_it() {
        for day in 0..60_000 {
            let next = next_month(day);
            assert!(next > day && next - day <= 31, "{day}");
            assert_eq!(next_month(next - 1), next, "{day}");
        }
    }

    #[test]
    fn units_are_there_again_when_the_window_has_passed() {
        let (day, noon) = (window(Period::Day, 0), at("2026-11-28T12:00:00Z"));
        let used = day.take(0, noon, 7).unwrap();
        assert_eq!((day.remaining(0, noon), day.until_more(0, noon)), (10, 0));
        assert_eq!(
            (day.remaining(used, noon), day.until_more(used, noon)),
            (3, 12 * 3_600 * NANOS_PER_SEC)
        );
        assert_eq!(day.take(used, noon, 4), Err(12 * 3_600 * NANOS_PER_SEC));
        let full = day.take(used, noon, 3).unwrap();
        assert!(day.take(full, at("2026-11-28T23:59:59Z"), 1).is_err());
        assert!(day.take(full, at("2026-11-29T00:00:00Z"), 10).is_ok());
        assert!(
            !is_idle(full, at("2026-11-29T00:00:00Z")) && is_idle(full, at("2026-11-29T00:00:01Z"))
        );
    }

    #[test]
    fn a_worker_that_is_behind_counts_in_the_window_that_another_is_in() {
        let day = window(Period::Day, 0);
        let ahead = day.take(0, at("2026-11-29T00:00:00Z"), 10).unwrap();
        let behind = at("2026-11-28T23:59:59Z");
        assert_eq!(day.settle(ahead, behind), ahead);
        assert!(day.take(ahead, behind, 1).is_err());
    }

    #[test]
    fn after_the_clock_went_back_nobody_waits_for_longer_than_a_window_nor_starts_afresh() {
        let day = window(Period::Day, 0);
        let full = day.take(0, at("2027-06-01T00:00:00Z"), 10).unwrap();
        let now = at("2026-11-28T12:00:00Z");
        let settled = day.settle(full, now);
        let wait = day.take(settled, now, 1).unwrap_err();
        assert!(wait <= 86_401 * NANOS_PER_SEC, "{wait}");
        assert_eq!(day.settle(settled, now), settled);
    }

    #[test]
    fn what_was_reserved_is_corrected_within_its_window_only() {
        let (day, noon) = (window(Period::Day, 0), at("2026-11-28T12:00:00Z"));
        let reserved = day.take(0, noon, 5).unwrap();
        let more = day.take(reserved, noon, 2).unwrap();
        assert_eq!(day.remaining(correct(more, reserved, 5, 0).unwrap(), noon), 8);
        assert_eq!(day.remaining(correct(more, reserved, 5, 9).unwrap(), noon), 0);
        let tomorrow = day.take(more, at("2026-11-29T12:00:00Z"), 1).unwrap();
        assert_eq!(correct(tomorrow, reserved, 5, 0), None);
    }
}
