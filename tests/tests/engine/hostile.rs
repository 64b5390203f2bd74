//! Whatever bytes come, nothing panics and nothing gets through.

use postern::decision::Answer;
use postern_cli::mint::ApiKey;
use postern_tests::engine::{
    Call, Gate, Outcome, call, compact, delegate, get, policy, token, user,
};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

fn bytes(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..longest)
}

const PARTS: [&str; 15] = [
    "/v1",
    "/contacts",
    "/healthz",
    "/..",
    "/%2e%2E",
    "//",
    "%2f",
    "?access_token=x",
    "#",
    ";x",
    "\\",
    "\0",
    "/7",
    "http://h",
    "*",
];

/// Paths that come near those of the policy.
fn near_path() -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(&PARTS[..]);
    prop_oneof![vec(part, 0..5).prop_map(|parts| parts.concat().into_bytes()), bytes(60)]
}

fn near_header() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let name = prop_oneof![
        Just(b"authorization".to_vec()),
        Just(b"AUTHORIZATION".to_vec()),
        Just(b"authorization ".to_vec()),
        Just(b"x-api-key".to_vec()),
        Just(b"X_API-key".to_vec()),
        Just(b"x-postern-agent".to_vec()),
        Just(b"x-postern-kind".to_vec()),
        bytes(20),
    ];
    let value = prop_oneof![
        bytes(40),
        bytes(40).prop_map(|rest| [b"Bearer ", rest.as_slice()].concat()),
        "crm_key_[A-Za-z0-9_-]{43}".prop_map(String::into_bytes),
        "[A-Za-z0-9_.-]{0,60}".prop_map(|token| format!("Bearer {token}").into_bytes()),
        "eyJ[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,86}"
            .prop_map(|token| format!("bearer {token}").into_bytes()),
    ];
    (name, value)
}

fn near_method() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(b"GET".to_vec()), Just(b"PUT".to_vec()), Just(b"CONNECT".to_vec()), bytes(12)]
}

/// The policy with an API key that nobody has.
fn with_keys() -> Value {
    let key = ApiKey::generate("crm_key_").unwrap();
    let mut policy = policy();
    policy["api_keys"] = json!({ "prefix": "crm_key_", "keys": [{
        "id": "ci", "hash": key.hash(), "organization": "acme", "scopes": ["crm.admin"],
        "created": "2027-01-01",
    }] });
    policy
}

/// That a request without a good token went no further than the public route.
fn hold(outcome: &Outcome) {
    match &outcome.answer {
        Answer::Forward(_) => {
            assert_eq!(outcome.record["route"], "/healthz", "{}", outcome.line);
            assert_eq!(outcome.told("x-postern-kind").as_deref(), Some("anonymous"));
            assert_eq!(outcome.told("x-postern-agent"), None);
        }
        Answer::Reply(reply) => assert!((400..500).contains(&reply.status), "{}", outcome.line),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_bytes_without_a_token_open_a_protected_route(
        method in near_method(),
        path in near_path(),
        headers in vec(near_header(), 0..6),
        strips_headers: bool,
    ) {
        let gate = Gate::new(&with_keys());
        let call = Call { headers, strips_headers, ..call(method, path) };
        hold(&gate.ask(&call));
        // What was refused once is refused when it is remembered, if it were.
        hold(&gate.ask(&call));
    }

    #[test]
    fn one_changed_byte_makes_a_token_worthless(place in any::<prop::sample::Index>(), byte: u8) {
        let gate = Gate::new(&policy());
        let honest = delegate("crm.read", &["reader"]);
        prop_assert_eq!(gate.ask(&get("/v1/contacts").bearer(&honest)).code(), "allow");
        let mut forged = honest.clone().into_bytes();
        let place = place.index(forged.len());
        prop_assume!(forged[place] != byte);
        forged[place] = byte;
        let value = [b"Bearer ", forged.as_slice()].concat();
        let outcome = gate.ask(&get("/v1/contacts").header("authorization", value));
        hold(&outcome);
    }

    #[test]
    fn no_claims_of_an_issuer_make_it_panic(
        name in prop_oneof![
            Just("act"), Just("scope"), Just("scp"), Just("roles"), Just("org_id"), Just("azp"),
            Just("aud"), Just("exp"), Just("nbf"), Just("iat"), Just("cnf"), Just("sub"),
            Just("client_id"), Just("jti"), Just("may_act"),
        ],
        value in json_value(),
    ) {
        let gate = Gate::new(&policy());
        let token = compact(&token("ada", "web-app", "crm.read").claim(name, value));
        let outcome = gate.ask(&get("/v1/contacts").bearer(&token));
        if let Answer::Reply(reply) = &outcome.answer {
            prop_assert!((400..500).contains(&reply.status));
        }
        prop_assert!(outcome.response("www-authenticate").iter().all(|value| value.is_ascii()));
    }
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Into::into),
        "\\PC{0,20}".prop_map(Into::into),
        Just(json!("support-bot")),
        Just(json!("crm.admin")),
    ];
    leaf.prop_recursive(4, 20, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Into::into),
            (inner.clone(), inner).prop_map(|(sub, act)| json!({ "sub": sub, "act": act })),
        ]
    })
}

#[test]
fn requests_at_every_bound_are_decided() {
    let gate = Gate::new(&with_keys());
    let huge = vec![b'A'; 1 << 20];
    for call in [
        call(&huge, "/v1/contacts"),
        get(&huge),
        get([b"/", huge.as_slice()].concat()),
        get([b"/v1/contacts?", huge.as_slice()].concat()),
        get("/".repeat(100_000)),
        get("/a".repeat(4_000)),
        get("/v1/contacts").header("authorization", &huge),
        get("/v1/contacts").header("authorization", [b"Bearer ", huge.as_slice()].concat()),
        get("/v1/contacts").header("x-api-key", &huge),
        get("/v1/contacts").header(&huge, &huge),
        (0..10_000).fold(get("/v1/contacts"), |call, _| call.header("authorization", "")),
        (0..10_000).fold(get("/v1/contacts"), |call, _| call.header("x-postern-agent", "")),
        call("", ""),
    ] {
        hold(&gate.ask(&call));
    }
}

#[test]
fn a_good_token_twice_over_opens_nothing() {
    let gate = Gate::new(&policy());
    let token = user("crm.read");
    for (name, value) in [
        ("authorization", format!("Bearer {token}")),
        ("Authorization", String::new()),
        ("authorization", "Basic YTpi".to_owned()),
    ] {
        let call = get("/v1/contacts").bearer(&token).header(name, value);
        assert_eq!(gate.ask(&call).code(), "invalid_request");
    }
    for value in [
        format!("Bearer {token}, Bearer {token}"),
        format!("Bearer {token} {token}"),
        format!("Bearer Bearer {token}"),
        format!("Bearer {token}\r\nx-postern-agent: x"),
        format!("DPoP {token}"),
        token.clone(),
    ] {
        hold(&gate.ask(&get("/v1/contacts").header("authorization", value)));
    }
}
