//! What a request costs, in what can be counted.
#![expect(clippy::string_slice, reason = "a test that cannot go on is to fail at once")]

use std::collections::BTreeMap;

use postern_cli::mint;
use postern_tests::fixture::{
    AGENT, ISSUER, KEY, POLICY, THRICE, allowed, denied, document, limited, signed, token,
};
use postern_tests::wasm_host::{Exchange, Profile, Proxy, Request};
use serde_json::{Value, json};

/// A request whose token this worker has seen.
fn warm(policy: &str) -> Exchange {
    let mut proxy = Proxy::new(Profile::Envoy, policy);
    assert!(proxy.configured, "{:?}", proxy.take_log());
    (0..5).for_each(|_| assert_eq!(proxy.request(&allowed()).status(), Some(200)));
    proxy.request(&allowed())
}

#[test]
fn an_allowed_request_with_one_limit_makes_eight_calls_and_six_where_a_batch_was_taken_ahead() {
    let mut calls = BTreeMap::from([
        ("proxy_add_header_map_value", 2),
        ("proxy_get_current_time_nanoseconds", 1),
        ("proxy_get_header_map_pairs", 1),
        ("proxy_set_header_map_pairs", 1),
        ("proxy_set_property", 1),
    ]);
    let wide = warm(&POLICY);
    println!("{} instructions, {:?}", wide.fuel, wide.calls);
    assert_eq!(wide.calls, calls);
    calls.extend([("proxy_get_shared_data", 1), ("proxy_set_shared_data", 1)]);
    let narrow = warm(&limited("60/min").to_string());
    println!("{} instructions, {:?}", narrow.fuel, narrow.calls);
    assert_eq!(narrow.calls, calls);
}

#[test]
fn a_denied_request_makes_four_calls_and_one_more_for_a_limit() {
    let mut calls = BTreeMap::from([
        ("proxy_get_current_time_nanoseconds", 1),
        ("proxy_get_header_map_pairs", 1),
        ("proxy_send_local_response", 1),
        ("proxy_set_property", 1),
    ]);
    let mut proxy = Proxy::new(Profile::Envoy, &*THRICE);
    (0..3).for_each(|_| assert_eq!(proxy.request(&allowed()).status(), Some(200)));
    let nowhere = Request::get("/v1/nowhere").bearer("a.b.c");
    for request in [denied(), nowhere, denied().bearer("a.b.c")] {
        assert_eq!(proxy.request(&request).calls, calls);
    }
    calls.insert("proxy_get_shared_data", 1);
    let exchange = proxy.request(&allowed());
    assert_eq!((exchange.status(), exchange.calls), (Some(429), calls));
}

#[test]
fn the_same_requests_take_the_same_instructions() {
    assert_eq!(warm(&POLICY).fuel, warm(&POLICY).fuel);
}

/// The instructions of a warm request under `policy`, for each one under `POLICY`.
fn grown(policy: &Value) -> f64 {
    let (large, small) = (warm(&policy.to_string()).fuel, warm(&POLICY).fuel);
    println!("{large} instructions instead of {small}");
    let number = |fuel| f64::from(u32::try_from(fuel).unwrap());
    number(large) / number(small)
}

#[test]
fn ten_thousand_routes_cost_no_more_than_a_few() {
    let mut policy = document();
    let route = |n| {
        let (path, methods) = (format!("/v1/things-{n}/{{id}}/parts"), ["GET", "PUT"]);
        json!({ "path": path, "methods": methods, "permission": "contacts:read" })
    };
    policy["routes"].as_array_mut().unwrap().extend((0..10_000).map(route));
    assert!(grown(&policy) < 1.3);
}

#[test]
fn ten_thousand_agents_cost_no_more_than_one() {
    let mut policy = document();
    let agents = policy["agents"].as_object_mut().unwrap();
    agents.extend(
        (0..10_000).map(|n| {
            (format!("bot-{n}"), json!({ "ceiling": "reader", "never": ["contacts:read"] }))
        }),
    );
    assert!(grown(&policy) < 1.3);
}

#[test]
fn ten_thousand_scopes_and_a_thousand_roles_cost_no_more_than_one() {
    let mut policy = document();
    let roles = policy["roles"].as_object_mut().unwrap();
    roles.extend((0..1_000).map(|n| {
        (format!("role-{n}"), json!({ "permissions": [format!("things:{n}"), "contacts:read"] }))
    }));
    let scopes = policy["scopes"].as_object_mut().unwrap();
    scopes.extend(
        (0..10_000)
            .map(|n| (format!("scope-{n}"), json!({ "role": format!("role-{}", n % 1000) }))),
    );
    assert!(grown(&policy) < 1.3);
}

