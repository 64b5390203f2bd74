//! `postern scopes`.

use insta::assert_snapshot;
use serde_json::Value;

use crate::lab::Lab;

#[test]
fn each_scope_is_told_with_what_it_opens_and_each_agent_with_how_far_it_reaches() {
    let lab = Lab::new();
    assert_snapshot!(lab.run("scopes policy.yaml"), @r"
    crm.admin is worth the role admin
      contacts:read   GET /v1/contacts
      contacts:write  PUT /v1/contacts/{id}
      deals:write     POST /v1/deals
      exports:create  POST /v1/exports

    crm.read is worth the role reader
      contacts:read  GET /v1/contacts

    crm.write is worth the role editor
      contacts:read   GET /v1/contacts
      contacts:write  PUT /v1/contacts/{id}
      deals:write     POST /v1/deals

    agent careful-bot: up to the role editor, if its token fulfils 1 condition
      GET /v1/contacts       contacts:read   with crm.read
      PUT /v1/contacts/{id}  contacts:write  with crm.write
      POST /v1/deals         deals:write     with crm.write
      POST /v1/exports       exports:create  over its ceiling

    agent support-bot: up to the role editor, never deals:write
      GET /v1/contacts       contacts:read   with crm.read
      PUT /v1/contacts/{id}  contacts:write  with crm.write
      POST /v1/deals         deals:write     never
      POST /v1/exports       exports:create  over its ceiling
    exit code 0
    ");
}

#[test]
fn what_is_told_of_an_agent_is_what_is_decided() {
    let lab = Lab::new();
    let told: Value = serde_json::from_str(&lab.run("scopes --json policy.yaml").out).unwrap();
    let scopes = told["scopes"].as_array().unwrap().iter();
    let all: String =
        scopes.map(|scope| format!("--scope {} ", scope["scope"].as_str().unwrap())).collect();
    let mut asked = 0;
    for agent in told["agents"].as_array().unwrap() {
        let name = agent["agent"].as_str().unwrap();
        let ask = |route: &Value, scopes: &str| {
            let path = route["path"].as_str().unwrap().replace("{id}", "7");
            let request = format!("{} {path}", route["methods"][0].as_str().unwrap());
            lab.explain(
                &request,
                &format!("{scopes} --role admin --actor {name} --claim model=\"m-4\""),
            )
        };
        for route in agent["in_reach"].as_array().unwrap() {
            let scope = format!("--scope {}", route["scope"].as_str().unwrap());
            assert_eq!(ask(route, &scope).code, 0, "{name} {route}");
            asked += 1;
        }
        for route in agent["out_of_reach"].as_array().unwrap() {
            let ran = ask(route, &all);
            let code = route["because"].as_str().unwrap();
            assert!(ran.code == 1 && ran.out.contains(code), "{name} {route}: {ran}");
            asked += 1;
        }
    }
    assert!(asked >= 6, "{asked}");
}

#[test]
fn one_agent_is_shown_alone() {
    let lab = Lab::new();
    let ran = lab.run("scopes policy.yaml --agent support-bot");
    assert!(ran.code == 0 && ran.out.starts_with("agent support-bot"), "{ran}");
    assert_eq!(ran.out.matches("agent ").count(), 1, "{ran}");
    assert_snapshot!(lab.run("scopes policy.yaml --agent suport-bot"), @r"
    error: unknown agent `suport-bot`: did you mean `support-bot`?
    exit code 2
    ");
}

#[test]
fn nothing_is_told_of_a_policy_that_is_none() {
    let lab = Lab::new();
    lab.write("p.yaml", "version: 1\n");
    let ran = lab.run("scopes p.yaml");
    assert!(ran.code == 2 && ran.out.is_empty(), "{ran}");
}
