//! May they do this, here, now.
//!
//! A caller's permissions are those of the roles that its token's scopes map to; when it acts for
//! somebody, only those that the subject's own roles hold too; an agent's only up to its ceiling;
//! and never what its registration says it never gets.

pub mod basis;
pub(crate) mod consent;
pub mod details;
pub mod elevation;
pub mod facts;

use std::collections::BinaryHeap;
use std::iter::once;

use crate::api_key::ApiKey;
use crate::cel;
use crate::denial::{Denial, Refusal};
use crate::policy::{
    Amendments, Condition, Kind, Operation, Organization, Party, PermissionId, PermissionSet,
    Policy, Role, RoleId, Unregistered,
};
use crate::principal::Principal;
use crate::token::{Claims, IssuerId};
use details::Detail;
use facts::{Facts, OfCredential};

/// What a token may be used for, whatever the request: settled once for a token and a policy.
#[derive(Clone, Debug)]
pub struct Grant {
    /// What may be done with it.
    pub permissions: PermissionSet,
    /// The roles its scopes map to.
    pub scope_roles: Vec<RoleId>,
    /// The role an agent cannot go beyond.
    pub ceiling: Option<RoleId>,
    /// The same, by what its organization has decided.
    pub organization_ceilings: Vec<Role>,
    /// The scopes of the token that are worth nothing here.
    pub withheld: Vec<Withheld>,
    /// What it grants besides on single resources.
    pub details: Vec<Detail>,
}

/// A scope that is worth nothing in these hands, or in this organization.
#[derive(Clone, Debug)]
pub struct Withheld {
    /// Its name.
    pub scope: String,
    /// What it would be worth.
    pub role: RoleId,
    /// Why it is not.
    pub denial: Denial,
}

/// What an organization has decided: in the policy, and elsewhere.
pub type Controls<'a> = [Option<&'a Organization>; 2];

/// What the organization of a caller has decided.
pub fn controls<'a>(
    policy: &'a Policy,
    taken: &'a Amendments,
    organization: Option<&str>,
) -> Controls<'a> {
    let Some(name) = organization else { return [None, None] };
    [policy.organizations.get(name), taken.organizations.get(name)]
}

/// Works out what the holder of a token may do, of which so much is known.
///
/// # Errors
///
/// [`Denial::AgentUnknown`] for an unregistered agent that the policy or the organization turns away,
/// [`Denial::ClientBlocked`] for a client that the organization does, [`Denial::ConditionFailed`] or
/// [`Denial::ConditionError`] when the agent's own conditions do not hold, as far as they ask about no
/// request.
pub fn grant(
    policy: &Policy,
    principal: &Principal,
    known: &OfCredential<'_>,
    controls: &Controls<'_>,
) -> Result<Grant, Refusal> {
    let controls = || controls.iter().flatten();
    let names = || once(&principal.client).chain(&principal.actors);
    if controls().any(|control| names().any(|name| control.blocks_client(name))) {
        let reason = "the organization has blocked this client";
        return Err(Refusal::because(Denial::ClientBlocked, reason));
    }
    let (mut scope_roles, mut withheld) = (Vec::new(), Vec::new());
    for scope in principal.scopes(policy, known.claims) {
        let Some(role) = policy.scopes.get(scope) else { continue };
        match worth(policy, principal, scope, controls()) {
            Ok(()) => scope_roles.push(*role),
            Err(denial) => {
                withheld.push(Withheld { scope: scope.to_owned(), role: *role, denial });
            }
        }
    }
    let mut scope_roles = BinaryHeap::from(scope_roles).into_sorted_vec();
    scope_roles.dedup();
    let mut permissions = policy.roles.union(scope_roles.iter().copied());
    if principal.delegated {
        permissions.retain(&policy.roles.union(principal.roles.iter().copied()));
    }
    let (mut ceiling, mut organization_ceilings) = (None, Vec::new());
    if principal.kind == Kind::Agent {
        let role = match principal.registered().and_then(|id| policy.agents.get(id)) {
            Some(agent) => {
                let settled = agent.require.iter().filter(|condition| !condition.is_of_request);
                hold(settled, known.claims, known)?;
                for permission in &agent.never {
                    permissions.remove(*permission);
                }
                agent.ceiling
            }
            None if controls().any(|control| control.registered_agents_only) => {
                let reason = "the organization lets only registered agents act for it";
                return Err(Refusal::because(Denial::AgentUnknown, reason));
            }
            None => match policy.agents.unregistered {
                Unregistered::Deny => return Err(Denial::AgentUnknown.into()),
                Unregistered::Ceiling(role) => role,
            },
        };
        permissions.retain(policy.roles.permissions(role));
        ceiling = Some(role);
        organization_ceilings.extend(controls().filter_map(|control| control.agent_ceiling));
        for role in &organization_ceilings {
            permissions.retain(held(policy, *role));
        }
    }
    let details = details::read(policy, principal, known.claims);
    Ok(Grant { permissions, scope_roles, ceiling, organization_ceilings, withheld, details })
}

