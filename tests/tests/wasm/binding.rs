//! Bound tokens and their proofs, in the compiled filter and on every host.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use postern_cli::mint::{Algorithm, PrivateKey, Proof};
use postern_tests::fixture::{POLICY, allowed, document, signed, token};
use postern_tests::wasm_host::{Fault, Profile, Proxy, Request, START};
use serde_json::json;

const CERTIFICATE: [u8; 32] = [0xab; 32];

/// The property in which Envoy has the client's certificate.
const DIGEST: [&str; 2] = ["connection", "sha256_peer_certificate_digest"];

static CLIENT: LazyLock<PrivateKey> =
    LazyLock::new(|| PrivateKey::generate(Algorithm::Es256).expect("a key"));

static TO_KEY: LazyLock<String> =
    LazyLock::new(|| signed(&token().bound_to_key(&CLIENT.thumbprint())));

static TO_CERTIFICATE: LazyLock<String> =
    LazyLock::new(|| signed(&token().bound_to_certificate(&CERTIFICATE)));

fn policy(dpop: serde_json::Value, certificate: &str) -> String {
    let mut policy = document();
    let mut dpop = dpop;
    dpop["origin"] = "https://api.example".into();
    policy["binding"] = json!({ "dpop": dpop, "mtls": { "certificate": certificate } });
    policy.to_string()
}

fn plain() -> String {
    policy(json!({}), "connection")
}

fn proof() -> Proof {
    Proof::new("GET", "https://api.example/v1/contacts", START.cast_signed()).token(&TO_KEY)
}

fn proven(proof: &Proof) -> Request {
    Request::get("/v1/contacts").dpop(&TO_KEY, &proof.sign(&CLIENT).unwrap())
}

fn over(certificate: [u8; 32]) -> Request {
    let hex: String = certificate.iter().map(|byte| format!("{byte:02x}")).collect();
    Request::get("/v1/contacts").bearer(&TO_CERTIFICATE).property(&DIGEST, hex)
}

#[test]
fn rfc9449_11_1_a_proof_is_good_once_over_all_workers_on_every_host() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::start(profile, Some(plain().as_bytes()), 2);
        let (one, two) = (proven(&proof()), proven(&proof()));
        let codes = [(0, &one), (1, &one), (0, &one), (1, &two), (0, &two), (1, &two)]
            .map(|(worker, request)| proxy.request_on(worker, request).code());
        let used = || Some("invalid_dpop_proof".to_owned());
        assert_eq!(codes, [None, used(), used(), None, used(), used()], "{profile:?}");
    }
}

#[test]
fn a_nonce_of_one_worker_is_good_on_the_other_on_every_host() {
    for profile in Profile::ALL {
        let policy = policy(json!({ "nonce": true }), "connection");
        let mut proxy = Proxy::start(profile, Some(policy.as_bytes()), 2);
        let nonces = [0, 1].map(|worker| {
            let exchange = proxy.request_on(worker, &proven(&proof()));
            assert_eq!(exchange.code().as_deref(), Some("use_dpop_nonce"), "{profile:?}");
            exchange.answer("dpop-nonce").unwrap()
        });
        assert_eq!(nonces[0], nonces[1], "{profile:?}");
        let request = proven(&proof().nonce(&nonces[0]));
        assert_eq!(proxy.request_on(1, &request).status(), Some(200), "{profile:?}");
    }
}

#[test]
fn rfc9449_8_2_a_response_brings_the_next_nonce_when_this_one_gets_old() {
    let policy = policy(json!({ "nonce": true, "max_age": "5m" }), "connection");
    let mut proxy = Proxy::new(Profile::Envoy, &policy);
    let nonce = proxy.request(&proven(&proof())).answer("dpop-nonce").unwrap();
    proxy.pass(120_000);
    let exchange = proxy.request(&proven(&proof().nonce(&nonce)));
    assert_eq!(exchange.status(), Some(200), "{exchange:?}");
    let next = exchange.answer("dpop-nonce").unwrap();
    assert_ne!(next, nonce);
    assert_eq!(proxy.request(&proven(&proof().nonce(&next))).answer("dpop-nonce"), None);
}

#[test]
fn rfc8705_3_the_connection_s_certificate_counts_on_envoy_and_its_like_and_nowhere_else() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, plain());
        let is_known = matches!(profile, Profile::Envoy | Profile::ProxyWasmHost);
        let refused = Some("unbound_token".to_owned());
        for _ in 0..2 {
            let code = proxy.request(&over(CERTIFICATE)).code();
            assert_eq!(code, refused.clone().filter(|_| !is_known), "{profile:?}");
            let other = [0; 32];
            let bare = Request::get("/v1/contacts").bearer(&TO_CERTIFICATE);
            let odd = ["", "ab", "zz", "AbsentCertificate"].map(|text| {
                Request::get("/v1/contacts").bearer(&TO_CERTIFICATE).property(&DIGEST, text)
            });
            for request in odd.into_iter().chain([bare, over(other)]) {
                assert_eq!(proxy.request(&request).code(), refused, "{profile:?}");
            }
        }
    }
}

