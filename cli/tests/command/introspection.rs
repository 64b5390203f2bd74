//! Opaque tokens in `postern explain` and `postern check`.

use insta::assert_snapshot;

use crate::lab::{Lab, Ran, assert_holds_none_of};

const TOKEN: &str = "op_5Kx9Zt7";
const SECRET: &str = "a-secret-of-the-gateways";

const ANSWER: &str = r#"{
  "active": true, "token_type": "Bearer", "client_id": "support-bot", "sub": "ada",
  "aud": "https://api.crm.example", "act": { "sub": "support-bot" }, "roles": ["editor"],
  "scope": "crm.read", "iat": 1767268000, "exp": 1767272400
}"#;

/// A lab whose first issuer is asked, and an opaque token.
fn lab() -> Lab {
    let lab = Lab::new();
    let introspection = format!(
        "    introspection:\n      url: https://login.crm.example/introspect\n      \
         cluster: login\n      client_id: gateway\n      client_secret: {SECRET}\n    machine: {{ subject: \"{{client}}\" }}\n"
    );
    let second = "  - issuer: https://login.partner.example/";
    let policy = lab.read("policy.yaml").replace(second, &format!("{introspection}{second}"));
    lab.write("policy.yaml", &policy);
    lab.write("opaque.txt", TOKEN);
    lab.write("answer.json", ANSWER);
    lab
}

fn explain(lab: &Lab, more: &str) -> Ran {
    let ran = lab.run(&format!(
        "explain policy.yaml --path /v1/contacts --at NOW --token-file opaque.txt {more}"
    ));
    assert_holds_none_of(&ran, TOKEN);
    assert_holds_none_of(&ran, SECRET);
    ran
}

#[test]
fn an_opaque_token_is_what_the_given_answer_says() {
    assert_snapshot!(explain(&lab(), "--introspection answer.json"), @r#"
    GET /v1/contacts at 2026-01-01T12:00:00Z, policy `test-1`

    ok firewall   nothing that only the gateway may set
    ok route      routes[0] `/v1/contacts` needs `contacts:read`
    ok token      opaque; `https://login.crm.example/` says that it is active
                  valid until 2026-01-01T13:00:00Z (in 1h)
    ok principal  agent `support-bot`, registered, acting for `ada`
                  client: support-bot
                  owner: support-platform
                  actors: support-bot
    ok authorize  `contacts:read` is needed
                  scope crm.read -> reader, which holds it
                  user: editor, which holds it
                  ceiling: editor, which holds it
                  smallest scope that grants it: crm.read
    ok limits     agent: 19 of 20 left, 60/min
                  organization: 599 of 600 left, 600/min

    allowed

    the backend also sees:
      x-postern-kind: agent
      x-postern-agent: support-bot
      x-postern-subject: ada
      x-postern-client: support-bot
      x-postern-issuer: https://login.crm.example/
      x-postern-roles: reader
      x-postern-actor-chain: support-bot
      x-postern-policy-version: test-1
      x-postern-decision-id: 0000000000000000-1

    the backend does not see:
      authorization

    the caller also sees:
      ratelimit-policy: "agent";q=60;w=60, "organization";q=600;w=60
      ratelimit: "agent";r=19;t=1, "organization";r=599;t=1
    exit code 0
    "#);
}

#[test]
fn without_an_answer_the_issuer_has_not_said_yet() {
    let ran = explain(&lab(), "");
    let line = ran.out.lines().find(|line| line.starts_with("denied")).unwrap_or_default();
    assert_snapshot!(line, @"denied 503 `not_ready`: the issuer has not said yet whether the token is active");
}

#[test]
fn an_answer_that_says_no_denies() {
    let lab = lab();
    lab.write("answer.json", r#"{"active":false}"#);
    let ran = explain(&lab, "--introspection answer.json --json");
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["decision"]["code"], "invalid_token");
    assert_eq!(report["steps"][2]["verified"], false);
}

#[test]
fn what_is_no_answer_or_is_about_no_opaque_token_is_an_error() {
    let lab = lab();
    lab.write("answer.json", r#"{"active":true,"active":true}"#);
    assert_snapshot!(explain(&lab, "--introspection answer.json").err, @"error: `answer.json` is no answer about a token: the answer is not a JSON object with one reading");
    lab.write("answer.json", ANSWER);
    lab.mint("opaque.txt", "--scope crm.read");
    assert_snapshot!(explain(&lab, "--introspection answer.json").err, @"error: no issuer of the policy is asked about this token: expected one that is opaque");
}

#[test]
fn check_warns_of_a_question_without_tls_and_shows_no_secret() {
    let lab = lab();
    let policy = lab
        .read("policy.yaml")
        .replace("https://login.crm.example/introspect", "http://login.crm.example/introspect");
    lab.write("policy.yaml", &policy);
    let ran = lab.run("check policy.yaml");
    assert_holds_none_of(&ran, SECRET);
    assert_snapshot!(ran, @r"
    policy.yaml:11:7: warning: issuers[0].introspection.url: tokens and secrets that go without TLS are whoever's who stands in between: expected `https`
       11 |       url: http://login.crm.example/introspect
          |       ^
    policy.yaml: ok: 1 warning, 2 issuers, 3 roles, 3 scopes, 2 agents, 5 routes (version `test-1`)
    exit code 0
    ");
}
