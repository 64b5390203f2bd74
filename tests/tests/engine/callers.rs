//! Who is calling, and for whom.

use postern_cli::mint::AccessToken;
use postern_tests::engine::{
    AUDIENCE, Gate, ISSUER, NOW, Outcome, agent, compact, delegate, get, issuer, policy, token,
    user,
};
use serde_json::{Value, json};

const OTHER: &str = "https://login.partner.example/";

/// The policy with a second issuer, which has the same agent under another name.
fn two_issuers() -> Value {
    let mut policy = policy();
    policy["issuers"] = json!([issuer(ISSUER), issuer(OTHER)]);
    policy["agents"]["support-bot"]["issuer"] = json!(ISSUER);
    policy
}

fn ask(policy: &Value, token: &AccessToken) -> Outcome {
    Gate::new(policy).ask(&get("/v1/contacts").bearer(&compact(token)))
}

/// A delegated token whose `act` is this.
fn acting(act: Value) -> AccessToken {
    token("ada", "web-app", "crm.read").roles(&["reader"]).claim("act", act)
}

/// What a user with these claims besides is taken for.
fn kind(policy: &Value, claims: &[(&str, Value)]) -> String {
    let plain = token("ada", "web-app", "crm.read").roles(&["reader"]);
    let with = claims.iter().fold(plain, |token, (name, value)| token.claim(name, value.clone()));
    ask(policy, &with).told("x-postern-kind").unwrap_or_default()
}

fn at_other(token: AccessToken) -> AccessToken {
    token.claim("iss", OTHER)
}

#[test]
fn a_user_in_a_browser_is_a_human() {
    let outcome = Gate::new(&policy()).ask(&get("/v1/contacts").bearer(&user("crm.read")));
    assert_eq!((outcome.code().as_str(), &outcome.record["kind"]), ("allow", &json!("human")));
    assert_eq!(outcome.told("x-postern-agent"), None);
}

#[test]
fn a_token_with_an_actor_is_the_actors() {
    let token = delegate("crm.read", &["reader"]);
    let outcome = Gate::new(&policy()).ask(&get("/v1/contacts").bearer(&token));
    assert_eq!(outcome.told("x-postern-kind").as_deref(), Some("agent"));
    assert_eq!(outcome.told("x-postern-agent").as_deref(), Some("support-bot"));
    assert_eq!(outcome.told("x-postern-subject").as_deref(), Some("ada"));
    assert_eq!(outcome.record["delegated"], true);
}

#[test]
fn a_registered_client_with_a_user_acts_for_the_user() {
    let outcome = ask(&policy(), &token("ada", "support-bot", "crm.read").roles(&["reader"]));
    assert_eq!(outcome.told("x-postern-agent").as_deref(), Some("support-bot"));
    assert_eq!(outcome.record["delegated"], true);
    let without_roles = ask(&policy(), &token("ada", "support-bot", "crm.read"));
    assert_eq!(without_roles.code(), "user_lacks_role");
}

#[test]
fn an_agent_that_acts_for_nobody_needs_nobodys_role() {
    let token = agent("support-bot", "crm.read");
    let outcome = Gate::new(&policy()).ask(&get("/v1/contacts").bearer(&token));
    assert_eq!(outcome.told("x-postern-agent").as_deref(), Some("support-bot"));
    assert_eq!(outcome.record.get("delegated"), None);
}

#[test]
fn rfc8693_4_1_only_the_outermost_actor_counts() {
    let nested = acting(json!({ "sub": "stranger", "act": { "sub": "support-bot" } }));
    assert_eq!(ask(&policy(), &nested).code(), "agent_unknown");

    let outer = acting(json!({ "sub": "support-bot", "act": { "sub": "stranger" } }));
    let outcome = ask(&policy(), &outer);
    assert_eq!(outcome.told("x-postern-actor-chain").as_deref(), Some("support-bot,stranger"));
}

#[test]
fn rfc8693_4_1_the_client_does_not_stand_in_for_an_unknown_actor() {
    let token = token("ada", "support-bot", "crm.read").roles(&["reader"]).actor("stranger");
    assert_eq!(ask(&policy(), &token).code(), "agent_unknown");
}

