//! `postern explain`.

use insta::assert_snapshot;

use crate::lab::{Lab, NOW, Ran, assert_holds_none_of};

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
    let more = [
        "--scope",
        "crm.write",
        "--role",
        "editor",
        "--actor",
        "support-bot",
        "--organization",
        "acme",
    ];
    assert_snapshot!(lab.explain("PUT /v1/contacts/7", &more), @"");
}

#[test]
fn a_scope_that_is_missing_is_named() {
    let more = ["--scope", "crm.read openid", "--role", "editor", "--actor", "support-bot"];
    assert_snapshot!(Lab::new().explain("PUT /v1/contacts/7", &more), @"");
}

#[test]
fn a_user_without_the_role_is_why_not() {
    let more = ["--scope", "crm.write", "--role", "reader", "--actor", "support-bot"];
    assert_snapshot!(Lab::new().explain("PUT /v1/contacts/7", &more), @"");
}

#[test]
fn an_agent_beyond_its_ceiling_is_denied() {
    let more = ["--scope", "crm.admin", "--role", "admin", "--actor", "support-bot"];
    assert_snapshot!(Lab::new().explain("POST /v1/exports", &more), @"");
}

#[test]
fn what_an_agent_never_gets_is_denied() {
    let more = ["--scope", "crm.write", "--role", "editor", "--actor", "support-bot"];
    assert_snapshot!(Lab::new().explain("POST /v1/deals", &more), @"");
}

#[test]
fn an_agent_that_nobody_registered_is_denied() {
    let more =
        ["--scope", "crm.read", "--role", "reader", "--actor", "stranger", "--client", "stranger"];
    assert_snapshot!(Lab::new().explain("GET /v1/contacts", &more), @"");
}

#[test]
fn a_condition_that_does_not_hold_is_named() {
    let more = [
        "--scope",
        "crm.read",
        "--role",
        "reader",
        "--client",
        "careful-bot",
        "--claim",
        "model=\"m-3\"",
    ];
    assert_snapshot!(Lab::new().explain("GET /v1/contacts", &more), @"");
}

#[test]
fn an_expired_token_is_told_with_when_it_ended() {
    let more = ["--at", "2026-01-01T10:00:00Z", "--scope", "crm.read"];
    let lab = Lab::new();
    lab.mint("token.jwt", &[]);
    let minted: Vec<_> = more.to_vec();
    let made = lab.run(
        &[
            &[
                "token",
                "mint",
                "--key",
                "login.jwk",
                "--issuer",
                "https://login.crm.example/",
                "--audience",
                "https://api.crm.example",
                "--subject",
                "ada",
                "--client",
                "support-bot",
            ][..],
            &minted[..],
        ]
        .concat(),
    );
    lab.write("old.jwt", &made.out);
    let ran = lab.run(&[
        "explain",
        "policy.yaml",
        "--path",
        "/v1/contacts",
        "--token-file",
        "old.jwt",
        "--at",
        NOW,
    ]);
    assert_holds_none_of(&ran, made.out.trim());
    assert_snapshot!(ran, @"");
}

#[test]
fn a_token_for_another_api_or_by_another_key_is_refused() {
    let lab = Lab::new();
    let ran = lab.explain("GET /v1/contacts", &["--audience", "https://other.example"]);
    assert_snapshot!(decision(&ran), @"");
    let ran = lab.explain("GET /v1/contacts", &["--key", "partner.jwk"]);
    assert_snapshot!(decision(&ran), @"");
    let ran = lab.explain("GET /v1/contacts", &["--issuer", "https://evil.example/"]);
    assert_snapshot!(decision(&ran), @"");
    let ran = lab.explain("GET /v1/contacts", &["--typ", "JWT"]);
    assert_snapshot!(decision(&ran), @"");
}

#[test]
fn a_path_without_route_and_a_method_without_route_are_told_apart() {
    let lab = Lab::new();
    assert_snapshot!(lab.explain("GET /v2/contacts", &[]), @"");
    assert_snapshot!(lab.explain("DELETE /v1/contacts", &[]), @"");
}

