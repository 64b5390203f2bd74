//! Amazon Cognito: access tokens without `aud`.

use postern_tests::engine::{AUDIENCE, NOW, problems};
use serde_json::{Value, json};

use super::{NO_CLIENT, NOT_AS_REQUIRED, ask, token, trusting, with};

const ISSUER: &str = "https://cognito-idp.eu-central-1.amazonaws.example/eu-central-1_CRM";
const BOT: &str = "7supportbot";

fn policy() -> Value {
    let fields = json!({ "preset": "cognito", "clients": ["1webapp", BOT] });
    let mut policy = trusting(ISSUER, &fields, BOT);
    policy["issuers"][0].as_object_mut().unwrap().remove("audiences").unwrap();
    policy["scopes"]["https://api.crm.example/read"] = json!({ "role": "reader" });
    policy
}

fn person() -> Value {
    json!({
        "sub": "aaaaaaaa-bbbb", "iss": ISSUER, "client_id": "1webapp", "token_use": "access",
        "scope": "openid https://api.crm.example/read", "auth_time": NOW, "jti": "1",
        "cognito:groups": ["reader"], "username": "ada", "version": 2,
    })
}

fn machine(client: &str) -> Value {
    json!({
        "sub": client, "iss": ISSUER, "client_id": client, "token_use": "access",
        "scope": "https://api.crm.example/read", "auth_time": NOW, "jti": "2", "version": 2,
    })
}

#[test]
fn a_person_is_a_human_and_a_machine_an_agent_for_itself() {
    assert_eq!(ask(&policy(), &token(None, &person())), "human aaaaaaaa-bbbb, -");
    assert_eq!(ask(&policy(), &token(None, &machine(BOT))), "support-bot for itself, -");
    let acting = with(person(), json!({ "client_id": BOT }));
    assert_eq!(ask(&policy(), &token(None, &acting)), "support-bot for aaaaaaaa-bbbb, -");
}

#[test]
fn a_client_that_is_not_listed_is_refused_whoever_is_in_the_token() {
    let reason = "wrong_audience: its client is not among the issuer's `clients`";
    let person = with(person(), json!({ "client_id": "1other" }));
    assert_eq!(ask(&policy(), &token(None, &person)), reason);
    assert_eq!(ask(&policy(), &token(None, &machine("1other"))), reason);
}

#[test]
fn a_token_for_a_named_api_is_refused_by_one_that_has_no_name() {
    let bound = with(person(), json!({ "aud": "https://other.example" }));
    let told = ask(&policy(), &token(None, &bound));
    assert_eq!(told, "wrong_audience: `aud` holds none of the issuer's audiences");
    let mut named = policy();
    named["issuers"][0]["audiences"] = json!([AUDIENCE]);
    assert_eq!(ask(&named, &token(None, &bound)), told);
    let ours = with(person(), json!({ "aud": AUDIENCE }));
    assert_eq!(ask(&named, &token(None, &ours)), "human aaaaaaaa-bbbb, -");
    let told = ask(&named, &token(None, &person()));
    assert_eq!(told, "invalid_token: `aud` is missing");
}

#[test]
fn neither_audiences_nor_clients_is_no_policy() {
    let mut policy = policy();
    policy["issuers"][0].as_object_mut().unwrap().remove("clients").unwrap();
    assert!(problems(&policy).contains("no audience"), "{}", problems(&policy));
}

#[test]
fn an_id_token_is_refused() {
    let id = json!({
        "sub": "aaaaaaaa-bbbb", "iss": ISSUER, "aud": "1webapp", "token_use": "id",
        "cognito:username": "ada", "auth_time": NOW, "jti": "3", "origin_jti": "o",
    });
    let mut policy = policy();
    policy["issuers"][0]["audiences"] = json!(["1webapp"]);
    assert_eq!(ask(&policy, &token(None, &id)), NO_CLIENT);
    let with_client = with(id, json!({ "client_id": "1webapp" }));
    assert_eq!(ask(&policy, &token(None, &with_client)), NOT_AS_REQUIRED);
}
