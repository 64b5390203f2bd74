//! The headers by which the backend learns who is calling.

use std::collections::BinaryHeap;

use crate::authorize::Grant;
use crate::fields::{Fields, percent_encode};
use crate::policy::{Kind, Policy, RoleId};
use crate::principal::Caller;

/// The most roles that are told to the backend.
const MAX_ROLES: usize = 32;

/// What they usually come to, in bytes.
const USUAL_BYTES: usize = 512;

/// The headers that speak of `caller` and of the policy, the same for each of its requests.
pub fn identity(policy: &Policy, caller: &Caller, grant: &Grant) -> Fields {
    let mut fields = Fields::with_room(USUAL_BYTES);
    let mut tell = |rest: &str, value: String| {
        if !value.is_empty() {
            fields.push(&name(policy, rest), &value);
        }
    };
    let roles = list(roles_in_full(policy, grant));
    match caller {
        Caller::Key(key) => {
            tell("kind", Kind::Organization.name().to_owned());
            tell("organization", list([key.organization.as_str()]));
            tell("key", list([key.id.as_str()]));
            tell("roles", roles);
        }
        Caller::Token(principal) => {
            tell("kind", principal.kind.name().to_owned());
            // What an unregistered agent is called may be the name of a registered one.
            let registered = principal.agent.iter().filter(|agent| agent.registered.is_some());
            tell("agent", list(registered.map(|agent| agent.name.as_str())));
            tell("subject", list([principal.subject.as_str()]));
            tell("organization", list(principal.organization.iter().map(String::as_str)));
            tell("client", list([principal.client.as_str()]));
            tell("issuer", list([policy.trusted.identifier(principal.issuer)]));
            tell("token-id", list(principal.token_id.iter().map(String::as_str)));
            tell("roles", roles);
            tell("actor-chain", list(principal.actors.iter().map(String::as_str)));
        }
    }
    tell("policy-version", policy.version.clone());
    fields
}

/// The headers of a request to a public route, whoever sends it.
pub fn anonymity(policy: &Policy) -> Fields {
    let mut fields = Fields::default();
    fields.push(&name(policy, "kind"), "anonymous");
    fields.push(&name(policy, "policy-version"), &policy.version);
    fields
}

/// What the header is called that tells the decision's identifier, the one in the record.
pub fn decision_id(policy: &Policy) -> String {
    name(policy, "decision-id")
}

fn name(policy: &Policy, rest: &str) -> String {
    [&policy.header_prefix, rest].concat()
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
    BinaryHeap::from(roles).into_sorted_vec().into_iter().map(|role| policy.roles.name(role))
}

/// Values separated by commas, each percent-encoded (RFC 3986 §2.1) but for visible ASCII other
/// than `%` and `,`: nothing in a claim can end a header, or pass for two values.
fn list<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'%' && byte != b',';
    let mut out = String::new();
    for value in values {
        if !out.is_empty() {
            out.push(',');
        }
        if value.bytes().all(is_plain) {
            out.push_str(value);
            continue;
        }
        for byte in value.bytes() {
            if is_plain(byte) {
                out.push(char::from(byte));
            } else {
                percent_encode(&mut out, byte);
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
