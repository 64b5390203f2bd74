//! What more than a scope is asked for: a login of the user's, and a way that authority may come by.

use postern_cli::mint::AccessToken;
use postern_tests::fixture::{AGENT, document, signed, token};
use postern_tests::wasm_host::{Exchange, Profile, Proxy, Request, START};
use serde_json::{Value, json};

fn ask(proxy: &mut Proxy, token: &AccessToken) -> Exchange {
    proxy.request(&Request::get("/v1/contacts").bearer(&signed(token)))
}

fn outcome(exchange: &Exchange) -> (Option<u16>, Option<String>) {
    (exchange.status(), exchange.code())
}

fn denied(status: u16, code: &str) -> (Option<u16>, Option<String>) {
    (Some(status), Some(code.to_owned()))
}

fn proxy(change: impl FnOnce(&mut Value)) -> Proxy {
    let mut policy = document();
    change(&mut policy);
    Proxy::new(Profile::Envoy, policy.to_string())
}

#[test]
fn a_login_that_gets_old_is_asked_for_again_though_the_token_is_remembered() {
    let mut proxy = proxy(|policy| {
        policy["step_up"] = json!({ "contacts:read": { "acr": ["hwk"], "max_age": "5m" } });
    });
    let token = token().claim("acr", "hwk").claim("auth_time", START);
    assert_eq!(ask(&mut proxy, &token).status(), Some(200));
    proxy.set_time(START + 300);
    assert_eq!(ask(&mut proxy, &token).status(), Some(200));
    proxy.set_time(START + 301);
    let exchange = ask(&mut proxy, &token);
    assert_eq!(outcome(&exchange), denied(401, "insufficient_user_authentication"));
    let challenge = exchange.answer("www-authenticate").unwrap();
    assert!(challenge.contains("acr_values=\"hwk\", max_age=\"300\""), "{challenge}");
}

#[test]
fn an_agent_without_a_user_is_told_that_it_takes_one() {
    let mut proxy =
        proxy(|policy| policy["step_up"] = json!({ "contacts:read": { "acr": ["hwk"] } }));
    let alone = token().subject(AGENT).without("act").claim("acr", "hwk");
    assert_eq!(outcome(&ask(&mut proxy, &alone)), denied(403, "user_required"));
}

#[test]
fn a_chain_of_actors_is_as_the_policy_has_it() {
    let mut proxy = proxy(|policy| {
        policy["agents"]["planner"] = json!({ "ceiling": "reader" });
        policy["delegation"] = json!({ "pairs": [{ "actor": AGENT, "of": "planner" }] });
    });
    let by = |inner: &str| token().claim("act", json!({ "sub": AGENT, "act": { "sub": inner } }));
    assert_eq!(ask(&mut proxy, &by("planner")).status(), Some(200));
    for inner in ["stranger", AGENT, "ada"] {
        let exchange = ask(&mut proxy, &by(inner));
        assert_eq!(outcome(&exchange), denied(403, "delegation_forbidden"), "{inner}");
    }
}

/// The policy with an agent of which it wants this.
fn wanting(condition: &str) -> Proxy {
    proxy(|policy| {
        policy["attributes"] = json!({ "confidence": { "type": "number", "claim": "confidence" } });
        policy["agents"][AGENT]["require"] = json!([condition]);
    })
}

#[test]
fn an_agent_is_let_in_while_what_is_said_of_it_is_as_the_policy_wants_it() {
    let mut proxy = wanting("agent.confidence >= 0.8 && request.method == 'GET'");
    let sure = |confidence: Value| token().claim("confidence", confidence);
    assert_eq!(ask(&mut proxy, &sure(json!(0.8))).status(), Some(200));
    assert_eq!(outcome(&ask(&mut proxy, &sure(json!(0.7)))), denied(403, "condition_failed"));
    assert_eq!(outcome(&ask(&mut proxy, &token())), denied(403, "condition_error"));
    let exchange = ask(&mut proxy, &sure(json!("very")));
    assert_eq!(outcome(&exchange), denied(403, "attribute_invalid"));
}

#[test]
fn the_hardest_condition_on_the_largest_claim_costs_a_worker_neither_its_life_nor_a_second() {
    let mut proxy =
        wanting("token.list.all(x, token.list.all(y, token.list.all(z, x + y + z >= 0)))");
    let list: Vec<u32> = (0..200).rev().collect();
    let exchange = ask(&mut proxy, &token().claim("list", list));
    assert_eq!(outcome(&exchange), denied(403, "condition_error"));
    let deep = format!("{}true{}", "(".repeat(60), ")".repeat(60));
    let mut proxy = wanting(&format!("{deep}{}", " && true".repeat(50)));
    assert_eq!(ask(&mut proxy, &token()).status(), Some(200));
}

