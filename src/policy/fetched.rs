//! Where documents are fetched from, and how often.

use super::duration::Seconds;
use super::problem::{Path, Problem, Problems};
use crate::feed::{Source, Url};

/// The longest name of a cluster, in bytes.
pub(super) const MAX_CLUSTER_BYTES: usize = 256;

const DEFAULT_TIMEOUT: u32 = 5;
const DEFAULT_HOLD: u32 = 2;

/// What a policy says of how a document is fetched.
pub(super) struct Fetched {
    pub(super) cluster: Option<String>,
    /// With what it is when left out, in seconds; likewise the next.
    pub(super) refresh: (Option<Seconds>, u32),
    pub(super) max_staleness: (Option<Seconds>, u32),
    pub(super) timeout: Option<Seconds>,
    pub(super) hold: Option<Seconds>,
}

impl Fetched {
    /// The names of what is written.
    pub(super) fn written(&self) -> impl Iterator<Item = &'static str> {
        [
            ("refresh", self.refresh.0.is_some()),
            ("max_staleness", self.max_staleness.0.is_some()),
            ("timeout", self.timeout.is_some()),
            ("hold", self.hold.is_some()),
            ("cluster", self.cluster.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, is_written)| is_written.then_some(name))
    }

    /// Reads it; what is wrong goes to `problems`.
    pub(super) fn compile(
        self,
        url: Option<Url>,
        is_metadata: bool,
        here: &Path,
        problems: &mut Problems,
    ) -> Option<Source> {
        let mut problem = |name: &str, message: &str| complain(problems, here, name, message);
        let spans = [
            ("refresh", self.refresh, Source::MAX_REFRESH_SECS, "expected at most `1d`"),
            (
                "max_staleness",
                self.max_staleness,
                Source::MAX_STALENESS_SECS,
                "expected at most `7d`",
            ),
            (
                "timeout",
                (self.timeout, DEFAULT_TIMEOUT),
                Source::MAX_TIMEOUT_SECS,
                "expected at most `30s`",
            ),
            ("hold", (self.hold, DEFAULT_HOLD), Source::MAX_HOLD_SECS, "expected at most `10s`"),
        ];
        let [refresh, max_staleness, timeout, hold] =
            spans.map(|(name, (written, default), most, message)| {
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
            let message = "it would be too old before it is fetched anew: \
                           expected at least `refresh`";
            problem("max_staleness", message);
        }
        let cluster = cluster(self.cluster, here, problems)?;
        let url = url?;
        Some(Source { url, is_metadata, cluster, refresh, max_staleness, timeout, hold })
    }
}

/// One place for all problems: each costs the filter a call and no more.
#[inline(never)]
pub(super) fn complain(problems: &mut Problems, here: &Path, name: &str, message: &str) {
    let here = if name.is_empty() { here.clone() } else { here.join(name) };
    problems.add(Problem::new(message).at(here));
}

/// Reads a URL that stands at `name`; what is wrong, or odd, goes to `problems`.
pub(super) fn url(text: &str, here: &Path, name: &str, problems: &mut Problems) -> Option<Url> {
    let here = here.join(name);
    let url = text.parse::<Url>();
    let url =
        problems.take(url.map_err(|error| Problem::new(error.to_string()).at(here.clone())))?;
    if !url.is_secure() && !url.is_loopback() {
        let message = "what comes without TLS is whoever's who stands in between: \
                       expected `https`";
        problems.add(Problem::warning(message).at(here));
    }
    Some(url)
}

pub(super) fn cluster(
    written: Option<String>,
    here: &Path,
    problems: &mut Problems,
) -> Option<String> {
    let Some(cluster) = written else {
        let message = "it is fetched through an upstream of the proxy: expected `cluster` too";
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
