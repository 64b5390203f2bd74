//! Google: identity tokens of service accounts.

use postern_tests::engine::AUDIENCE;
use serde_json::{Value, json};

use super::{ID_TOKEN, ask, token, trusting, with};

const ISSUER: &str = "https://accounts.google.example";
const BOT: &str = "117000000000000000001";

fn policy() -> Value {
    let machine = json!({ "granted_scopes": ["crm.read"] });
    trusting(ISSUER, &json!({ "preset": "google", "machine": machine }), BOT)
}

fn service_account(id: &str) -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": id, "azp": id, "email_verified": true,
        "email": "support-bot@crm.iam.gserviceaccount.example",
    })
}

#[test]
fn a_service_account_is_an_agent_for_itself_with_the_scopes_that_the_policy_grants() {
    let told = ask(&policy(), &token(Some("JWT"), &service_account(BOT)));
    assert_eq!(told, "support-bot for itself, -");
    let mut nothing = policy();
    nothing["issuers"][0].as_object_mut().unwrap().remove("machine").unwrap();
    let told = ask(&nothing, &token(Some("JWT"), &service_account(BOT)));
    assert!(told.starts_with("insufficient_scope"), "{told}");
}

#[test]
fn a_service_account_of_somebody_else_is_nobody_here() {
    let told = ask(&policy(), &token(Some("JWT"), &service_account("118")));
    assert!(told.starts_with("agent_unknown"), "{told}");
}

#[test]
fn the_id_token_of_a_person_is_refused_whatever_it_leaves_out() {
    let person = with(service_account(BOT), json!({ "sub": "1076", "hd": "crm.example" }));
    let reason = "invalid_token: only tokens without a person in them are taken from the issuer";
    assert_eq!(ask(&policy(), &token(Some("JWT"), &person)), reason);
    let hashed = with(person, json!({ "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q" }));
    assert_eq!(ask(&policy(), &token(Some("JWT"), &hashed)), ID_TOKEN);
}
