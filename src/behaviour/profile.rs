//! What is kept of one agent.

use super::scores::{Part, Scores};
use super::sketch::{Networks, Operations};
use super::{FEW_CALLS, FEW_SOURCES, MANY_NEW, Spans};

/// What an agent does, and used to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Profile {
    /// When it was first seen, in seconds since 1970.
    first_seen: u32,
    /// The number of the interval at hand.
    pub(super) interval: u32,
    /// The number of the span that is remembered as the present one.
    span: u32,
    /// What it does in this interval.
    now: Doings,
    /// What it did in the one before.
    before: Doings,
    /// The most that it did in an interval of this span of time, and of the one before.
    habits: [Habits; 2],
}

/// What is done in an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Doings {
    calls: u32,
    failures: u32,
    networks: Networks,
    new_operations: u16,
}

/// What is usual in a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Habits {
    calls: u32,
    networks: u16,
    operations: Operations,
}

const fn high(pair: u64) -> u32 {
    (pair >> 32) as u32
}

const fn low(pair: u64) -> u32 {
    pair as u32
}

/// How much it may grow in an interval what is usual of an agent that is known: by its eighth, and one.
const fn grown(usual: u32) -> u32 {
    usual.saturating_add(usual / 8).saturating_add(1)
}

/// What another worker has not seen yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pending {
    /// Of which interval.
    pub(super) interval: u32,
    pub(super) calls: u32,
    pub(super) failures: u32,
}

impl Pending {
    pub(super) const fn is_any(&self) -> bool {
        self.calls > 0 || self.failures > 0
    }
}

/// How many words a profile takes.
pub(super) const WORDS: usize = 16;

impl Profile {
    /// Of an agent that was never seen.
    pub(super) fn new(spans: Spans, now: u32) -> Self {
        Self {
            first_seen: now,
            interval: now / spans.interval.max(1),
            span: now / spans.memory.max(1),
            ..Self::default()
        }
    }

    /// Goes on to the interval that is at hand at `now`, in seconds.
    pub(super) fn advance(&mut self, spans: Spans, now: u32) {
        let (interval, span) = (now / spans.interval.max(1), now / spans.memory.max(1));
        match interval.checked_sub(self.interval) {
            Some(0) => {}
            Some(passed) => {
                // Only now is it over for all workers.
                let began = self.interval.saturating_mul(spans.interval);
                self.learn(self.before, self.is_known(spans, began));
                self.before = std::mem::take(&mut self.now);
                if passed > 1 {
                    let ended = began.saturating_add(spans.interval);
                    let before = std::mem::take(&mut self.before);
                    self.learn(before, self.is_known(spans, ended));
                }
                self.interval = interval;
            }
            // Another worker is in the next one already; or the clock went back.
            None if self.interval - interval == 1 => {}
            None => self.interval = interval,
        }
        let [present, past] = &mut self.habits;
        match span.checked_sub(self.span) {
            Some(0) => {}
            Some(1) => *past = std::mem::take(present),
            // All is forgotten: it begins anew.
            Some(_) => *self = Self { now: self.now, ..Self::new(spans, now) },
            None => {}
        }
        self.span = span;
        self.first_seen = self.first_seen.min(now);
    }

    /// Makes what was done in an interval part of what is usual: all of it, where the agent was not known
    /// by its end.
    fn learn(&mut self, done: Doings, is_known: bool) {
        let (calls, networks) = (self.usual_calls(), self.usual_networks());
        let most = |usual: u32| if is_known { grown(usual) } else { u32::MAX };
        let [present, _] = &mut self.habits;
        present.calls = present.calls.max(done.calls.min(most(calls)));
        let networks = done.networks.count().min(most(networks));
        present.networks = present.networks.max(u16::try_from(networks).unwrap_or(u16::MAX));
    }

    fn is_known(&self, spans: Spans, now: u32) -> bool {
        now.saturating_sub(self.first_seen) >= spans.learning
    }

    fn usual_calls(&self) -> u32 {
        self.habits.iter().map(|habits| habits.calls).max().unwrap_or_default()
    }

    fn usual_networks(&self) -> u32 {
        self.habits.iter().map(|habits| u32::from(habits.networks)).max().unwrap_or_default()
    }

