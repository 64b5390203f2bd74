//! A rate that closes for a while once it is exceeded, and for longer each time.
//!
//! What is kept of a bucket is a moment in milliseconds, whether it is closed until then, and how often it
//! has been closed of late: 44, 1 and 4 of 64 bits. While it is open the moment is that of a rate's
//! bucket (see [`super::gcra`]).

use super::gcra::{Gcra, SKEW};

const MILLI: u64 = 1_000_000;

/// A pause is at most two to the power of this many times the first one.
const MAX_LEVEL: u32 = 4;

const LEVEL_SHIFT: u32 = 15;
const CLOSED_SHIFT: u32 = 19;
const TIME_SHIFT: u32 = 20;

/// A rate, and the first pause in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trip {
    pub(super) gcra: Gcra,
    pub(super) pause: u64,
}

/// What is kept of a bucket.
#[derive(Clone, Copy)]
struct State {
    /// When it opens, or when it will be full, in nanoseconds.
    time: u64,
    is_closed: bool,
    /// How often it was closed of late.
    level: u32,
}

impl State {
    const fn read(bits: u64) -> Self {
        let level = (bits >> LEVEL_SHIFT) as u32 & 0xf;
        let time = (bits >> TIME_SHIFT).saturating_mul(MILLI);
        Self { time, is_closed: (bits >> CLOSED_SHIFT) & 1 == 1, level }
    }

    /// To the next millisecond: nobody gains by it.
    const fn write(self) -> u64 {
        let millis = self.time.div_ceil(MILLI);
        let time = if millis < 1 << 44 { millis } else { (1 << 44) - 1 };
        (time << TIME_SHIFT)
            | ((self.is_closed as u64) << CLOSED_SHIFT)
            | ((self.level as u64 & 0xf) << LEVEL_SHIFT)
    }
}

impl Trip {
    /// The pause after so many before it, in nanoseconds.
    fn pause_after(self, level: u32) -> u64 {
        pause_after(self.pause, level)
    }

    /// As of now: open again once its time has come, and as if never closed once it kept quiet for as long
    /// as it was closed last.
    fn current(self, bits: u64, now: u64) -> State {
        let State { time, is_closed, level } = State::read(bits);
        let is_forgotten = self.is_forgotten(time, level, now);
        State {
            time: time.max(now),
            is_closed: is_closed && time > now,
            level: if is_forgotten { 0 } else { level },
        }
    }

    fn is_forgotten(self, time: u64, level: u32, now: u64) -> bool {
        is_forgotten(self.pause, time, level, now)
    }

    pub(super) fn settle(self, bits: u64, now: u64) -> u64 {
        let State { time, is_closed, level } = State::read(bits);
        let latest = self.gcra.settle(u64::MAX, now);
        let latest = latest.max(now.saturating_add(self.pause_after(level)));
        if time <= latest.saturating_add(SKEW) {
            return bits;
        }
        State { time: latest, is_closed, level }.write()
    }

    pub(super) fn begin(self, bits: u64, now: u64) -> u64 {
        self.current(bits, now - now % MILLI).write()
    }

    pub(super) fn take(self, bits: u64, now: u64, cost: u32) -> Result<u64, u64> {
        // What is kept is in milliseconds: by a finer clock the last unit would come late.
        let now = now - now % MILLI;
        let state = self.current(bits, now);
        if state.is_closed {
            return Err(state.time.saturating_sub(now));
        }
        match self.gcra.take(state.time, now, cost) {
            Ok(time) => Ok(State { time, ..state }.write()),
            Err(_) => Err(self.pause_after(state.level)),
        }
    }

    /// The bucket closed, if it is not.
    pub(super) fn close(self, bits: u64, now: u64) -> Option<u64> {
        let state = self.current(bits, now);
        let time = now.saturating_add(self.pause_after(state.level));
        let level = state.level.saturating_add(1).min(MAX_LEVEL.saturating_add(1));
        (!state.is_closed).then(|| State { time, is_closed: true, level }.write())
    }

    /// So many units given back, if there is anything to give.
    pub(super) fn credit(self, bits: u64, now: u64, units: u32) -> Option<u64> {
        let state = self.current(bits, now);
        let time = self.gcra.credit(state.time, now, units).filter(|_| !state.is_closed)?;
        Some(State { time, ..state }.write())
    }

    pub(super) fn remaining(self, bits: u64, now: u64) -> u32 {
        let state = self.current(bits, now);
        if state.is_closed { 0 } else { self.gcra.remaining(state.time, now) }
    }

