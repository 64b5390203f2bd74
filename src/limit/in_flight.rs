//! Calls that are under way at once.
//!
//! A call is counted when it begins and no more when it ends. One whose end nobody hears of, for its
//! worker ended first, is forgotten by time: what is kept of a bucket is how many calls began in each of
//! the last [`SPANS`] spans of time and have not ended. That is 64 bits: the number of the latest span in
//! the upper 16, and 12 for each count, the latest first.

use super::gcra::SKEW;

/// The most calls at once that can be counted.
pub(super) const MAX_AT_ONCE: u32 = 4_095;

/// Spans in which a call may have begun that is still counted. A call is counted for at least all but
/// one of them.
const SPANS: usize = 4;

const BITS: u32 = 12;

/// At most so many calls at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InFlight {
    /// INVARIANT: at most [`MAX_AT_ONCE`].
    pub(super) most: u32,
    /// How long a span is, in nanoseconds. INVARIANT: at least 1.
    pub(super) span: u64,
}

impl InFlight {
    /// So many at once, each for so many nanoseconds at most.
    pub(super) fn new(most: u32, longest: u64) -> Self {
        let spans = SPANS.saturating_sub(1) as u64;
        Self { most: most.min(MAX_AT_ONCE), span: longest.div_ceil(spans).max(1) }
    }

    fn epoch(self, now: u64) -> u16 {
        (now / self.span.max(1)) as u16
    }

    /// The latest span as of now, and what is under way of it and of those before.
    fn current(self, state: u64, now: u64) -> (u16, [u32; SPANS]) {
        let (epoch, here) = (epoch_of(state), self.epoch(now));
        let passed = here.wrapping_sub(epoch);
        let counts = counts_of(state);
        if passed > u16::MAX - 2 {
            // Another worker's clock is in the next span already.
            return (epoch, counts);
        }
        let mut shifted = [0; SPANS];
        let kept = shifted.iter_mut().skip(passed.into());
        kept.zip(counts).for_each(|(place, count)| *place = count);
        (here, shifted)
    }

    pub(super) fn begin(self, state: u64, now: u64) -> u64 {
        let (epoch, counts) = self.current(state, now);
        whole(epoch, counts)
    }

    pub(super) fn under_way(self, state: u64, now: u64) -> u32 {
        self.current(state, now).1.into_iter().sum()
    }

    /// One call more, if it may be; else how long to wait until one may have ended.
    pub(super) fn take(self, state: u64, now: u64) -> Result<u64, u64> {
        let (epoch, mut counts) = self.current(state, now);
        if counts.iter().sum::<u32>() >= self.most {
            return Err(super::gcra::NANOS_PER_SEC);
        }
        let [latest, ..] = &mut counts;
        *latest = latest.saturating_add(1);
        Ok(whole(epoch, counts))
    }

    /// A call has ended that made the bucket `then`; nothing where it is forgotten already.
    pub(super) fn end(self, state: u64, then: u64, now: u64) -> Option<u64> {
        let (epoch, mut counts) = self.current(state, now);
        let age = usize::from(epoch.wrapping_sub(epoch_of(then)));
        let count = counts.get_mut(age).filter(|count| **count > 0)?;
        *count -= 1;
        Some(whole(epoch, counts))
    }

    /// Whether no worker can still see any call.
    pub(super) fn is_idle(self, state: u64, now: u64) -> bool {
        self.under_way(state, now.saturating_sub(SKEW)) == 0
    }
}

const fn epoch_of(state: u64) -> u16 {
    (state >> (u64::BITS - u16::BITS)) as u16
}

fn counts_of(state: u64) -> [u32; SPANS] {
    let shifts = [3, 2, 1, 0].map(|place| place * BITS);
    shifts.map(|shift| (state >> shift) as u32 & MAX_AT_ONCE)
}

fn whole(epoch: u16, counts: [u32; SPANS]) -> u64 {
    let counts = counts
        .into_iter()
        .fold(0, |state, count| (state << BITS) | u64::from(count.min(MAX_AT_ONCE)));
    (u64::from(epoch) << (u64::BITS - u16::BITS)) | counts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_800_000_000_000_000_000;
    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn as_many_as_may_be_begin_and_one_more_when_one_has_ended() {
        let meter = InFlight::new(2, 300 * SECOND);
        let one = meter.take(meter.begin(0, NOW), NOW).unwrap();
        let two = meter.take(one, NOW + 150 * SECOND).unwrap();
        assert_eq!(meter.take(two, NOW + 150 * SECOND), Err(SECOND));
        let ended = meter.end(two, one, NOW + 200 * SECOND).unwrap();
        assert_eq!(meter.under_way(ended, NOW + 200 * SECOND), 1);
        assert!(meter.take(ended, NOW + 200 * SECOND).is_ok());
    }

    #[test]
    fn a_call_whose_end_nobody_heard_of_is_forgotten_after_its_longest_and_no_earlier() {
        let meter = InFlight::new(1, 300 * SECOND);
        let taken = meter.take(meter.begin(0, NOW), NOW).unwrap();
        for seconds in 0..=300 {
            assert_eq!(meter.under_way(taken, NOW + seconds * SECOND), 1, "{seconds}");
        }
        assert_eq!(meter.under_way(taken, NOW + 401 * SECOND), 0);
        assert!(meter.is_idle(taken, NOW + 402 * SECOND));
        assert_eq!(meter.end(taken, taken, NOW + 500 * SECOND), None);
    }

    #[test]
    fn an_end_takes_nothing_from_calls_that_began_later() {
        let meter = InFlight::new(2, 30 * SECOND);
        let old = meter.take(meter.begin(0, NOW), NOW).unwrap();
        let later = NOW + 60 * SECOND;
        let new = meter.take(old, later).unwrap();
        assert_eq!(meter.end(new, old, later), None);
        assert_eq!(meter.under_way(new, later), 1);
    }

    proptest! {
        #[test]
        fn never_more_at_once_than_may_be_and_all_of_them_while_they_last(
            most in 1_u32..6,
            events in prop::collection::vec((any::<bool>(), 0_usize..8, 0_u64..9), 1..200),
        ) {
            let meter = InFlight::new(most, 30 * SECOND);
            let (mut state, mut now) = (0, NOW);
            let mut under_way: Vec<(u64, u64)> = Vec::new();
            for (begins, which, seconds) in events {
                now += seconds * SECOND;
                // Those that last longer than any may are not counted any more.
                under_way.retain(|(begun, _)| now - begun <= 30 * SECOND);
                if begins {
                    let taken = meter.take(meter.begin(state, now), now);
                    if let Ok(taken) = taken {
                        state = taken;
                        under_way.push((now, taken));
                    }
                    prop_assert!(under_way.len() <= usize::try_from(most).unwrap());
                } else if which < under_way.len() {
                    let (_, then) = under_way.remove(which);
                    state = meter.end(state, then, now).unwrap();
                }
                let counted = usize::try_from(meter.under_way(state, now)).unwrap();
                prop_assert!(counted >= under_way.len());
            }
        }
    }
}
