//! Headers as an attacker may send them, on every proxy.

use std::cell::RefCell;

use postern_tests::fixture::{AGENT, POLICY, RESERVED, allowed, denied, document, signed, token};
use postern_tests::wasm_host::{Exchange, Outcome, Profile, Proxy, Request};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

const SPOOFED: &str = "the-boss";

#[test]
fn what_the_engine_decides_is_what_happens() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, &*POLICY);
        let exchange = proxy.request(&allowed());
        let told = |name: &str| exchange.upstream(name).unwrap();
        assert_eq!(told(RESERVED), [AGENT], "{profile:?}: {exchange:?}");
        assert_eq!(told("x-postern-kind"), ["agent"]);
        assert_eq!(told("x-postern-subject"), ["ada"]);
        assert_eq!(told("x-postern-roles"), ["reader"]);
        assert_eq!(told("x-postern-policy-version"), ["fixture-1"]);
        assert_eq!(exchange.answer("ratelimit").unwrap(), "\"agent\";r=999999;t=1");
        assert_eq!(exchange.answer("ratelimit-policy").unwrap(), "\"agent\";q=1000000;w=60");

        let exchange = proxy.request(&denied());
        assert_eq!(exchange.status(), Some(401), "{profile:?}: {exchange:?}");
        assert_eq!(exchange.code().as_deref(), Some("missing_token"));
        let challenge = "Bearer scope=\"contacts.read\"";
        assert_eq!(exchange.answer("www-authenticate").as_deref(), Some(challenge));
        assert_eq!(exchange.answer("content-type").as_deref(), Some("application/problem+json"));
    }
}

#[test]
fn a_credential_is_not_sent_on_unless_the_route_keeps_it() {
    // nginx sends what was removed, and nothing that runs in it can help that.
    for profile in [Profile::Envoy, Profile::TrafficServer, Profile::ProxyWasmHost] {
        let mut proxy = Proxy::new(profile, &*POLICY);
        let credentials = |exchange: Exchange| exchange.upstream("authorization").unwrap().len();
        let token = signed(&token());
        let of = |path| Request::get(path).bearer(&token);
        assert_eq!(credentials(proxy.request(&of("/v1/contacts"))), 0, "{profile:?}");
        assert_eq!(credentials(proxy.request(&of("/healthz"))), 0, "{profile:?}");
        assert_eq!(credentials(proxy.request(&of("/v1/kept"))), 1, "{profile:?}");
    }
}

#[test]
fn on_a_public_route_the_upstream_hears_of_nobody() {
    for profile in Profile::ALL {
        let exchange = Proxy::new(profile, &*POLICY).request(&Request::get("/healthz"));
        assert_eq!(exchange.upstream("x-postern-kind").unwrap(), ["anonymous"]);
        assert_eq!(exchange.upstream(RESERVED).unwrap(), Vec::<String>::new(), "{profile:?}");
    }
}

#[test]
fn two_credentials_are_refused() {
    for profile in Profile::ALL {
        let exchange = Proxy::new(profile, &*POLICY).request(&allowed().bearer("another"));
        assert_eq!(exchange.code().as_deref(), Some("invalid_request"), "{profile:?}");
    }
}

#[test]
fn a_spoofed_identity_never_reaches_the_upstream() {
    let spellings = [RESERVED.to_owned(), RESERVED.to_uppercase(), RESERVED.replace('-', "_")];
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, &*POLICY);
        for spelling in &spellings {
            for copies in 1..4 {
                let mut request = allowed();
                for _ in 0..copies {
                    request = request.header(spelling, SPOOFED);
                }
                let exchange = proxy.request(&request);
                match exchange.upstream(RESERVED) {
                    Some(values) => {
                        assert_eq!(values, [AGENT], "{profile:?} {spelling}: {exchange:?}");
                    }
                    None => assert_eq!(exchange.status(), Some(400), "{profile:?}: {exchange:?}"),
                }
            }
        }
    }
}

