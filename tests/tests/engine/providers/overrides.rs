//! A preset is only defaults, and what a policy says itself takes their place.

use postern_tests::engine::{AUDIENCE, problems};
use serde_json::{Value, json};

use super::{ID_TOKEN, NOT_AS_REQUIRED, UNCLEAR, ask, token, trusting, with};

const ISSUER: &str = "https://keycloak.crm.example/realms/crm";

fn person() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "azp": "web-app", "typ": "Bearer",
        "sid": "s", "scope": "crm.read", "realm_access": { "roles": ["reader"] },
    })
}

fn told_of(fields: &Value) -> String {
    problems(&trusting(ISSUER, fields, "support-bot"))
}

#[test]
fn a_field_of_the_issuer_takes_the_place_of_the_presets_and_of_no_other() {
    let policy = trusting(
        ISSUER,
        &json!({
            "preset": "keycloak",
            "claims": { "scopes": ["/ext/scopes"], "roles": "groups" },
            "machine": { "subject": "svc:{client}", "when": [{ "claim": "kind", "equals": "m" }] },
        }),
        "support-bot",
    );
    let claims = |more| with(person(), with(json!({ "ext": { "scopes": "crm.read" } }), more));
    let told = |more| ask(&policy, &token(Some("JWT"), &claims(more)));
    assert_eq!(
        told(json!({ "azp": "support-bot", "groups": ["reader"] })),
        "support-bot for ada, -"
    );
    let realm_roles = told(json!({ "azp": "support-bot" }));
    assert!(realm_roles.starts_with("user_lacks_role"), "{realm_roles}");
    let scope_only = told(json!({ "ext": {} }));
    assert!(scope_only.starts_with("insufficient_scope"), "{scope_only}");
    let named = told(json!({ "azp": "support-bot", "sub": "svc:support-bot" }));
    assert_eq!(named, "support-bot for itself, -");
    let marked = told(json!({ "azp": "support-bot", "kind": "m" }));
    assert_eq!(marked, "support-bot for itself, -");
    let sessionless = with(claims(json!({})), json!({ "sid": null }));
    assert_eq!(ask(&policy, &token(Some("JWT"), &sessionless)), "human ada, -");
    let strict = token(Some("JWT"), &claims(json!({ "typ": "ID" })));
    assert_eq!(ask(&policy, &strict), NOT_AS_REQUIRED);
}

#[test]
fn what_a_preset_requires_is_required_besides_what_the_policy_does() {
    let fields = json!({
        "preset": "keycloak",
        "require": [{ "claim": "acr", "exists": true }],
        "agent_when": [{ "claim": "azp", "starts_with": "bot-" }],
    });
    let policy = trusting(ISSUER, &fields, "bot-1");
    let told = |more| ask(&policy, &token(Some("JWT"), &with(person(), more)));
    assert_eq!(told(json!({})), NOT_AS_REQUIRED);
    assert_eq!(told(json!({ "acr": "1", "typ": "ID" })), NOT_AS_REQUIRED);
    assert_eq!(told(json!({ "acr": "1" })), "human ada, -");
    assert_eq!(told(json!({ "acr": "1", "azp": "bot-1" })), "support-bot for ada, -");
    let unknown = told(json!({ "acr": "1", "azp": "bot-2" }));
    assert!(unknown.starts_with("agent_unknown"), "{unknown}");
}

#[test]
fn no_preset_can_be_talked_into_taking_an_id_token() {
    for preset in ["auth0", "cognito", "entra", "google", "keycloak", "okta", "rfc9068", "spiffe"] {
        let fields = json!({ "preset": preset, "profile": "jwt", "claims": { "client": ["azp"] } });
        let policy = trusting(ISSUER, &fields, "support-bot");
        let marks = json!({ "nonce": "n", "idtyp": "app", "token_use": "access", "scp": "a" });
        let told = ask(&policy, &token(Some("JWT"), &with(person(), marks)));
        assert_eq!(told, ID_TOKEN, "{preset}");
    }
}

