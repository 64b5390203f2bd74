//! SPIFFE: the JWT-SVIDs of workloads.

use postern_tests::engine::AUDIENCE;
use serde_json::{Value, json};

use super::{NOT_AS_REQUIRED, ask, token, trusting, with, without};

const ISSUER: &str = "https://spire.crm.example";
const BOT: &str = "spiffe://crm.example/agents/support-bot";

fn policy() -> Value {
    let fields = json!({
        "preset": "spiffe",
        "machine": { "granted_scopes": ["crm.read"] },
        "require": [{ "claim": "sub", "starts_with": "spiffe://crm.example/" }],
    });
    trusting(ISSUER, &fields, BOT)
}

fn workload(id: &str) -> Value {
    json!({ "iss": ISSUER, "aud": [AUDIENCE], "sub": id })
}

#[test]
fn jwt_svid_3_1_a_workload_is_an_agent_for_itself_with_the_scopes_that_the_policy_grants() {
    for typ in [None, Some("JWT"), Some("JOSE")] {
        assert_eq!(ask(&policy(), &token(typ, &workload(BOT))), "support-bot for itself, -");
    }
    let mut nothing = policy();
    nothing["issuers"][0].as_object_mut().unwrap().remove("machine").unwrap();
    let told = ask(&nothing, &token(None, &workload(BOT)));
    assert!(told.starts_with("insufficient_scope"), "{told}");
}

#[test]
fn jwt_svid_3_1_what_is_no_identity_of_the_trust_domain_is_refused() {
    let other = "spiffe://crm.example/agents/other";
    let told = ask(&policy(), &token(None, &workload(other)));
    assert!(told.starts_with("agent_unknown"), "{told}");
    for id in ["spiffe://other.example/agents/support-bot", "support-bot", "SPIFFE://crm.example/x"]
    {
        assert_eq!(ask(&policy(), &token(None, &workload(id))), NOT_AS_REQUIRED, "{id}");
    }
    // Of no issuer's own, too.
    let mut anywhere = policy();
    anywhere["issuers"][0].as_object_mut().unwrap().remove("require").unwrap();
    assert_eq!(ask(&anywhere, &token(None, &workload("ada"))), NOT_AS_REQUIRED);
}

#[test]
fn jwt_svid_3_2_audience_and_end_are_required() {
    let no_audience = without(workload(BOT), "aud");
    let endless = with(workload(BOT), json!({ "exp": null }));
    for claims in [no_audience, endless] {
        let told = ask(&policy(), &token(None, &claims));
        assert!(told.starts_with("invalid_token"), "{told}");
    }
}

#[test]
fn jwt_svid_2_3_another_type_is_refused() {
    let told = ask(&policy(), &token(Some("wit+jwt"), &workload(BOT)));
    assert_eq!(told, "invalid_token: `typ` does not say access token");
}