#[test]
fn rfc8693_4_1_nothing_but_names_in_act_counts() {
    let bare = acting(json!({ "sub": "support-bot" }));
    let outcome = ask(&policy(), &bare);
    assert_eq!(outcome.code(), "allow");
    let full = json!({
        "sub": "support-bot", "exp": 1, "nbf": NOW + 9_999, "iat": NOW + 9_999, "aud": "other",
        "client_id": "stranger", "scope": "crm.admin", "roles": ["admin"], "may_act": { "sub": "x" },
        "cnf": { "jkt": "x" },
    });
    let alike = ask(&policy(), &acting(full));
    assert_eq!(alike.code(), "allow");
    for name in ["subject", "agent", "client", "roles", "actor-chain"] {
        let name = format!("x-postern-{name}");
        assert_eq!(alike.told(&name), outcome.told(&name));
    }
}

#[test]
fn rfc9068_2_2_3_1_a_role_is_a_name_or_an_object_with_the_name_as_its_value() {
    let acting = |roles: Value| acting(json!({ "sub": "support-bot" })).claim("roles", roles);
    for roles in [
        json!(["reader"]),
        json!([{ "value": "reader", "display": "admin", "primary": true }]),
        json!(["unheard-of", { "value": "reader" }]),
    ] {
        assert_eq!(ask(&policy(), &acting(roles.clone())).code(), "allow", "{roles}");
    }
    for roles in [json!([{ "value": "unheard-of", "display": "reader" }]), json!([])] {
        assert_eq!(ask(&policy(), &acting(roles.clone())).code(), "user_lacks_role", "{roles}");
    }
    for roles in [json!([{ "display": "reader" }]), json!([{ "value": 1 }]), json!([["reader"]])] {
        assert_eq!(ask(&policy(), &acting(roles.clone())).code(), "invalid_token", "{roles}");
    }
}

#[test]
fn rfc9068_5_a_client_that_is_called_like_a_user_is_not_the_user() {
    let mut policy = policy();
    policy["unregistered_agents"] = json!({ "ceiling": "reader" });
    policy["limits"] = json!({
        "agents": [{ "per": "user", "rate": "1/day" }, { "per": "agent", "rate": "1/day" }],
        "humans": [{ "per": "user", "rate": "1/day" }],
    });
    let gate = Gate::new(&policy);
    let ask = |client: &str| {
        let token = token("ada", client, "crm.read").roles(&["reader"]);
        let outcome = gate.ask(&get("/v1/contacts").bearer(&compact(&token)));
        (outcome.code(), outcome.record["kind"].clone())
    };
    // A client that calls itself `ada` is an agent for itself, and uses up nothing of hers.
    assert_eq!(ask("ada"), ("allow".to_owned(), json!("agent")));
    assert_eq!(ask("ada"), ("rate_limited".to_owned(), json!("agent")));
    assert_eq!(ask("web-app"), ("allow".to_owned(), json!("human")));
    assert_eq!(ask("web-app"), ("rate_limited".to_owned(), json!("human")));
}

#[test]
fn the_type_that_a_token_gives_its_subject_or_actor_can_tell_an_agent() {
    // As the OAuth actor profile has it, `sub_profile` says what a subject is.
    let mut policy = policy();
    policy["callers"] = json!([
        { "kind": "agent", "when": { "claim": "sub_profile", "contains": "ai_agent" } },
        { "kind": "agent", "when": { "claim": "/act/sub_profile", "contains": "ai_agent" } },
        { "kind": "human", "otherwise": true },
    ]);
    policy["unregistered_agents"] = json!({ "ceiling": "reader" });
    let kind = |claims: &[(&str, Value)]| kind(&policy, claims);
    assert_eq!(kind(&[]), "human");
    assert_eq!(kind(&[("sub_profile", json!("user"))]), "human");
    assert_eq!(kind(&[("sub_profile", json!("ai_agent service"))]), "agent");
    assert_eq!(kind(&[("act", json!({ "sub": "x", "sub_profile": "ai_agent" }))]), "agent");
}