#[test]
fn a_token_of_which_some_of_several_conditions_hold_is_refused() {
    let when = json!([{ "claim": "gty", "equals": "cc" }, { "claim": "sid", "exists": false }]);
    let fields = json!({ "profile": "jwt", "machine": { "when": when } });
    let policy = trusting(ISSUER, &fields, "web-app");
    let told = |more| ask(&policy, &token(Some("JWT"), &with(person(), more)));
    assert_eq!(told(json!({ "gty": "cc" })), UNCLEAR);
    assert_eq!(told(json!({ "sid": null })), UNCLEAR);
    assert_eq!(told(json!({ "gty": "cc", "sid": null })), "support-bot for itself, -");
    let delegated = told(json!({ "gty": "cc", "sid": null, "act": { "sub": "web-app" } }));
    assert!(delegated.starts_with("user_lacks_role"), "{delegated}");
}

#[test]
fn a_claim_that_names_the_client_is_a_name_and_all_that_are_there_agree() {
    let fields = json!({ "profile": "jwt", "claims": { "client": ["cid", "/app/id"] } });
    let policy = trusting(ISSUER, &fields, "support-bot");
    let told = |more| ask(&policy, &token(Some("JWT"), &with(person(), more)));
    assert_eq!(told(json!({ "cid": "web-app" })), "human ada, -");
    assert_eq!(told(json!({ "cid": "web-app", "app": { "id": "web-app" } })), "human ada, -");
    let two = told(json!({ "cid": "web-app", "app": { "id": "other" } }));
    assert_eq!(two, "invalid_token: two claims name two clients");
    assert_eq!(told(json!({})), "invalid_token: no claim names the client");
    for value in [json!(""), json!(null), json!(7), json!(["web-app"]), json!("a\r\nb")] {
        let told = told(json!({ "cid": value }));
        assert_eq!(told, "invalid_token: `iss`, `sub`, `jti` or the client is malformed");
    }
}

#[test]
fn where_nothing_says_what_a_machine_is_the_operator_is_warned() {
    let warned = |fields: Value| told_of(&fields).contains("is taken for a person's");
    assert!(warned(json!({ "profile": "jwt" })));
    assert!(!warned(json!({})));
    assert!(!warned(json!({ "preset": "okta" })));
    assert!(!warned(json!({ "profile": "jwt", "machine": { "subject": "{client}" } })));
}

#[test]
fn a_shape_that_cannot_be_meant_is_no_policy() {
    for (fields, told) in [
        (json!({ "preset": "ping" }), "issuers[0].preset"),
        (json!({ "clients": [""] }), "a client without a name"),
        (json!({ "claims": { "client": [] } }), "claims.client: expected at least one claim"),
        (json!({ "claims": { "scopes": [] } }), "claims.scopes: expected at least one claim"),
        (json!({ "claims": { "scopes": ["/a~2"] } }), "claims.scopes[0]: expected"),
        (json!({ "machine": { "subject": "clients" } }), "machine.subject: expected a text"),
        (json!({ "machine": { "subject": "{client}{client}" } }), "machine.subject: expected"),
        (json!({ "machine": { "when": [] } }), "machine.when: expected at least one condition"),
        (json!({ "machine": { "scopes": [] } }), "machine.scopes: expected at least one claim"),
        (json!({ "machine": { "granted_scopes": ["crm.raed"] } }), "unknown scope `crm.raed`"),
        (json!({ "require": [{ "claim": "a" }] }), "require[0]: expected exactly one of"),
        (
            json!({ "agent_when": [{ "claim": "a", "starts_with": "" }] }),
            "agent_when[0].starts_with: expected",
        ),
    ] {
        let problems = told_of(&fields);
        assert!(problems.contains(told), "{fields}: {problems}");
    }
}
