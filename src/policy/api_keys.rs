//! The policy's API keys.

use std::collections::BinaryHeap;

use base64ct::{Base64UrlUnpadded, Encoding};
use hashbrown::HashMap;

use super::duration::Seconds;
use super::problem::{Path, Problem, Problems, quoted};
use super::role::RoleId;
use super::{MAX_ENTRIES, unknown, wire};
use crate::api_key::{ApiKey, ApiKeys, HASH_SCHEME, KeyHash, SameHash};
use crate::audit::Firewall;
use crate::token;

/// The age at which a key is to be replaced where the policy does not say: 90 days.
const DEFAULT_ROTATE_AFTER: u32 = 90 * 86_400;

/// For how long it still works then where the policy does not say: 14 days.
const DEFAULT_GRACE: u32 = 14 * 86_400;

/// The longest prefix of keys, in bytes.
const MAX_PREFIX_BYTES: usize = 32;

/// The longest name of a key or of the header that brings it, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// The most entries under one name: the key in use and the one that follows it.
const MAX_TWINS: usize = 2;

/// Headers that mean something else to us.
const TAKEN: [&str; 6] =
    ["authorization", "cookie", "dpop", "host", "x-forwarded-client-cert", "x-request-id"];

/// Reads the keys; what is wrong goes to `problems`.
#[inline(never)]
pub(super) fn compile(
    written: wire::ApiKeys,
    firewall: &Firewall,
    scopes: &HashMap<String, RoleId>,
    problems: &mut Problems,
) -> Option<ApiKeys> {
    let wire::ApiKeys { header, prefix, rotate_after, grace, keys: written } = written;
    let here = Path::root().join("api_keys");
    let in_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(1..=MAX_NAME_BYTES).contains(&header.len())
        || !header.bytes().all(in_name)
        || TAKEN.contains(&header.as_str())
        || firewall.guards(header.as_bytes())
    {
        let message = "expected a header of its own, in lower case, such as `x-api-key`";
        problems.add(Problem::new(message).at(here.join("header")));
    }
    let in_prefix = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !(3..=MAX_PREFIX_BYTES).contains(&prefix.len())
        || !prefix.bytes().all(in_prefix)
        || !prefix.ends_with('_')
    {
        let message = format!(
            "expected 3 to {MAX_PREFIX_BYTES} lower-case letters, digits and `_`, a `_` last, such as `acme_key_`"
        );
        problems.add(Problem::new(message).at(here.join("prefix")));
    }
    let rotate_after = i64::from(rotate_after.map_or(DEFAULT_ROTATE_AFTER, Seconds::get));
    let grace = i64::from(grace.map_or(DEFAULT_GRACE, Seconds::get));
    let here = here.join("keys");
    if written.len() > MAX_ENTRIES {
        problems.add(Problem::new(format!("more than {MAX_ENTRIES}")).at(here.clone()));
    }
    let names = BinaryHeap::from_iter(scopes.keys().map(String::as_str)).into_sorted_vec();
    let known = Scopes { roles: scopes, names };
    let (mut keys, mut places) = (Vec::new(), Vec::new());
    for (index, key) in written.into_iter().enumerate().take(MAX_ENTRIES) {
        let here = here.join(index);
        if let Some(key) = compile_one(key, &known, (rotate_after, grace), &here, problems) {
            keys.push(key);
            places.push(here);
        }
    }
    check_twins(&keys, &places, problems);
    let keys = ApiKeys::new(header, prefix, keys).map_err(|SameHash(_, second)| {
        let here = places.get(second).unwrap_or(&here).join("hash");
        Problem::new("another entry has this hash too").at(here)
    });
    problems.take(keys)
}

/// Entries of one name are one key that is being rotated.
fn check_twins(keys: &[(KeyHash, ApiKey)], places: &[Path], problems: &mut Problems) {
    let ids = keys.iter().enumerate().map(|(place, (_, key))| (key.id.as_str(), place));
    let ids = BinaryHeap::from_iter(ids).into_sorted_vec();
    let organization = |place: usize| keys.get(place).map(|(_, key)| key.organization.as_str());
    let (mut first, mut count) = ("", 0_usize);
    let mut owner = None;
    for (id, place) in ids {
        if id != first || count == 0 {
            (first, count, owner) = (id, 0, organization(place));
        }
        count = count.saturating_add(1);
        let message = if organization(place) != owner {
            format!("another organization has a key called {}", quoted(id))
        } else if count > MAX_TWINS {
            format!(
                "expected at most {MAX_TWINS} entries of one `id`: \
                 the key in use and the one that follows it"
            )
        } else {
            continue;
        };
        let here = places.get(place).cloned().unwrap_or_default();
        problems.add(Problem::new(message).at(here.join("id")));
    }
}

/// The policy's scopes, and what they are called, in order.
struct Scopes<'a> {
    roles: &'a HashMap<String, RoleId>,
    names: Vec<&'a str>,
}

fn compile_one(
    written: wire::ApiKey,
    scopes: &Scopes<'_>,
    (rotate_after, grace): (i64, i64),
    here: &Path,
    problems: &mut Problems,
) -> Option<(KeyHash, ApiKey)> {
    let wire::ApiKey { id, hash, organization, scopes: written, created, expires } = written;
    let in_id = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if !(1..=MAX_NAME_BYTES).contains(&id.len()) || !id.bytes().all(in_id) {
        let message = format!("expected 1 to {MAX_NAME_BYTES} letters, digits, `.`, `_` and `-`");
        problems.add(Problem::new(message).at(here.join("id")));
    }
    if !token::is_identifier(&organization) {
        let message = "expected 1 to 512 bytes without control characters";
        problems.add(Problem::new(message).at(here.join("organization")));
    }
    if written.is_empty() {
        let message = "expected at least one scope: without any, a key is worth nothing";
        problems.add(Problem::new(message).at(here.join("scopes")));
    }
    for (index, name) in written.iter().enumerate() {
        if !scopes.roles.contains_key(name) {
            let place = here.join("scopes").join(index);
            let problem = Problem::new(format!("unknown scope {}", quoted(name))).at(place);
            unknown::report(problem, name, scopes.names.iter().copied(), problems);
        }
    }
    if expires.is_some_and(|expires| expires <= created) {
        let message = "the key ends before it was made: expected a moment after `created`";
        problems.add(Problem::new(message).at(here.join("expires")));
    }
    // The text is not repeated: it may be the key itself.
    let hash = parse_hash(&hash).ok_or_else(|| {
        Problem::new(
            "expected `sha256:` and 43 characters of base64url, as `postern key new` prints",
        )
        .at(here.join("hash"))
    });
    let hash = problems.take(hash)?;
    let created = created.as_secs();
    let due = created.saturating_add(rotate_after);
    let overdue = due.saturating_add(grace);
    let expires = expires.map(|moment| moment.as_secs());
    let scopes = written;
    Some((hash, ApiKey { id, organization, scopes, created, due, overdue, expires }))
}

fn parse_hash(text: &str) -> Option<KeyHash> {
    let bytes = Base64UrlUnpadded::decode_vec(text.strip_prefix(HASH_SCHEME)?).ok()?;
    bytes.try_into().ok()
}