#[test]
fn rfc8693_4_4_may_act_makes_nobody_an_actor() {
    let token = token("ada", "web-app", "crm.read").claim("may_act", json!({"sub": "support-bot"}));
    let outcome = ask(&policy(), &token);
    assert_eq!(outcome.told("x-postern-kind").as_deref(), Some("human"));
    assert_eq!(outcome.told("x-postern-actor-chain"), None);
}

#[test]
fn an_actor_is_looked_up_at_the_issuer_that_it_names() {
    let policy = two_issuers();
    let at = |issuer: &str| acting(json!({ "sub": "support-bot", "iss": issuer }));
    assert_eq!(ask(&policy, &at(ISSUER)).code(), "allow");
    assert_eq!(ask(&policy, &at(OTHER)).code(), "agent_unknown");
    assert_eq!(ask(&policy, &at("https://evil.example/")).code(), "agent_unknown");
    assert_eq!(ask(&policy, &at_other(at(ISSUER))).code(), "allow");
}

#[test]
fn an_agent_of_one_issuer_is_unknown_at_another() {
    let policy = two_issuers();
    let acting = acting(json!({ "sub": "support-bot" }));
    assert_eq!(ask(&policy, &acting).code(), "allow");
    assert_eq!(ask(&policy, &at_other(acting)).code(), "agent_unknown");

    let alone = token("support-bot", "support-bot", "crm.read");
    assert_eq!(ask(&policy, &alone).code(), "allow");
    assert_eq!(ask(&policy, &at_other(alone)).code(), "agent_unknown");
}

#[test]
fn a_client_registered_at_one_issuer_is_an_ordinary_client_at_another() {
    let token = token("ada", "support-bot", "crm.read").roles(&["reader"]);
    assert_eq!(ask(&two_issuers(), &token).told("x-postern-kind").as_deref(), Some("agent"));
    let elsewhere = ask(&two_issuers(), &at_other(token));
    assert_eq!(elsewhere.told("x-postern-kind").as_deref(), Some("human"));
}

#[test]
fn nobody_borrows_the_name_of_a_registered_agent() {
    let mut policy = two_issuers();
    policy["unregistered_agents"] = json!({ "ceiling": "reader" });
    for token in [
        acting(json!({ "sub": "support-bot", "iss": "https://evil.example/" })),
        at_other(acting(json!({ "sub": "support-bot" }))),
        at_other(token("support-bot", "support-bot", "crm.read")),
    ] {
        let outcome = ask(&policy, &token);
        assert_eq!(outcome.told("x-postern-kind").as_deref(), Some("agent"));
        assert_eq!(outcome.told("x-postern-agent"), None, "{}", outcome.line);
        assert_eq!(outcome.record["registered"], false);
        assert_eq!(outcome.record.get("owner"), None);
    }
    let known = ask(&policy, &acting(json!({ "sub": "support-bot" })));
    assert_eq!(known.record["registered"], true);
}

#[test]
fn a_token_without_a_person_in_it_is_an_agents_whatever_the_policy_says() {
    let mut policy = policy();
    policy["callers"] = json!([{ "kind": "human", "otherwise": true }]);
    let alone = token("batch", "batch", "crm.read");
    assert_eq!(ask(&policy, &alone).code(), "agent_unknown");
    assert_eq!(ask(&policy, &alone.clone().actor("stranger")).code(), "agent_unknown");
    assert_eq!(ask(&policy, &alone.claim("azp", "batch")).code(), "agent_unknown");
}

