//! The registry of agents: who is known, up to where they reach, what they never get.

use std::collections::BTreeMap;

use hashbrown::{Equivalent, HashMap};
use serde_json::Value;

use super::condition::Condition;
use super::consent::MAX_REMEMBERED_SECS;
use super::issuers::Trusted;
use super::permission::{PermissionId, Permissions};
use super::problem::{Path, Problem, Problems, quoted};
use super::role::{RoleId, Roles};
use super::vocabulary::Scope;
use super::{unknown, wire};
use crate::token::IssuerId;

/// A registered agent.
#[derive(Debug)]
pub struct Agent {
    /// Its name in the policy.
    pub name: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The role beyond which it never reaches.
    pub ceiling: RoleId,
    /// Permissions it never gets.
    pub never: Vec<PermissionId>,
    /// Permissions for which it asks the user, and for how many seconds it counts what they said; for
    /// one request where there are none.
    pub consent: Vec<(PermissionId, Option<u32>)>,
    /// Conditions that must all hold.
    pub require: Vec<Condition>,
    /// Whether any of them asks about the request.
    pub asks_request: bool,
    /// What is known of it whatever its token says, by the places of the policy's attributes.
    pub attributes: Vec<Option<Value>>,
}

/// What an agent gets that is not registered.
#[derive(Clone, Copy, Debug)]
pub enum Unregistered {
    /// Nothing.
    Deny,
    /// What its token grants, up to this role.
    Ceiling(RoleId),
}

/// An agent of the policy that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId(u32);

/// The agents of a policy. An identifier counts only together with the issuer that vouches for
/// it: another issuer's client of the same name is somebody else.
#[derive(Debug)]
pub struct Agents {
    list: Vec<Agent>,
    by_client: HashMap<Key, AgentId>,
    by_actor: HashMap<Key, AgentId>,
    /// What the others get.
    pub unregistered: Unregistered,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key(IssuerId, String);

#[derive(Hash)]
struct KeyRef<'a>(IssuerId, &'a str);

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.0 == key.0 && self.1 == key.1
    }
}

impl Agents {
    /// Reads the registry; what is wrong goes to `problems`.
    #[inline(never)]
    pub(super) fn compile(
        written: BTreeMap<String, wire::Agent>,
        unregistered: wire::UnregisteredAgents,
        (trusted, roles, permissions): (&Trusted, &Roles, &Permissions),
        scope: &mut Scope<'_>,
        problems: &mut Problems,
    ) -> Self {
        let unregistered = match unregistered {
            wire::UnregisteredAgents::Deny => Unregistered::Deny,
            wire::UnregisteredAgents::Ceiling(role) => {
                let here = || Path::root().join("unregistered_agents").join("ceiling");
                let role = roles.resolve(&role, here, problems);
                role.map_or(Unregistered::Deny, Unregistered::Ceiling)
            }
        };
        let mut agents = Self {
            list: Vec::with_capacity(written.len()),
            by_client: HashMap::new(),
            by_actor: HashMap::new(),
            unregistered,
        };
        for ((name, written), id) in written.into_iter().zip((0..).map(AgentId)) {
            let here = Path::root().join("agents").join(name.as_str());
            let wire::Agent {
                client,
                actor,
                issuer,
                owner,
                ceiling,
                never,
                consent,
                require,
                attributes,
            } = written;
            let client = client.unwrap_or_else(|| name.clone());
            let actor = actor.unwrap_or_else(|| client.clone());
            if name.is_empty() || client.is_empty() || actor.is_empty() {
                let message = "an agent's name, `client` and `actor` must not be empty";
                problems.add(Problem::new(message).at(here.clone()));
            }
            let issuer = vouching(issuer, trusted, &here, problems);
            let ceiling = roles.resolve(&ceiling, || here.join("ceiling"), problems);
            let never = never.iter().enumerate().filter_map(|(index, name)| {
                resolve(permissions, name, || here.join("never").join(index), problems)
            });
            let never: Vec<_> = never.collect();
            let consent = consent.into_iter().filter_map(|(name, term)| {
                let here = || here.join("consent").join(name.as_str());
                let remember = term.remember.map(|seconds| seconds.get());
                if remember.is_some_and(|seconds| seconds > MAX_REMEMBERED_SECS) {
                    let message = format!("expected at most {MAX_REMEMBERED_SECS} s");
                    problems.add(Problem::new(message).at(here().join("remember")));
                }
                Some((resolve(permissions, &name, here, problems)?, remember))
            });
            let consent: Vec<_> = consent.collect();
            let require = Condition::all_of(require, scope, &here.join("require"), problems);
            let asks_request = require.iter().any(|condition| condition.is_of_request);
            let values = &here.join("attributes");
            let attributes = scope.attributes.values(attributes, values, problems);
            let (Some(issuer), Some(ceiling)) = (issuer, ceiling) else { continue };
            for (map, kind, value) in
                [(&mut agents.by_client, "client", client), (&mut agents.by_actor, "actor", actor)]
            {
                let message = format!("another agent has the {kind} {} too", quoted(&value));
                if map.insert(Key(issuer, value), id).is_some() {
                    problems.add(Problem::new(message).at(here.clone()));
                }
            }
            let agent =
                Agent { name, owner, ceiling, never, consent, require, asks_request, attributes };
            agents.list.push(agent);
        }
        agents
    }

