//! `postern token`.

use insta::assert_snapshot;

use crate::lab::{Lab, assert_holds_none_of};

#[test]
fn tokens_of_every_algorithm_pass_from_keygen_to_explain() {
    let lab = Lab::new();
    for algorithm in ["ES256", "EdDSA", "RS256"] {
        let file = format!("{algorithm}.jwk");
        let made = lab.run(&format!("token keygen --algorithm {algorithm} --out {file} --public"));
        let policy = include_str!("../fixtures/policy.yaml")
            .replace("LOGIN_KEYS", &made.out.replace('\n', " "))
            .replace("PARTNER_KEYS", &made.out.replace('\n', " "));
        lab.write("policy.yaml", &policy);
        let more = format!("--key {file} --scope crm.read --role reader");
        let ran = lab.explain("GET /v1/contacts", &more);
        assert_eq!(ran.code, 0, "{algorithm}: {ran}");
    }
}

#[test]
fn a_private_key_is_for_its_owner_only_and_never_replaces_another() {
    let lab = Lab::empty();
    let made = lab.run("token keygen --kid a --out a.jwk");
    assert_snapshot!(made, @r"
    wrote the private key `a` to a.jwk
    exit code 0
    ");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(lab.path("a.jwk")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let key = lab.read("a.jwk");
    assert_snapshot!(lab.run("token keygen --out a.jwk"), @r"
    error: cannot write `a.jwk`: File exists (os error 17)
    exit code 2
    ");
    assert_eq!(lab.read("a.jwk"), key);
}

#[test]
fn the_public_half_holds_nothing_private() {
    let lab = Lab::empty();
    for algorithm in ["ES256", "EdDSA", "RS256"] {
        let file = format!("{algorithm}.jwk");
        let made = lab.run(&format!("token keygen --algorithm {algorithm} --out {file} --public"));
        let private: serde_json::Value = serde_json::from_str(&lab.read(&file)).unwrap();
        for member in ["d", "p", "q"] {
            assert!(
                private.get(member).is_none_or(|value| !made.out.contains(value.as_str().unwrap()))
            );
        }
        assert!(made.out.contains(private["kid"].as_str().unwrap()));
    }
    let made = lab.run("token keygen --algorithm HS256 --out h.jwk --public");
    assert_snapshot!(made, @r"
    error: an HS256 key has no public half: expected another algorithm with `--public`
    exit code 2
    ");
    assert!(!lab.path("h.jwk").exists());
}

#[test]
fn a_token_is_shown_with_its_times_and_with_a_warning() {
    let lab = Lab::new();
    let token = lab.mint("token.jwt", "--scope crm.read --actor support-bot --actor planner");
    let ran = lab.run_with("token inspect", &token);
    let lines: Vec<_> = ran.out.lines().filter(|line| !line.ends_with("ago)")).collect();
    assert_snapshot!(lines.join("\n"), @r#"
    NOT VERIFIED: ANYBODY MAY HAVE WRITTEN THIS

    header {
      "alg": "ES256",
      "kid": "login-1",
      "typ": "at+jwt"
    }
    claims {
      "act": {
        "act": {
          "sub": "planner"
        },
        "sub": "support-bot"
      },
      "aud": "https://api.crm.example",
      "client_id": "support-bot",
      "exp": 1767272400,
      "iat": 1767268800,
      "iss": "https://login.crm.example/",
      "jti": "t-1",
      "scope": "crm.read",
      "sub": "ada"
    }
    "#);
    assert_eq!(ran.code, 0);
    assert_eq!(lab.run(&format!("token inspect {token}")).out, ran.out);
    assert_holds_none_of(&ran, &token);
}

#[test]
fn with_a_policy_a_token_is_verified_or_told_why_not() {
    let lab = Lab::new();
    let inspect = |at: &str| {
        let token = lab.read("token.jwt");
        lab.run_with(&format!("token inspect --policy policy.yaml --at {at}"), &token)
    };
    lab.mint("token.jwt", "--scope crm.read");
    assert_snapshot!(inspect("NOW"), @r#"
    VERIFIED: signed by `https://login.crm.example/`, valid now

    header {
      "alg": "ES256",
      "kid": "login-1",
      "typ": "at+jwt"
    }
    claims {
      "aud": "https://api.crm.example",
      "client_id": "support-bot",
      "exp": 1767272400,
      "iat": 1767268800,
      "iss": "https://login.crm.example/",
      "jti": "t-1",
      "scope": "crm.read",
      "sub": "ada"
    }
    issued     2026-01-01T12:00:00Z (now)
    expires    2026-01-01T13:00:00Z (in 1h)
    exit code 0
    "#);
    let late = inspect("2026-01-02T00:00:00Z");
    assert_snapshot!(late.out.lines().next().unwrap_or_default(), @"REFUSED, SO ANYBODY MAY HAVE WRITTEN THIS: expired_token: `exp` has passed");
    assert_eq!(late.code, 1);
    lab.mint("token.jwt", "--key partner.jwk");
    let forged = inspect("NOW");
    assert_snapshot!(forged.out.lines().next().unwrap_or_default(), @"REFUSED, SO ANYBODY MAY HAVE WRITTEN THIS: unknown_key: no key of the issuer fits `kid` and `alg`");
    assert_eq!(forged.code, 1);
}

#[test]
fn what_is_no_token_is_told_without_repeating_it() {
    let lab = Lab::empty();
    for text in ["s3cret", "s3cret.s3cret", "s3cret!.a.b", "s3cret.s3cret.s3cret"] {
        let ran = lab.run_with("token inspect", text);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains("not a token") && !ran.err.contains("s3cret"), "{ran:?}");
    }
}

#[test]
fn a_token_that_the_engine_would_not_read_is_shown_and_said_so() {
    use postern_cli::mint::{Algorithm, PrivateKey, sign};

    let key = PrivateKey::generate(Algorithm::EdDsa).unwrap().with_kid("k");
    let token = sign(&key, r#"{"alg":"EdDSA"}"#, "{\"sub\":\"a\",\"sub\":\"b\u{9b}\"}").unwrap();
    assert_snapshot!(Lab::empty().run(&format!("token inspect {token}")), @r#"
    NOT VERIFIED: ANYBODY MAY HAVE WRITTEN THIS
    read leniently: the engine refuses this JSON: a member is named twice at line 1 column 16

    header {
      "alg": "EdDSA"
    }
    claims {
      "sub": "b\u009b"
    }
    exit code 0
    "#);
}

#[test]
fn a_key_that_cannot_be_used_is_refused_without_repeating_it() {
    let lab = Lab::empty();
    for key in ["s3cret", r#"{"kty":"EC","crv":"P-256","d":"s3cret"}"#, "\"s3cret\"", "{"] {
        lab.write("key.jwk", key);
        let ran =
            lab.run("token mint --key key.jwk --issuer i --audience a --subject s --client c");
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(!ran.err.contains("s3cret"), "{ran:?}");
    }
}

/// A lab whose policy takes bound tokens, a key of the client's, and a token bound to it.
fn bound() -> (Lab, String) {
    let lab = Lab::new();
    let policy = lab.read("policy.yaml");
    let binding = "binding: { dpop: { origin: https://api.crm.example }, mtls: {} }";
    lab.write("policy.yaml", &format!("{policy}\n{binding}\n"));
    lab.run("token keygen --kid client --out client.jwk");
    let more = "--scope crm.read --role reader --actor support-bot --dpop-key client.jwk";
    let token = lab.mint("bound.jwt", more);
    (lab, token)
}

fn explain(lab: &Lab, more: &str) -> crate::lab::Ran {
    lab.run(&format!(
        "explain policy.yaml --path /v1/contacts --at NOW --token-file bound.jwt {more}"
    ))
}

#[test]
fn a_token_that_is_bound_to_a_key_and_its_proof_pass_from_keygen_to_explain() {
    let (lab, token) = bound();
    let url = "https://api.crm.example/v1/contacts";
    let proof = |more: &str| {
        let made = lab.run(&format!(
            "token proof --key client.jwk --token-file bound.jwt --url {url} --at NOW {more}"
        ));
        assert_eq!(made.code, 0, "{made}");
        made.out.trim().to_owned()
    };
    let good = proof("");
    let ran = explain(&lab, &format!("--header DPoP:{good}"));
    assert_eq!(ran.code, 0, "{ran}");
    assert!(ran.out.contains("ok binding    the token is bound to a key, by `cnf`"), "{ran}");
    assert_holds_none_of(&ran, &token);
    assert_holds_none_of(&ran, &good);

    let ran = explain(&lab, &format!("--header dpop:{}", proof("--method PUT")));
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.out.contains("no binding    `htm` of the proof is not the method"), "{ran}");
    let ran = explain(&lab, "");
    assert!(ran.out.contains("no binding    the token is bound to a key: expected"), "{ran}");
    assert!(ran.out.contains("denied 401 `unbound_token`"), "{ran}");
}

#[test]
fn a_token_that_is_bound_to_a_certificate_passes_from_mint_to_explain() {
    let (lab, _) = bound();
    // Any bytes have a digest: that of `abc` is known (FIPS 180-2).
    lab.write("c.pem", "-----BEGIN CERTIFICATE-----\nYW\nJj\n-----END CERTIFICATE-----\n");
    let more = "--scope crm.read --role reader --actor support-bot --certificate c.pem";
    lab.mint("bound.jwt", more);
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let ran = explain(&lab, &format!("--certificate {digest}"));
    assert_eq!(ran.code, 0, "{ran}");
    assert!(ran.out.contains("bound to a client certificate, by `cnf`"), "{ran}");
    let other = digest.replace("ba", "ab");
    let ran = explain(&lab, &format!("--certificate {other}"));
    assert!(ran.out.contains("no binding    the token is bound to another client"), "{ran}");
    let ran = explain(&lab, "--certificate abc");
    assert!(ran.code == 2 && ran.err.contains("expected 64 hexadecimal digits"), "{ran}");

    lab.write("c.pem", "no certificate");
    let ran = lab.run(
        "token mint --key login.jwk --issuer a --audience b --subject c --client d \
         --certificate c.pem",
    );
    assert_snapshot!(ran, @r"
    error: no certificate in `c.pem`
    exit code 2
    ");
}

#[test]
fn where_a_binding_is_required_the_explanation_says_that_there_is_none() {
    let (lab, _) = bound();
    let policy = lab.read("policy.yaml");
    let route = "permission: contacts:read";
    assert!(policy.contains(route));
    let required = format!("{route}, require_binding: any");
    lab.write("policy.yaml", &policy.replace(route, &required));
    lab.mint("bound.jwt", "--scope crm.read --role reader --actor support-bot");
    let ran = explain(&lab, "");
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.out.contains("no binding    the token is not bound in the way"), "{ran}");
    assert!(ran.out.contains("the token is bound to nothing"), "{ran}");
}
