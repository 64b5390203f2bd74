//! Keycloak: service accounts are users.

use postern_tests::engine::AUDIENCE;
use serde_json::{Value, json};

use super::{NOT_AS_REQUIRED, UNCLEAR, ask, token, trusting, with, without};

const ISSUER: &str = "https://keycloak.crm.example/realms/crm";

fn policy() -> Value {
    trusting(ISSUER, &json!({ "preset": "keycloak" }), "support-bot")
}

fn person() -> Value {
    json!({
        "jti": "onrtac:1", "iss": ISSUER, "aud": [AUDIENCE, "account"], "sub": "71f150d0-ada",
        "typ": "Bearer", "azp": "web-app", "sid": "f10bf2e1", "acr": "1",
        "realm_access": { "roles": ["offline_access", "reader"] },
        "scope": "openid crm.read", "preferred_username": "ada", "organization": ["acme"],
    })
}

fn service_account(client: &str) -> Value {
    json!({
        "jti": "trrtcc:1", "iss": ISSUER, "aud": AUDIENCE, "sub": "1f4db6ad-service",
        "typ": "Bearer", "azp": client, "acr": "1", "scope": "crm.read",
        "realm_access": { "roles": ["default-roles-crm"] }, "client_id": client,
        "clientHost": "192.0.2.1", "clientAddress": "192.0.2.1",
        "preferred_username": format!("service-account-{client}"),
    })
}

#[test]
fn a_person_is_a_human_and_a_service_account_an_agent_for_itself() {
    assert_eq!(ask(&policy(), &token(Some("JWT"), &person())), "human 71f150d0-ada, acme");
    let told = ask(&policy(), &token(Some("JWT"), &service_account("support-bot")));
    assert_eq!(told, "support-bot for itself, -");
    let unknown = ask(&policy(), &token(Some("JWT"), &service_account("scraper")));
    assert!(unknown.starts_with("agent_unknown"), "{unknown}");
}

#[test]
fn a_registered_client_acts_for_the_person_with_her_realm_roles() {
    let acting = with(person(), json!({ "azp": "support-bot" }));
    let told = ask(&policy(), &token(Some("JWT"), &acting));
    assert_eq!(told, "support-bot for 71f150d0-ada, acme");
}

#[test]
fn who_is_called_like_a_service_account_and_has_a_session_is_refused() {
    let name = json!({ "preferred_username": "service-account-support-bot" });
    let person = with(person(), with(name, json!({ "azp": "support-bot" })));
    assert_eq!(ask(&policy(), &token(Some("JWT"), &person)), UNCLEAR);
    let nameless = without(service_account("support-bot"), "preferred_username");
    assert_eq!(ask(&policy(), &token(Some("JWT"), &nameless)), UNCLEAR);
}

#[test]
fn an_id_token_and_a_refresh_token_are_refused_by_what_they_say_they_are() {
    for kind in ["ID", "Refresh", "Offline", "Logout"] {
        let claims = with(person(), json!({ "typ": kind }));
        assert_eq!(ask(&policy(), &token(Some("JWT"), &claims)), NOT_AS_REQUIRED, "{kind}");
    }
    let untyped = without(person(), "typ");
    assert_eq!(ask(&policy(), &token(Some("JWT"), &untyped)), NOT_AS_REQUIRED);
}
