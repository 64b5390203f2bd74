//! `postern test`.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use serde_json::Value;

use crate::lab::{Lab, Ran};

const CALLERS: &str = "\
at: 2026-01-01T12:00:00Z
callers:
  ada: { claims: { sub: ada, client_id: web, scope: crm.read crm.write, roles: [editor] } }
  bot: { like: ada, claims: { act: { sub: support-bot } } }
tests:
";

/// What becomes of these tests of the policy.
fn tested(tests: &str, arguments: &str) -> Ran {
    let lab = Lab::new();
    lab.write("policy.test.yaml", &format!("{CALLERS}{tests}"));
    lab.run(&format!("test {arguments}"))
}

#[test]
fn tests_that_pass_are_a_line_each_and_what_none_has_seen_is_told() {
    let tests = "  - { name: an editor reads, given: ada, when: GET /v1/contacts, then: allow }
  - { name: and writes, given: ada, when: PUT /v1/contacts/7, then: allow }
  - { name: nobody else does, when: GET /v1/contacts, then: missing_token }
  - name: an agent reads twice
    given: bot
    when: { request: GET /v1/contacts, times: 2 }
    then:
      decision: allow
      backend: { x-postern-agent: support-bot }
      hidden: [authorization]
      answer: { ratelimit: agent }
      remaining: { agent: 18 }
  - { name: but adds no deal, given: bot, when: POST /v1/deals, then: agent_forbidden }
";
    assert_snapshot!(tested(tests, "policy.test.yaml"), @r"
    policy.test.yaml
      ok   an editor reads
      ok   and writes
      ok   nobody else does
      ok   an agent reads twice
      ok   but adds no deal
      saw 11 of 20 rules at work, 55 %
        never saw agents.careful-bot calls
        never saw agents.careful-bot.require[0] does not hold
        never saw agents.careful-bot.require[0] holds
        never saw routes[1] denies
        never saw routes[2] allows
        never saw routes[3] allows
        never saw routes[3] denies
        never saw routes[4] allows
        never saw scopes.crm.admin is used
    ok: 5 tests passed, 0 failed
    exit code 0
    ");
}

#[test]
fn a_test_that_fails_says_what_differs_and_why() {
    let tests = "  - name: an agent writes and is nobody
    given: { like: bot, claims: { scope: crm.read } }
    when: PUT /v1/contacts/7
    then: { decision: allow, status: 403, hidden: [x-postern-agent], remaining: { agent: 19 } }
";
    assert_snapshot!(tested(tests, "."), @r#"
    ./policy.test.yaml
      FAIL an agent writes and is nobody
           decision
             expected allow
             found    insufficient_scope
           remaining `agent`
             expected 19
             found    (none)
           PUT /v1/contacts/7 at 2026-01-01T12:00:00Z, policy `test-1`

           ok firewall   nothing that only the gateway may set
           ok route      routes[1] `/v1/contacts/{id}` needs `contacts:write`
           ok token      of `https://login.crm.example/`, signed with `EdDSA`, key `test`
                         valid until 2026-01-01T12:05:00Z (in 5m)
           ok principal  agent `support-bot`, registered, acting for `ada`
                         client: web
                         owner: support-platform
                         actors: support-bot
           no authorize  the token lacks a scope that the operation needs
                         `contacts:write` is needed
                         scope crm.read -> reader, which does not hold it
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
      saw 3 of 20 rules at work, 15 %
        never saw agents.careful-bot calls
        never saw agents.careful-bot.require[0] does not hold
        never saw agents.careful-bot.require[0] holds
        never saw agents.support-bot.never deals:write
        never saw limits.agents agent counts
        never saw limits.agents organization counts
        never saw limits.humans user counts
        never saw routes[0] allows
        never saw routes[0] denies
        never saw routes[1] allows
        never saw routes[2] allows
        never saw routes[2] denies
        never saw routes[3] allows
        never saw routes[3] denies
        never saw routes[4] allows
        never saw scopes.crm.admin is used
        never saw scopes.crm.write is used
    failed: 0 tests passed, 1 failed
    exit code 1
    "#);
}

#[test]
fn too_little_coverage_is_a_failure_if_asked_for() {
    let tests = "  - { name: an editor reads, given: ada, when: GET /v1/contacts, then: allow }\n";
    assert_eq!(tested(tests, "--min-coverage 10").code, 0);
    let ran = tested(tests, "--min-coverage 90");
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("failed: 1 test passed, 0 failed"), "{ran:?}");
}

#[test]
fn mistakes_in_tests_are_told_with_their_places_and_are_no_failures() {
    for (tests, message) in [
        (
            "  - { name: x, given: adda, when: GET /, then: allow }",
            "unknown caller `adda`: did you mean `ada`?",
        ),
        (
            "  - { name: x, given: ada, when: GET /, then: alow }",
            "unknown decision `alow`: did you mean `allow`?",
        ),
        ("  - { name: x, given: ada, when: /v1, then: allow }", "expected a method and a path"),
        (
            "  - { name: x, given: ada, wen: GET /, then: allow }",
            "policy.test.yaml:6:28: error: tests[0].wen: unknown field `wen`",
        ),
        ("  - { name: x, given: { lik: ada }, when: GET /, then: allow }", "unknown field `lik`"),
        (
            "  - { name: x, given: 7, when: GET /, then: allow }",
            "expected a caller's name, or a caller",
        ),
        ("  - { name: x, given: { api_key: k }, when: GET /, then: allow }", "unknown API key `k`"),
        ("  - { name: x, given: { issuer: z }, when: GET /, then: allow }", "unknown issuer `z`"),
        (
            "  - { name: x, when: { request: GET /, times: 0 }, then: allow }",
            "`times`: expected 1 to 100000",
        ),
        (
            "  - { name: x, when: { request: GET /, at: noon }, then: allow }",
            "expected `2026-01-31T12:00:00Z`",
        ),
        ("  []", "no test has `` in its name"),
    ] {
        let ran = tested(tests, "policy.test.yaml");
        assert_eq!(ran.code, 2, "{tests}: {ran:?}");
        assert!(ran.err.contains(message), "{tests}: {ran:?}");
    }
    let lab = Lab::new();
    lab.write("policy.test.yaml", "callers: { a: { like: b }, b: { like: a } }\ntests: [{ name: x, given: a, when: GET /, then: allow }]");
    assert!(lab.run("test").err.contains("or like itself"));
    lab.write("lonely.yaml", "tests: []");
    assert!(lab.run("test lonely.yaml").err.contains("expected `policy: FILE` in it"));
    assert!(Lab::empty().run("test").err.contains("no file called `*.test.yaml`"));
}

#[test]
fn a_caller_may_differ_in_claims_that_it_has_and_has_not() {
    let tests = "  - name: without its roles it may do nothing
    given: { like: bot, without: [roles] }
    when: GET /v1/contacts
    then: user_lacks_role
  - name: of another issuer it is nobody
    given: { like: bot, issuer: https://login.partner.example/ }
    when: GET /v1/contacts
    then: agent_unknown
  - name: a token of yesterday has expired
    given: { like: ada, ago: { iat: 2d, exp: 1d } }
    when: GET /v1/contacts
    then: expired_token
  - name: its token is good a second later
    given: ada
    when: { request: GET /v1/contacts, at: 2026-01-01T12:00:01Z }
    then: allow
";
    let ran = tested(tests, "policy.test.yaml");
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn build_servers_and_programs_are_told_too() {
    let lab = Lab::new();
    let tests = "  - { name: \"<&\\\"> reads\", given: ada, when: GET /v1/contacts, then: allow }
  - { name: writes, given: bot, when: POST /v1/deals, then: allow }
";
    lab.write("policy.test.yaml", &format!("{CALLERS}{tests}"));
    let ran = lab.run("test --json --junit out.xml");
    assert_eq!(ran.code, 1);
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&json["ok"], &json["failed"]), (&false.into(), &1.into()));
    assert_eq!(json["files"][0]["tests"][1]["differences"][0]["found"], "agent_forbidden");
    let xml = fs::read_to_string(lab.path("out.xml")).unwrap();
    assert!(
        xml.contains("<testsuite name=\"./policy.test.yaml\" tests=\"2\" failures=\"1\">"),
        "{xml}"
    );
    assert!(xml.contains("name=\"&lt;&amp;&quot;&gt; reads\"/>"), "{xml}");
    assert!(xml.contains("message=\"decision: expected allow, found agent_forbidden\">"), "{xml}");
    assert!(!xml.contains('\u{1b}'), "{xml}");
}

#[test]
fn a_change_has_them_run_again() {
    let lab = Lab::new();
    let tests = |then| {
        format!(
            "{CALLERS}  - {{ name: reads, given: ada, when: GET /v1/contacts, then: {then} }}\n"
        )
    };
    lab.write("policy.test.yaml", &tests("allow"));
    let mut postern = Command::new(env!("CARGO_BIN_EXE_postern"))
        .args(["test", "--watch"])
        .current_dir(lab.path(""))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(postern.stdout.take().unwrap()).lines();
    let mut until = |part: &str| {
        assert!(lines.by_ref().any(|line| line.unwrap().contains(part)), "no `{part}`");
    };
    until("ok: 1 test passed");
    until("waiting");
    lab.write("policy.test.yaml", &tests("no_route"));
    until("failed: 0 tests passed, 1 failed");
    until("waiting");
    let policy = lab.read("policy.yaml").replace("path: /v1/contacts,", "path: /v2/contacts,");
    lab.write("policy.yaml", &policy);
    until("ok: 1 test passed");
    postern.kill().unwrap();
    postern.wait().unwrap();
}

#[test]
fn what_a_limit_in_shadow_mode_would_deny_is_seen() {
    let lab = Lab::new();
    let policy = lab.read("policy.yaml");
    let limit = "    - { per: agent, rate: 1/h, name: tried, mode: shadow }\n";
    let policy = policy.replace("limits:\n  agents:\n", &format!("limits:\n  agents:\n{limit}"));
    assert!(policy.contains("tried"), "{policy}");
    lab.write("policy.yaml", &policy);
    let test = "  - name: twice\n    given: bot\n    when: { request: GET /v1/contacts, times: 2 }\n    \
                then: { decision: allow, shadow: rate_limited }\n";
    lab.write("policy.test.yaml", &format!("{CALLERS}{test}"));
    let ran = lab.run("test");
    assert_eq!(ran.code, 0, "{ran}");
}

#[test]
fn what_comes_of_odd_behaviour_can_be_tested() {
    let lab = Lab::new();
    let policy = lab.read("policy.yaml").replacen("roles:\n", "behaviour: {}\nroles:\n", 1);
    let policy = policy.replacen(
        "methods: [PUT], permission: contacts:write }",
        "methods: [PUT], permission: contacts:write, \
         require: [\"caller.kind != 'agent' || behaviour.score < 0.5\"] }",
        1,
    );
    lab.write("policy.yaml", &policy);
    let tests = "  - { name: usual, given: bot, when: PUT /v1/contacts/7, then: allow }
  - name: odd
    given: bot
    when: { request: PUT /v1/contacts/7, behaviour: { failures: 0.3, sources: 0.4 } }
    then: condition_failed
";
    lab.write("policy.test.yaml", &format!("{CALLERS}{tests}"));
    let ran = lab.run("test policy.test.yaml");
    assert!(ran.out.contains("ok: 2 tests passed"), "{ran}");
    lab.write("policy.test.yaml", &format!("{CALLERS}{}", tests.replace("0.4", "1.4")));
    let ran = lab.run("test policy.test.yaml");
    assert!(ran.err.contains("`behaviour`: expected a number from 0 to 1"), "{ran}");
}
