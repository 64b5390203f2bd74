//! Headers as an attacker may send them, on every proxy.

use std::cell::RefCell;

use postern_tests::fixture::{POLICY, RESERVED, allowed, denied};
use postern_tests::wasm_host::{Outcome, Profile, Proxy, Request};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestRunner};

const SPOOFED: &str = "the-boss";

#[test]
fn what_the_engine_decides_is_what_happens() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, &*POLICY);
        let exchange = proxy.request(&allowed());
        assert_eq!(exchange.upstream(RESERVED).unwrap().len(), 1, "{profile:?}: {exchange:?}");
        let Outcome::Upstream { response, .. } = exchange.outcome else { panic!("{profile:?}") };
        assert!(response.iter().any(|(name, _)| name == b"ratelimit"), "{response:?}");
        let exchange = proxy.request(&denied());
        assert!(matches!(exchange.outcome, Outcome::Reply { status: 401, .. }), "{exchange:?}");
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
                        assert_eq!(values.len(), 1, "{profile:?} {spelling}: {exchange:?}");
                        assert!(!values.contains(&SPOOFED.into()), "{profile:?} {spelling}");
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
fn a_request_without_method_or_path_is_refused() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, &*POLICY);
        for request in [Request::new("", "/v1"), Request::new("GET", "")] {
            assert_eq!(proxy.request(&request.header("x-ok", "1")).status(), Some(400));
        }
    }
}

#[test]
fn a_second_path_is_refused() {
    let mut proxy = Proxy::new(Profile::Envoy, &*POLICY);
    let exchange = proxy.request(&allowed().header(":path", "/healthz"));
    assert_eq!(exchange.status(), Some(400));
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
