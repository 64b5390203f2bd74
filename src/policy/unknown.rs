//! A name that a policy uses and does not define.

use super::nearest::nearest;
use super::problem::{Problem, Problems};

/// Adds a problem with `name`, and which of those there are is near it.
///
/// The search takes time in proportion to what is known, so it ends with the problems that are
/// kept: a policy may have as many unknown names as known ones.
pub(super) fn report<'a>(
    problem: Problem,
    name: &str,
    known: impl Iterator<Item = &'a str>,
    problems: &mut Problems,
) {
    let near = if problems.dropped() == 0 { nearest(name, known) } else { None };
    problems.add(problem.did_you_mean(near));
}
