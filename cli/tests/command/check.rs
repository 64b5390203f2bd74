//! `postern check`.

use insta::assert_snapshot;

use crate::lab::{Lab, Ran};

/// Checks the policy with one thing replaced by another.
fn broken(from: &str, to: &str) -> Ran {
    let lab = Lab::new();
    let policy = lab.read("policy.yaml");
    assert!(policy.contains(from), "{from}");
    lab.write("p.yaml", &policy.replacen(from, to, 1));
    lab.run(&["check", "p.yaml"])
}

#[test]
fn a_good_policy_is_told_in_a_line() {
    let lab = Lab::new();
    assert_snapshot!(lab.run(&["check", "policy.yaml"]), @"");
}

#[test]
fn an_unknown_field_is_told_with_the_nearest_one() {
    assert_snapshot!(broken("revision:", "revison:"), @"");
}

#[test]
fn an_unknown_role_is_told_with_the_nearest_one() {
    assert_snapshot!(broken("crm.write: { role: editor }", "crm.write: { role: edtor }"), @"");
}

#[test]
fn an_unknown_permission_is_told_with_the_nearest_one() {
    assert_snapshot!(broken("[GET], permission: contacts:read", "[GET], permission: contacts:raed"), @"");
}

#[test]
fn an_unknown_issuer_of_an_agent_is_told_with_the_nearest_one() {
    assert_snapshot!(broken("issuer: https://login.crm.example/\n    owner", "issuer: https://login.crm.example\n    owner"), @"");
}

#[test]
fn an_agent_without_issuer_is_refused_where_there_are_several() {
    assert_snapshot!(broken("    issuer: https://login.crm.example/\n    owner", "    owner"), @"");
}

#[test]
fn roles_that_inherit_in_a_circle_are_refused() {
    assert_snapshot!(broken("reader: {", "reader: { inherits: [admin],"), @"");
}

#[test]
fn a_rate_that_is_none_is_refused() {
    assert_snapshot!(broken("rate: 60/min", "rate: 60 per minute"), @"");
}

#[test]
fn a_key_that_comes_twice_is_refused() {
    assert_snapshot!(broken("revision: test-1", "version: 1"), @"");
}

#[test]
fn a_missing_field_is_told_where_it_is_missed() {
    assert_snapshot!(broken("    audiences: [https://api.crm.example]\n", ""), @"");
}

#[test]
fn text_that_is_no_yaml_is_told_with_its_place() {
    assert_snapshot!(broken("[GET], permission", "[GET, permission"), @"");
}

#[test]
fn all_that_is_wrong_is_told_in_the_order_of_the_text() {
    let lab = Lab::new();
    let policy = lab.read("policy.yaml");
    let policy =
        policy.replace("role: admin", "role: boss").replace("rate: 600/min", "rate: 0/min");
    lab.write("p.yaml", &policy);
    assert_snapshot!(lab.run(&["check", "p.yaml"]), @"");
}

#[test]
fn what_is_odd_is_a_warning_and_an_error_only_if_asked_for() {
    let lab = Lab::new();
    let policy = lab.read("policy.yaml");
    let policy = policy
        .replace("scopes:\n", "  auditor: { permissions: [audit:read] }\n  intern: { inherits: [reader] }\n\nscopes:\n  crm.audit: { role: auditor }\n")
        .replace("routes:\n", "routes:\n  - { path: \"/x/*\", public: true }\n  - { path: \"/x/*/\", public: true }\n  - { path: \"/x/*/**\", public: true }\n  - { path: \"/x/**\", public: true }\n");
    lab.write("p.yaml", &policy);
    assert_snapshot!(lab.run(&["check", "p.yaml"]), @"");
    assert_eq!(lab.run(&["check", "--deny-warnings", "p.yaml"]).code, 1);
}

#[test]
fn json_is_read_and_its_problems_have_places_too() {
    let lab = Lab::empty();
    lab.write(
        "p.json",
        "{\n  \"version\": 1,\n  \"issuers\": [],\n  \"roles\": {},\n  \"rotues\": []\n}\n",
    );
    assert_snapshot!(lab.run(&["check", "p.json"]), @"");
}

#[test]
fn programs_get_the_same_as_json() {
    let lab = Lab::new();
    assert_snapshot!(lab.run(&["check", "--json", "policy.yaml"]), @"");
    lab.write("p.yaml", &lab.read("policy.yaml").replace("role: admin", "role: admn"));
    assert_snapshot!(lab.run(&["check", "--json", "p.yaml"]), @"");
}

#[test]
fn of_several_files_each_is_checked_and_one_bad_one_is_enough() {
    let lab = Lab::new();
    lab.write("empty.yaml", "");
    assert_snapshot!(lab.run(&["check", "policy.yaml", "empty.yaml"]), @"");
}

#[test]
fn standard_input_is_a_file_too() {
    let lab = Lab::new();
    assert_snapshot!(lab.run_with(&["check", "-"], &lab.read("policy.yaml")), @"");
    assert_snapshot!(lab.run(&["check", "-", "-"]), @"");
}

#[test]
fn a_secret_in_the_policy_is_not_printed_with_the_line_it_is_on() {
    let lab = Lab::new();
    lab.run(&["token", "keygen", "--algorithm", "HS256", "--out", "shared.jwk"]);
    let key: serde_json::Value = serde_json::from_str(&lab.read("shared.jwk")).unwrap();
    let secret = key["k"].as_str().unwrap();
    for wrong in [
        format!("version: 1\njwks: {{ keys: [{{ kty: oct, k: {secret} }}] }}\n"),
        format!("version: 1\nk: {secret}: x\n"),
        format!("version: 1\n\"k\": \"{secret}\n"),
        lab.read("policy.yaml").replace("{   \"keys\": [", &format!("{{ \"keys\": [{key},")),
    ] {
        lab.write("p.yaml", &wrong);
        let ran = lab.run(&["check", "p.yaml"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(!ran.out.contains(secret), "{ran:?}");
    }
}
