//! A name that a policy uses and does not define.

use super::nearest::nearest;
use super::problem::{Path, Problem, Problems, quoted};

/// The most problems that are given advice: to find the nearest name takes time in proportion to
/// how many are known, and a policy may have as many unknown ones.
const MAX_ADVISED: usize = 16;

/// What was found under `name`, be it nothing: then that is a problem at the place that `here` names.
pub(super) fn or_report<'a, T>(
    found: Option<T>,
    (kind, name): (&str, &str),
    known: impl Iterator<Item = &'a str>,
    here: impl FnOnce() -> Path,
    problems: &mut Problems,
) -> Option<T> {
    if found.is_none() {
        let problem = Problem::new(format!("unknown {kind} {}", quoted(name))).at(here());
        report(problem, name, known, problems);
    }
    found
}

/// Adds a problem with `name`, and which of those there are is near it.
pub(super) fn report<'a>(
    problem: Problem,
    name: &str,
    known: impl Iterator<Item = &'a str>,
    problems: &mut Problems,
) {
    let advised = problems.iter().len() < MAX_ADVISED;
    let near = if advised { nearest(name, known) } else { None };
    problems.add(problem.did_you_mean(near));
}
