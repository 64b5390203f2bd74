//! What is known of an agent besides its name: by the policy, its token, or a proxy before us.

use serde_json::Value;

use super::Principal;
use crate::denial::{Denial, Refusal};
use crate::host::Host;
use crate::policy::{Attribute, Kind, Policy};
use crate::token::Claims;

/// What is known of an agent, in the order of the policy's attributes: nothing where it says nothing.
pub type Values = Vec<Option<Value>>;

/// What the policy and the token say of an agent.
///
/// # Errors
///
/// [`Denial::AttributeInvalid`] for a claim that is not of its attribute's type.
pub fn of_token(policy: &Policy, principal: &Principal, claims: &Claims) -> Result<Values, Denial> {
    if policy.attributes.is_empty() || principal.kind != Kind::Agent {
        return Ok(Vec::new());
    }
    let agent = principal.registered().and_then(|id| policy.agents.get(id));
    let registered = agent.map_or(&[][..], |agent| &agent.attributes);
    let value = |(place, attribute): (usize, &Attribute)| {
        if let Some(Some(value)) = registered.get(place) {
            return Ok(Some(value.clone()));
        }
        let claim = attribute.claim.as_ref().and_then(|path| claims.get(path));
        match claim.filter(|value| !value.is_null()) {
            None => Ok(None),
            Some(value) => attribute.read(value).map(Some).ok_or(Denial::AttributeInvalid),
        }
    };
    policy.attributes.iter().enumerate().map(value).collect()
}

/// What a proxy before us says of an agent of which nothing else says it; empty where none does.
///
/// # Errors
///
/// [`Denial::AttributeInvalid`] for a header that is not of its attribute's type, or comes twice.
pub fn of_request(
    policy: &Policy,
    principal: &Principal,
    known: &Values,
    headers: &[(&[u8], &[u8])],
    host: &impl Host,
) -> Result<Values, Refusal> {
    let is_asked = policy.attributes.any_has_header() && principal.kind == Kind::Agent;
    let certificate = if is_asked { host.peer_certificate() } else { None };
    if !certificate.is_some_and(|certificate| policy.attributes.believes(&certificate)) {
        return Ok(Vec::new());
    }
    let invalid = |reason| Refusal::because(Denial::AttributeInvalid, reason);
    let value = |(place, attribute): (usize, &Attribute)| {
        let is_known = known.get(place).is_some_and(Option::is_some);
        let Some(name) = attribute.header.as_ref().filter(|_| !is_known) else { return Ok(None) };
        let mut values =
            headers.iter().filter(|(one, _)| one.eq_ignore_ascii_case(name.as_bytes()));
        let Some((_, value)) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(invalid("a header about the agent comes twice"));
        }
        let text = str::from_utf8(value).ok();
        let value = text.and_then(|text| attribute.parse(text.trim()));
        value.map(Some).ok_or(invalid("a header about the agent is not what it should be"))
    };
    policy.attributes.iter().enumerate().map(value).collect()
}
