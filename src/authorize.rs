//! May they do this, here, now.
//!
//! A caller's permissions are those of the roles that its token's scopes map to; when it acts for
//! somebody, only those that the subject's own roles hold too; an agent's only up to its ceiling;
//! and never what its registration says it never gets.

pub mod facts;

use std::collections::BinaryHeap;

use crate::api_key::ApiKey;
use crate::cel;
use crate::denial::{Denial, Refusal};
use crate::host::Timestamp;
use crate::policy::{
    Condition, Kind, Operation, Party, PermissionId, PermissionSet, Policy, RoleId, Unregistered,
};
use crate::principal::Principal;
use crate::token::{Claims, IssuerId};
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
}

/// Works out what the holder of a token may do, of which so much is known.
///
/// # Errors
///
/// [`Denial::AgentUnknown`] for an unregistered agent that the policy turns away,
/// [`Denial::ConditionFailed`] or [`Denial::ConditionError`] when the agent's own conditions do not
/// hold, as far as they ask about no request.
pub fn grant(
    policy: &Policy,
    principal: &Principal,
    known: &OfCredential<'_>,
) -> Result<Grant, Refusal> {
    let claims = known.claims;
    let scopes = principal.scopes(policy, claims);
    let scope_roles = scopes.filter_map(|scope| policy.scopes.get(scope).copied());
    let mut scope_roles = BinaryHeap::from_iter(scope_roles).into_sorted_vec();
    scope_roles.dedup();
    let mut permissions = policy.roles.union(scope_roles.iter().copied());
    if principal.delegated {
        permissions.retain(&policy.roles.union(principal.roles.iter().copied()));
    }
    let mut ceiling = None;
    if principal.kind == Kind::Agent {
        let role = match principal.registered().and_then(|id| policy.agents.get(id)) {
            Some(agent) => {
                let settled = agent.require.iter().filter(|condition| !condition.is_of_request);
                hold(settled, claims, known)?;
                for permission in &agent.never {
                    permissions.remove(*permission);
                }
                agent.ceiling
            }
            None => match policy.agents.unregistered {
                Unregistered::Deny => return Err(Denial::AgentUnknown.into()),
                Unregistered::Ceiling(role) => role,
            },
        };
        permissions.retain(policy.roles.permissions(role));
        ceiling = Some(role);
    }
    Ok(Grant { permissions, scope_roles, ceiling })
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

/// What may be done with an API key.
pub fn grant_key(policy: &Policy, key: &ApiKey) -> Grant {
    let scope_roles = key.roles.clone();
    let permissions = policy.roles.union(scope_roles.iter().copied());
    Grant { permissions, scope_roles, ceiling: None }
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
) -> Result<(), Denial> {
    if grant.permissions.contains(permission) {
        return Ok(());
    }
    let registered = principal.and_then(Principal::registered);
    let registered = registered.and_then(|id| policy.agents.get(id));
    if registered.is_some_and(|agent| agent.never.contains(&permission)) {
        return Err(Denial::AgentForbidden);
    }
    if grant.ceiling.is_some_and(|role| !policy.roles.holds(role, permission)) {
        return Err(Denial::AgentCeiling);
    }
    let delegated = principal.filter(|principal| principal.delegated);
    if delegated.is_some_and(|principal| {
        !principal.roles.iter().any(|role| policy.roles.holds(*role, permission))
    }) {
        return Err(Denial::UserLacksRole);
    }
    Err(Denial::InsufficientScope)
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
    claims: &Claims,
    now: Timestamp,
) -> Result<(), Denial> {
    let Some(asked) = policy.step_ups.of(permission) else { return Ok(()) };
    if !principal.is_some_and(|principal| principal.party == Party::Person) {
        Err(Denial::UserRequired)
    } else if !asked.is_met(claims, now) {
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