/// Whether a scope is worth what the policy says, in these hands and in this organization.
fn worth<'a>(
    policy: &Policy,
    principal: &Principal,
    scope: &str,
    controls: impl Iterator<Item = &'a &'a Organization>,
) -> Result<(), Denial> {
    if is_withheld(policy, principal, scope, controls) {
        return Err(Denial::ScopeBlocked);
    }
    let wanted = policy.user_must_hold.get(scope).copied().map(Role::Known);
    if wanted.is_some_and(|role| !has(policy, principal, role)) {
        return Err(Denial::UserLacksRole);
    }
    Ok(())
}

/// Whether the organization has decided that a scope is worth nothing in these hands.
fn is_withheld<'a>(
    policy: &Policy,
    principal: &Principal,
    scope: &str,
    mut controls: impl Iterator<Item = &'a &'a Organization>,
) -> bool {
    let is_agents = principal.kind == Kind::Agent;
    controls.any(|control| {
        let role = control.delegable_by(scope).filter(|_| is_agents);
        control.blocks_scope(scope) || role.is_some_and(|role| !has(policy, principal, role))
    })
}

/// Whether the user in a token has a role, or all that it holds.
fn has(policy: &Policy, principal: &Principal, role: Role) -> bool {
    let Role::Known(role) = role else { return false };
    let roles = policy.roles.union(principal.roles.iter().copied());
    principal.party == Party::Person && policy.roles.permissions(role).is_subset(&roles)
}

/// Whether the organization has decided of every scope for a permission that it is worth nothing in
/// these hands, whichever of them a token has.
fn is_taken_away(
    policy: &Policy,
    principal: &Principal,
    permission: PermissionId,
    controls: &Controls<'_>,
) -> bool {
    let mut scopes =
        policy.scopes.iter().filter(|(_, role)| policy.roles.holds(**role, permission)).peekable();
    scopes.peek().is_some()
        && scopes.all(|(scope, _)| is_withheld(policy, principal, scope, controls.iter().flatten()))
}

/// What a role holds.
fn held(policy: &Policy, role: Role) -> &PermissionSet {
    static NONE: PermissionSet = PermissionSet::empty();
    match role {
        Role::Known(role) => policy.roles.permissions(role),
        Role::Unknown => &NONE,
    }
}

/// Whether authority may have come to whoever acts in the way that it did.
///
/// # Errors
///
/// [`Denial::DelegationForbidden`], and what of the chain of actors is wrong.
pub fn delegation(policy: &Policy, principal: &Principal) -> Result<(), Refusal> {
    let refused = |reason| Err(Refusal::because(Denial::DelegationForbidden, reason));
    let actors = || principal.actors.iter().zip(&principal.actor_issuers);
    if principal.actors.len() > policy.delegation.max_depth {
        return refused("the chain of actors is longer than the policy allows");
    }
    let itself = (&principal.subject, &Some(principal.issuer));
    if actors().any(|actor| actor == itself) {
        return refused("an actor acts for itself");
    }
    if actors().enumerate().any(|(place, actor)| actors().take(place).any(|one| one == actor)) {
        return refused("the chain of actors leads back to one of them");
    }
    let known = |(name, issuer): (&String, &Option<IssuerId>)| {
        issuer.and_then(|issuer| policy.agents.with_actor(issuer, name))
    };
    let links = actors().zip(actors().skip(1));
    if links.into_iter().any(|(actor, of)| !policy.delegation.permits(known(actor), known(of))) {
        return refused(
            "an actor has its authority from one that the policy does not pair it with",
        );
    }
    Ok(())
}