    /// Whether there is nothing to learn from a call but that there was one.
    pub(super) fn has_seen(&self, operation: u64, network: Option<u64>) -> bool {
        let [present, _] = &self.habits;
        present.operations.has(operation) && network.is_none_or(|bit| self.now.networks.has(bit))
    }

    /// What there is to learn from a call besides that there was one.
    pub(super) fn see(&mut self, spans: Spans, now: u32, operation: u64, network: Option<u64>) {
        let is_new = !self.habits.iter().any(|habits| habits.operations.has(operation));
        if is_new && self.is_known(spans, now) {
            self.now.new_operations = self.now.new_operations.saturating_add(1);
        }
        let [present, _] = &mut self.habits;
        present.operations.insert(operation);
        network.into_iter().for_each(|bit| self.now.networks.insert(bit));
    }

    /// Counts calls of the interval at hand.
    pub(super) fn count(&mut self, calls: u32, failures: u32) {
        self.now.add(calls, failures);
    }

    /// Counts what was not counted in time.
    pub(super) fn catch_up(&mut self, spans: Spans, pending: &Pending) {
        if pending.interval > self.interval {
            self.advance(spans, pending.interval.saturating_mul(spans.interval));
        }
        let Pending { interval, calls, failures } = *pending;
        match self.interval.checked_sub(interval) {
            Some(0) => self.now.add(calls, failures),
            Some(1) => self.before.add(calls, failures),
            // So long ago that it counts no more.
            Some(_) | None => {}
        }
    }

    /// What is unusual of it.
    pub(super) fn scores(&self, spans: Spans, now: u32) -> Scores {
        let known = self.is_known(spans, now);
        let most = |of: fn(&Doings) -> u32| of(&self.now).max(of(&self.before));
        let usual = if known { self.usual_networks().max(1) } else { FEW_SOURCES };
        let sources = Part::above(most(|doings| doings.networks.count()), usual);
        let calls = self.now.calls.saturating_add(self.before.calls);
        let failures = self.now.failures.saturating_add(self.before.failures).min(calls);
        let failures = Part::of(failures, calls.saturating_add(FEW_CALLS));
        if !known {
            return Scores { failures, sources, ..Scores::default() };
        }
        Scores {
            known,
            rate: Part::above(most(|doings| doings.calls), self.usual_calls().max(FEW_CALLS)),
            novelty: Part::of(most(|doings| doings.new_operations.into()), MANY_NEW),
            failures,
            sources,
        }
    }

    /// As the store keeps it.
    pub(super) fn to_words(self) -> [u64; WORDS] {
        let pair = |high: u32, low: u32| (u64::from(high) << 32) | u64::from(low);
        let [present, past] = self.habits;
        let ([a, b, c, d], [e, f, g, h]) = (present.operations.0, past.operations.0);
        let new =
            (u32::from(self.now.new_operations) << 16) | u32::from(self.before.new_operations);
        let networks = (u32::from(present.networks) << 16) | u32::from(past.networks);
        let Self { first_seen, interval, span, now, before, .. } = self;
        [
            pair(first_seen, interval),
            pair(span, new),
            pair(now.calls, now.failures),
            pair(before.calls, before.failures),
            now.networks.0,
            before.networks.0,
            pair(present.calls, past.calls),
            u64::from(networks),
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h,
        ]
    }

    /// As the store kept it.
    pub(super) fn from_words(words: [u64; WORDS]) -> Self {
        let [seen, span, now, before, networks, earlier, calls, most, a, b, c, d, e, f, g, h] =
            words;
        let doings = |pair: u64, networks, new| Doings {
            calls: high(pair),
            failures: low(pair),
            networks: Networks(networks),
            new_operations: new,
        };
        let habits = |calls, networks, operations| Habits {
            calls,
            networks,
            operations: Operations(operations),
        };
        Self {
            first_seen: high(seen),
            interval: low(seen),
            span: high(span),
            now: doings(now, networks, (span >> 16) as u16),
            before: doings(before, earlier, span as u16),
            habits: [
                habits(high(calls), (most >> 16) as u16, [a, b, c, d]),
                habits(low(calls), most as u16, [e, f, g, h]),
            ],
        }
    }
}

