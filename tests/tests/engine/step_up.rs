//! What takes a user who has logged in, not long ago or in a certain way (RFC 9470).

use postern_cli::mint::AccessToken;
use postern_tests::engine::{
    Call, Gate, NOW, Outcome, call, compact, get, policy, problems, token,
};
use serde_json::{Value, json};

fn asking(step_up: Value) -> Value {
    let mut policy = policy();
    policy["step_up"] = json!({ "contacts:write": step_up });
    policy
}

fn put(token: &AccessToken) -> Call {
    call("PUT", "/v1/contacts/7").bearer(&compact(token))
}

fn ask(step_up: &Value, token: &AccessToken) -> Outcome {
    Gate::new(&asking(step_up.clone())).ask(&put(token))
}

/// Ada, who wants to write.
fn ada() -> AccessToken {
    token("ada", "web-app", "crm.write").roles(&["editor"])
}

fn challenge(outcome: &Outcome) -> String {
    outcome.response("www-authenticate").first().map(|value| (*value).to_owned()).unwrap()
}

#[test]
fn rfc9470_3_a_login_of_another_kind_is_asked_for_with_the_kinds_that_would_do() {
    let asked = json!({ "acr": ["urn:crm:mfa", "hwk"] });
    for acr in ["urn:crm:mfa", "hwk"] {
        assert_eq!(ask(&asked, &ada().claim("acr", acr)).code(), "allow", "{acr}");
    }
    for acr in [
        json!("pwd"),
        json!(""),
        json!("HWK"),
        json!("urn:crm:mfa hwk"),
        json!(["hwk"]),
        json!(null),
        json!(1),
    ] {
        let outcome = ask(&asked, &ada().claim("acr", acr.clone()));
        assert_eq!(outcome.code(), "insufficient_user_authentication", "{acr}");
        assert_eq!(outcome.reply().status, 401);
    }
    let told = challenge(&ask(&asked, &ada()));
    assert!(told.starts_with("Bearer error=\"insufficient_user_authentication\", "), "{told}");
    assert!(
        told.contains(", acr_values=\"urn:crm:mfa hwk\"") && !told.contains("max_age"),
        "{told}"
    );
}

#[test]
fn rfc9470_3_a_login_that_is_too_long_ago_is_asked_for_again() {
    let asked = json!({ "max_age": "5m" });
    let now = NOW.cast_signed();
    for login in [json!(now), json!(now - 300), json!(now + 300), json!(now as f64 - 299.5)] {
        assert_eq!(
            ask(&asked, &ada().claim("auth_time", login.clone())).code(),
            "allow",
            "{login}"
        );
    }
    for login in [
        json!(now - 301),
        json!(now - 86_400),
        json!(0),
        json!(now + 301),
        json!(now * 1_000),
        json!(now.to_string()),
        json!(null),
        json!([now]),
    ] {
        let outcome = ask(&asked, &ada().claim("auth_time", login.clone()));
        assert_eq!(outcome.code(), "insufficient_user_authentication", "{login}");
    }
    let told = challenge(&ask(&asked, &ada()));
    assert!(told.contains(", max_age=\"300\"") && !told.contains("acr_values"), "{told}");
}

#[test]
fn rfc9470_6_1_both_must_be_so_where_both_are_asked_for() {
    let asked = json!({ "acr": ["hwk"], "max_age": "5m" });
    let both = ada().claim("acr", "hwk").claim("auth_time", NOW);
    assert_eq!(ask(&asked, &both).code(), "allow");
    for one in [both.clone().without("acr"), both.without("auth_time")] {
        assert_eq!(ask(&asked, &one).code(), "insufficient_user_authentication");
    }
}

#[test]
fn a_remembered_token_has_to_be_renewed_when_its_login_gets_old() {
    let gate = Gate::new(&asking(json!({ "max_age": "5m" })));
    let call = put(&ada().claim("auth_time", NOW - 200));
    assert_eq!(gate.ask(&call).code(), "allow");
    gate.world.advance_millis(100_000);
    assert_eq!(gate.ask(&call).code(), "allow");
    gate.world.advance_millis(1_000);
    assert_eq!(gate.ask(&call).code(), "insufficient_user_authentication");
}

#[test]
fn an_agent_that_acts_for_a_user_is_told_to_fetch_the_user() {
    let asked = json!({ "acr": ["hwk"] });
    let acting = ada().actor("support-bot");
    assert_eq!(ask(&asked, &acting).code(), "insufficient_user_authentication");
    assert_eq!(ask(&asked, &acting.claim("acr", "hwk")).code(), "allow");
}

#[test]
fn who_acts_for_nobody_cannot_log_in_and_is_told_so() {
    let asked = json!({ "acr": ["hwk"], "max_age": "5m" });
    let alone = token("support-bot", "support-bot", "crm.write");
    assert_eq!(ask(&json!({ "max_age": "5m" }), &alone).code(), "user_required");
    // Not even if it says that somebody did.
    let outcome = ask(&asked, &alone.claim("acr", "hwk").claim("auth_time", NOW));
    assert_eq!((outcome.code().as_str(), outcome.reply().status), ("user_required", 403));
    assert!(outcome.response("www-authenticate").is_empty());
}

#[test]
fn what_is_not_asked_of_a_permission_is_not_asked() {
    let gate = Gate::new(&asking(json!({ "acr": ["hwk"] })));
    let read = get("/v1/contacts").bearer(&compact(&token("ada", "web-app", "crm.read")));
    assert_eq!(gate.ask(&read).code(), "allow");
    assert_eq!(gate.ask(&get("/healthz")).code(), "allow");
}

#[test]
fn what_another_login_would_not_mend_is_told_first() {
    let asked = json!({ "acr": ["hwk"] });
    let reader = token("ada", "web-app", "crm.read");
    assert_eq!(ask(&asked, &reader).code(), "insufficient_scope");
    let over = ada().roles(&["reader"]).actor("support-bot");
    assert_eq!(ask(&asked, &over).code(), "user_lacks_role");
}

#[test]
fn what_asks_for_nothing_or_for_what_no_challenge_can_say_is_no_policy() {
    let wrong = |step_up: Value| problems(&asking(step_up));
    assert_eq!(wrong(json!({ "acr": ["hwk"], "max_age": "1s" })), "");
    assert!(wrong(json!({})).contains("expected `acr`, `max_age`, or both"));
    for acr in ["", "a b", "a\"b", "a\\b", "ä", "a\n", &"a".repeat(257)] {
        let told = wrong(json!({ "acr": ["hwk", acr] }));
        assert!(told.contains("step_up.\"contacts:write\".acr[1]: expected 1 to 256"), "{told}");
    }
    for acr in [json!([]), json!(vec!["hwk"; 9])] {
        let told = wrong(json!({ "acr": acr, "max_age": "5m" }));
        assert!(told.contains("acr: expected 1 to 8 of them"), "{told}");
    }
    for max_age in [json!("0s"), json!(0), json!("soon")] {
        assert!(wrong(json!({ "max_age": max_age })).contains("max_age"), "{max_age}");
    }
    let mut unknown = policy();
    unknown["step_up"] = json!({ "contacts:wirte": { "acr": ["hwk"] } });
    assert!(problems(&unknown).contains("did you mean `contacts:write`"), "{}", problems(&unknown));
}