#[test]
fn a_path_that_can_be_read_in_two_ways_is_refused() {
    assert_snapshot!(Lab::new().explain("GET /v1/contacts%2f7", &[]), @"");
}

#[test]
fn no_token_is_a_challenge() {
    let lab = Lab::new();
    assert_snapshot!(lab.run(&["explain", "policy.yaml", "--path", "/v1/contacts", "--at", NOW]), @"");
}

#[test]
fn a_public_route_needs_none_and_headers_of_ours_are_removed() {
    let lab = Lab::new();
    let ran = lab.run(&[
        "explain",
        "policy.yaml",
        "--path",
        "/healthz",
        "--at",
        NOW,
        "--header",
        "X-Postern-Agent: root",
        "--header",
        "accept: */*",
    ]);
    assert_snapshot!(ran, @"");
}

#[test]
fn what_postern_answers_itself_is_shown() {
    let lab = Lab::new();
    let path = "/.well-known/oauth-protected-resource";
    assert_snapshot!(decision(&lab.run(&["explain", "policy.yaml", "--path", path, "--at", NOW])), @"");
}

#[test]
fn a_human_has_limits_of_their_own() {
    let lab = Lab::new();
    let ran = lab.explain("GET /v1/contacts", &["--client", "browser", "--scope", "crm.read"]);
    assert_snapshot!(ran, @"");
}

#[test]
fn a_token_in_the_query_is_refused_and_not_repeated() {
    let lab = Lab::new();
    let token = lab.mint("token.jwt", &[]);
    let path = format!("/v1/contacts?access_token={token}");
    for json in [&["--json"][..], &[]] {
        let ran = lab
            .run(&[&["explain", "policy.yaml", "--path", &path, "--at", NOW][..], json].concat());
        assert_eq!(ran.code, 1);
        assert!(ran.out.contains("invalid_request"), "{ran:?}");
        assert_holds_none_of(&ran, &token);
    }
}

#[test]
fn a_token_on_the_command_line_is_taken_and_not_repeated() {
    let lab = Lab::new();
    let token = lab.mint("token.jwt", &["--scope", "crm.read", "--role", "reader"]);
    let ran = lab.run(&[
        "explain",
        "policy.yaml",
        "--path",
        "/v1/contacts",
        "--at",
        NOW,
        "--token",
        &token,
    ]);
    assert_snapshot!(decision(&ran), @"");
    assert_holds_none_of(&ran, &token);
    let ran = lab.run(&[
        "explain",
        "policy.yaml",
        "--path",
        "/",
        "--token",
        &token,
        "--token-file",
        "token.jwt",
    ]);
    assert_eq!(ran.code, 2);
    assert_holds_none_of(&ran, &token);
    let ran = lab.run(&["explain", "policy.yaml", "--path", "/", "--header", &token]);
    assert_eq!(ran.code, 2);
    assert_holds_none_of(&ran, &token);
}

#[test]
fn programs_get_the_same_as_json() {
    let lab = Lab::new();
    let token = lab
        .mint("token.jwt", &["--scope", "crm.write", "--role", "editor", "--actor", "support-bot"]);
    let ran = lab.run(&[
        "explain",
        "policy.yaml",
        "--path",
        "/v1/deals",
        "--method",
        "POST",
        "--at",
        NOW,
        "--token-file",
        "-",
        "--json",
    ]);
    assert_eq!(ran.code, 1, "no token at all: {ran:?}");
    let ran = lab.run_with(
        &[
            "explain",
            "policy.yaml",
            "--path",
            "/v1/deals",
            "--method",
            "POST",
            "--at",
            NOW,
            "--token-file",
            "-",
            "--json",
        ],
        &token,
    );
    assert_holds_none_of(&ran, &token);
    assert_snapshot!(ran, @"");
}

#[test]
fn a_policy_with_errors_explains_nothing() {
    let lab = Lab::empty();
    lab.write("p.yaml", "version: 2\n");
    assert_snapshot!(lab.run(&["explain", "p.yaml", "--path", "/"]), @"");
}
