//! What agents may for a while besides what they have: grants just in time, and rules that widen an
//! agent while something is so.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::num::NonZeroU32;

use sha2::{Digest as _, Sha256};

use super::agent::{AgentId, Agents, resolve};
use super::condition::Condition;
use super::permission::{PermissionId, PermissionSet, Permissions};
use super::problem::{Path, Problem, Problems};
use super::role::Roles;
use super::vocabulary::Scope;
use super::{MAX_ENTRIES, wire};
use crate::route::{NormalPath, Pattern};

/// The longest name of who approved, and the longest reason, in bytes.
const MAX_TEXT_BYTES: usize = 256;

/// What agents may besides: that of each in the order in which it is written.
#[derive(Debug, Default)]
pub struct Elevations(BTreeMap<AgentId, Vec<Elevation>>);

/// What an agent may besides.
#[derive(Debug)]
pub struct Elevation {
    /// Its place among the grants of the policy, or of a feed.
    pub index: usize,
    /// Whether it was fetched.
    pub is_fetched: bool,
    permissions: PermissionSet,
    /// In seconds since the Unix epoch.
    from: i64,
    until: i64,
    /// How many requests it may be used for, and where in the shared store they are counted.
    pub uses: Option<(NonZeroU32, String)>,
    pattern: Option<Pattern>,
    /// What must be so of a request.
    pub when: Vec<Condition>,
    /// Whether it reaches beyond what the user may.
    pub beyond_user: bool,
    /// Who approved it.
    pub approved_by: String,
    /// Why.
    pub reason: String,
}

/// What grants are about.
pub(super) struct About<'a> {
    pub(super) agents: &'a Agents,
    pub(super) roles: &'a Roles,
    pub(super) permissions: &'a Permissions,
}

impl Elevations {
    /// Reads them; what is wrong goes to `problems`. Without a `scope` for their conditions there
    /// must be none.
    #[inline(never)]
    pub(super) fn compile(
        written: Vec<wire::Grant>,
        about: &About<'_>,
        mut scope: Option<&mut Scope<'_>>,
        problems: &mut Problems,
    ) -> Self {
        let place = Path::root().join("grants");
        if written.len() > MAX_ENTRIES {
            problems.add(Problem::new(format!("more than {MAX_ENTRIES}")).at(place.clone()));
        }
        let is_fetched = scope.is_none();
        let mut elevations = Self::default();
        for (index, grant) in written.into_iter().enumerate().take(MAX_ENTRIES) {
            let here = place.join(index);
            let mut found = Problems::new();
            let agent = about.agents.resolve(&grant.agent, || here.join("agent"), &mut found);
            let scope = scope.as_deref_mut();
            let compiled = compile_one(grant, index, about, scope, &here, &mut found);
            // What is wrong in any way gives nothing, be it fetched.
            if let (Some(agent), Some(one), false) = (agent, compiled, found.fatal()) {
                elevations.0.entry(agent).or_default().push(Elevation { is_fetched, ..one });
            }
            found.iter().for_each(|problem| problems.add(problem.clone()));
        }
        elevations
    }

    /// What `agent` may besides at `now`, as far as the permission and the path go.
    pub fn of(
        &self,
        agent: AgentId,
        permission: PermissionId,
        path: &NormalPath<'_>,
        now: i64,
    ) -> impl Iterator<Item = &Elevation> {
        let own = self.0.get(&agent).map_or(&[][..], Vec::as_slice);
        own.iter().filter(move |one| {
            one.permissions.contains(permission)
                && (one.from..one.until).contains(&now)
                && one.pattern.as_ref().is_none_or(|pattern| pattern.matches(path))
        })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Elevation> {
        self.0.values().flatten()
    }
}

fn compile_one(
    written: wire::Grant,
    index: usize,
    about: &About<'_>,
    scope: Option<&mut Scope<'_>>,
    here: &Path,
    problems: &mut Problems,
) -> Option<Elevation> {
    let key = store_key(&written);
    let wire::Grant {
        agent: _,
        permission,
        role,
        from,
        until,
        uses,
        path,
        when,
        beyond_user,
        approved_by,
        reason,
    } = written;
    let permissions = match (permission, role) {
        (Some(name), None) => {
            let found = resolve(about.permissions, &name, || here.join("permission"), problems);
            found.map(|id| PermissionSet::from_iter([id]))
        }
        (None, Some(name)) => {
            let role = about.roles.resolve(&name, || here.join("role"), problems);
            role.map(|role| about.roles.permissions(role).clone())
        }
        _ => {
            let message = "expected exactly one of `permission` and `role`";
            problems.add(Problem::new(message).at(here.clone()));
            None
        }
    };
    if until.is_none() && when.is_empty() {
        let message = "expected `until`, or `when`: no grant is for ever";
        problems.add(Problem::new(message).at(here.clone()));
    }
    let (from, until) =
        (from.map_or(0, |at| at.as_secs()), until.map_or(i64::MAX, |at| at.as_secs()));
    if from >= until {
        problems.add(Problem::new("expected an end after the beginning").at(here.join("until")));
    }
    for (name, text) in [("approved_by", &approved_by), ("reason", &reason)] {
        if text.is_empty() || text.len() > MAX_TEXT_BYTES || text.chars().any(char::is_control) {
            let message =
                format!("expected 1 to {MAX_TEXT_BYTES} bytes without control characters");
            problems.add(Problem::new(message).at(here.join(name)));
        }
    }
    let uses = match uses.map(NonZeroU32::new) {
        None => None,
        Some(Some(uses)) => Some((uses, key)),
        Some(None) => {
            problems.add(Problem::new("expected at least 1").at(here.join("uses")));
            None
        }
    };
    let pattern = path.map(|path| {
        path.parse::<Pattern>()
            .map_err(|error| problems.add(Problem::new(error.to_string()).at(here.join("path"))))
    });
    let pattern = pattern.transpose().ok()?;
    let when = match scope {
        Some(scope) => {
            let scope = &mut scope.on(pattern.as_ref());
            Condition::all_of(when, scope, &here.join("when"), problems)
        }
        None if when.is_empty() => Vec::new(),
        None => {
            let message = "a grant that is fetched has no conditions";
            problems.add(Problem::new(message).at(here.join("when")));
            return None;
        }
    };
    Some(Elevation {
        index,
        is_fetched: false,
        permissions: permissions?,
        from,
        until,
        uses,
        pattern,
        when,
        beyond_user,
        approved_by,
        reason,
    })
}

/// Where the uses of a grant are counted: the same for as long as it says the same, wherever it stands.
fn store_key(grant: &wire::Grant) -> String {
    let wire::Grant {
        agent, permission, role, from, until, path, approved_by, reason, uses, ..
    } = grant;
    let mut hash = Sha256::new();
    let moment =
        |at: &Option<super::Moment>| at.map_or(String::new(), |at| at.as_secs().to_string());
    let uses = uses.unwrap_or_default().to_string();
    let texts = [permission, role, path].map(|text| text.clone().unwrap_or_default());
    let fixed =
        [agent.clone(), moment(from), moment(until), approved_by.clone(), reason.clone(), uses];
    for text in fixed.iter().chain(&texts) {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let mut key = String::from("postern.grant.");
    for byte in digest.iter().take(16) {
        // Writing to a `String` cannot fail.
        let _ = write!(key, "{byte:02x}");
    }
    key
}
