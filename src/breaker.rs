//! A server that fails is left alone for a while, and comes back by itself.

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// Failures in a row after which a server is left alone: one may be chance.
const TOLERATED: u32 = 3;

/// The longest time that it is left alone, in nanoseconds: an outage must not last for much longer
/// than the server's own.
const MAX_PAUSE: u64 = 5 * SECOND;

/// Whether a server is asked. All moments are in nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// Failures in a row; of those that were under way together when it was left alone, one.
    failures: u32,
    /// When it was left alone last, and until when.
    opened: u64,
    until: u64,
}

impl Breaker {
    /// Whether a question may be asked. After a pause one may, and no other for as long as its
    /// answer may take.
    pub(crate) fn admits(&mut self, now: u64, patience: u64) -> bool {
        if self.failures < TOLERATED {
            return true;
        }
        let left = self.until.saturating_sub(now);
        // A clock that went back leaves no pause of any length behind.
        if left > 0 && left <= MAX_PAUSE.max(patience) {
            return false;
        }
        self.until = now.saturating_add(patience);
        true
    }

    /// Whether it is left alone, but for a question now and then.
    pub(crate) const fn is_open(&self) -> bool {
        self.failures >= TOLERATED
    }

    /// The server answered; whether it had been left alone.
    pub(crate) fn succeed(&mut self) -> bool {
        let was_open = self.is_open();
        *self = Self::default();
        was_open
    }

    /// The server did not answer what it was asked at `begun`; for how long it is left alone, if
    /// that is worth telling.
    pub(crate) fn fail(&mut self, begun: u64, now: u64) -> Option<u64> {
        // One outage is not counted by all who met it.
        if self.is_open() && begun < self.opened {
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        let Some(pauses) = self.failures.checked_sub(TOLERATED) else {
            return (self.failures == 1).then_some(0);
        };
        let pause = SECOND.checked_shl(pauses).unwrap_or(MAX_PAUSE).clamp(SECOND, MAX_PAUSE);
        (self.opened, self.until) = (now, now.saturating_add(pause));
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: u64 = 2 * SECOND;

    fn broken() -> Breaker {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.fail(0, SECOND), Some(0));
        assert!(breaker.admits(SECOND, PATIENCE) && breaker.admits(SECOND, PATIENCE));
        assert_eq!(breaker.fail(0, SECOND), None);
        assert_eq!(breaker.fail(0, SECOND), Some(SECOND));
        breaker
    }

    #[test]
    fn after_three_failures_in_a_row_the_server_is_left_alone_and_then_asked_once() {
        let mut breaker = broken();
        assert!(!breaker.admits(SECOND, PATIENCE) && !breaker.admits(2 * SECOND - 1, PATIENCE));
        assert!(breaker.admits(2 * SECOND, PATIENCE));
        assert!(!breaker.admits(2 * SECOND, PATIENCE), "one at a time");
        assert!(breaker.succeed());
        assert!(breaker.admits(2 * SECOND, PATIENCE) && breaker.admits(2 * SECOND, PATIENCE));
    }

    #[test]
    fn many_that_met_the_same_outage_make_its_pause_no_longer() {
        let mut breaker = broken();
        for _ in 0..100 {
            assert_eq!(breaker.fail(SECOND / 2, SECOND), None);
        }
        assert!(breaker.admits(2 * SECOND, PATIENCE));
    }

    #[test]
    fn pauses_get_longer_up_to_five_seconds_and_a_lost_answer_ends_none_of_them_for_good() {
        let mut breaker = broken();
        let mut now = SECOND;
        for pause in [2, 4, 5, 5, 5] {
            now += 10 * SECOND;
            assert!(breaker.admits(now, PATIENCE));
            assert_eq!(breaker.fail(now, now), Some(pause * SECOND));
        }
        now += 10 * SECOND;
        assert!(breaker.admits(now, PATIENCE), "and nobody hears of it again");
        assert!(!breaker.admits(now + PATIENCE - 1, PATIENCE));
        assert!(breaker.admits(now + PATIENCE, PATIENCE));
    }

    #[test]
    fn a_success_in_between_starts_the_count_anew_and_a_clock_may_go_back() {
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            breaker.fail(0, 0);
            breaker.fail(0, 0);
            assert!(!breaker.succeed());
        }
        let mut breaker = broken();
        breaker.fail(1_000 * SECOND, 1_000 * SECOND);
        assert!(breaker.admits(SECOND, PATIENCE));
    }
}
