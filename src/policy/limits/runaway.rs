//! Limits for agents that have lost their way: denials, writes, and pauses once a rate is exceeded.

use crate::limit::{Kind, Limit};
use crate::policy::problem::{Path, Problem, Problems};
use crate::policy::wire::{self, Counts};

/// The longest first pause, in seconds: an hour. The longest of all is sixteen times as long.
const MAX_PAUSE_SECS: u32 = 3_600;

/// A limit as what it counts and how it closes; what is wrong goes to `problems`.
pub(super) fn heed(
    written: &wire::Limit,
    limit: Option<Limit>,
    here: &Path,
    problems: &mut Problems,
) -> Option<Limit> {
    let wire::Limit { rate, concurrent, counts, per_read, pause, shared, .. } = written;
    let mut complain = |name: &str, message: &str| {
        problems.add(Problem::new(message.to_owned()).at(here.join(name)));
    };
    let is_runaway = matches!(counts, Counts::Denials | Counts::Writes);
    if is_runaway && rate.is_none() {
        complain("counts", "expected `calls` or `cost`: these are counted by a `rate`");
    }
    if *counts == Counts::Cost && concurrent.is_some() {
        complain("counts", "expected `calls`: so many are under way, whatever they cost");
    }
    if per_read.is_some() && *counts != Counts::Writes {
        complain("per_read", "only where `writes` are counted");
    }
    if *shared && (is_runaway || pause.is_some() || concurrent.is_some()) {
        complain(
            "shared",
            "each proxy counts these for itself: expected a plain `rate` or a `quota`",
        );
    }
    if pause.is_some_and(|pause| pause.get() > MAX_PAUSE_SECS) {
        complain("pause", "expected at most `1h`");
    }
    let limit = limit?;
    let limit = match counts {
        Counts::Calls | Counts::Cost => limit,
        Counts::Denials => limit.of_kind(Kind::Denials),
        Counts::Writes => limit.of_kind(Kind::Writes),
    };
    let Some(pause) = pause else { return Some(limit) };
    let limit = limit.pausing(pause.get());
    problems.take(limit.map_err(|error| Problem::new(error.to_string()).at(here.join("pause"))))
}