#[test]
fn where_removed_headers_are_sent_all_the_same_a_spoofed_one_is_refused() {
    let mut proxy = Proxy::new(Profile::Nginx, &*POLICY);
    let exchange = proxy.request(&allowed().header(RESERVED, SPOOFED));
    assert!(matches!(exchange.outcome, Outcome::Reply { status: 400, .. }), "{exchange:?}");
}

#[test]
fn a_header_that_the_proxy_hides_behind_its_hundredth_is_not_let_through() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, &*POLICY);
        let mut request = allowed();
        for number in 0..120 {
            request = request.header(format!("x-{number}"), "y");
        }
        let exchange = proxy.request(&request.header(RESERVED, SPOOFED));
        let values = exchange.upstream(RESERVED).unwrap_or_default();
        assert!(!values.contains(&SPOOFED.into()), "{profile:?}: {exchange:?}");
    }
}

#[test]
fn more_headers_than_the_bound_are_refused() {
    let mut proxy = Proxy::new(Profile::Envoy, &*POLICY);
    let with = |count| (0..count).fold(allowed(), |request: Request, _| request.header("a", "b"));
    assert_eq!(proxy.request(&with(256 - 5)).status(), Some(200));
    assert_eq!(proxy.request(&with(257 - 5)).status(), Some(400));
}

#[test]
fn the_headers_of_an_allowed_request_arrive_as_they_were_sent() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, &*POLICY);
        let request = allowed().header("accept", "text/html, */*").header("x-bin", b"\xff\xfe\x80");
        let request = request.header("x-twice", "1").header("x-twice", "2");
        let Outcome::Upstream { request: sent, .. } = proxy.request(&request).outcome else {
            panic!("{profile:?}")
        };
        for (name, value) in [
            (b"accept".as_slice(), b"text/html, */*".as_slice()),
            (b"x-bin", b"\xff\xfe\x80"),
            (b"x-twice", b"1"),
            (b"x-twice", b"2"),
        ] {
            let same = |(n, v): &(Vec<u8>, Vec<u8>)| n == name && v == value;
            assert_eq!(sent.iter().filter(|field| same(field)).count(), 1, "{profile:?}: {sent:?}");
        }
    }
}

#[test]
fn a_request_without_method_or_path_is_refused_even_where_every_one_is_public() {
    let mut policy = document();
    policy["routes"] = json!([{ "path": "/**", "methods": ["*"], "public": true }]);
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, policy.to_string());
        assert_eq!(proxy.request(&Request::new("PURGE", "/v1")).status(), Some(200));
        for (request, status, code) in [
            (Request::new("", "/v1"), 403, "no_route"),
            (Request::new("GET", ""), 400, "invalid_request"),
        ] {
            let exchange = proxy.request(&request);
            assert_eq!(exchange.status(), Some(status), "{profile:?}: {exchange:?}");
            assert_eq!(exchange.code().as_deref(), Some(code));
        }
    }
}

#[test]
fn a_second_path_is_refused() {
    let mut proxy = Proxy::new(Profile::Envoy, &*POLICY);
    for path in ["/healthz", "/v1/contacts"] {
        let exchange = proxy.request(&allowed().header(":path", path));
        assert_eq!(exchange.status(), Some(400), "{exchange:?}");
    }
}

#[test]
fn any_bytes_in_any_header_are_answered_and_never_trap() {
    for profile in Profile::ALL {
        let proxy = RefCell::new(Proxy::new(profile, &*POLICY));
        let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
        let field = (vec(any::<u8>(), 0..20), vec(any::<u8>(), 0..40));
        let checked = runner.run(&vec(field, 0..20), |fields| {
            let request =
                fields.iter().fold(allowed(), |request, (name, value)| request.header(name, value));
            let exchange = proxy.borrow_mut().request(&request);
            assert_eq!(exchange.trap, None);
            assert!(exchange.status().is_some());
            Ok(())
        });
        checked.unwrap();
    }
}