    pub(super) fn until_more(self, bits: u64, now: u64) -> u64 {
        let state = self.current(bits, now);
        if state.is_closed {
            state.time.saturating_sub(now)
        } else {
            self.gcra.until_more(state.time, now)
        }
    }
}

fn pause_after(pause: u64, level: u32) -> u64 {
    pause.saturating_mul(1 << level.min(MAX_LEVEL))
}

fn is_forgotten(pause: u64, time: u64, level: u32, now: u64) -> bool {
    let quiet = level.checked_sub(1).map_or(0, |level| pause_after(pause, level));
    time.saturating_add(quiet) <= now
}

/// Whether no worker can still see that it was used, or closed, where the first pause is so long.
pub(super) fn is_idle(pause: u64, bits: u64, now: u64) -> bool {
    let State { time, level, .. } = State::read(bits);
    is_forgotten(pause, time.saturating_add(SKEW), level, now)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    const NOW: u64 = 1_800_000_000_000_000_000;
    const SECOND: u64 = 1_000_000_000;

    fn trip() -> Trip {
        let gcra = Gcra::new("3/min".parse().unwrap(), NonZeroU32::new(3).unwrap()).unwrap();
        Trip { gcra, pause: 10 * SECOND }
    }

    /// Uses the bucket up; what it is then, closed.
    fn exceed(state: u64, now: u64) -> (u64, u64) {
        let mut state = trip().begin(state, now);
        for _ in 0..10 {
            match trip().take(state, now, 1) {
                Ok(next) => state = next,
                Err(wait) => return (trip().close(state, now).unwrap(), wait),
            }
        }
        panic!("never exceeded");
    }

    #[test]
    fn pauses_double_up_to_sixteen_times_and_are_forgotten_when_it_keeps_quiet() {
        let (mut state, mut now) = (0, NOW);
        for pause in [10, 20, 40, 80, 160, 160] {
            let (closed, wait) = exceed(state, now);
            assert_eq!(wait, pause * SECOND);
            assert_eq!(trip().take(closed, now + wait - SECOND, 1), Err(SECOND));
            assert_eq!(trip().close(closed, now), None, "it is");
            (state, now) = (closed, now + wait);
            assert_eq!(trip().remaining(state, now), 3, "open again, and full");
        }
        let (_, wait) = exceed(state, now + 161 * SECOND);
        assert_eq!(wait, 10 * SECOND);
        assert!(!is_idle(trip().pause, state, now + 160 * SECOND));
        assert!(is_idle(trip().pause, state, now + 161 * SECOND + SKEW));
    }

    #[test]
    fn all_of_a_bucket_is_there_at_once_whatever_the_clock_says() {
        for (rate, burst) in [("2/min", 2), ("7/min", 7), ("700/s", 700)] {
            let gcra = Gcra::new(rate.parse().unwrap(), NonZeroU32::new(burst).unwrap()).unwrap();
            let trip = Trip { gcra: gcra.in_millis(), pause: SECOND };
            let now = NOW + 123_456;
            let mut state = trip.begin(0, now);
            for unit in 0..burst {
                state = trip
                    .take(trip.begin(state, now), now, 1)
                    .unwrap_or_else(|_| panic!("{rate}: {unit}"));
            }
            assert!(trip.take(state, now, 1).is_err());
        }
    }

    #[test]
    fn after_the_clock_went_back_nobody_waits_longer_than_a_pause() {
        let (closed, _) = exceed(0, NOW + 365 * 86_400 * SECOND);
        let settled = trip().settle(closed, NOW);
        let wait = trip().take(settled, NOW, 1).unwrap_err();
        assert!(wait <= 60 * SECOND, "{wait}");
        assert_eq!(trip().settle(settled, NOW), settled);
    }

    #[test]
    fn what_is_given_back_fills_an_open_bucket_and_opens_no_closed_one() {
        let used = trip().take(trip().begin(0, NOW), NOW, 3).unwrap();
        let back = trip().credit(used, NOW, 2).unwrap();
        assert_eq!(trip().remaining(back, NOW), 2);
        let full = trip().credit(back, NOW, 9).unwrap();
        assert_eq!((trip().remaining(full, NOW), trip().credit(full, NOW, 1)), (3, None));
        let (closed, _) = exceed(0, NOW);
        assert_eq!(trip().credit(closed, NOW, 9), None);
    }
}
