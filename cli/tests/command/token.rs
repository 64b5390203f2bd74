//! `postern token`.

use insta::assert_snapshot;

use crate::lab::{Lab, NOW, assert_holds_none_of};

#[test]
fn tokens_of_every_algorithm_pass_from_keygen_to_explain() {
    let lab = Lab::new();
    for algorithm in ["ES256", "EdDSA", "RS256"] {
        let file = format!("{algorithm}.jwk");
        let made =
            lab.run(&["token", "keygen", "--algorithm", algorithm, "--out", &file, "--public"]);
        let policy = include_str!("../fixtures/policy.yaml")
            .replace("LOGIN_KEYS", &made.out.replace('\n', " "))
            .replace("PARTNER_KEYS", &made.out.replace('\n', " "));
        lab.write("policy.yaml", &policy);
        let more = ["--key", &file, "--scope", "crm.read", "--role", "reader"];
        let ran = lab.explain("GET /v1/contacts", &more);
        assert_eq!(ran.code, 0, "{algorithm}: {ran}");
    }
}

#[test]
fn a_private_key_is_for_its_owner_only_and_never_replaces_another() {
    let lab = Lab::empty();
    let made = lab.run(&["token", "keygen", "--kid", "a", "--out", "a.jwk"]);
    assert_snapshot!(made, @"");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(lab.path("a.jwk")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let key = lab.read("a.jwk");
    assert_snapshot!(lab.run(&["token", "keygen", "--out", "a.jwk"]), @"");
    assert_eq!(lab.read("a.jwk"), key);
}

#[test]
fn the_public_half_holds_nothing_private() {
    let lab = Lab::empty();
    for algorithm in ["ES256", "EdDSA", "RS256"] {
        let file = format!("{algorithm}.jwk");
        let made =
            lab.run(&["token", "keygen", "--algorithm", algorithm, "--out", &file, "--public"]);
        let private: serde_json::Value = serde_json::from_str(&lab.read(&file)).unwrap();
        for member in ["d", "p", "q"] {
            assert!(
                private.get(member).is_none_or(|value| !made.out.contains(value.as_str().unwrap()))
            );
        }
        assert!(made.out.contains(private["kid"].as_str().unwrap()));
    }
    let made = lab.run(&["token", "keygen", "--algorithm", "HS256", "--out", "h.jwk", "--public"]);
    assert_snapshot!(made, @"");
    assert!(!lab.path("h.jwk").exists());
}

#[test]
fn a_token_is_shown_with_its_times_and_with_a_warning() {
    let lab = Lab::new();
    let token = lab.mint(
        "token.jwt",
        &["--scope", "crm.read", "--actor", "support-bot", "--actor", "planner"],
    );
    let ran = lab.run_with(&["token", "inspect"], &token);
    let lines: Vec<_> = ran.out.lines().filter(|line| !line.ends_with("ago)")).collect();
    assert_snapshot!(lines.join("\n"), @"");
    assert_eq!(ran.code, 0);
    assert_eq!(lab.run(&["token", "inspect", &token]).out, ran.out);
    assert_holds_none_of(&ran, &token);
}

#[test]
fn with_a_policy_a_token_is_verified_or_told_why_not() {
    let lab = Lab::new();
    let inspect = |at| {
        lab.run(&[
            "token",
            "inspect",
            "--policy",
            "policy.yaml",
            "--at",
            at,
            &lab.read("token.jwt"),
        ])
    };
    lab.mint("token.jwt", &["--scope", "crm.read"]);
    assert_snapshot!(inspect(NOW), @"");
    let late = inspect("2026-01-02T00:00:00Z");
    assert_snapshot!(late.out.lines().next().unwrap_or_default(), @"");
    assert_eq!(late.code, 1);
    lab.mint("token.jwt", &["--key", "partner.jwk"]);
    let forged = inspect(NOW);
    assert_snapshot!(forged.out.lines().next().unwrap_or_default(), @"");
    assert_eq!(forged.code, 1);
}

#[test]
fn what_is_no_token_is_told_without_repeating_it() {
    let lab = Lab::empty();
    for text in ["s3cret", "s3cret.s3cret", "s3cret!.a.b", "s3cret.s3cret.s3cret"] {
        let ran = lab.run_with(&["token", "inspect"], text);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains("not a token") && !ran.err.contains("s3cret"), "{ran:?}");
    }
}

#[test]
fn a_token_that_the_engine_would_not_read_is_shown_and_said_so() {
    use postern_cli::mint::{Algorithm, PrivateKey, sign};

    let key = PrivateKey::generate(Algorithm::EdDsa).unwrap().with_kid("k");
    let token = sign(&key, r#"{"alg":"EdDSA"}"#, "{\"sub\":\"a\",\"sub\":\"b\u{9b}\"}").unwrap();
    assert_snapshot!(Lab::empty().run(&["token", "inspect", &token]), @"");
}

#[test]
fn a_key_that_cannot_be_used_is_refused_without_repeating_it() {
    let lab = Lab::empty();
    for key in ["s3cret", r#"{"kty":"EC","crv":"P-256","d":"s3cret"}"#, "\"s3cret\"", "{"] {
        lab.write("key.jwk", key);
        let ran = lab.run(&[
            "token",
            "mint",
            "--key",
            "key.jwk",
            "--issuer",
            "i",
            "--audience",
            "a",
            "--subject",
            "s",
            "--client",
            "c",
        ]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(!ran.err.contains("s3cret"), "{ran:?}");
    }
}