    /// Says of each agent that has to ask that nobody says how.
    pub(super) fn report_consent(&self, problems: &mut Problems) {
        for agent in self.list.iter().filter(|agent| !agent.consent.is_empty()) {
            let here = Path::root().join("agents").join(agent.name.as_str()).join("consent");
            let message =
                "expected `consent` in the policy: where users are asked, and who says so";
            problems.add(Problem::new(message).at(here));
        }
    }

    /// The agent registered with this client identifier at this issuer.
    pub fn with_client(&self, issuer: IssuerId, client: &str) -> Option<AgentId> {
        self.by_client.get(&KeyRef(issuer, client)).copied()
    }

    /// The agent registered with this subject as an actor at this issuer.
    pub fn with_actor(&self, issuer: IssuerId, actor: &str) -> Option<AgentId> {
        self.by_actor.get(&KeyRef(issuer, actor)).copied()
    }

    /// The agent called `name` in the policy.
    pub fn find(&self, name: &str) -> Option<AgentId> {
        // INVARIANT: they are in the order of their names, and an id is a place.
        let place = self.list.binary_search_by(|agent| agent.name.as_str().cmp(name)).ok()?;
        u32::try_from(place).ok().map(AgentId)
    }

    /// The same; an unknown one is a problem at the place that `here` names.
    pub(super) fn resolve(
        &self,
        name: &str,
        here: impl FnOnce() -> Path,
        problems: &mut Problems,
    ) -> Option<AgentId> {
        let known = self.iter().map(|agent| agent.name.as_str());
        unknown::or_report(self.find(name), ("agent", name), known, here, problems)
    }

    /// The agent `id`.
    pub fn get(&self, id: AgentId) -> Option<&Agent> {
        self.list.get(usize::try_from(id.0).ok()?)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Agent> {
        self.list.iter()
    }
}

/// The issuer that vouches for an agent: the one it names, or the only one there is.
fn vouching(
    named: Option<String>,
    trusted: &Trusted,
    here: &Path,
    problems: &mut Problems,
) -> Option<IssuerId> {
    match (named, trusted.identifiers.as_slice()) {
        (Some(name), _) => trusted.resolve(&name, || here.join("issuer"), problems),
        (None, [only]) => trusted.find(only),
        // What is wrong with the issuers is told there.
        (None, []) => None,
        (None, [..]) => {
            let message =
                "expected `issuer`: where there are several, an agent says which of them knows it";
            problems.add(Problem::new(message).at(here.clone()));
            None
        }
    }
}

/// The permission called `name`; one that no role holds is a problem.
pub(super) fn resolve(
    permissions: &Permissions,
    name: &str,
    here: impl FnOnce() -> Path,
    problems: &mut Problems,
) -> Option<PermissionId> {
    let found = permissions.find(name);
    if found.is_none() {
        let message = format!("unknown permission {}: no role holds it", quoted(name));
        unknown::report(Problem::new(message).at(here()), name, permissions.names(), problems);
    }
    found
}
