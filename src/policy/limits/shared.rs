//! Limits that replicas share.

use crate::limit::{Limit, OnFailure, Service, Share};
use crate::policy::duration::Seconds;
use crate::policy::fetched::{cluster, url};
use crate::policy::problem::{Path, Problem, Problems};
use crate::policy::wire;

/// How long the service has to answer, in seconds, where the policy does not say.
const DEFAULT_TIMEOUT: u32 = 1;

/// The longest that it may have, in seconds: what a worker may admit until then is bounded by the
/// overdraft, and callers beyond it are told to come back.
const MAX_TIMEOUT: u32 = 10;

/// What the service calls the limits, where the policy does not say.
const DEFAULT_DOMAIN: &str = "postern";

/// The longest domain, in bytes.
const MAX_DOMAIN_BYTES: usize = 256;

/// A worker's overdraft is so small a part of a limit that six of them come to a hundredth.
const OVERDRAFT_PART: u32 = 600;

/// Reads where shared limits are counted; what is wrong goes to `problems`.
pub(in crate::policy) fn service(
    written: Option<wire::SharedLimits>,
    problems: &mut Problems,
) -> Option<Service> {
    let wire::SharedLimits { url: at, cluster: upstream, domain, timeout } = written?;
    let here = Path::root().join("limits").join("shared");
    let domain = domain.unwrap_or_else(|| DEFAULT_DOMAIN.to_owned());
    let fits = (1..=MAX_DOMAIN_BYTES).contains(&domain.len());
    if !fits || !domain.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = "expected 1 to 256 visible ASCII characters";
        problems.add(Problem::new(message).at(here.join("domain")));
    }
    let timeout = timeout.map_or(DEFAULT_TIMEOUT, Seconds::get);
    if timeout > MAX_TIMEOUT {
        problems.add(Problem::new("expected at most `10s`").at(here.join("timeout")));
    }
    let cluster = cluster(Some(upstream), &here, problems);
    let at = url(&at, &here, "url", problems)?;
    if at.path() != "/" {
        let message = "the path is that of the protocol: expected a URL without one";
        problems.add(Problem::new(message).at(here.join("url")));
    }
    let cluster = cluster?;
    Some(Service { url: at, cluster, domain, timeout_millis: timeout.saturating_mul(1_000) })
}

/// A limit as it is shared, if it is; what is wrong goes to `problems`.
pub(super) fn share(
    written: &wire::Limit,
    limit: Option<Limit>,
    has_service: bool,
    here: &Path,
    problems: &mut Problems,
) -> Option<Limit> {
    let wire::Limit { shared, on_failure, overdraft, .. } = written;
    if !shared {
        for (name, is_there) in
            [("on_failure", on_failure.is_some()), ("overdraft", overdraft.is_some())]
        {
            if is_there {
                let message = "only for a limit that is `shared`";
                problems.add(Problem::new(message).at(here.join(name)));
            }
        }
        return limit;
    }
    if !has_service {
        let message =
            "nobody counts it for all: expected `limits.shared`, with the service that does";
        problems.add(Problem::new(message).at(here.join("shared")));
    }
    let limit = limit?;
    let share = Share {
        on_failure: match on_failure.unwrap_or_default() {
            wire::OnFailure::Closed => OnFailure::Closed,
            wire::OnFailure::Local => OnFailure::Local,
        },
        overdraft: overdraft.unwrap_or_else(|| (limit.quota_units() / OVERDRAFT_PART).max(1)),
    };
    let limit = limit.shared(share);
    problems.take(limit.map_err(|error| Problem::new(error.to_string()).at(here.clone())))
}