#[test]
fn a_grant_is_used_as_often_as_it_may_be() {
    let mut proxy = proxy(|policy| {
        policy["agents"][AGENT]["never"] = json!(["contacts:read"]);
        policy["grants"] = json!([{
            "agent": AGENT, "permission": "contacts:read", "until": "2100-01-01", "uses": 2,
            "approved_by": "oncall", "reason": "INC-4711",
        }]);
    });
    for left in [1, 0] {
        let exchange = ask(&mut proxy, &token());
        assert_eq!(exchange.status(), Some(200));
        let record = exchange.record().unwrap();
        assert_eq!(
            (&record["grant_reason"], &record["uses_left"]),
            (&json!("INC-4711"), &json!(left))
        );
    }
    assert_eq!(outcome(&ask(&mut proxy, &token())), denied(403, "grant_exhausted"));
}

#[test]
fn details_in_a_token_are_for_the_resource_that_they_name() {
    let mut proxy = proxy(|policy| {
        policy["authorization_details"] = json!({
            "list": { "path": "/v1/{identifier}", "actions": { "read": ["contacts:read"] } },
        });
    });
    let of = |identifier: &str| {
        let detail = json!({ "type": "list", "actions": ["read"], "identifier": identifier });
        token().claim("scope", "openid").claim("authorization_details", json!([detail]))
    };
    assert_eq!(ask(&mut proxy, &of("contacts")).status(), Some(200));
    let exchange = ask(&mut proxy, &of("deals"));
    assert_eq!(outcome(&exchange), denied(403, "insufficient_scope"));
}

#[test]
fn an_organization_takes_away_for_its_own() {
    let mut proxy = proxy(|policy| {
        policy["organizations"] = json!({ "narrow": { "blocked_clients": [AGENT] } });
    });
    assert_eq!(ask(&mut proxy, &token()).status(), Some(200));
    let exchange = ask(&mut proxy, &token().claim("org_id", "narrow"));
    assert_eq!(outcome(&exchange), denied(403, "client_blocked"));
}

#[test]
fn what_is_not_enforced_is_counted_by_route_and_agent() {
    let mut proxy = proxy(|policy| {
        policy["routes"][0]["mode"] = json!("shadow");
        policy["agents"][AGENT]["never"] = json!(["contacts:read"]);
    });
    for _ in 0..2 {
        let exchange = ask(&mut proxy, &token());
        assert_eq!(exchange.status(), Some(200));
        assert_eq!(exchange.record().unwrap()["shadow"], "agent_forbidden");
    }
    let name = format!("postern.shadow.route.0.agent.{AGENT}.agent_forbidden");
    assert_eq!(proxy.gauges().get(&name), Some(&2), "{:?}", proxy.gauges());
}

#[test]
fn what_a_candidate_would_decide_otherwise_is_counted_by_route_and_agent() {
    let mut proxy = proxy(|policy| {
        let mut candidate = policy.clone();
        candidate["agents"][AGENT]["never"] = json!(["contacts:read"]);
        policy["candidate"] = candidate;
    });
    for _ in 0..2 {
        let exchange = ask(&mut proxy, &token());
        assert_eq!(exchange.status(), Some(200));
        assert_eq!(exchange.record().unwrap()["candidate"], "agent_forbidden");
    }
    let name = format!("postern.candidate.route.0.agent.{AGENT}.allow.agent_forbidden");
    assert_eq!(proxy.gauges().get(&name), Some(&2), "{:?}", proxy.gauges());
}

#[test]
fn what_a_user_said_is_good_for_one_request_on_any_host_that_has_a_store() {
    let mut proxy = proxy(|policy| {
        policy["agents"][AGENT]["consent"] = json!({ "contacts:read": {} });
        policy["consent"] = json!({
            "issuer": policy["issuers"][0]["issuer"], "url": "https://crm.example/consent",
            "audience": "https://crm.example/api",
        });
    });
    assert_eq!(outcome(&ask(&mut proxy, &token())), denied(403, "consent_required"));
    let said = token()
        .header("typ", "consent+jwt")
        .claim("aud", "https://crm.example/api")
        .claim("agent", AGENT)
        .claim("permission", "contacts:read")
        .claim("htm", "GET")
        .claim("path", "/v1/contacts");
    let request = Request::get("/v1/contacts").bearer(&signed(&token()));
    let request = request.header("x-agent-consent", signed(&said));
    assert_eq!(proxy.request(&request).status(), Some(200));
    assert_eq!(outcome(&proxy.request(&request)), denied(403, "consent_spent"));
}
