//! `postern explain`.

use insta::assert_snapshot;

use crate::lab::{Lab, Ran, assert_holds_none_of};

/// The line of the decision, and the exit code.
fn decision(ran: &Ran) -> String {
    let decided =
        |line: &&str| ["allowed", "denied", "answered"].iter().any(|word| line.starts_with(word));
    let line = ran.out.lines().find(decided).unwrap_or_default();
    format!("{line}, exit code {}", ran.code)
}

#[test]
fn an_allowed_request_is_walked_through_to_the_headers_that_the_backend_sees() {
    let lab = Lab::new();
    let more = "--scope crm.write --role editor --actor support-bot --organization acme";
    assert_snapshot!(lab.explain("PUT /v1/contacts/7", more), @r#"
    PUT /v1/contacts/7 at 2026-01-01T12:00:00Z, policy `test-1`

    ok firewall   nothing that only the gateway may set
    ok route      routes[1] `/v1/contacts/{id}` needs `contacts:write`
    ok token      of `https://login.crm.example/`, signed with `ES256`, key `login-1`
                  valid until 2026-01-01T13:00:00Z (in 1h)
    ok principal  agent `support-bot`, registered, acting for `ada`
                  client: support-bot
                  owner: support-platform
                  organization: acme
                  actors: support-bot
    ok authorize  `contacts:write` is needed
                  scope crm.write -> editor, which holds it
                  user: editor, which holds it
                  ceiling: editor, which holds it
                  smallest scope that grants it: crm.write
    ok limits     agent: 19 of 20 left, 60/min
                  organization: 599 of 600 left, 600/min

    allowed

    the backend also sees:
      x-postern-kind: agent
      x-postern-agent: support-bot
      x-postern-subject: ada
      x-postern-organization: acme
      x-postern-client: support-bot
      x-postern-issuer: https://login.crm.example/
      x-postern-token-id: t-1
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
fn a_scope_that_is_missing_is_named() {
    let more = "--scope crm.read --scope openid --role editor --actor support-bot";
    assert_snapshot!(Lab::new().explain("PUT /v1/contacts/7", more), @r#"
    PUT /v1/contacts/7 at 2026-01-01T12:00:00Z, policy `test-1`

    ok firewall   nothing that only the gateway may set
    ok route      routes[1] `/v1/contacts/{id}` needs `contacts:write`
    ok token      of `https://login.crm.example/`, signed with `ES256`, key `login-1`
                  valid until 2026-01-01T13:00:00Z (in 1h)
    ok principal  agent `support-bot`, registered, acting for `ada`
                  client: support-bot
                  owner: support-platform
                  actors: support-bot
    no authorize  the token lacks a scope that the operation needs
                  `contacts:write` is needed
                  scope crm.read -> reader, which does not hold it
                  scope openid -> nothing in this policy
                  user: editor, which holds it
                  ceiling: editor, which holds it
                  smallest scope that grants it: crm.write

    denied 403 `insufficient_scope`: the token lacks a scope that the operation needs

    the caller gets:
      content-type: application/problem+json
      cache-control: no-store
      www-authenticate: Bearer error="insufficient_scope", error_description="insufficient_scope: the token lacks a scope that the operation needs", scope="crm.write", resource_metadata="https://api.crm.example/.well-known/oauth-protected-resource"
      {
        "code": "insufficient_scope",
        "decision": "0000000000000000-1",
        "detail": "the token lacks a scope that the operation needs",
        "permission": "contacts:write",
        "scope": "crm.write",
        "status": 403,
        "title": "Forbidden",
        "type": "about:blank"
      }
    exit code 1
    "#);
}

#[test]
fn a_revocation_is_told_with_its_place() {
    let lab = Lab::new();
    let revocations = "\nrevocations: { agents: [careful-bot], clients: [{ id: scraper }] }\n";
    lab.write("policy.yaml", &(lab.read("policy.yaml") + revocations));
    let step = |more: &str| {
        let ran =
            lab.explain("GET /v1/contacts", &format!("--scope crm.read --role editor {more}"));
        let step = |line: &&str| line.get(3..).is_some_and(|rest| rest.starts_with("standing"));
        let lines = ran.out.lines().skip_while(|line| !step(line)).take(2);
        (lines.collect::<Vec<_>>().join("\n"), decision(&ran))
    };
    let (found, decided) = step("--actor support-bot --actor careful-bot");
    assert_snapshot!(found, @"
    no standing   the operator has stopped this agent
                  revocations.agents[0] says so
    ");
    assert_snapshot!(decided, @"denied 403 `agent_blocked`: the operator has stopped this agent, exit code 1");
    let (found, decided) = step("--actor support-bot");
    assert_snapshot!(found, @"
    ok standing   all 2 revocations are about others
    ok authorize  `contacts:read` is needed
    ");
    assert_snapshot!(decided, @"allowed, exit code 0");
}

#[test]
fn a_user_without_the_role_is_why_not() {
    let more = "--scope crm.write --role reader --actor support-bot";
    assert_snapshot!(Lab::new().explain("PUT /v1/contacts/7", more), @r#"
    PUT /v1/contacts/7 at 2026-01-01T12:00:00Z, policy `test-1`

    ok firewall   nothing that only the gateway may set
    ok route      routes[1] `/v1/contacts/{id}` needs `contacts:write`
    ok token      of `https://login.crm.example/`, signed with `ES256`, key `login-1`
                  valid until 2026-01-01T13:00:00Z (in 1h)
    ok principal  agent `support-bot`, registered, acting for `ada`
                  client: support-bot
                  owner: support-platform
                  actors: support-bot
    no authorize  the user the agent acts for may not do this
                  `contacts:write` is needed
                  scope crm.write -> editor, which holds it
                  user: reader, which does not hold it
                  ceiling: editor, which holds it
                  smallest scope that grants it: crm.write

    denied 403 `user_lacks_role`: the user the agent acts for may not do this

    the caller gets:
      content-type: application/problem+json
      cache-control: no-store
      {
        "code": "user_lacks_role",
        "decision": "0000000000000000-1",
        "detail": "the user the agent acts for may not do this",
        "permission": "contacts:write",
        "status": 403,
        "title": "Forbidden",
        "type": "about:blank"
      }
    exit code 1
    "#);
}

#[test]
fn a_login_that_is_too_long_ago_is_told_with_how_to_log_in_again() {
    let lab = Lab::new();
    let policy = lab.read("policy.yaml");
    lab.write(
        "policy.yaml",
        &format!("{policy}\nstep_up: {{ exports:create: {{ max_age: 5m }} }}\n"),
    );
    // An hour before it is now.
    let more = "--scope crm.admin --role admin --client web-app --claim auth_time=1767265200";
    let ran = lab.explain("POST /v1/exports", more);
    assert_eq!(
        decision(&ran),
        "denied 401 `insufficient_user_authentication`: the operation needs a newer login of the \
         user or one of another kind, exit code 1"
    );
    assert!(ran.out.contains("step_up.exports:create: does not hold"), "{ran}");
    assert!(ran.out.contains("max_age=\"300\""), "{ran}");
    let now = "--scope crm.admin --role admin --client web-app --claim auth_time=1767268700";
    assert_eq!(decision(&lab.explain("POST /v1/exports", now)), "allowed, exit code 0");
}

#[test]
fn an_agent_beyond_its_ceiling_is_denied() {
    let more = "--scope crm.admin --role admin --actor support-bot";
    assert_snapshot!(Lab::new().explain("POST /v1/exports", more), @r#"
    POST /v1/exports at 2026-01-01T12:00:00Z, policy `test-1`

    ok firewall   nothing that only the gateway may set
    ok route      routes[3] `/v1/exports` needs `exports:create`
    ok token      of `https://login.crm.example/`, signed with `ES256`, key `login-1`
                  valid until 2026-01-01T13:00:00Z (in 1h)
    ok principal  agent `support-bot`, registered, acting for `ada`
                  client: support-bot
                  owner: support-platform
                  actors: support-bot
    no authorize  the operation lies beyond what this agent may ever do
                  `exports:create` is needed
                  scope crm.admin -> admin, which holds it
                  user: admin, which holds it
                  ceiling: editor, which does not hold it
                  smallest scope that grants it: crm.admin

    denied 403 `agent_ceiling`: the operation lies beyond what this agent may ever do

    the caller gets:
      content-type: application/problem+json
      cache-control: no-store
      {
        "code": "agent_ceiling",
        "decision": "0000000000000000-1",
        "detail": "the operation lies beyond what this agent may ever do",
        "permission": "exports:create",
        "status": 403,
        "title": "Forbidden",
        "type": "about:blank"
      }
    exit code 1
    "#);
}

#[test]
fn what_an_agent_never_gets_is_denied() {
    let more = "--scope crm.write --role editor --actor support-bot";
    assert_snapshot!(Lab::new().explain("POST /v1/deals", more), @r#"
    POST /v1/deals at 2026-01-01T12:00:00Z, policy `test-1`

    ok firewall   nothing that only the gateway may set
    ok route      routes[2] `/v1/deals` needs `deals:write`
    ok token      of `https://login.crm.example/`, signed with `ES256`, key `login-1`
                  valid until 2026-01-01T13:00:00Z (in 1h)
    ok principal  agent `support-bot`, registered, acting for `ada`
                  client: support-bot
                  owner: support-platform
                  actors: support-bot
    no authorize  this agent never gets the permission the operation needs
                  `deals:write` is needed
                  scope crm.write -> editor, which holds it
                  user: editor, which holds it
                  ceiling: editor, which holds it
                  never: `deals:write` is among what this agent never gets
                  smallest scope that grants it: crm.write

    denied 403 `agent_forbidden`: this agent never gets the permission the operation needs

    the caller gets:
      content-type: application/problem+json
      cache-control: no-store
      {
        "code": "agent_forbidden",
        "decision": "0000000000000000-1",
        "detail": "this agent never gets the permission the operation needs",
        "permission": "deals:write",
        "status": 403,
        "title": "Forbidden",
        "type": "about:blank"
      }
    exit code 1
    "#);
}

#[test]
fn an_agent_that_nobody_registered_is_denied() {
    let more = "--scope crm.read --role reader --actor stranger --client stranger";
    assert_snapshot!(Lab::new().explain("GET /v1/contacts", more), @r#"
    GET /v1/contacts at 2026-01-01T12:00:00Z, policy `test-1`

    ok firewall   nothing that only the gateway may set
    ok route      routes[0] `/v1/contacts` needs `contacts:read`
    ok token      of `https://login.crm.example/`, signed with `ES256`, key `login-1`
                  valid until 2026-01-01T13:00:00Z (in 1h)
    ok principal  agent `stranger`, not registered, acting for `ada`
                  client: stranger
                  actors: stranger
    no authorize  this agent is not registered with the API
                  `contacts:read` is needed
                  scope crm.read -> reader, which holds it
                  user: reader, which holds it
                  smallest scope that grants it: crm.read

    denied 403 `agent_unknown`: this agent is not registered with the API

    the caller gets:
      content-type: application/problem+json
      cache-control: no-store
      {
        "code": "agent_unknown",
        "decision": "0000000000000000-1",
        "detail": "this agent is not registered with the API",
        "permission": "contacts:read",
        "status": 403,
        "title": "Forbidden",
        "type": "about:blank"
      }
    exit code 1
    "#);
}

#[test]
fn a_condition_that_does_not_hold_is_named() {
    let more = "--scope crm.read --role reader --client careful-bot --claim model=\"m-3\"";
    assert_snapshot!(Lab::new().explain("GET /v1/contacts", more), @r#"
    GET /v1/contacts at 2026-01-01T12:00:00Z, policy `test-1`

    ok firewall   nothing that only the gateway may set
    ok route      routes[0] `/v1/contacts` needs `contacts:read`
    ok token      of `https://login.crm.example/`, signed with `ES256`, key `login-1`
                  valid until 2026-01-01T13:00:00Z (in 1h)
    ok principal  agent `careful-bot`, registered, acting for `ada`
                  client: careful-bot
    no authorize  the request does not fulfil a condition
                  `contacts:read` is needed
                  scope crm.read -> reader, which holds it
                  user: reader, which holds it
                  ceiling: editor, which holds it
                  agents.careful-bot.require[0]: does not hold
                  smallest scope that grants it: crm.read

    denied 403 `condition_failed`: the request does not fulfil a condition

    the caller gets:
      content-type: application/problem+json
      cache-control: no-store
      {
        "code": "condition_failed",
        "decision": "0000000000000000-1",
        "detail": "the request does not fulfil a condition",
        "permission": "contacts:read",
        "status": 403,
        "title": "Forbidden",
        "type": "about:blank"
      }
    exit code 1
    "#);
}

#[test]
fn an_expired_token_is_told_with_when_it_ended() {
    let more = "--at 2026-01-01T10:00:00Z --scope crm.read";
    let ran = Lab::new().explain("GET /v1/contacts", more);
    assert_snapshot!(ran, @r#"
    GET /v1/contacts at 2026-01-01T12:00:00Z, policy `test-1`

    ok firewall   nothing that only the gateway may set
    ok route      routes[0] `/v1/contacts` needs `contacts:read`
    no token      `exp` has passed
                  what it says, which anybody may have written:
                    of `https://login.crm.example/`, `ES256`, key `login-1`
                    valid until 2026-01-01T11:00:00Z (1h ago)

    denied 401 `expired_token`: `exp` has passed

    the caller gets:
      content-type: application/problem+json
      cache-control: no-store
      www-authenticate: Bearer error="invalid_token", error_description="expired_token: the token has expired: get a new one", scope="crm.read", resource_metadata="https://api.crm.example/.well-known/oauth-protected-resource"
      {
        "code": "expired_token",
        "decision": "0000000000000000-1",
        "detail": "`exp` has passed",
        "permission": "contacts:read",
        "status": 401,
        "title": "Unauthorized",
        "type": "about:blank"
      }
    exit code 1
    "#);
}

#[test]
fn a_token_for_another_api_or_by_another_key_is_refused() {
    let lab = Lab::new();
    let ran = lab.explain("GET /v1/contacts", "--audience https://other.example");
    assert_snapshot!(decision(&ran), @"denied 401 `wrong_audience`: `aud` holds none of the issuer's audiences, exit code 1");
    let ran = lab.explain("GET /v1/contacts", "--key partner.jwk");
    assert_snapshot!(decision(&ran), @"denied 401 `unknown_key`: no key of the issuer fits `kid` and `alg`, exit code 1");
    let ran = lab.explain("GET /v1/contacts", "--issuer https://evil.example/");
    assert_snapshot!(decision(&ran), @"denied 401 `invalid_token`: `iss` is no issuer of the policy, exit code 1");
    let ran = lab.explain("GET /v1/contacts", "--typ JWT");
    assert_snapshot!(decision(&ran), @"denied 401 `invalid_token`: `typ` does not say access token, exit code 1");
}

#[test]
fn keys_that_the_proxy_would_fetch_are_missing_unless_they_are_given() {
    let lab = Lab::new();
    let policy = lab.read("policy.yaml");
    let keys = policy.lines().find(|line| line.contains("login-1")).unwrap().to_owned();
    let remote = "    jwks: { url: https://login.crm.example/jwks.json, cluster: login }";
    lab.write("policy.yaml", &policy.replace(&keys, remote));
    lab.write("jwks.json", keys.trim().strip_prefix("jwks:").unwrap());
    lab.write("bad.json", "{}");
    assert_eq!(lab.run("check policy.yaml").code, 0);

    let ran = lab.explain("GET /v1/contacts", "--scope crm.read --role reader");
    assert_snapshot!(decision(&ran), @"denied 503 `not_ready`: the issuer's keys are not there yet, or too old, exit code 1");
    let explain = "explain policy.yaml --path /v1/contacts --at NOW --token-file token.jwt --jwks";
    let given = |jwks: &str| lab.run(&format!("{explain} {jwks}"));
    let ran = given("https://login.crm.example/=jwks.json");
    assert_eq!((decision(&ran).as_str(), ran.code), ("allowed, exit code 0", 0));
    let ran = given("https://login.crm.example/=bad.json");
    assert_snapshot!(ran, @r"
    error: `bad.json` is not a key set that can be used: it is not an object with an array `keys`
    exit code 2
    ");
    let ran = given("https://other.example/=jwks.json");
    assert_snapshot!(ran, @r"
    error: the policy has no issuer `https://other.example/`
    exit code 2
    ");

    let inspect = "token inspect --policy policy.yaml --at NOW --jwks";
    let token = lab.read("token.jwt");
    let ran = lab.run_with(&format!("{inspect} https://login.crm.example/=jwks.json"), &token);
    assert_eq!(ran.code, 0, "{ran}");
}

#[test]
fn a_path_without_route_and_a_method_without_route_are_told_apart() {
    let lab = Lab::new();
    assert_snapshot!(lab.explain("GET /v2/contacts", ""), @r#"
    GET /v2/contacts at 2026-01-01T12:00:00Z, policy `test-1`

    ok firewall   nothing that only the gateway may set
    no route      the API has no such operation
                  no route has this path

    denied 403 `no_route`: the API has no such operation

    the caller gets:
      content-type: application/problem+json
      cache-control: no-store
      {
        "code": "no_route",
        "decision": "0000000000000000-1",
        "detail": "the API has no such operation",
        "status": 403,
        "title": "Forbidden",
        "type": "about:blank"
      }
    exit code 1
    "#);
    assert_snapshot!(lab.explain("DELETE /v1/contacts", ""), @r#"
    DELETE /v1/contacts at 2026-01-01T12:00:00Z, policy `test-1`

    ok firewall   nothing that only the gateway may set
    no route      the API has no such operation
                  this path has routes for GET, HEAD only

    denied 403 `no_route`: the API has no such operation

    the caller gets:
      content-type: application/problem+json
      cache-control: no-store
      {
        "code": "no_route",
        "decision": "0000000000000000-1",
        "detail": "the API has no such operation",
        "status": 403,
        "title": "Forbidden",
        "type": "about:blank"
      }
    exit code 1
    "#);
}

#[test]
fn a_path_that_can_be_read_in_two_ways_is_refused() {
    assert_snapshot!(Lab::new().explain("GET /v1/contacts%2f7", ""), @r#"
    GET /v1/contacts%2f7 at 2026-01-01T12:00:00Z, policy `test-1`

    ok firewall   nothing that only the gateway may set
    no route      a percent-encoded slash, backslash, `?` or `#`

    denied 400 `invalid_request`: a percent-encoded slash, backslash, `?` or `#`

    the caller gets:
      content-type: application/problem+json
      cache-control: no-store
      www-authenticate: Bearer error="invalid_request", error_description="invalid_request: the request can be read in more than one way", resource_metadata="https://api.crm.example/.well-known/oauth-protected-resource"
      {
        "code": "invalid_request",
        "decision": "0000000000000000-1",
        "detail": "a percent-encoded slash, backslash, `?` or `#`",
        "status": 400,
        "title": "Bad Request",
        "type": "about:blank"
      }
    exit code 1
    "#);
}

#[test]
fn no_token_is_a_challenge() {
    let lab = Lab::new();
    assert_snapshot!(lab.run("explain policy.yaml --path /v1/contacts --at NOW"), @r#"
    GET /v1/contacts at 2026-01-01T12:00:00Z, policy `test-1`

    ok firewall   nothing that only the gateway may set
    ok route      routes[0] `/v1/contacts` needs `contacts:read`
    no token      the operation needs an access token

    denied 401 `missing_token`: the operation needs an access token

    the caller gets:
      content-type: application/problem+json
      cache-control: no-store
      www-authenticate: Bearer scope="crm.read", resource_metadata="https://api.crm.example/.well-known/oauth-protected-resource"
      {
        "code": "missing_token",
        "decision": "0000000000000000-1",
        "detail": "the operation needs an access token",
        "permission": "contacts:read",
        "scope": "crm.read",
        "status": 401,
        "title": "Unauthorized",
        "type": "about:blank"
      }
    exit code 1
    "#);
}

#[test]
fn a_public_route_needs_none_and_headers_of_ours_are_removed() {
    let lab = Lab::new();
    let ran = lab.run("explain policy.yaml --path /healthz --at NOW --header X-Postern-Agent:root --header accept:*/*");
    assert_snapshot!(ran, @r"
    GET /healthz at 2026-01-01T12:00:00Z, policy `test-1`

    ok firewall   removed, for only the gateway may set it: X-Postern-Agent
    ok route      routes[4] `/healthz` is public

    allowed

    the backend also sees:
      x-postern-kind: anonymous
      x-postern-policy-version: test-1
      x-postern-decision-id: 0000000000000000-1

    the backend does not see:
      X-Postern-Agent
    exit code 0
    ");
}

#[test]
fn what_postern_answers_itself_is_shown() {
    let lab = Lab::new();
    let path = "/.well-known/oauth-protected-resource";
    assert_snapshot!(decision(&lab.run(&format!("explain policy.yaml --path {path} --at NOW"))), @"answered 200, by Postern itself, exit code 0");
}

#[test]
fn a_human_has_limits_of_their_own() {
    let lab = Lab::new();
    let ran = lab.explain("GET /v1/contacts", "--client browser --scope crm.read");
    assert_snapshot!(ran, @r#"
    GET /v1/contacts at 2026-01-01T12:00:00Z, policy `test-1`

    ok firewall   nothing that only the gateway may set
    ok route      routes[0] `/v1/contacts` needs `contacts:read`
    ok token      of `https://login.crm.example/`, signed with `ES256`, key `login-1`
                  valid until 2026-01-01T13:00:00Z (in 1h)
    ok principal  human `ada`
                  client: browser
    ok authorize  `contacts:read` is needed
                  scope crm.read -> reader, which holds it
                  smallest scope that grants it: crm.read
    ok limits     user: 599 of 600 left, 600/min

    allowed

    the backend also sees:
      x-postern-kind: human
      x-postern-subject: ada
      x-postern-client: browser
      x-postern-issuer: https://login.crm.example/
      x-postern-token-id: t-1
      x-postern-roles: reader
      x-postern-policy-version: test-1
      x-postern-decision-id: 0000000000000000-1

    the backend does not see:
      authorization

    the caller also sees:
      ratelimit-policy: "user";q=600;w=60
      ratelimit: "user";r=599;t=1
    exit code 0
    "#);
}

#[test]
fn a_token_in_the_query_is_refused_and_not_repeated() {
    let lab = Lab::new();
    let token = lab.mint("token.jwt", "");
    let path = format!("/v1/contacts?access_token={token}");
    for json in ["--json", ""] {
        let ran = lab.run(&format!("explain policy.yaml --path {path} --at NOW {json}"));
        assert_eq!(ran.code, 1);
        assert!(ran.out.contains("invalid_request"), "{ran:?}");
        assert_holds_none_of(&ran, &token);
    }
}

#[test]
fn a_token_on_the_command_line_is_taken_and_not_repeated() {
    let lab = Lab::new();
    let token = lab.mint("token.jwt", "--scope crm.read --role reader");
    let ran = lab.run(&format!("explain policy.yaml --path /v1/contacts --at NOW --token {token}"));
    assert_snapshot!(decision(&ran), @"allowed, exit code 0");
    assert_holds_none_of(&ran, &token);
    let ran =
        lab.run(&format!("explain policy.yaml --path / --token {token} --token-file token.jwt"));
    assert_eq!(ran.code, 2);
    assert_holds_none_of(&ran, &token);
    let ran = lab.run(&format!("explain policy.yaml --path / --header {token}"));
    assert_eq!(ran.code, 2);
    assert_holds_none_of(&ran, &token);
}

#[test]
fn programs_get_the_same_as_json() {
    let lab = Lab::new();
    let more = "--scope crm.write --role editor --actor support-bot";
    let token = lab.mint("token.jwt", more);
    let ran = lab.run_with(
        "explain policy.yaml --path /v1/deals --method POST --at NOW --token-file - --json",
        &token,
    );
    assert_holds_none_of(&ran, &token);
    assert_snapshot!(ran, @r#"
    {
      "method": "POST",
      "path": "/v1/deals",
      "at": "2026-01-01T12:00:00Z",
      "policy": "test-1",
      "steps": [
        {
          "step": "firewall",
          "removed": [],
          "passed": true
        },
        {
          "step": "route",
          "index": 2,
          "template": "/v1/deals",
          "access": "permission",
          "permission": "deals:write",
          "passed": true
        },
        {
          "step": "token",
          "verified": true,
          "issuer": "https://login.crm.example/",
          "algorithm": "ES256",
          "key_id": "login-1",
          "expires": "2026-01-01T13:00:00Z",
          "passed": true
        },
        {
          "step": "principal",
          "kind": "agent",
          "subject": "ada",
          "client": "support-bot",
          "agent": "support-bot",
          "registered": true,
          "owner": "support-platform",
          "delegated": true,
          "organization": null,
          "actors": [
            "support-bot"
          ],
          "passed": true
        },
        {
          "step": "authorize",
          "permission": "deals:write",
          "scopes": [
            {
              "scope": "crm.write",
              "role": {
                "role": "editor",
                "holds": true
              }
            }
          ],
          "user_roles": [
            {
              "role": "editor",
              "holds": true
            }
          ],
          "ceiling": {
            "role": "editor",
            "holds": true
          },
          "never": true,
          "conditions": [],
          "smallest_scope": "crm.write",
          "passed": false,
          "reason": "this agent never gets the permission the operation needs"
        }
      ],
      "decision": {
        "allowed": false,
        "code": "agent_forbidden",
        "status": 403,
        "reason": "this agent never gets the permission the operation needs"
      },
      "reply": {
        "status": 403,
        "headers": [
          {
            "name": "content-type",
            "value": "application/problem+json"
          },
          {
            "name": "cache-control",
            "value": "no-store"
          }
        ],
        "body": {
          "code": "agent_forbidden",
          "decision": "0000000000000000-1",
          "detail": "this agent never gets the permission the operation needs",
          "permission": "deals:write",
          "status": 403,
          "title": "Forbidden",
          "type": "about:blank"
        }
      }
    }
    exit code 1
    "#);
}

#[test]
fn a_policy_with_errors_explains_nothing() {
    let lab = Lab::empty();
    lab.write("p.yaml", "version: 2\n");
    assert_snapshot!(lab.run("explain p.yaml --path /"), @r"
    error: `p.yaml` is not a policy that can be used
    p.yaml:1:1: error: missing field `roles`
        1 | version: 2
          | ^

    exit code 2
    ");
}

#[test]
fn too_many_headers_stop_at_the_first_step() {
    let headers = "--header a:b ".repeat(257);
    let ran = Lab::new().run(&format!("explain policy.yaml --path /healthz --at NOW {headers}"));
    assert_snapshot!(ran.out.lines().nth(2).unwrap_or_default(), @"no firewall   the request has too many headers");
    assert_eq!(ran.code, 1);
}

#[test]
fn an_expression_that_cannot_be_told_is_named_with_why() {
    let lab = Lab::new();
    let policy = lab.read("policy.yaml");
    let from = "{ claim: model, in: [m-4, m-5] }";
    lab.write("policy.yaml", &policy.replacen(from, "'token.model in [\"m-4\"]'", 1));
    let more = "--scope crm.read --role reader --client careful-bot";
    assert_snapshot!(lab.explain("GET /v1/contacts", more), @r#"
    GET /v1/contacts at 2026-01-01T12:00:00Z, policy `test-1`

    ok firewall   nothing that only the gateway may set
    ok route      routes[0] `/v1/contacts` needs `contacts:read`
    ok token      of `https://login.crm.example/`, signed with `ES256`, key `login-1`
                  valid until 2026-01-01T13:00:00Z (in 1h)
    ok principal  agent `careful-bot`, registered, acting for `ada`
                  client: careful-bot
    no authorize  a condition asks about what is not there
                  `contacts:read` is needed
                  scope crm.read -> reader, which holds it
                  user: reader, which holds it
                  ceiling: editor, which holds it
                  agents.careful-bot.require[0]: a condition asks about what is not there
                  smallest scope that grants it: crm.read

    denied 403 `condition_error`: a condition asks about what is not there

    the caller gets:
      content-type: application/problem+json
      cache-control: no-store
      {
        "code": "condition_error",
        "decision": "0000000000000000-1",
        "detail": "a condition asks about what is not there",
        "permission": "contacts:read",
        "status": 403,
        "title": "Forbidden",
        "type": "about:blank"
      }
    exit code 1
    "#);
}

#[test]
fn an_agent_can_be_made_to_behave_oddly() {
    let lab = Lab::new();
    let policy = lab.read("policy.yaml");
    let policy = policy.replacen(
        "limits:\n  agents:\n",
        "behaviour: {}\nlimits:\n  agents:\n    - { per: agent, rate: 1/h, name: odd, \
         when: [behaviour.score >= 0.5] }\n",
        1,
    );
    let policy = format!(
        "{policy}\nstep_up: {{ contacts:read: {{ max_age: 5m, when: [behaviour.rate > 0.9] }} }}\n"
    );
    lab.write("policy.yaml", &policy);
    let usual = "--scope crm.read --role editor --actor support-bot";
    let ran = lab.explain("GET /v1/contacts", usual);
    assert!(ran.out.contains("behaviour  a score of 0, and it is not known yet"), "{ran}");
    let odd =
        lab.explain_with("GET /v1/contacts", usual, "--behaviour rate=0.8 --behaviour novelty=0.5");
    assert!(odd.out.contains("behaviour  a score of 0.9\n"), "{odd}");
    assert!(odd.out.contains("rate: 0.8") && odd.out.contains("odd: 0 of 1 left"), "{odd}");
    let denied = lab.explain_with("GET /v1/contacts", usual, "--behaviour rate=1");
    assert!(denied.out.contains("step_up.contacts:read: does not hold"), "{denied}");
    assert!(denied.out.contains("insufficient_user_authentication"), "{denied}");
    let wrong = lab.explain_with("GET /v1/contacts", usual, "--behaviour mood=1");
    assert!(wrong.err.contains("expected `rate`, `novelty`, `failures` or `sources`"), "{wrong}");
}
