//! `postern check`.

use insta::assert_snapshot;

use crate::lab::{Lab, Ran};

/// Checks the policy with one thing replaced by another.
fn broken(from: &str, to: &str) -> Ran {
    let lab = Lab::new();
    let policy = lab.read("policy.yaml");
    assert!(policy.contains(from), "{from}");
    lab.write("p.yaml", &policy.replacen(from, to, 1));
    lab.run("check p.yaml")
}

#[test]
fn a_good_policy_is_told_in_a_line() {
    let lab = Lab::new();
    assert_snapshot!(lab.run("check policy.yaml"), @r"
    policy.yaml: ok: 2 issuers, 3 roles, 3 scopes, 2 agents, 5 routes (version `test-1`)
    exit code 0
    ");
}

#[test]
fn an_unknown_field_is_told_with_the_nearest_one() {
    assert_snapshot!(broken("revision:", "revison:"), @r"
    p.yaml:3:1: error: revison: unknown field `revison`, expected one of `version`, `mode`, `candidate`, `revision`, `issuers`, `resource`, `roles`, `scopes`, `authorization_details`, `callers`, `agents`, `unregistered_agents` and 15 more
        3 | revison: test-1
          | ^
          help: did you mean `revision`?
    p.yaml: refused: 1 error
    exit code 1
    ");
}

#[test]
fn an_unknown_role_is_told_with_the_nearest_one() {
    assert_snapshot!(broken("crm.write: { role: editor }", "crm.write: { role: edtor }"), @r#"
    p.yaml:24:16: error: scopes."crm.write".role: unknown role `edtor`
       24 |   crm.write: { role: edtor }
          |                ^
          help: did you mean `editor`?
    p.yaml: refused: 1 error
    exit code 1
    "#);
}

#[test]
fn an_unknown_permission_is_told_with_the_nearest_one() {
    assert_snapshot!(broken("[GET], permission: contacts:read", "[GET], permission: contacts:raed"), @r"
    p.yaml:39:43: error: routes[0].permission: unknown permission `contacts:raed`: no role holds it
       39 |   - { path: /v1/contacts, methods: [GET], permission: contacts:raed }
          |                                           ^
          help: did you mean `contacts:read`?
    p.yaml: refused: 1 error
    exit code 1
    ");
}

#[test]
fn an_unknown_issuer_of_an_agent_is_told_with_the_nearest_one() {
    assert_snapshot!(broken("issuer: https://login.crm.example/\n    owner", "issuer: https://login.crm.example\n    owner"), @r"
    p.yaml:29:5: error: agents.support-bot.issuer: unknown issuer `https://login.crm.example`
       29 |     issuer: https://login.crm.example
          |     ^
          help: did you mean `https://login.crm.example/`?
    p.yaml: refused: 1 error
    exit code 1
    ");
}

#[test]
fn an_agent_without_issuer_is_refused_where_there_are_several() {
    assert_snapshot!(broken("    issuer: https://login.crm.example/\n    owner", "    owner"), @r"
    p.yaml:28:3: error: agents.support-bot: expected `issuer`: where there are several, an agent says which of them knows it
       28 |   support-bot:
          |   ^
    p.yaml: refused: 1 error
    exit code 1
    ");
}

#[test]
fn roles_that_inherit_in_a_circle_are_refused() {
    assert_snapshot!(broken("reader: {", "reader: { inherits: [admin],"), @r"
    p.yaml:18:13: error: roles.reader.inherits: `admin` -> `editor` -> `reader` -> `admin` inherits from itself
       18 |   reader: { inherits: [admin], permissions: [contacts:read] }
          |             ^
    p.yaml: refused: 1 error
    exit code 1
    ");
}

#[test]
fn a_rate_that_is_none_is_refused() {
    assert_snapshot!(broken("rate: 60/min", "rate: 60 per minute"), @r"
    p.yaml:47:21: error: limits.agents[0].rate: `60 per minute` is not a rate: expected a count and a period, as in `60/min` or `100/10s`
       47 |     - { per: agent, rate: 60 per minute, burst: 20 }
          |                     ^
    p.yaml: refused: 1 error
    exit code 1
    ");
}

#[test]
fn a_key_that_comes_twice_is_refused() {
    assert_snapshot!(broken("revision: test-1", "version: 1"), @r"
    p.yaml:3:1: error: key `version` is there twice, first on line 2, column 1
        3 | version: 1
          | ^
    p.yaml: refused: 1 error
    exit code 1
    ");
}

#[test]
fn a_missing_field_is_told_where_it_is_missed() {
    assert_snapshot!(broken("    audiences: [https://api.crm.example]\n", ""), @r"
    p.yaml:6:5: error: issuers[0]: no audience: expected `audiences`, or `clients` and the profile `jwt` where tokens have no `aud`
        6 |   - issuer: https://login.crm.example/
          |     ^
    p.yaml: refused: 1 error
    exit code 1
    ");
}

#[test]
fn text_that_is_no_yaml_is_told_with_its_place() {
    assert_snapshot!(broken("[GET], permission", "[GET, permission"), @r#"
    p.yaml:40:3: error: not YAML: "-" is only valid inside a block
       40 |   - { path: "/v1/contacts/{id}", methods: [PUT], permission: contacts:write }
          |   ^
    p.yaml: refused: 1 error
    exit code 1
    "#);
}

#[test]
fn all_that_is_wrong_is_told_in_the_order_of_the_text() {
    let lab = Lab::new();
    let policy = lab.read("policy.yaml");
    let policy =
        policy.replace("role: admin", "role: boss").replace("rate: 600/min", "rate: 0/min");
    lab.write("p.yaml", &policy);
    assert_snapshot!(lab.run("check p.yaml"), @r#"
    p.yaml:25:16: error: scopes."crm.admin".role: unknown role `boss`
       25 |   crm.admin: { role: boss, user_must_hold: admin }
          |                ^
    p.yaml:48:28: error: limits.agents[1].rate: `0/min` is not a rate: expected at least 1
       48 |     - { per: organization, rate: 0/min }
          |                            ^
    p.yaml:50:20: error: limits.humans[0].rate: `0/min` is not a rate: expected at least 1
       50 |     - { per: user, rate: 0/min }
          |                    ^
    p.yaml: refused: 3 errors
    exit code 1
    "#);
}

#[test]
fn what_is_odd_is_a_warning_and_an_error_only_if_asked_for() {
    let lab = Lab::new();
    let policy = lab.read("policy.yaml");
    let policy = policy
        .replace("scopes:\n", "  auditor: { permissions: [audit:read] }\n  intern: { inherits: [reader] }\n\nscopes:\n  crm.audit: { role: auditor }\n")
        .replace("routes:\n", "routes:\n  - { path: \"/x/*\", public: true }\n  - { path: \"/x/*/\", public: true }\n  - { path: \"/x/*/**\", public: true }\n  - { path: \"/x/**\", public: true }\n");
    lab.write("p.yaml", &policy);
    assert_snapshot!(lab.run("check p.yaml"), @r#"
    p.yaml:23:3: warning: roles.intern: nothing grants this role: no scope leads to it
       23 |   intern: { inherits: [reader] }
          |   ^
    p.yaml:26:3: warning: scopes."crm.audit": nobody can use this scope: no route needs a permission of its role
       26 |   crm.audit: { role: auditor }
          |   ^
    p.yaml:46:5: warning: routes[3]: this route can never match: more specific ones take all its paths
       46 |   - { path: "/x/**", public: true }
          |     ^
    p.yaml: ok: 3 warnings, 2 issuers, 5 roles, 4 scopes, 2 agents, 9 routes (version `test-1`)
    exit code 0
    "#);
    assert_eq!(lab.run("check --deny-warnings p.yaml").code, 1);
}

#[test]
fn json_is_read_and_its_problems_have_places_too() {
    let lab = Lab::empty();
    lab.write(
        "p.json",
        "{\n  \"version\": 1,\n  \"issuers\": [],\n  \"roles\": {},\n  \"rotues\": []\n}\n",
    );
    assert_snapshot!(lab.run("check p.json"), @r#"
    p.json:5:3: error: rotues: unknown field `rotues`, expected one of `version`, `mode`, `candidate`, `revision`, `issuers`, `resource`, `roles`, `scopes`, `authorization_details`, `callers`, `agents`, `unregistered_agents` and 15 more
        5 |   "rotues": []
          |   ^
          help: did you mean `routes`?
    p.json: refused: 1 error
    exit code 1
    "#);
}

#[test]
fn programs_get_the_same_as_json() {
    let lab = Lab::new();
    assert_snapshot!(lab.run("check --json policy.yaml"), @r#"
    {
      "files": [
        {
          "errors": 0,
          "file": "policy.yaml",
          "ok": true,
          "policy": {
            "agents": 2,
            "issuers": 2,
            "roles": 3,
            "routes": 5,
            "scopes": 3,
            "version": "test-1"
          },
          "problems": [],
          "unlisted": 0,
          "warnings": 0
        }
      ],
      "ok": true
    }
    exit code 0
    "#);
    lab.write("p.yaml", &lab.read("policy.yaml").replace("role: admin", "role: admn"));
    assert_snapshot!(lab.run("check --json p.yaml"), @r#"
    {
      "files": [
        {
          "errors": 1,
          "file": "p.yaml",
          "ok": false,
          "policy": null,
          "problems": [
            {
              "column": 16,
              "help": "did you mean `admin`?",
              "line": 25,
              "message": "unknown role `admn`",
              "path": "scopes.\"crm.admin\".role",
              "severity": "error"
            }
          ],
          "unlisted": 0,
          "warnings": 0
        }
      ],
      "ok": false
    }
    exit code 1
    "#);
}

#[test]
fn of_several_files_each_is_checked_and_one_bad_one_is_enough() {
    let lab = Lab::new();
    lab.write("empty.yaml", "");
    assert_snapshot!(lab.run("check policy.yaml empty.yaml"), @r"
    policy.yaml: ok: 2 issuers, 3 roles, 3 scopes, 2 agents, 5 routes (version `test-1`)
    empty.yaml: error: empty, expected at least `version: 1`
    empty.yaml: refused: 1 error
    exit code 1
    ");
}

#[test]
fn standard_input_is_a_file_too() {
    let lab = Lab::new();
    assert_snapshot!(lab.run_with("check -", &lab.read("policy.yaml")), @r"
    standard input: ok: 2 issuers, 3 roles, 3 scopes, 2 agents, 5 routes (version `test-1`)
    exit code 0
    ");
    assert_snapshot!(lab.run("check - -"), @r"
    error: standard input can be read once: expected at most one `-`
    exit code 2
    ");
}

#[test]
fn a_secret_in_the_policy_is_not_printed_with_the_line_it_is_on() {
    let lab = Lab::new();
    lab.run("token keygen --algorithm HS256 --out shared.jwk");
    let key: serde_json::Value = serde_json::from_str(&lab.read("shared.jwk")).unwrap();
    let secret = key["k"].as_str().unwrap();
    for wrong in [
        format!("version: 1\njwks: {{ keys: [{{ kty: oct, k: {secret} }}] }}\n"),
        format!("version: 1\nk: {secret}: x\n"),
        format!("version: 1\n\"k\": \"{secret}\n"),
        lab.read("policy.yaml").replace("{   \"keys\": [", &format!("{{ \"keys\": [{key},")),
    ] {
        lab.write("p.yaml", &wrong);
        let ran = lab.run("check p.yaml");
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(!ran.out.contains(secret), "{ran:?}");
    }
}

#[test]
fn a_mistake_in_an_expression_is_told_at_its_very_place() {
    let from = "require: [{ claim: model, in: [m-4, m-5] }]";
    assert_snapshot!(broken(from, "require: [ 'agent.nmae == \"x\"' ]"), @r#"
    p.yaml:36:23: error: agents.careful-bot.require[0]: unknown attribute `nmae` (at character 7)
       36 |     require: [ 'agent.nmae == "x"' ]
          |                       ^
          help: did you mean `name`?
    p.yaml: refused: 1 error
    exit code 1
    "#);
    let block =
        "require:\n      - >-\n        agent.name != \"x\"\n        && request.pth == \"/\"";
    assert_snapshot!(broken(from, block), @r#"
    p.yaml:39:20: error: agents.careful-bot.require[0]: unknown field `pth` (at character 30)
       39 |         && request.pth == "/"
          |                    ^
          help: did you mean `path`?
    p.yaml: refused: 1 error
    exit code 1
    "#);
    assert_snapshot!(broken(from, "require: ['agent.name ==']"), @r"
    p.yaml:36:29: error: agents.careful-bot.require[0]: expected a value, not the end (at character 14)
       36 |     require: ['agent.name ==']
          |                             ^
    p.yaml: refused: 1 error
    exit code 1
    ");
}
