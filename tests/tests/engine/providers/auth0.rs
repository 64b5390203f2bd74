//! Auth0: two token profiles, and machines whose subject has a suffix.

use postern_tests::engine::AUDIENCE;
use serde_json::{Value, json};

use super::{ID_TOKEN, NO_CLIENT, ask, token, trusting, with, without};

const ISSUER: &str = "https://crm.eu.auth0.example/";
const BOT: &str = "awZfdIir8YFdGZWkvCejDoUb7SjTDicx";

fn policy() -> Value {
    trusting(ISSUER, &json!({ "preset": "auth0" }), BOT)
}

fn person() -> Value {
    json!({
        "iss": ISSUER, "sub": "auth0|6553da60", "azp": "web-app", "scope": "openid crm.read",
        "aud": [AUDIENCE, "https://crm.eu.auth0.example/userinfo"], "org_id": "org_acme",
    })
}

fn machine(client: &str) -> Value {
    json!({
        "iss": ISSUER, "sub": format!("{client}@clients"), "azp": client, "aud": AUDIENCE,
        "scope": "crm.read", "gty": "client-credentials",
    })
}

#[test]
fn a_person_is_a_human_in_her_organization() {
    assert_eq!(ask(&policy(), &token(Some("JWT"), &person())), "human auth0|6553da60, org_acme");
    let rfc9068 = with(without(person(), "azp"), json!({ "client_id": "web-app", "jti": "1" }));
    let told = ask(&policy(), &token(Some("at+jwt"), &rfc9068));
    assert_eq!(told, "human auth0|6553da60, org_acme");
}

#[test]
fn a_machine_is_an_agent_for_itself_and_no_human_even_if_nobody_knows_it() {
    let policy = policy();
    assert_eq!(ask(&policy, &token(Some("JWT"), &machine(BOT))), "support-bot for itself, -");
    let unknown = ask(&policy, &token(Some("JWT"), &machine("scraper")));
    assert!(unknown.starts_with("agent_unknown"), "{unknown}");
    let mut without_preset = policy;
    without_preset["issuers"][0]["preset"] = json!("rfc9068");
    without_preset["issuers"][0]["profile"] = json!("jwt");
    let taken_for = ask(&without_preset, &token(Some("JWT"), &machine("scraper")));
    assert_eq!(taken_for, "human scraper@clients, -", "what the preset is there for");
}

#[test]
fn a_user_who_is_called_like_a_machine_has_not_become_one() {
    let user = with(person(), json!({ "sub": format!("auth0|{BOT}@clients"), "azp": BOT }));
    let told = ask(&policy(), &token(Some("JWT"), &user));
    assert!(told.starts_with("user_lacks_role"), "{told}");
}

#[test]
fn an_agent_that_acts_for_a_person_has_the_permissions_in_the_token_at_most() {
    let acting = with(person(), json!({ "act": { "sub": BOT }, "permissions": ["reader"] }));
    let told = ask(&policy(), &token(Some("JWT"), &acting));
    assert_eq!(told, "support-bot for auth0|6553da60, org_acme");
}

#[test]
fn an_id_token_is_refused_even_where_the_client_is_an_audience() {
    let id = without(without(with(person(), json!({ "aud": "web-app" })), "azp"), "scope");
    let mut policy = policy();
    policy["issuers"][0]["audiences"] = json!([AUDIENCE, "web-app"]);
    assert_eq!(ask(&policy, &token(Some("JWT"), &id)), NO_CLIENT);
    let with_azp = with(id, json!({ "azp": "web-app", "nonce": "n" }));
    assert_eq!(ask(&policy, &token(Some("JWT"), &with_azp)), ID_TOKEN);
}
