//! Introspection as a policy writes it: what is refused, what is odd, and that secrets stay where
//! they are.

use postern::policy::{Policy, load};
use postern_tests::engine::{ISSUER, policy, problems};
use serde_json::{Value, json};

/// The policy with this under `introspection`.
fn asking(introspection: &Value) -> Value {
    let mut policy = policy();
    policy["issuers"][0]["introspection"] = introspection.clone();
    policy["issuers"][0]["machine"] = json!({ "subject": "{client}" });
    policy
}

fn sound() -> Value {
    json!({
        "url": "https://login.crm.example/introspect",
        "cluster": "login",
        "client_id": "gateway",
        "client_secret": "s3cr3t",
    })
}

fn with(name: &str, value: impl Into<Value>) -> String {
    let mut introspection = sound();
    introspection[name] = value.into();
    problems(&asking(&introspection))
}

/// The policy with a second issuer, and these prefixes.
fn two(prefixes: [Option<&str>; 2]) -> String {
    let mut policy = asking(&sound());
    let mut other = policy["issuers"][0].clone();
    other["issuer"] = json!("https://partner.example/");
    policy["issuers"].as_array_mut().unwrap().push(other);
    for (index, prefix) in prefixes.into_iter().enumerate() {
        policy["issuers"][index]["introspection"]["token_prefix"] = prefix.into();
        if prefix.is_none() {
            let introspection = &mut policy["issuers"][index]["introspection"];
            introspection.as_object_mut().unwrap().remove("token_prefix");
        }
    }
    policy["agents"]["support-bot"]["issuer"] = json!(ISSUER);
    problems(&policy)
}

#[test]
fn a_sound_endpoint_is_no_problem_with_or_without_a_client() {
    assert_eq!(problems(&asking(&sound())), "");
    for absent in [&["client_secret"][..], &["client_id", "client_secret"]] {
        let mut introspection = sound();
        for name in absent {
            introspection.as_object_mut().unwrap().remove(*name);
        }
        assert_eq!(problems(&asking(&introspection)), "");
    }
    assert_eq!(with("url", "http://127.0.0.1:4000/introspect"), "");
    assert_eq!(with("cache", "1h") + &with("timeout", "30s") + &with("hold", "10s"), "");
    assert_eq!(with("token_prefix", "op_"), "");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (name, value, message) in [
        ("url", json!("/introspect"), "expected an absolute URL"),
        ("url", json!("https://gateway:s3cr3t@login.example/"), "without a user or a password"),
        ("cluster", json!(""), "expected 1 to 256 visible ASCII characters"),
        ("cluster", json!("a b"), "expected 1 to 256 visible ASCII characters"),
        ("client_id", json!(""), "expected 1 to 512 bytes without control characters"),
        ("client_secret", json!(""), "expected 1 to 1024 bytes without control characters"),
        ("client_secret", json!("a\nb"), "expected 1 to 1024 bytes without control characters"),
        ("token_prefix", json!(""), "expected 1 to 64 characters that tokens have"),
        ("token_prefix", json!("a b"), "expected 1 to 64 characters that tokens have"),
        ("cache", json!("61m"), "expected at most `1h`"),
        ("timeout", json!("31s"), "expected at most `30s`"),
        ("hold", json!("11s"), "expected at most `10s`"),
    ] {
        let told = with(name, value.clone());
        let place = format!("issuers[0].introspection.{name}: ");
        assert!(told.contains(&place) && told.contains(message), "{name}: {value}: {told}");
    }
    let mut nobody = sound();
    nobody.as_object_mut().unwrap().remove("client_id");
    assert!(problems(&asking(&nobody)).contains("expected `client_id` too"));
    let told = problems(&asking(&json!({ "url": "https://login.example/i" })));
    assert!(told.contains("missing field `cluster`"), "{told}");
    assert!(with("clientsecret", "x").contains("did you mean `client_secret`?"));
}

#[test]
fn tokens_that_go_without_tls_are_a_warning() {
    let told = with("url", "http://login.crm.example/introspect");
    let expected = "issuers[0].introspection.url: tokens and secrets that go without TLS";
    assert!(told.contains(expected), "{told}");
    assert!(Policy::compile(&asking(&sound())).is_ok());
}

#[test]
fn what_a_programs_token_looks_like_is_to_be_said_for_no_standard_does() {
    let mut policy = asking(&sound());
    policy["issuers"][0].as_object_mut().unwrap().remove("machine");
    let told = problems(&policy);
    assert!(told.contains("issuers[0]: no preset, and nothing under `machine`"), "{told}");
    policy["issuers"][0]["preset"] = json!("keycloak");
    assert_eq!(problems(&policy), "");
}

#[test]
fn two_issuers_are_told_apart_by_their_prefixes_or_the_policy_is_refused() {
    assert_eq!(two([Some("op_"), Some("pt_")]), "");
    for prefixes in [
        [None, None],
        [Some("op_"), None],
        [None, Some("op_")],
        [Some("op_"), Some("op_")],
        [Some("op_"), Some("op_x")],
        [Some("op_x"), Some("op_")],
    ] {
        let told = two(prefixes);
        let expected = "issuers[1].introspection.token_prefix: another issuer is asked about the \
                        same tokens";
        assert!(told.contains(expected), "{prefixes:?}: {told}");
    }
}

#[test]
fn an_issuer_has_keys_or_is_asked_and_algorithms_go_with_keys() {
    let mut policy = asking(&sound());
    let issuer = policy["issuers"][0].as_object_mut().unwrap();
    issuer.remove("jwks");
    let told = problems(&policy);
    assert!(told.contains("issuers[0].algorithms: nothing is signed without keys"), "{told}");
    policy["issuers"][0].as_object_mut().unwrap().remove("algorithms");
    assert_eq!(problems(&policy), "");
    policy["issuers"][0].as_object_mut().unwrap().remove("introspection");
    let told = problems(&policy);
    assert!(told.contains("issuers[0]: expected `jwks`, `introspection` or both"), "{told}");
}

#[test]
fn a_secret_is_in_no_message_and_in_no_fingerprint() {
    for wrong in [json!(424_242), json!(["424242"]), json!({ "424242": 1 }), json!(true)] {
        let told = with("client_secret", wrong);
        assert!(told.contains("client_secret: expected a string"), "{told}");
        assert!(!told.contains("424242"), "{told}");
    }
    let long = "424242".repeat(1_000);
    assert!(!with("client_secret", long).contains("424242"));

    let version = |secret: &str| {
        let mut policy = asking(&sound());
        policy.as_object_mut().unwrap().remove("revision");
        policy["issuers"][0]["introspection"]["client_secret"] = json!(secret);
        load(policy.to_string().as_bytes()).unwrap().version
    };
    assert_eq!(version("one"), version("another"));
}
