//! Okta's custom authorization servers.

use postern_tests::engine::{AUDIENCE, NOW};
use serde_json::{Value, json};

use super::{ID_TOKEN, NO_CLIENT, ask, token, trusting, with};

const ISSUER: &str = "https://crm.okta.example/oauth2/default";
const BOT: &str = "0oa3support";

fn policy() -> Value {
    trusting(ISSUER, &json!({ "preset": "okta" }), BOT)
}

fn person() -> Value {
    json!({
        "ver": 1, "jti": "AT.1", "iss": ISSUER, "aud": AUDIENCE, "sub": "ada@crm.example",
        "cid": "0oa1web", "uid": "00uada", "scp": ["openid", "crm.read"], "auth_time": NOW,
    })
}

fn machine(client: &str) -> Value {
    json!({
        "ver": 1, "jti": "AT.2", "iss": ISSUER, "aud": AUDIENCE, "sub": client, "cid": client,
        "scp": ["crm.read"],
    })
}

#[test]
fn a_person_is_a_human_and_a_machine_an_agent_for_itself() {
    assert_eq!(ask(&policy(), &token(None, &person())), "human ada@crm.example, -");
    assert_eq!(ask(&policy(), &token(None, &machine(BOT))), "support-bot for itself, -");
    let unknown = ask(&policy(), &token(None, &machine("0oa9scraper")));
    assert!(unknown.starts_with("agent_unknown"), "{unknown}");
}

#[test]
fn a_registered_client_acts_for_the_person_with_her_groups_as_roles() {
    let acting = with(person(), json!({ "cid": BOT, "groups": ["Everyone", "reader"] }));
    let told = ask(&policy(), &token(None, &acting));
    assert_eq!(told, "support-bot for ada@crm.example, -");
}

#[test]
fn an_id_token_is_refused_even_where_the_client_is_an_audience() {
    let id = json!({
        "ver": 1, "jti": "ID.1", "iss": ISSUER, "aud": AUDIENCE, "sub": "00uada",
        "amr": ["pwd"], "idp": "00oidp", "auth_time": NOW, "preferred_username": "ada",
    });
    assert_eq!(ask(&policy(), &token(None, &id)), NO_CLIENT);
    let hashed = with(id, json!({ "at_hash": "fPlsvVszI29LU2UhDyJ9vg", "cid": "0oa1web" }));
    assert_eq!(ask(&policy(), &token(None, &hashed)), ID_TOKEN);
}
