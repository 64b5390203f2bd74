//! How the user must have logged in for what a token alone does not do (RFC 9470).

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::agent::resolve;
use super::condition::Condition;
use super::permission::{PermissionId, Permissions};
use super::problem::{Path, Problem, Problems, quoted};
use super::vocabulary::Scope;
use super::wire;
use crate::authorize::facts::Facts;
use crate::host::Timestamp;
use crate::token::Claims;

/// How far ahead of our clock the issuer's may be when it writes down a login, in seconds.
const CLOCK_SKEW: f64 = 300.0;

/// The longest name of an authentication context, in bytes.
const MAX_CONTEXT_BYTES: usize = 256;

/// The most of them that are asked for at once.
const MAX_CONTEXTS: usize = 8;

/// How the user must have logged in.
#[derive(Debug)]
pub struct StepUp {
    /// The authentication contexts of which it must have been one, parted by spaces; any where it is
    /// empty. In visible ASCII without quotes and backslashes, ready for a challenge.
    pub acr_values: String,
    /// How long ago it may have been at the most, in seconds.
    pub max_age: Option<u32>,
    when: Vec<Condition>,
}

/// What is asked for each permission for which anything is.
#[derive(Debug, Default)]
pub struct StepUps(HashMap<PermissionId, StepUp>);

impl StepUps {
    /// Reads them; what is wrong goes to `problems`.
    #[inline(never)]
    pub(super) fn compile(
        written: BTreeMap<String, wire::StepUp>,
        permissions: &Permissions,
        scope: &mut Scope<'_>,
        problems: &mut Problems,
    ) -> Self {
        let place = Path::root().join("step_up");
        let compiled = written.into_iter().filter_map(|(name, step_up)| {
            let here = place.join(name.as_str());
            let permission = resolve(permissions, &name, || here.clone(), problems)?;
            Some((permission, StepUp::compile(step_up, scope, &here, problems)))
        });
        Self(compiled.collect())
    }

    /// What is asked for `permission`.
    pub fn of(&self, permission: PermissionId) -> Option<&StepUp> {
        self.0.get(&permission)
    }
}

impl StepUp {
    fn compile(
        written: wire::StepUp,
        scope: &mut Scope<'_>,
        here: &Path,
        problems: &mut Problems,
    ) -> Self {
        let wire::StepUp { acr, max_age, when } = written;
        if acr.is_none() && max_age.is_none() {
            let message = "expected `acr`, `max_age`, or both";
            problems.add(Problem::new(message).at(here.clone()));
        }
        // An empty list is a login that nobody can have, and not any login.
        if acr.as_ref().is_some_and(|acr| !(1..=MAX_CONTEXTS).contains(&acr.len())) {
            let message = format!("expected 1 to {MAX_CONTEXTS} of them");
            problems.add(Problem::new(message).at(here.join("acr")));
        }
        let acr = acr.unwrap_or_default();
        for (index, name) in acr.iter().enumerate().filter(|(_, name)| !is_context(name)) {
            let message = format!(
                "expected 1 to {MAX_CONTEXT_BYTES} visible ASCII characters without `\"` and `\\`, \
                 not {}",
                quoted(name)
            );
            problems.add(Problem::new(message).at(here.join("acr").join(index)));
        }
        let when = Condition::all_of(when, scope, &here.join("when"), problems);
        Self { acr_values: acr.join(" "), max_age: max_age.map(|age| age.get()), when }
    }

    /// Whether it is asked of this call. Where that cannot be told it is.
    pub fn is_asked(&self, facts: &Facts<'_>) -> bool {
        let claims = facts.credential.claims;
        self.when.iter().all(|condition| condition.test(claims, facts) != Ok(false))
    }

    /// Whether a token says that its user logged in so. What it does not say is not so.
    pub fn is_met(&self, claims: &Claims, now: Timestamp) -> bool {
        let context = claims.text("acr");
        let is_listed = self.acr_values.is_empty()
            || context.is_some_and(|acr| self.acr_values.split(' ').any(|one| one == acr));
        is_listed && self.max_age.is_none_or(|max_age| is_recent(claims, max_age, now))
    }
}

/// Whether the login was no longer ago than so many seconds, and not in the future either.
fn is_recent(claims: &Claims, max_age: u32, now: Timestamp) -> bool {
    let age = |login: f64| now.as_secs() as f64 - login;
    let login = claims.date("auth_time").ok().flatten();
    login.map(age).is_some_and(|age| (-CLOCK_SKEW..=f64::from(max_age)).contains(&age))
}

fn is_context(name: &str) -> bool {
    (1..=MAX_CONTEXT_BYTES).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}
