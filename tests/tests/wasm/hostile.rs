//! Anything at all, in every place that a caller or an operator can write to.

use std::cell::RefCell;

use postern_tests::fixture::{AGENT, POLICY, RESERVED, allowed, as_struct, denied, document};
use postern_tests::wasm_host::{Exchange, Profile, Proxy, Request};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

type Bytes = Vec<u8>;

/// A policy under which every path is a route and none is public.
fn protected() -> String {
    let mut policy = document();
    let everything = serde_json::json!({
        "path": "/**", "methods": ["*"], "permission": "contacts:read",
    });
    policy["routes"] = Value::Array(vec![everything]);
    policy.to_string()
}

fn run<S: Strategy>(strategy: &S, check: impl Fn(S::Value)) {
    let config = Config { failure_persistence: None, ..Config::default() };
    let checked = TestRunner::new(config).run(strategy, |value| {
        check(value);
        Ok(())
    });
    checked.unwrap();
}

fn raw(size: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..size)
}

fn near(samples: &'static [&'static str]) -> impl Strategy<Value = Bytes> {
    (select(samples), any::<Option<(usize, u8)>>()).prop_map(|(sample, change)| {
        let mut bytes = sample.as_bytes().to_vec();
        if let Some((at, byte)) = change {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        bytes
    })
}

fn method() -> impl Strategy<Value = Bytes> {
    prop_oneof![4 => Just(b"GET".to_vec()), 1 => near(&["GET", "POST", "CONNECT", "get"]), 1 => raw(40)]
}

fn path() -> impl Strategy<Value = Bytes> {
    const PATHS: &[&str] = &[
        "/v1/contacts",
        "/v1/%2e%2e/contacts?a=b",
        "//v1/contacts",
        "/v1/contacts?access_token=a.b.c",
        "http://api.example/v1/contacts",
        "*",
    ];
    let long = (0_usize..12_000).prop_map(|size| format!("/{}", "a/".repeat(size / 2)).into());
    // Often enough a sound one: a run in which none got through would show nothing.
    let sound = Just(b"/v1/contacts".to_vec());
    prop_oneof![4 => sound, 4 => near(PATHS), 4 => raw(60), 1 => long]
}

fn name() -> impl Strategy<Value = Bytes> {
    const NAMES: &[&str] = &[
        "authorization",
        "Authorization",
        "x-postern-agent",
        "X_Postern_Kind",
        "x-http-method-override",
        "x-request-id",
        ":path",
        ":method",
        ":authority",
        "",
    ];
    let known = select(NAMES).prop_map(|name| name.as_bytes().to_vec());
    prop_oneof![known, near(&NAMES[..9]), raw(30)]
}

fn value() -> impl Strategy<Value = Bytes> {
    const VALUES: &[&str] = &[
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "Bearer eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUvIn0.AAAA",
        "Bearer a.b.c, Bearer a.b.c",
        "Basic YTpi",
        "support-bot\r\nx-postern-kind: human",
    ];
    let bearer = raw(80).prop_map(|token| [b"Bearer ".as_slice(), &token].concat());
    prop_oneof![near(VALUES), bearer, raw(80)]
}

/// What a caller may send that has no token of ours.
fn headers() -> impl Strategy<Value = Vec<(Bytes, Bytes)>> {
    prop_oneof![1 => Just(Vec::new()), 4 => vec((name(), value()), 1..12)]
}

fn with(request: Request, headers: &[(Bytes, Bytes)]) -> Request {
    headers.iter().fold(request, |request, (name, value)| request.header(name, value))
}

fn answered(exchange: &Exchange) -> u16 {
    assert_eq!(exchange.trap, None);
    exchange.status().expect("an answer")
}

#[test]
fn nothing_gets_through_without_a_token_and_it_is_the_callers_fault() {
    let policy = protected();
    for profile in Profile::ALL {
        let proxy = RefCell::new(Proxy::start(profile, Some(policy.as_bytes()), 1));
        run(&(method(), path(), headers()), |(method, path, headers)| {
            let request = with(Request::new(method, path), &headers);
            let exchange = proxy.borrow_mut().request(&request);
            assert!(matches!(answered(&exchange), 400..=499), "{profile:?}: {exchange:?}");
            assert_eq!(exchange.upstream(RESERVED), None);
        });
    }
}

#[test]
fn with_a_token_a_hostile_request_is_refused_or_arrives_with_the_one_true_identity() {
    let policy = protected();
    for profile in Profile::ALL {
        let proxy = RefCell::new(Proxy::start(profile, Some(policy.as_bytes()), 1));
        let forwarded = RefCell::new(0);
        run(&(method(), path(), headers()), |(method, path, headers)| {
            let token = allowed().fields(profile).pop().unwrap();
            let request = Request::new(method, path).header(token.0, token.1);
            let exchange = proxy.borrow_mut().request(&with(request, &headers));
            let status = answered(&exchange);
            match exchange.upstream(RESERVED) {
                Some(identity) => {
                    assert_eq!(identity, [AGENT], "{profile:?}: {exchange:?}");
                    assert_eq!(exchange.upstream("x-postern-kind").unwrap(), ["agent"]);
                    *forwarded.borrow_mut() += 1;
                }
                None => assert!(matches!(status, 400..=499), "{profile:?}: {exchange:?}"),
            }
        });
        assert!(*forwarded.borrow() > 0, "{profile:?}: nothing was ever allowed");
    }
}

/// Where to change a policy, and what into.
fn damage() -> impl Strategy<Value = Vec<(usize, u8)>> {
    vec((any::<usize>(), any::<u8>()), 1..4)
}

/// Whether it was taken or refused, nobody without a token passes.
fn load(policy: &[u8]) {
    let mut proxy = Proxy::start(Profile::Envoy, Some(policy), 1);
    let exchange = proxy.request(&denied());
    let status = answered(&exchange);
    assert_eq!(exchange.upstream(RESERVED), None, "{}", String::from_utf8_lossy(policy));
    assert_eq!(status == 503, !proxy.configured, "{exchange:?}");
    assert!(matches!(status, 401 | 403 | 503), "{exchange:?}");
    answered(&proxy.request(&allowed()));
}

#[test]
fn a_damaged_policy_is_refused_or_still_protects_what_it_protected() {
    for policy in [POLICY.clone().into_bytes(), as_struct(&document())] {
        run(&damage(), |damage| {
            let mut damaged = policy.clone();
            for (at, byte) in damage {
                let at = at % damaged.len();
                damaged[at] = byte;
            }
            load(&damaged);
        });
        run(&(0..policy.len(), raw(20)), |(at, tail)| {
            load(&[&policy[..at], tail.as_slice()].concat());
        });
    }
}
