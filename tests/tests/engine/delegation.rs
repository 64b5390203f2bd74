//! How authority may come from a user to an agent, through others (RFC 8693 §4.1).

use postern_tests::engine::{Gate, ISSUER, Outcome, compact, get, issuer, policy, problems, token};
use serde_json::{Value, json};

const OTHER: &str = "https://login.partner.example/";

/// Three agents that know each other.
fn with(delegation: Value) -> Value {
    let mut policy = policy();
    for name in ["planner", "gateway"] {
        policy["agents"][name] = json!({ "ceiling": "reader" });
    }
    policy["delegation"] = delegation;
    policy
}

/// A chain of actors, the current one first.
fn chain(actors: &[Value]) -> Value {
    actors.iter().rev().fold(Value::Null, |inner, actor| {
        let mut actor = match actor {
            Value::String(name) => json!({ "sub": name }),
            object => object.clone(),
        };
        if !inner.is_null() {
            actor["act"] = inner;
        }
        actor
    })
}

fn ask(policy: &Value, actors: &[Value]) -> Outcome {
    let token = token("ada", "web-app", "crm.read").roles(&["reader"]);
    let token = token.claim("act", chain(actors));
    Gate::new(policy).ask(&get("/v1/contacts").bearer(&compact(&token)))
}

fn code(policy: &Value, actors: &[&str]) -> String {
    let actors: Vec<_> = actors.iter().map(|actor| json!(actor)).collect();
    ask(policy, &actors).code()
}

#[test]
fn a_chain_is_no_longer_than_the_policy_allows() {
    let two = with(json!({ "max_depth": 2 }));
    assert_eq!(code(&two, &["support-bot"]), "allow");
    assert_eq!(code(&two, &["support-bot", "planner"]), "allow");
    assert_eq!(code(&two, &["support-bot", "planner", "gateway"]), "delegation_forbidden");
    let any = with(json!({}));
    assert_eq!(code(&any, &["support-bot", "a", "b", "c", "d", "e", "f", "g"]), "allow");
}

#[test]
fn an_actor_acts_with_the_authority_of_those_it_is_paired_with_only() {
    let paired = with(json!({ "pairs": [
        { "actor": "support-bot", "of": "planner" },
        { "actor": "planner", "of": "gateway" },
    ] }));
    for allowed in [
        &["support-bot"][..],
        &["planner"],
        &["support-bot", "planner"],
        &["support-bot", "planner", "gateway"],
    ] {
        assert_eq!(code(&paired, allowed), "allow", "{allowed:?}");
    }
    for refused in [
        &["planner", "support-bot"][..],
        &["support-bot", "gateway"],
        &["support-bot", "planner", "support-bot-2"],
        &["support-bot", "stranger"],
    ] {
        assert_eq!(code(&paired, refused), "delegation_forbidden", "{refused:?}");
    }
    let nobody = with(json!({ "pairs": [] }));
    assert_eq!(code(&nobody, &["support-bot"]), "allow");
    assert_eq!(code(&nobody, &["support-bot", "planner"]), "delegation_forbidden");
}

#[test]
fn a_pair_is_of_agents_and_not_of_names_that_another_issuer_may_give() {
    let mut policy = with(json!({ "pairs": [{ "actor": "support-bot", "of": "planner" }] }));
    policy["issuers"] = json!([issuer(ISSUER), issuer(OTHER)]);
    for name in ["support-bot", "planner", "gateway"] {
        policy["agents"][name]["issuer"] = json!(ISSUER);
    }
    let planner = |issuer: &str| json!({ "sub": "planner", "iss": issuer });
    assert_eq!(ask(&policy, &[json!("support-bot"), planner(ISSUER)]).code(), "allow");
    for issuer in [OTHER, "https://evil.example/"] {
        let outcome = ask(&policy, &[json!("support-bot"), planner(issuer)]);
        assert_eq!(outcome.code(), "delegation_forbidden", "{issuer}");
    }
}

#[test]
fn nobody_acts_for_itself_and_no_chain_leads_back() {
    let any = with(json!({}));
    for refused in [
        &["support-bot", "support-bot"][..],
        &["support-bot", "planner", "support-bot"],
        &["support-bot", "planner", "gateway", "planner"],
        &["support-bot", "ada"],
    ] {
        assert_eq!(code(&any, refused), "delegation_forbidden", "{refused:?}");
    }
    let outcome = ask(&any, &[json!("support-bot"), json!("ada")]);
    assert_eq!(outcome.reply().status, 403);
    assert_eq!(outcome.record["reason"], "an actor acts for itself");
    assert_eq!(outcome.record["subject"], "ada");
    // Who is called the same elsewhere is another.
    let namesake = json!({ "sub": "ada", "iss": OTHER });
    assert_eq!(ask(&any, &[json!("support-bot"), namesake]).code(), "allow");
}

#[test]
fn an_agent_that_nobody_knows_is_told_that_first() {
    assert_eq!(code(&with(json!({ "max_depth": 1 })), &["ada", "planner"]), "agent_unknown");
}

#[test]
fn what_cannot_be_meant_is_no_policy() {
    assert_eq!(problems(&with(json!({ "max_depth": 8, "pairs": [] }))), "");
    for depth in [0, 9, u64::MAX] {
        let told = problems(&with(json!({ "max_depth": depth })));
        assert!(told.contains("delegation.max_depth: expected 1 to 8"), "{told}");
    }
    let pairs = json!([{ "actor": "support-bot", "of": "planer" }]);
    let told = problems(&with(json!({ "pairs": pairs })));
    assert!(told.contains("delegation.pairs[0].of: unknown agent `planer`"), "{told}");
    assert!(told.contains("did you mean `planner`"), "{told}");
}
