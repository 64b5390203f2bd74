//! API keys in the compiled filter.

use postern_cli::mint::ApiKey;
use postern_tests::fixture::document;
use postern_tests::wasm_host::{Profile, Proxy, Request};
use serde_json::json;

const PREFIX: &str = "crm_key_";

/// The policy with this key in it, which may be used three times a day.
fn policy(key: &ApiKey) -> String {
    let mut policy = document();
    policy["api_keys"] = json!({ "prefix": PREFIX, "keys": [{
        "id": "acme-ci", "hash": key.hash(), "organization": "acme", "scopes": ["contacts.read"],
        // Three days before the clock starts.
        "created": "2026-11-15",
    }] });
    policy["limits"]["keys"] = json!([{ "per": "key", "rate": "3/day" }]);
    policy.to_string()
}

fn keyed(key: &ApiKey) -> Request {
    Request::get("/v1/contacts").header("X-Api-Key", key.secret())
}

#[test]
fn a_key_is_let_in_on_every_host_as_often_as_it_may() {
    let (key, other) = (ApiKey::generate(PREFIX).unwrap(), ApiKey::generate(PREFIX).unwrap());
    for profile in Profile::ALL {
        let mut proxy = Proxy::start(profile, Some(policy(&key).as_bytes()), 2);
        for worker in [0, 1, 0] {
            let exchange = proxy.request_on(worker, &keyed(&key));
            assert_eq!(exchange.upstream("x-postern-key").unwrap(), ["acme-ci"], "{profile:?}");
            assert_eq!(exchange.upstream("x-postern-kind").unwrap(), ["organization"]);
            // nginx sends what was removed all the same: see docs/hosts.md.
            let seen = exchange.upstream("x-api-key").unwrap().len();
            assert_eq!(seen, usize::from(profile == Profile::Nginx), "{profile:?}");
            if profile == Profile::Envoy {
                assert_eq!(exchange.record().unwrap()["key"], "acme-ci");
            }
        }
        for worker in [0, 1] {
            let exchange = proxy.request_on(worker, &keyed(&key));
            assert_eq!(exchange.code().as_deref(), Some("rate_limited"), "{profile:?}");
            let exchange = proxy.request_on(worker, &keyed(&other));
            assert_eq!(exchange.code().as_deref(), Some("invalid_token"), "{profile:?}");
        }
    }
}

#[test]
fn memory_does_not_grow_with_the_number_of_keys_that_anybody_can_write() {
    let key = ApiKey::generate(PREFIX).unwrap();
    let mut proxy = Proxy::new(Profile::Envoy, policy(&key));
    let send = |proxy: &mut Proxy, number: u32| {
        let text = format!("{PREFIX}{number:043}");
        let exchange = proxy.request(&Request::get("/v1/contacts").header("x-api-key", text));
        assert_eq!(exchange.code().as_deref(), Some("invalid_token"), "{exchange:?}");
        proxy.take_log();
    };
    (0..200).for_each(|number| send(&mut proxy, number));
    let before = proxy.worker(0).memory_size();
    (200..10_200).for_each(|number| send(&mut proxy, number));
    assert_eq!(proxy.worker(0).memory_size(), before);
    assert_eq!(proxy.request(&keyed(&key)).status(), Some(200));
}
