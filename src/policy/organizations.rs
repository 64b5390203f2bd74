//! What organizations have decided for their own.
//!
//! Each of it takes away from what the policy gives, and there is nothing here that could add to it.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use super::problem::{Path, Problem, Problems, quoted};
use super::role::{RoleId, Roles};
use super::{MAX_ENTRIES, limits, unknown, wire};

/// The organizations that have decided anything, by name: at whatever issuer they are called so.
#[derive(Debug, Default)]
pub struct Organizations(HashMap<String, Organization>);

/// What an organization has decided.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Organization {
    blocked_clients: HashSet<String>,
    blocked_scopes: HashSet<String>,
    /// The role beyond which no agent reaches.
    pub agent_ceiling: Option<Role>,
    /// Whether only registered agents may act for it.
    pub registered_agents_only: bool,
    delegable_by: HashMap<String, Role>,
    /// What its clocks say less UTC, in seconds.
    pub zone: Option<i32>,
}

/// A role that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// One of the policy's.
    Known(RoleId),
    /// One that the policy has not: nobody has it, and it holds nothing.
    Unknown,
}

impl Organizations {
    /// Reads them; what is wrong goes to `problems`, and what is not known counts for nothing.
    #[inline(never)]
    pub(super) fn compile(
        written: BTreeMap<String, wire::Organization>,
        roles: &Roles,
        scopes: &HashMap<String, RoleId>,
        problems: &mut Problems,
    ) -> Self {
        let place = Path::root().join("organizations");
        if written.len() > MAX_ENTRIES {
            problems.add(Problem::new(format!("more than {MAX_ENTRIES}")).at(place.clone()));
        }
        let compiled = written.into_iter().take(MAX_ENTRIES).map(|(name, written)| {
            let here = place.join(name.as_str());
            (name, Organization::compile(written, roles, scopes, &here, problems))
        });
        Self(compiled.collect())
    }

    /// What the organization called `name` has decided.
    pub fn get(&self, name: &str) -> Option<&Organization> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Organization)> {
        self.0.iter().map(|(name, organization)| (name.as_str(), organization))
    }
}

impl Organization {
    fn compile(
        written: wire::Organization,
        roles: &Roles,
        scopes: &HashMap<String, RoleId>,
        here: &Path,
        problems: &mut Problems,
    ) -> Self {
        let wire::Organization {
            blocked_clients,
            blocked_scopes,
            agent_ceiling,
            registered_agents_only,
            delegable_by,
            time_zone,
        } = written;
        let mut known = |name: &str, place: Path| {
            if !scopes.contains_key(name) {
                let problem = Problem::new(format!("unknown scope {}", quoted(name))).at(place);
                unknown::report(problem, name, scopes.keys().map(String::as_str), problems);
            }
        };
        for (index, name) in blocked_scopes.iter().enumerate() {
            known(name, here.join("blocked_scopes").join(index));
        }
        for name in delegable_by.keys() {
            known(name, here.join("delegable_by").join(name.as_str()));
        }
        let mut role = |name: &str, place: Path| {
            roles.resolve(name, || place, problems).map_or(Role::Unknown, Role::Known)
        };
        let agent_ceiling = agent_ceiling.map(|name| role(&name, here.join("agent_ceiling")));
        let place = here.join("delegable_by");
        let delegable_by = delegable_by.into_iter().map(|(scope, name)| {
            let role = role(&name, place.join(scope.as_str()));
            (scope, role)
        });
        Self {
            delegable_by: delegable_by.collect(),
            blocked_clients: blocked_clients.into_iter().collect(),
            blocked_scopes: blocked_scopes.into_iter().collect(),
            agent_ceiling,
            registered_agents_only,
            zone: limits::zone(time_zone, &here.join("time_zone"), problems),
        }
    }

    /// Whether it blocks any client.
    pub fn blocks_clients(&self) -> bool {
        !self.blocked_clients.is_empty()
    }

    /// Whether it blocks any scope.
    pub fn blocks_scopes(&self) -> bool {
        !self.blocked_scopes.is_empty()
    }

    /// Whether any scope can be handed to agents by some only.
    pub fn is_delegable_by_some(&self) -> bool {
        !self.delegable_by.is_empty()
    }

    /// Whether nobody may call with this client.
    pub fn blocks_client(&self, name: &str) -> bool {
        self.blocked_clients.contains(name)
    }

    /// Whether this scope is worth nothing.
    pub fn blocks_scope(&self, name: &str) -> bool {
        self.blocked_scopes.contains(name)
    }

    /// The role that a user must have who hands this scope to an agent.
    pub fn delegable_by(&self, scope: &str) -> Option<Role> {
        self.delegable_by.get(scope).copied()
    }
}
