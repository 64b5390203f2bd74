//! Where an issuer says what became of its tokens.

use crate::feed::{MAX_STATUS_LISTS, Source};
use crate::policy::fetched::{Fetched, complain, url};
use crate::policy::problem::{Path, Problems};
use crate::policy::wire;

const DEFAULT_REFRESH: u32 = 60;
const DEFAULT_MAX_STALENESS: u32 = 600;

/// Reads the lists at `here`; what is wrong goes to `problems`.
pub(super) fn compile(
    written: Vec<wire::StatusList>,
    has_keys: bool,
    here: &Path,
    problems: &mut Problems,
) -> Vec<Source> {
    if !written.is_empty() && !has_keys {
        let message = "an issuer without keys signs no list: expected it with `jwks` only";
        complain(problems, here, "", message);
    }
    let mut sources: Vec<Source> = Vec::new();
    // One more than there may be, so that it is seen that they are too many.
    let all = written.into_iter().enumerate().take(MAX_STATUS_LISTS.saturating_add(1));
    for (index, wire::StatusList { url: at, cluster, refresh, max_staleness, timeout, hold }) in all
    {
        let here = here.join(index);
        let fetched = Fetched {
            cluster: Some(cluster),
            refresh: (refresh, DEFAULT_REFRESH),
            max_staleness: (max_staleness, DEFAULT_MAX_STALENESS),
            timeout,
            hold,
        };
        let at = url(&at, &here, "url", problems);
        if at.as_ref().is_some_and(|at| sources.iter().any(|known| known.url == *at)) {
            complain(problems, &here, "url", "this list is there already");
        }
        sources.extend(fetched.compile(at, false, &here, problems));
    }
    sources
}
