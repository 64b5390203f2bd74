//! Where an issuer's keys are: in the policy, or at a URL.

use serde_json::{Value, json};

use crate::feed::{Source, Url};
use crate::policy::duration::Seconds;
use crate::policy::problem::{Path, Problem, Problems};
use crate::policy::wire;
use crate::token::{KeySet, Keys, Symmetric};

/// The longest name of a cluster, in bytes.
pub(super) const MAX_CLUSTER_BYTES: usize = 256;

const DEFAULT_REFRESH: u32 = 600;
const DEFAULT_MAX_STALENESS: u32 = 86_400;
const DEFAULT_TIMEOUT: u32 = 5;
const DEFAULT_HOLD: u32 = 2;

/// Reads the keys at `here`, or where they are; what is wrong goes to `problems`.
pub(super) fn compile(
    written: wire::Jwks,
    symmetric: Symmetric,
    here: &Path,
    problems: &mut Problems,
) -> Option<Keys> {
    let wire::Jwks { keys, url, cluster, refresh, max_staleness, timeout, hold } = written;
    let mut problem = |name: &str, message: &str| complain(problems, here, name, message);
    let spans = [
        ("refresh", refresh, DEFAULT_REFRESH, Source::MAX_REFRESH_SECS, "expected at most `1d`"),
        (
            "max_staleness",
            max_staleness,
            DEFAULT_MAX_STALENESS,
            Source::MAX_STALENESS_SECS,
            "expected at most `7d`",
        ),
        ("timeout", timeout, DEFAULT_TIMEOUT, Source::MAX_TIMEOUT_SECS, "expected at most `30s`"),
        ("hold", hold, DEFAULT_HOLD, Source::MAX_HOLD_SECS, "expected at most `10s`"),
    ];
    match (keys, url) {
        (Some(keys), None) => {
            let written = spans.iter().filter(|span| span.1.is_some()).map(|span| span.0);
            for name in written.chain(cluster.map(|_| "cluster")) {
                problem(name, "keys that stand here are not fetched: expected it with `url` only");
            }
            inline(&keys, symmetric, here, problems)
        }
        (None, Some(url)) => {
            if symmetric == Symmetric::AllowedForDevelopment {
                let message = "a shared secret is at no URL: expected `keys`, or public keys only";
                problem("url", message);
            }
            let [refresh, max_staleness, timeout, hold] =
                spans.map(|(name, written, default, most, message)| {
                    let seconds = written.map_or(default, Seconds::get);
                    if seconds > most {
                        problem(name, message);
                    }
                    seconds
                });
            if refresh < Source::MIN_REFRESH_SECS {
                problem("refresh", "expected at least `5s`");
            }
            if max_staleness < refresh {
                let message = "keys would be too old before they are fetched anew: \
                               expected at least `refresh`";
                problem("max_staleness", message);
            }
            let url = parse_url(&url, here, problems);
            let cluster = parse_cluster(cluster, here, problems);
            let (url, cluster) = (url?, cluster?);
            Some(Keys::Remote(Source { url, cluster, refresh, max_staleness, timeout, hold }))
        }
        (Some(_), Some(_)) => {
            problem("", "expected either `keys`, or `url` and `cluster`, not both");
            None
        }
        (None, None) => {
            problem("", "expected `keys`, or `url` and `cluster`");
            None
        }
    }
}

/// One place for all problems: each costs the filter a call and no more.
#[inline(never)]
fn complain(problems: &mut Problems, here: &Path, name: &str, message: &str) {
    let here = if name.is_empty() { here.clone() } else { here.join(name) };
    problems.add(Problem::new(message).at(here));
}

fn inline(
    keys: &[Value],
    symmetric: Symmetric,
    here: &Path,
    problems: &mut Problems,
) -> Option<Keys> {
    let keys = KeySet::from_jwks(&json!({ "keys": keys }), symmetric);
    let (keys, skipped) =
        problems.take(keys.map_err(|error| Problem::new(error.to_string()).at(here.clone())))?;
    for key in skipped {
        let message = format!("this key is not used: {}", key.reason);
        problems.add(Problem::warning(message).at(here.join("keys").join(key.index)));
    }
    Some(Keys::Inline(keys))
}

fn parse_url(text: &str, here: &Path, problems: &mut Problems) -> Option<Url> {
    let here = here.join("url");
    let url = text.parse::<Url>();
    let url =
        problems.take(url.map_err(|error| Problem::new(error.to_string()).at(here.clone())))?;
    if !url.is_secure() && !url.is_loopback() {
        let message = "keys that come without TLS are whoever's who stands in between: \
                       expected `https`";
        problems.add(Problem::warning(message).at(here));
    }
    Some(url)
}

fn parse_cluster(written: Option<String>, here: &Path, problems: &mut Problems) -> Option<String> {
    let Some(cluster) = written else {
        let message = "keys are fetched through an upstream of the proxy: expected `cluster` too";
        complain(problems, here, "", message);
        return None;
    };
    let fits = (1..=MAX_CLUSTER_BYTES).contains(&cluster.len());
    if !fits || !cluster.bytes().all(|byte| byte.is_ascii_graphic()) {
        complain(problems, here, "cluster", "expected 1 to 256 visible ASCII characters");
        return None;
    }
    Some(cluster)
}
