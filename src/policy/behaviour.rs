//! How agents are watched.

use super::duration::Seconds;
use super::limits;
use super::problem::{Path, Problem, Problems};
use super::wire::{self, Per};
use crate::behaviour::Spans;
use crate::limit::Class;

/// Into what time is cut where the policy does not say: a minute, a day and a week.
const DEFAULT: Spans = Spans { interval: 60, learning: 86_400, memory: 7 * 86_400 };

/// The shortest interval, in seconds: shorter ones come and go before they can be judged.
const MIN_INTERVAL_SECS: u32 = 10;

/// The longest interval, in seconds: an hour.
const MAX_INTERVAL_SECS: u32 = 3_600;

/// The longest memory, in seconds: 90 days.
const MAX_MEMORY_SECS: u32 = 90 * 86_400;

/// How agents are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// Whose calls are held against whose.
    pub per: Vec<Per>,
    /// Into what time is cut.
    pub spans: Spans,
}

impl Behaviour {
    /// Reads it; what is wrong goes to `problems`.
    #[inline(never)]
    pub(super) fn compile(written: wire::Behaviour, problems: &mut Problems) -> Self {
        let wire::Behaviour { per, interval, learning, memory } = written;
        let place = Path::root().join("behaviour");
        let per = per.map_or_else(|| vec![Per::Agent], |per| per.as_slice().to_vec());
        limits::check_per(&per, Class::Agents, &place.join("per"), problems);
        let of_calls = |per: &Per| matches!(per, Per::Permission | Per::Request | Per::Route);
        if per.iter().any(of_calls) {
            let message = "callers are watched, and not calls: expected `agent`, `client`, \
                           `organization` or `user`";
            problems.add(Problem::new(message).at(place.join("per")));
        }
        let spans = Spans {
            interval: interval.map_or(DEFAULT.interval, Seconds::get),
            learning: learning.map_or(DEFAULT.learning, Seconds::get),
            memory: memory.map_or(DEFAULT.memory, Seconds::get),
        };
        let mut complain = |name: &str, message: &str| {
            problems.add(Problem::new(message).at(place.join(name)));
        };
        if !(MIN_INTERVAL_SECS..=MAX_INTERVAL_SECS).contains(&spans.interval) {
            complain("interval", "expected `10s` to `1h`");
        }
        if spans.memory > MAX_MEMORY_SECS {
            complain("memory", "expected at most `90d`");
        }
        // Before, no interval is over for all workers.
        if spans.learning < spans.interval.saturating_mul(2) {
            complain("learning", "expected at least twice as much as `interval`");
        }
        if spans.memory < spans.learning {
            complain("memory", "expected at least as much as `learning`");
        }
        Self { per, spans }
    }
}
