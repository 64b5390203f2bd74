//! Whoever follows RFC 9068.

use postern_tests::engine::AUDIENCE;
use serde_json::{Value, json};

use super::{ask, token, trusting};

const ISSUER: &str = "https://login.crm.example/";

fn claims(subject: &str, client: &str) -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "client_id": client, "jti": "1",
        "scope": "crm.read", "roles": ["reader"],
    })
}

#[test]
fn it_is_what_holds_where_no_preset_is_named() {
    let named = trusting(ISSUER, &json!({ "preset": "rfc9068" }), "support-bot");
    let unnamed = trusting(ISSUER, &json!({}), "support-bot");
    for (claims, told) in [
        (claims("ada", "web-app"), "human ada, -"),
        (claims("support-bot", "support-bot"), "support-bot for itself, -"),
        (claims("ada", "support-bot"), "support-bot for ada, -"),
    ] {
        assert_eq!(ask(&named, &token(Some("at+jwt"), &claims)), told);
        assert_eq!(ask(&unnamed, &token(Some("at+jwt"), &claims)), told);
    }
}

#[test]
fn an_id_token_is_refused_by_its_type() {
    let policy = trusting(ISSUER, &json!({ "preset": "rfc9068" }), "support-bot");
    let told = ask(&policy, &token(Some("JWT"), &claims("ada", "web-app")));
    assert_eq!(told, "invalid_token: `typ` does not say access token");
}
