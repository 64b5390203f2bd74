//! The fields of a policy: all of them are in the reference, and no others.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Map, Value};

use crate::page::{Page, code, repository};

/// Where each type of the schema stands in a policy, as the reference writes it.
const PLACES: [(&str, &str); 37] = [
    ("Agent", "agents.NAME."),
    ("ApiKey", "api_keys.keys[]."),
    ("ApiKeys", "api_keys."),
    ("Attribute", "attributes.NAME."),
    ("Audit", "audit."),
    ("AuthorizationDetail", "authorization_details.NAME."),
    ("Behaviour", "behaviour."),
    ("Binding", "binding."),
    ("Caller", "callers[]."),
    ("ClaimNames", "issuers[].claims."),
    ("ClaimTest", "CONDITION."),
    ("Consent", "consent."),
    ("ConsentTerm", "agents.NAME.consent.PERMISSION."),
    ("Delegation", "delegation."),
    ("DelegationPair", "delegation.pairs[]."),
    ("Dpop", "binding.dpop."),
    ("Grant", "grants[]."),
    ("Headers", "headers."),
    ("Introspection", "issuers[].introspection."),
    ("IssuedBefore", "revocations.issued_before[]."),
    ("Issuer", "issuers[]."),
    ("Jwks", "issuers[].jwks."),
    ("Limit", "LIMIT."),
    ("Limits", "limits."),
    ("SharedLimits", "limits.shared."),
    ("Machine", "issuers[].machine."),
    ("Mtls", "binding.mtls."),
    ("Organization", "organizations.NAME."),
    ("Resource", "resource."),
    ("RevocationFeed", "revocations.feed."),
    ("Revocations", "revocations."),
    ("Revoked", "REVOKED."),
    ("Role", "roles.NAME."),
    ("Route", "routes[]."),
    ("Scope", "scopes.NAME."),
    ("StepUp", "step_up.PERMISSION."),
    ("StatusList", "issuers[].status_lists[]."),
];

fn schema() -> Value {
    let text = fs::read_to_string(repository().join("docs/policy.schema.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Every field, whether it is required, and its default where the schema has one.
fn fields() -> BTreeMap<String, (bool, Option<String>)> {
    let schema = schema();
    let mut fields = BTreeMap::new();
    let mut add = |place: &str, object: &Value| {
        let required = object["required"].as_array().cloned().unwrap_or_default();
        for (name, field) in object["properties"].as_object().unwrap_or(&Map::new()) {
            let required = required.iter().any(|one| one == name);
            let default = field["default"].as_str().map(str::to_owned);
            fields.insert(format!("{place}{name}"), (required, default));
        }
    };
    add("", &schema);
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        if definition.get("properties").is_some() {
            let place = PLACES.into_iter().find(|(known, _)| known == name);
            add(place.unwrap_or_else(|| panic!("where does `{name}` stand?")).1, definition);
        }
    }
    fields
}

#[test]
fn the_reference_has_every_field_and_no_other() {
    let page = Page::read("docs/policy.md");
    let rows = page.rows().into_iter().filter(|row| row.len() == 4);
    let rows: BTreeMap<_, _> =
        rows.map(|row| (code(&row[0]).first().unwrap().to_string(), row)).collect();
    let fields = fields();
    let documented: Vec<_> = rows.keys().collect();
    assert_eq!(documented, fields.keys().collect::<Vec<_>>());
    for (name, (required, default)) in &fields {
        let row = &rows[name];
        assert_eq!(row[2] == "required", *required, "{name}: {}", row[2]);
        if let Some(default) = default {
            assert_eq!(code(&row[2]), [default], "{name}");
        }
    }
}

#[test]
fn the_reference_has_every_word_that_a_field_may_be() {
    let text = Page::read("docs/policy.md").lines().collect::<Vec<_>>().join("\n");
    let schema = schema();
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        for word in definition["oneOf"].as_array().into_iter().flatten() {
            let Some(word) = word["const"].as_str() else { continue };
            assert!(text.contains(&format!("`{word}`")), "{name}: `{word}`");
        }
    }
}
