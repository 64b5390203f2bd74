//! Where an issuer is asked about its opaque tokens.

use crate::feed;
use crate::introspection::{Client, Source};
use crate::policy::duration::Seconds;
use crate::policy::fetched::MAX_CLUSTER_BYTES;
use crate::policy::problem::{Path, Problem, Problems};
use crate::policy::wire;
use crate::token;

/// The longest prefix of tokens, in bytes.
const MAX_PREFIX_BYTES: usize = 64;

const DEFAULT_CACHE: u32 = 60;
const DEFAULT_TIMEOUT: u32 = 5;
const DEFAULT_HOLD: u32 = 2;

/// Reads where the issuer is asked; what is wrong goes to `problems`.
pub(super) fn compile(
    written: wire::Introspection,
    here: &Path,
    problems: &mut Problems,
) -> Option<Source> {
    let wire::Introspection {
        url,
        cluster,
        client_id,
        client_secret,
        token_prefix,
        access_tokens_only,
        cache,
        timeout,
        hold,
    } = written;
    let mut problem = |name: &str, message: &str| complain(problems, here, name, message);
    let spans = [
        ("cache", cache, DEFAULT_CACHE, Source::MAX_CACHE_SECS, "expected at most `1h`"),
        (
            "timeout",
            timeout,
            DEFAULT_TIMEOUT,
            feed::Source::MAX_TIMEOUT_SECS,
            "expected at most `30s`",
        ),
        ("hold", hold, DEFAULT_HOLD, feed::Source::MAX_HOLD_SECS, "expected at most `10s`"),
    ];
    let [cache, timeout, hold] = spans.map(|(name, written, default, most, message)| {
        let seconds = written.map_or(default, Seconds::get);
        if seconds > most {
            problem(name, message);
        }
        seconds
    });
    let fits = (1..=MAX_CLUSTER_BYTES).contains(&cluster.len());
    if !fits || !cluster.bytes().all(|byte| byte.is_ascii_graphic()) {
        problem("cluster", "expected 1 to 256 visible ASCII characters");
    }
    if client_id.as_ref().is_some_and(|id| !token::is_identifier(id)) {
        problem("client_id", "expected 1 to 512 bytes without control characters");
    }
    if client_secret.as_ref().is_some_and(|secret| !secret.is_sound()) {
        problem("client_secret", "expected 1 to 1024 bytes without control characters");
    }
    if client_secret.is_some() && client_id.is_none() {
        problem("client_secret", "a secret is somebody's: expected `client_id` too");
    }
    // The characters that a token may have before its `=` (RFC 6750 §2.1).
    let in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    let in_prefix = |prefix: &String| {
        (1..=MAX_PREFIX_BYTES).contains(&prefix.len()) && prefix.bytes().all(in_token)
    };
    if token_prefix.as_ref().is_some_and(|prefix| !in_prefix(prefix)) {
        problem("token_prefix", "expected 1 to 64 characters that tokens have");
    }
    let place = here.join("url");
    let url = url.parse::<feed::Url>();
    let url = problems.take(url.map_err(|e| Problem::new(e.to_string()).at(place.clone())))?;
    if !url.is_secure() && !url.is_loopback() {
        let message = "tokens and secrets that go without TLS are whoever's who stands in \
                       between: expected `https`";
        problems.add(Problem::warning(message).at(place));
    }
    let client = client_id.map(|id| Client { id, secret: client_secret });
    Some(Source { url, cluster, client, token_prefix, access_tokens_only, cache, timeout, hold })
}

/// Finds issuers between which a token does not decide: each is told of the first such other.
pub(super) fn check_prefixes(sources: &[(String, Source, Path)], problems: &mut Problems) {
    for (number, (_, source, here)) in sources.iter().enumerate() {
        let collides = |other: &Source| match (&source.token_prefix, &other.token_prefix) {
            (Some(one), Some(two)) => {
                one.starts_with(two.as_str()) || two.starts_with(one.as_str())
            }
            (None, _) | (_, None) => true,
        };
        if sources.iter().take(number).any(|(_, other, _)| collides(other)) {
            let message = "another issuer is asked about the same tokens: expected a \
                           `token_prefix` at each, none of which begins with another";
            complain(problems, here, "token_prefix", message);
        }
    }
}

/// One place for all problems: each costs the filter a call and no more.
#[inline(never)]
fn complain(problems: &mut Problems, here: &Path, name: &str, message: &str) {
    problems.add(Problem::new(message).at(here.join(name)));
}