/// What may be done with an API key: there is no user who could hold a role.
pub fn grant_key(policy: &Policy, key: &ApiKey, controls: &Controls<'_>) -> Grant {
    let (mut scope_roles, mut withheld) = (Vec::new(), Vec::new());
    for scope in &key.scopes {
        let Some(role) = policy.scopes.get(scope) else { continue };
        let denial = if controls.iter().flatten().any(|control| control.blocks_scope(scope)) {
            Denial::ScopeBlocked
        } else if policy.user_must_hold.contains_key(scope) {
            Denial::UserLacksRole
        } else {
            scope_roles.push(*role);
            continue;
        };
        withheld.push(Withheld { scope: scope.clone(), role: *role, denial });
    }
    let mut scope_roles = BinaryHeap::from(scope_roles).into_sorted_vec();
    scope_roles.dedup();
    let permissions = policy.roles.union(scope_roles.iter().copied());
    let (organization_ceilings, details) = (Vec::new(), Vec::new());
    Grant { permissions, scope_roles, ceiling: None, organization_ceilings, withheld, details }
}

/// Whether a caller may use an operation that needs `permission`. Whoever comes with an API key
/// is no principal of a token.
///
/// # Errors
///
/// Why not; what the agent could never get comes before what another token would mend.
pub fn check(
    policy: &Policy,
    principal: Option<&Principal>,
    grant: &Grant,
    permission: PermissionId,
) -> Result<(), Refusal> {
    if grant.permissions.contains(permission) {
        return Ok(());
    }
    let registered = principal.and_then(Principal::registered);
    let registered = registered.and_then(|id| policy.agents.get(id));
    if registered.is_some_and(|agent| agent.never.contains(&permission)) {
        return Err(Denial::AgentForbidden.into());
    }
    let own = grant.ceiling.map(Role::Known).into_iter();
    let mut ceilings = own.chain(grant.organization_ceilings.iter().copied());
    if ceilings.any(|role| !held(policy, role).contains(permission)) {
        return Err(Denial::AgentCeiling.into());
    }
    let delegated = principal.filter(|principal| principal.delegated);
    if delegated.is_some_and(|principal| {
        !principal.roles.iter().any(|role| policy.roles.holds(*role, permission))
    }) {
        return Err(Denial::UserLacksRole.into());
    }
    let withheld = |one: &&Withheld| policy.roles.holds(one.role, permission);
    Err(match grant.withheld.iter().find(withheld).map(|one| one.denial) {
        None => Denial::InsufficientScope.into(),
        Some(Denial::UserLacksRole) => {
            let reason =
                "the scope that would do counts only for users of a role that this one lacks";
            Refusal::because(Denial::UserLacksRole, reason)
        }
        Some(denial) => denial.into(),
    })
}

/// Whether the conditions of an operation hold, and those of the agent that ask about a request.
///
/// # Errors
///
/// [`Denial::ConditionFailed`] when one does not, [`Denial::ConditionError`] where that cannot be
/// told.
pub fn require(
    operation: &Operation,
    principal: Option<&Principal>,
    facts: &Facts<'_>,
) -> Result<(), Refusal> {
    let agent = principal.filter(|principal| principal.kind == Kind::Agent);
    let agent = agent.and_then(Principal::registered);
    let agent = agent.and_then(|id| facts.policy.agents.get(id)).filter(|one| one.asks_request);
    let of_agent = agent.map_or(&[][..], |agent| &agent.require).iter();
    let of_agent = of_agent.filter(|condition| condition.is_of_request);
    hold(of_agent.chain(&operation.require), facts.credential.claims, facts)
}

/// Whether the user has logged in as `permission` asks (RFC 9470).
///
/// # Errors
///
/// [`Denial::UserRequired`] where there is no user who could log in again,
/// [`Denial::InsufficientUserAuthentication`] where there is one.
pub fn step_up(
    policy: &Policy,
    principal: Option<&Principal>,
    permission: PermissionId,
    facts: &Facts<'_>,
) -> Result<(), Denial> {
    let asked = policy.step_ups.of(permission).filter(|asked| asked.is_asked(facts));
    let Some(asked) = asked else { return Ok(()) };
    if !principal.is_some_and(|principal| principal.party == Party::Person) {
        Err(Denial::UserRequired)
    } else if !asked.is_met(facts.credential.claims, facts.now) {
        Err(Denial::InsufficientUserAuthentication)
    } else {
        Ok(())
    }
}

fn hold<'a>(
    conditions: impl Iterator<Item = &'a Condition>,
    claims: &Claims,
    facts: &dyn cel::Facts,
) -> Result<(), Refusal> {
    for condition in conditions {
        match condition.test(claims, facts) {
            Ok(true) => {}
            Ok(false) => return Err(Denial::ConditionFailed.into()),
            Err(failure) => {
                return Err(Refusal::because(Denial::ConditionError, failure.reason()));
            }
        }
    }
    Ok(())
}
