//! Where an issuer's keys are: in the policy, at a URL, or where its metadata says.

use serde_json::{Value, json};

use crate::feed::Url;
use crate::policy::fetched::{Fetched, complain, url};
use crate::policy::problem::{Path, Problem, Problems};
use crate::policy::wire;
use crate::token::{KeySet, Keys, Symmetric};

const DEFAULT_REFRESH: u32 = 600;
const DEFAULT_MAX_STALENESS: u32 = 86_400;

/// Reads the keys of `issuer` at `here`, or where they are; what is wrong goes to `problems`.
pub(super) fn compile(
    written: wire::Jwks,
    issuer: &str,
    symmetric: Symmetric,
    here: &Path,
    problems: &mut Problems,
) -> Option<Keys> {
    let wire::Jwks { keys, url: at, discover, cluster, refresh, max_staleness, timeout, hold } =
        written;
    let fetched = Fetched {
        cluster,
        refresh: (refresh, DEFAULT_REFRESH),
        max_staleness: (max_staleness, DEFAULT_MAX_STALENESS),
        timeout,
        hold,
    };
    let (place, at) = match (keys, at, discover) {
        (Some(keys), None, None) => {
            for name in fetched.written() {
                let message = "keys that stand here are not fetched: expected it with `url` or \
                               `discover` only";
                complain(problems, here, name, message);
            }
            return inline(&keys, symmetric, here, problems);
        }
        (None, Some(at), None) => ("url", url(&at, here, "url", problems)),
        (None, None, Some(metadata)) => ("discover", well_known(metadata, issuer, here, problems)),
        _ => {
            let message = "expected one of `keys`, `url` and `discover`";
            complain(problems, here, "", message);
            return None;
        }
    };
    if symmetric == Symmetric::AllowedForDevelopment {
        let message = "a shared secret is at no URL: expected `keys`, or public keys only";
        complain(problems, here, place, message);
    }
    fetched.compile(at, discover.is_some(), here, problems).map(Keys::Remote)
}

/// Where an issuer's metadata is: RFC 8414 §3 puts the well-known path before that of the issuer,
/// OpenID Connect Discovery 1.0 §4 behind.
fn well_known(
    metadata: wire::Metadata,
    issuer: &str,
    here: &Path,
    problems: &mut Problems,
) -> Option<Url> {
    let base = url(issuer, here, "discover", problems)?;
    if issuer.contains('?') {
        let message = "an issuer with a query has no metadata: expected `url`";
        complain(problems, here, "discover", message);
        return None;
    }
    let path = base.path().trim_end_matches('/');
    let (before, after) = match metadata {
        wire::Metadata::OauthAuthorizationServer => ("/.well-known/oauth-authorization-server", ""),
        wire::Metadata::OpenidConfiguration => ("", "/.well-known/openid-configuration"),
    };
    let text = [base.scheme(), "://", base.authority(), before, path, after].concat();
    text.parse().ok()
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