#[test]
fn a_certificate_in_a_header_counts_only_where_headers_are_shown_as_a_whole() {
    let policy = policy(json!({}), "x-forwarded-client-cert");
    let hash = format!("Hash={}", "ab".repeat(32));
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, &policy);
        let mut code = |value: &str| {
            let request = Request::get("/v1/contacts").bearer(&TO_CERTIFICATE);
            proxy.request(&request.header("x-forwarded-client-cert", value)).code()
        };
        let refused = Some("unbound_token".to_owned());
        let is_whole = profile != Profile::TrafficServer;
        assert_eq!(code(&hash), refused.clone().filter(|_| !is_whole), "{profile:?}");
        assert_eq!(code(&format!("{hash},{hash}")), refused, "{profile:?}");
    }
}

#[test]
fn proof_and_certificate_are_kept_from_the_backend_with_the_credential() {
    let mut proxy = Proxy::new(Profile::Envoy, plain());
    let request = proven(&proof()).header("x-forwarded-client-cert", "Hash=x");
    let exchange = proxy.request(&request);
    for name in ["authorization", "dpop", "x-forwarded-client-cert"] {
        assert_eq!(exchange.upstream(name).unwrap(), [""; 0], "{name}");
    }
    assert_eq!(exchange.record().unwrap()["binding"], "dpop");
}

#[test]
fn only_bound_tokens_cost_more() {
    let warm = |policy: &str, request: &dyn Fn() -> Request| {
        let mut proxy = Proxy::new(Profile::Envoy, policy);
        (0..3).for_each(|_| assert_eq!(proxy.request(&request()).status(), Some(200)));
        let exchange = proxy.request(&request());
        println!("{} instructions", exchange.fuel);
        exchange.calls
    };
    let bearer = warm(&POLICY, &allowed);
    assert_eq!(warm(&plain(), &allowed), bearer);
    let more = |calls: &BTreeMap<&'static str, u32>| -> Vec<_> {
        let before = |name| bearer.get(name).copied().unwrap_or_default();
        let more = calls.iter().map(|(name, count)| (*name, count - before(*name)));
        more.filter(|(_, count)| *count > 0).collect()
    };
    let certificate = warm(&plain(), &|| over(CERTIFICATE));
    assert_eq!(more(&certificate), [("proxy_get_property", 1)]);
    let key = warm(&plain(), &|| proven(&proof()));
    let proof = [
        "proxy_call_foreign_function",
        "proxy_get_property",
        "proxy_get_shared_data",
        "proxy_set_shared_data",
    ];
    assert_eq!(more(&key), proof.map(|name| (name, 1)));
}

#[test]
fn no_failing_function_makes_a_proof_good_twice_or_a_certificate_of_none() {
    let policy = policy(json!({ "nonce": true }), "connection");
    let mut proxy = Proxy::new(Profile::Envoy, &policy);
    let nonce = proxy.request(&proven(&proof())).answer("dpop-nonce").unwrap();
    let used = proven(&proof().nonce(&nonce));
    assert_eq!(proxy.request(&used).status(), Some(200));
    let bare = Request::get("/v1/contacts").bearer(&TO_CERTIFICATE);
    for function in ["proxy_get_shared_data", "proxy_set_shared_data", "proxy_get_property"] {
        for status in (1..=13).chain([u32::MAX]) {
            for fault in [Fault::Status(status), Fault::Silent, Fault::Elsewhere] {
                proxy.worker(0).fail(function, fault);
                let exchanges = [proxy.request(&used), proxy.request(&bare)];
                proxy.worker(0).heal();
                for exchange in exchanges {
                    assert_eq!(exchange.trap, None, "{function} {fault:?}");
                    let denied = exchange.status().is_some_and(|status| status != 200);
                    // A host that says that there is nothing, and takes what is written in its
                    // place, has forgotten: there is no telling.
                    let forgot = function == "proxy_get_shared_data" && status == 1;
                    assert!(denied || forgot, "{function} {fault:?}: {exchange:?}");
                }
            }
        }
    }
}

#[test]
fn a_full_store_lets_no_proof_through() {
    for profile in [Profile::Envoy, Profile::TrafficServer, Profile::ProxyWasmHost] {
        let mut proxy = Proxy::new(profile, plain());
        proxy.store(|store| store.capacity = 0);
        let exchange = proxy.request(&proven(&proof()));
        assert_eq!(exchange.trap, None);
        assert_eq!(exchange.status(), Some(503), "{profile:?}");
    }
}

#[test]
fn another_worker_s_proof_is_not_overwritten() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, plain());
        let request = proven(&proof());
        assert_eq!(proxy.request(&request).status(), Some(200));
        // Another worker has used it in the moment between our look and our swap.
        proxy.store(|store| {
            let keys: Vec<Vec<u8>> = store.keys().map(<[u8]>::to_vec).collect();
            for key in keys {
                let (value, _) = store.get(&key).unwrap();
                store.races.insert(key, value);
            }
            store.clear();
        });
        let code = proxy.request(&request).code();
        assert_eq!(code.as_deref(), Some("invalid_dpop_proof"), "{profile:?}");
    }
}
