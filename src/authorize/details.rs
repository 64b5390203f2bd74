//! What a token grants by `authorization_details`: permissions on the resources that they name
//! (RFC 9396).

use serde_json::{Map, Value};

use super::{Grant, controls, is_taken_away};
use crate::policy::{Amendments, PermissionId, PermissionSet, Policy};
use crate::principal::Principal;
use crate::route::NormalPath;
use crate::token::Claims;

/// The claim (RFC 9396 §9.1).
const CLAIM: &str = "authorization_details";

/// The most details of a token that are looked at: those that follow grant nothing.
const MAX_DETAILS: usize = 64;

/// What one of the details of a token is worth.
#[derive(Clone, Debug)]
pub struct Detail {
    /// Its `type`.
    pub name: String,
    permissions: PermissionSet,
    identifier: Option<String>,
}

/// The details of a token that are worth anything here.
pub(super) fn read(policy: &Policy, principal: &Principal, claims: &Claims) -> Vec<Detail> {
    if policy.authorization_details.is_empty() {
        return Vec::new();
    }
    let all = claims.members().get(CLAIM).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let details = all.iter().take(MAX_DETAILS).filter_map(Value::as_object);
    details.filter_map(|detail| read_one(policy, principal, detail)).collect()
}

/// What one is worth. A member that nobody here understands may be a restriction, so then it is worth
/// nothing (RFC 9396 §2).
fn read_one(policy: &Policy, principal: &Principal, detail: &Map<String, Value>) -> Option<Detail> {
    let name = detail.get("type")?.as_str()?;
    let kind = policy.authorization_details.get(name)?;
    if !detail.keys().all(|member| kind.knows(member)) {
        return None;
    }
    if let Some(locations) = detail.get("locations") {
        let mut locations = locations.as_array()?.iter();
        let is_here = |one: &Value| one.as_str().is_some_and(|one| is_ours(policy, principal, one));
        locations.any(is_here).then_some(())?;
    }
    let identifier = match detail.get("identifier") {
        None => None,
        Some(identifier) => Some(identifier.as_str()?.to_owned()),
    };
    if identifier.is_some() != kind.is_of_one() {
        return None;
    }
    let mut permissions = PermissionSet::default();
    for action in detail.get("actions")?.as_array()? {
        if let Some(granted) = kind.action(action.as_str()?) {
            permissions.extend(granted);
        }
    }
    Some(Detail { name: name.to_owned(), permissions, identifier })
}

/// Whether a location is this API, by a name that tokens for it have.
fn is_ours(policy: &Policy, principal: &Principal, location: &str) -> bool {
    let issuer = policy.trusted.issuers.get(principal.issuer);
    let mut names = issuer.into_iter().flat_map(|issuer| &issuer.audiences);
    policy.resource.as_ref().is_some_and(|resource| resource.identifier == location)
        || names.any(|name| name == location)
}

/// The first of the details by which the caller may do what no scope of its token lets it do.
///
/// It is for [`super::check`] to say that nothing else stands in the way. What the organization has
/// taken away from every scope, they do not give.
pub fn find<'a>(
    policy: &Policy,
    taken: &Amendments,
    principal: Option<&Principal>,
    grant: &'a Grant,
    permission: PermissionId,
    path: &NormalPath<'_>,
) -> Option<&'a Detail> {
    let speaks = |detail: &&Detail| {
        let kind = policy.authorization_details.get(&detail.name);
        detail.permissions.contains(permission)
            && kind.is_some_and(|kind| kind.covers(detail.identifier.as_deref(), path))
    };
    let (found, principal) = grant.details.iter().find(speaks).zip(principal)?;
    let controls = controls(policy, taken, principal.organization.as_deref());
    (!is_taken_away(policy, principal, permission, &controls)).then_some(found)
}