#[test]
fn the_first_caller_rule_that_matches_decides() {
    let mut policy = policy();
    policy["callers"] = json!([
        { "kind": "human", "when": { "claim": "amr", "contains": "pwd" } },
        { "kind": "agent", "when": { "claim": "/ext/kind", "in": ["bot", "script"] } },
        { "kind": "agent", "when": { "claim": "gty", "equals": "machine" } },
        { "kind": "human", "otherwise": true },
    ]);
    policy["unregistered_agents"] = json!({ "ceiling": "reader" });
    let kind = |claims: &[(&str, Value)]| kind(&policy, claims);
    let bot = || ("ext", json!({ "kind": "bot" }));
    assert_eq!(kind(&[]), "human");
    assert_eq!(kind(&[bot()]), "agent");
    assert_eq!(kind(&[bot(), ("amr", json!(["otp", "pwd"]))]), "human");
    assert_eq!(kind(&[bot(), ("amr", json!(["pwdless"]))]), "agent");
    assert_eq!(kind(&[("ext", json!({ "kind": ["bot"] }))]), "human");
    assert_eq!(kind(&[("ext", json!("bot"))]), "human");
    assert_eq!(kind(&[("gty", json!("machine"))]), "agent");
    assert_eq!(kind(&[("gty", json!("Machine"))]), "human");
    assert_eq!(kind(&[("gty", Value::Null)]), "human");
}

#[test]
fn claims_that_say_who_somebody_is_and_cannot_be_read_are_refused() {
    let with = |name: &str, value: Value| {
        ask(&policy(), &token("ada", "web-app", "crm.read").claim(name, value))
    };
    for act in [
        json!({}),
        json!(null),
        json!("support-bot"),
        json!(["support-bot"]),
        json!({ "sub": "" }),
        json!({ "sub": 7 }),
        json!({ "sub": "a\nb" }),
        json!({ "sub": "a".repeat(513) }),
        json!({ "sub": "support-bot", "iss": 7 }),
        json!({ "sub": "support-bot", "iss": null }),
        json!({ "sub": "support-bot", "act": null }),
        json!({ "sub": "support-bot", "act": "x" }),
        json!({ "sub": "support-bot", "act": {} }),
    ] {
        assert_eq!(with("act", act.clone()).code(), "invalid_token", "{act}");
    }
    for roles in [json!("reader"), json!({}), json!([1]), json!(["reader", null]), json!(true)] {
        assert_eq!(with("roles", roles.clone()).code(), "invalid_token", "{roles}");
    }
    for organization in [
        json!(""),
        json!(1),
        json!("a\r\nb"),
        json!({}),
        json!([]),
        json!([null]),
        json!([["acme"]]),
        json!(["acme", "umbrella"]),
    ] {
        assert_eq!(with("org_id", organization.clone()).code(), "invalid_token", "{organization}");
    }
    assert_eq!(with("roles", Value::Null).code(), "allow");
    assert_eq!(with("org_id", Value::Null).code(), "allow");
    let listed = with("org_id", json!(["acme"]));
    assert_eq!(listed.told("x-postern-organization").as_deref(), Some("acme"));
}

#[test]
fn rfc8693_4_1_a_chain_of_eight_actors_is_read_and_one_of_nine_is_refused() {
    let chain = |length: usize| {
        (1..length).fold(json!({ "sub": "first" }), |inner, depth| {
            let middle = format!("middle-{depth}");
            let name = if depth + 1 == length { "support-bot" } else { middle.as_str() };
            json!({ "sub": name, "act": inner })
        })
    };
    let eight = ask(&policy(), &acting(chain(8)));
    assert_eq!(eight.record["actors"].as_array().map(Vec::len), Some(8));
    assert_eq!(ask(&policy(), &acting(chain(9))).code(), "invalid_token");
}

#[test]
fn an_issuer_says_itself_where_it_puts_things() {
    let mut policy = policy();
    policy["issuers"][0]["claims"] =
        json!({ "organization": "/tenant/id", "roles": "https://crm.example/roles" });
    let now = i64::try_from(NOW).unwrap();
    let token = AccessToken::new(ISSUER, AUDIENCE, now)
        .subject("ada")
        .client("support-bot")
        .scope("crm.read")
        .claim("tenant", json!({ "id": "acme" }))
        .claim("https://crm.example/roles", json!(["reader", "unheard-of"]));
    let outcome = ask(&policy, &token);
    assert_eq!(outcome.told("x-postern-organization").as_deref(), Some("acme"));
    let elsewhere = token.without("https://crm.example/roles").roles(&["reader"]);
    assert_eq!(ask(&policy, &elsewhere).code(), "user_lacks_role");
}
