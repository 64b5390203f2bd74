//! The headers by which the backend learns who is calling.

use std::rc::Rc;

use crate::authorize::Grant;
use crate::policy::{Policy, RoleId};
use crate::principal::Principal;

/// The most roles that are told to the backend.
const MAX_ROLES: usize = 32;

/// The names of the identity headers under a policy's prefix.
#[derive(Debug)]
pub struct Names {
    /// The decision's identifier, the one in the record.
    pub decision_id: Rc<str>,
    /// The edition of the policy.
    pub policy_version: Rc<str>,
    /// `agent`, `human`, or `anonymous` on a public route.
    pub kind: Rc<str>,
    prefix: String,
}

impl Names {
    /// The names under `prefix`.
    pub fn new(prefix: &str) -> Self {
        let name = |rest: &str| format!("{prefix}{rest}").into();
        Self {
            decision_id: name("decision-id"),
            policy_version: name("policy-version"),
            kind: name("kind"),
            prefix: prefix.to_owned(),
        }
    }
}

/// The headers that speak of `principal`, the same for each of its requests.
pub fn headers(
    names: &Names,
    policy: &Policy,
    principal: &Principal,
    grant: &Grant,
) -> Vec<(Rc<str>, Rc<str>)> {
    let roles = roles_in_full(policy, grant);
    let mut headers = vec![(Rc::clone(&names.kind), Rc::from(principal.kind.name()))];
    let mut tell = |rest: &str, value: String| {
        if !value.is_empty() {
            headers.push((format!("{}{rest}", names.prefix).into(), value.into()));
        }
    };
    // What an unregistered agent is called may be the name of a registered one.
    let registered = principal.agent.iter().filter(|agent| agent.registered.is_some());
    tell("agent", list(registered.map(|agent| agent.name.as_str())));
    tell("subject", list([principal.subject.as_str()]));
    tell("organization", list(principal.organization.iter().map(String::as_str)));
    tell("client", list([principal.client.as_str()]));
    tell("issuer", list([policy.trusted.identifier(principal.issuer)]));
    tell("token-id", list(principal.token_id.iter().map(String::as_str)));
    tell("roles", list(roles));
    tell("actor-chain", list(principal.actors.iter().map(String::as_str)));
    headers
}

/// The roles that the caller holds in full: what its scopes map to, or those inherit, and nothing
/// of which the user, the ceiling or a `never` has taken away.
fn roles_in_full<'p>(policy: &'p Policy, grant: &Grant) -> impl Iterator<Item = &'p str> + use<'p> {
    let mut roles: Vec<RoleId> = Vec::new();
    let mut open = grant.scope_roles.clone();
    while let Some(role) = open.pop() {
        if !roles.contains(&role) && roles.len() < MAX_ROLES {
            roles.push(role);
            open.extend(policy.roles.parents(role));
        }
    }
    let granted = &grant.permissions;
    roles.retain(|role| {
        let needs = policy.roles.permissions(*role);
        !needs.is_empty() && needs.is_subset(granted)
    });
    roles.sort_unstable();
    roles.into_iter().map(|role| policy.roles.name(role))
}

/// Values separated by commas, each percent-encoded (RFC 3986 §2.1) but for visible ASCII other
/// than `%` and `,`: nothing in a claim can end a header, or pass for two values.
fn list<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let hex = |nibble: u8| HEX.get(usize::from(nibble)).map_or('0', |digit| char::from(*digit));
    let mut out = String::new();
    for value in values {
        if !out.is_empty() {
            out.push(',');
        }
        for byte in value.bytes() {
            if byte.is_ascii_graphic() && byte != b'%' && byte != b',' {
                out.push(char::from(byte));
            } else {
                out.extend(['%', hex(byte >> 4), hex(byte & 15)]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::list;

    #[test]
    fn no_value_can_break_out_of_its_header() {
        assert_eq!(list(["a\r\nx: y"]), "a%0D%0Ax:%20y");
        assert_eq!(list(["a,b", "c"]), "a%2Cb,c");
        assert_eq!(list(["100%", "ü"]), "100%25,%C3%BC");
        assert_eq!(list(["https://login.example/"]), "https://login.example/");
    }
}