/// The policy with so many revocations of each kind, none of them about the token.
fn revoking(count: usize) -> String {
    let mut policy = document();
    let names = |what: &str| (0..count).map(|n| format!("{what}-{n}")).collect::<Vec<_>>();
    let list = |what: &str| -> Vec<_> {
        names(what).into_iter().map(|name| json!({ "id": name, "issuer": ISSUER })).collect()
    };
    let moment = |name| json!({ "subject": name, "at": "2000-01-01" });
    policy["agents"]
        .as_object_mut()
        .unwrap()
        .extend(names("bot").into_iter().map(|name| (name, json!({ "ceiling": "reader" }))));
    policy["revocations"] = json!({
        "agents": names("bot"),
        "clients": list("client"),
        "issued_before": names("old").into_iter().map(moment).collect::<Vec<_>>(),
        "subjects": list("user"),
        "tokens": list("token"),
    });
    policy.to_string()
}

#[test]
fn ten_thousand_revocations_of_each_kind_are_not_looked_through() {
    // A worker meets the token for the first time.
    let new = |policy: &str| {
        let mut proxy = Proxy::new(Profile::Envoy, policy);
        assert!(proxy.configured, "{:?}", proxy.take_log());
        assert_eq!(proxy.request(&denied()).status(), Some(401));
        let exchange = proxy.request(&allowed());
        assert_eq!(exchange.status(), Some(200));
        exchange.fuel
    };
    let (few, many) = (revoking(1), revoking(10_000));
    for (few, many) in [(new(&few), new(&many)), (warm(&few).fuel, warm(&many).fuel)] {
        println!("{many} instructions instead of {few}");
        // Less than one for each revocation of a single kind.
        assert!(many.abs_diff(few) < 10_000, "{many} instructions instead of {few}");
    }
}

#[test]
fn memory_does_not_grow_with_the_number_of_requests() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, &*POLICY);
        let both = |proxy: &mut Proxy| {
            assert_eq!(proxy.request(&allowed()).status(), Some(200));
            assert_eq!(proxy.request(&denied()).status(), Some(401));
            proxy.take_log();
        };
        (0..100).for_each(|_| both(&mut proxy));
        let before = proxy.worker(0).memory_size();
        (0..3000).for_each(|_| both(&mut proxy));
        assert_eq!(proxy.worker(0).memory_size(), before, "{profile:?}");
    }
}

#[test]
fn memory_does_not_grow_with_the_number_of_tokens_that_anybody_can_write() {
    let mut proxy = Proxy::new(Profile::Envoy, &*POLICY);
    let good = signed(&token());
    let signature = good.rsplit('.').next().unwrap();
    let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": KEY.kid() }).to_string();
    let send = |proxy: &mut Proxy, number: u32| {
        let claims = token().claim("jti", number).subject(&format!("user-{number}"));
        let unsigned =
            mint::unsecured(&header, &Value::Object(claims.claims().clone()).to_string());
        // A whole signature is checked now and then; half of one is never worth the time.
        let half = &signature[..if number.is_multiple_of(100) { signature.len() } else { 40 }];
        let exchange = proxy.request(&denied().bearer(&format!("{unsigned}{half}")));
        assert_eq!(exchange.code().as_deref(), Some("invalid_token"), "{exchange:?}");
        proxy.take_log();
    };
    (0..200).for_each(|number| send(&mut proxy, number));
    let before = proxy.worker(0).memory_size();
    (200..20_200).for_each(|number| send(&mut proxy, number));
    assert_eq!(proxy.worker(0).memory_size(), before);
    assert_eq!(proxy.request(&allowed()).upstream("x-postern-issuer").unwrap(), [ISSUER]);
}

#[test]
fn memory_for_tokens_that_are_valid_is_bounded() {
    let mut proxy = Proxy::new(Profile::Envoy, &*POLICY);
    let send = |proxy: &mut Proxy, size: usize| {
        let token = signed(&token().claim("padding", "x".repeat(size)));
        let exchange = proxy.request(&Request::get("/v1/contacts").bearer(&token));
        assert_eq!(exchange.upstream("x-postern-agent").unwrap(), [AGENT]);
    };
    for _ in 0..1_500 {
        send(&mut proxy, 5_000);
    }
    let size = proxy.worker(0).memory_size();
    println!("{size} bytes");
    assert!(size < 64 << 20, "{size} bytes");
}
