//! What is written down and not enforced.

use postern_tests::engine::{
    Call, Gate, agent, call, compact, delegate, get, policy, problems, token, user,
};
use serde_json::{Value, json};

fn shadowed() -> Value {
    let mut policy = policy();
    policy["mode"] = json!("shadow");
    policy
}

/// The policy in which nobody is denied writing to a contact.
fn with_route() -> Value {
    let mut policy = policy();
    policy["routes"][1]["mode"] = json!("shadow");
    policy
}

fn write() -> Call {
    call("PUT", "/v1/contacts/7")
}

#[test]
fn in_shadow_mode_everything_goes_through_and_what_would_not_have_is_written_down() {
    let gate = Gate::new(&shadowed());
    for (call, code, status) in [
        (write().bearer(&user("crm.read")), "insufficient_scope", 403),
        (write(), "missing_token", 401),
        (write().bearer("no.token.atall"), "invalid_token", 401),
        (get("/v1/contacts").bearer(&agent("stranger", "crm.read")), "agent_unknown", 403),
        (get("/nowhere"), "no_route", 403),
        (get("/v1/../secret"), "invalid_request", 400),
    ] {
        let outcome = gate.ask(&call);
        assert_eq!(outcome.code(), "allow", "{}", outcome.line);
        assert_eq!(outcome.record["decision"], "allow");
        assert_eq!(outcome.record["shadow"], code);
        assert_eq!(outcome.record["shadow_status"], status);
        assert!(outcome.record["shadow_reason"].is_string(), "{}", outcome.line);
    }
    let outcome = gate.ask(&get("/v1/contacts").bearer(&user("crm.read")));
    assert_eq!((outcome.code().as_str(), outcome.record.get("shadow")), ("allow", None));
}

#[test]
fn in_shadow_mode_the_request_reaches_the_backend_as_it_came_but_for_who_passes_for_us() {
    let mut policy = shadowed();
    policy["limits"] = json!({ "humans": [{ "per": "user", "rate": "60/min", "burst": 1 }] });
    let gate = Gate::new(&policy);
    let call = get("/v1/contacts").bearer(&user("crm.read")).header("x-postern-subject", "olga");
    for shadow in [None, Some("rate_limited")] {
        let outcome = gate.ask(&call);
        assert_eq!(outcome.record.get("shadow").and_then(Value::as_str), shadow);
        assert!(outcome.told("authorization").is_some(), "{}", outcome.line);
        let ada = shadow.is_none().then_some("ada");
        assert_eq!(outcome.told("x-postern-subject").as_deref(), ada);
        assert_eq!(outcome.response("ratelimit"), [""; 0]);
    }
    // What cannot be taken out is let through in no mode.
    let outcome = gate.ask(&Call { strips_headers: false, ..call });
    assert_eq!(outcome.code(), "invalid_request");
}

#[test]
fn in_shadow_mode_nobody_is_told_of_the_apis_protection_by_us() {
    let metadata = get("/.well-known/oauth-protected-resource/crm");
    assert_eq!(Gate::new(&policy()).ask(&metadata).reply().status, 200);
    assert_eq!(Gate::new(&shadowed()).ask(&metadata).code(), "allow");
}

#[test]
fn in_shadow_mode_nobody_waits_and_a_broken_store_denies_nobody() {
    let mut policy = shadowed();
    policy["issuers"][0]["jwks"] =
        json!({ "url": "https://login.crm.example/keys", "cluster": "login" });
    let gate = Gate::new(&policy);
    let call = get("/v1/contacts").bearer(&user("crm.read"));
    let outcome = gate.attempt(&call).expect("no waiting");
    assert_eq!(outcome.record["shadow"], "not_ready");
    let mut policy = shadowed();
    policy["limits"] = json!({ "humans": [{ "per": "user", "rate": "60/min" }] });
    let gate = Gate::new(&policy);
    gate.world.break_store(true);
    assert_eq!(gate.ask(&call).record["shadow"], "not_ready");
}

#[test]
fn a_route_in_shadow_mode_denies_nobody_who_is_known_and_the_others_are_as_they_were() {
    let gate = Gate::new(&with_route());
    for (bearer, code) in [
        (user("crm.read"), "insufficient_scope"),
        (delegate("crm.write", &["reader"]), "user_lacks_role"),
        (agent("stranger", "crm.write"), "agent_unknown"),
    ] {
        let outcome = gate.ask(&write().bearer(&bearer));
        assert_eq!(outcome.code(), "allow");
        assert_eq!(outcome.record["shadow"], code);
        // The route is enforced in all else: the credential stays here.
        assert_eq!(outcome.told("authorization"), None);
    }
    assert_eq!(gate.ask(&write()).code(), "missing_token");
    assert_eq!(gate.ask(&write().bearer("no.token.atall")).code(), "invalid_token");
    let export = call("POST", "/v1/exports").bearer(&user("crm.read"));
    assert_eq!(gate.ask(&export).code(), "insufficient_scope");
    let allowed = gate.ask(&write().bearer(&user("crm.write")));
    assert_eq!((allowed.code().as_str(), allowed.record.get("shadow")), ("allow", None));
}

#[test]
fn who_has_no_standing_is_nobody_to_the_backend() {
    let gate = Gate::new(&with_route());
    let outcome = gate.ask(&write().bearer(&agent("stranger", "crm.write")));
    assert_eq!(outcome.told("x-postern-kind").as_deref(), Some("anonymous"));
    assert_eq!(outcome.told("x-postern-agent"), None);
}

#[test]
fn in_shadow_mode_whoever_would_be_denied_is_nobody_to_the_backend() {
    let mut policy = shadowed();
    policy["binding"] = json!({ "mtls": {} });
    let gate = Gate::new(&policy);
    // Ada's token, and not the connection that it is bound to.
    let bound = token("ada", "web-app", "crm.read").bound_to_certificate(&[7; 32]);
    for (bearer, code) in
        [(compact(&bound), "unbound_token"), (user("crm.none"), "insufficient_scope")]
    {
        let outcome = gate.ask(&get("/v1/contacts").bearer(&bearer));
        assert_eq!(outcome.record["shadow"], code);
        assert_eq!(outcome.told("x-postern-kind").as_deref(), Some("anonymous"));
        assert_eq!(outcome.told("x-postern-subject"), None);
    }
}

#[test]
fn a_public_route_has_nothing_to_shadow() {
    let mut policy = policy();
    policy["routes"][5]["mode"] = json!("shadow");
    assert!(problems(&policy).contains("routes[5].mode: nobody is denied a public route"));
}