impl Doings {
    fn add(&mut self, calls: u32, failures: u32) {
        self.calls = self.calls.saturating_add(calls);
        self.failures = self.failures.saturating_add(failures);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SPANS: Spans = Spans { interval: 60, learning: 600, memory: 86_400 };

    /// The beginning of an interval, and of a span that is remembered.
    const NOW: u32 = 1_799_971_200;

    fn call(profile: &mut Profile, now: u32, calls: u32, failures: u32) {
        profile.advance(SPANS, now);
        profile.see(SPANS, now, 1, Some(1));
        profile.count(calls, failures);
    }

    /// Of an agent that made 20 calls in each of the last 20 intervals.
    fn known() -> Profile {
        let mut profile = Profile::new(SPANS, NOW);
        (0..20).for_each(|n| call(&mut profile, NOW + 60 * n, 20, 0));
        profile
    }

    /// The interval after those.
    const NEXT: u32 = NOW + 60 * 20;

    fn shown(profile: &Profile, now: u32) -> [String; 5] {
        let Scores { rate, novelty, failures, sources, .. } = profile.scores(SPANS, now);
        let score = profile.scores(SPANS, now).score();
        [rate, novelty, failures, sources, score].map(|part| part.to_string())
    }

    #[test]
    fn who_does_what_it_always_did_has_no_score() {
        let mut profile = known();
        call(&mut profile, NEXT, 20, 0);
        assert!(profile.scores(SPANS, NEXT).known);
        assert_eq!(shown(&profile, NEXT), ["0.000"; 5]);
    }

    #[test]
    fn twice_as_many_calls_are_a_third_until_the_end_of_the_next_interval() {
        let mut profile = known();
        call(&mut profile, NEXT, 40, 0);
        assert_eq!(shown(&profile, NEXT)[0], "0.333");
        call(&mut profile, NEXT + 60, 1, 0);
        assert_eq!(shown(&profile, NEXT + 60)[0], "0.333");
        call(&mut profile, NEXT + 120, 1, 0);
        assert_eq!(shown(&profile, NEXT + 120)[0], "0.000");
        // What is usual has grown from 20 to 23.
        call(&mut profile, NEXT + 180, 40, 0);
        assert_eq!(shown(&profile, NEXT + 180)[0], "0.246");
    }

    #[test]
    fn what_is_unusual_takes_many_intervals_to_become_usual() {
        let mut profile = known();
        let rates = (0..40).map(|n| {
            call(&mut profile, NEXT + 60 * n, 160, 0);
            profile.scores(SPANS, NEXT + 60 * n).rate.as_f64()
        });
        let rates: Vec<_> = rates.collect();
        assert!(rates[0] == 1.0 && rates.is_sorted_by(|a, b| a >= b), "{rates:?}");
        assert!(rates[5] > 0.6 && rates[10] > 0.3 && rates[39] == 0.0, "{rates:?}");
    }

    #[test]
    fn who_is_not_known_is_judged_by_failures_and_many_networks_alone() {
        let mut profile = Profile::new(SPANS, NOW);
        call(&mut profile, NOW, 1_000, 0);
        (0..100).for_each(|operation| profile.see(SPANS, NOW, operation << 7, None));
        assert_eq!(shown(&profile, NOW), ["0.000"; 5]);
        profile.count(0, 505);
        (0..40).for_each(|bit| profile.see(SPANS, NOW, 1, Some(1 << bit)));
        let [rate, novelty, failures, sources, _] = shown(&profile, NOW);
        assert_eq!([rate, novelty, failures], ["0.000", "0.000", "0.500"]);
        assert_eq!(sources, "0.979", "40 of 64 bits are 62 networks");
    }

    #[test]
    fn new_operations_count_once_and_are_known_then() {
        let mut profile = known();
        profile.advance(SPANS, NEXT);
        let new = 0x4142;
        assert!(!profile.has_seen(new, None));
        profile.see(SPANS, NEXT, new, None);
        assert!(profile.has_seen(new, None));
        assert_eq!(shown(&profile, NEXT)[1], "0.250");
        profile.see(SPANS, NEXT, new, None);
        assert_eq!(shown(&profile, NEXT)[1], "0.250");
        profile.advance(SPANS, NEXT + 120);
        profile.see(SPANS, NEXT + 120, new, None);
        assert_eq!(shown(&profile, NEXT + 120)[1], "0.000");
    }

    #[test]
    fn what_was_done_is_remembered_for_one_span_at_least_and_two_at_most() {
        let mut profile = known();
        call(&mut profile, NOW + 86_400 + 60, 1, 0);
        call(&mut profile, NOW + 2 * 86_400 - 60, 40, 0);
        assert_eq!(shown(&profile, NOW + 2 * 86_400 - 60)[..2], ["0.333", "0.000"]);
        // In the next span the 20 calls are forgotten, and the operation is not.
        call(&mut profile, NOW + 2 * 86_400 + 60, 46, 0);
        assert_eq!(shown(&profile, NOW + 2 * 86_400 + 60)[..2], ["0.333", "0.000"]);
        // Whoever did nothing in two of them is new.
        call(&mut profile, NOW + 5 * 86_400, 1_000, 0);
        assert!(!profile.scores(SPANS, NOW + 5 * 86_400).known);
    }

    #[test]
    fn after_the_clock_went_back_an_agent_is_judged_as_before() {
        let mut profile = known();
        call(&mut profile, NEXT - 365 * 86_400, 40, 0);
        call(&mut profile, NEXT - 365 * 86_400 + 60, 40, 0);
        let scores = profile.scores(SPANS, NEXT - 365 * 86_400 + 60);
        assert!(!scores.known, "nothing is known of what was before it was seen");
        // A worker that is an interval behind counts for the one at hand.
        let mut profile = known();
        profile.advance(SPANS, NEXT);
        call(&mut profile, NEXT - 1, 40, 0);
        assert_eq!(shown(&profile, NEXT)[0], "0.333");
    }

    #[test]
    fn what_was_not_counted_in_time_counts_for_its_interval() {
        let pending = |interval| Pending { interval, calls: 40, failures: 40 };
        for (late, rate) in [(0, "0.333"), (1, "0.333"), (2, "0.000")] {
            let mut profile = known();
            profile.advance(SPANS, NEXT + 60 * late);
            let before = profile;
            profile.catch_up(SPANS, &pending(NEXT / 60));
            assert_eq!(shown(&profile, NEXT + 60 * late)[0], rate, "{late}");
            assert_eq!(profile == before, late == 2);
        }
        let mut profile = known();
        profile.catch_up(SPANS, &pending(NEXT / 60));
        assert_eq!(shown(&profile, NEXT)[0], "0.333");
    }

    #[test]
    fn all_that_was_done_until_an_agent_is_known_is_usual() {
        let spans = Spans { learning: 120, ..SPANS };
        let mut profile = Profile::new(spans, NOW);
        for (seconds, calls) in [(30, 200), (60, 1), (120, 1)] {
            profile.advance(spans, NOW + seconds);
            profile.count(calls, 0);
        }
        profile.count(199, 0);
        let scores = profile.scores(spans, NOW + 121);
        assert!(scores.known && scores.rate == Part::default(), "{scores:?}");
    }

    proptest! {
        #[test]
        fn whatever_was_kept_is_kept_again(words: [u64; WORDS]) {
            // Half of one word is not used.
            let mut used = words;
            used[7] &= u64::from(u32::MAX);
            prop_assert_eq!(Profile::from_words(words).to_words(), used);
        }

        #[test]
        fn nothing_that_is_kept_can_break_it(
            words: [u64; WORDS],
            now: u32,
            interval in 1_u32..=3_600,
            learning: u32,
            memory in 1_u32..=u32::MAX,
            pending: (u32, u32, u32),
        ) {
            let spans = Spans { interval, learning, memory };
            let mut profile = Profile::from_words(words);
            let (interval, calls, failures) = pending;
            profile.catch_up(spans, &Pending { interval, calls, failures });
            profile.advance(spans, now);
            profile.see(spans, now, u64::from(now), Some(1));
            profile.count(calls, failures);
            let score = profile.scores(spans, now).score().as_f64();
            prop_assert!((0.0..=1.0).contains(&score));
        }
    }
}
