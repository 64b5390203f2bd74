//! What a request costs, in what can be counted.

use postern_tests::fixture::{POLICY, allowed, denied};
use postern_tests::wasm_host::{Profile, Proxy};

#[test]
fn an_allowed_request_makes_each_call_once() {
    let mut proxy = Proxy::new(Profile::Envoy, &*POLICY);
    proxy.request(&allowed());
    let exchange = proxy.request(&allowed());
    println!("{:?}, {} instructions", exchange.calls, exchange.fuel);
    let mut calls = exchange.calls;
    assert!(calls.remove("proxy_add_header_map_value") <= Some(2));
    assert!(calls.values().all(|count| *count == 1), "{calls:?}");
    assert!(calls.len() <= 6, "{calls:?}");
    assert!(!calls.contains_key("proxy_get_property"), "{calls:?}");
}

#[test]
fn memory_does_not_grow_with_the_number_of_requests() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, &*POLICY);
        let both = |proxy: &mut Proxy| {
            proxy.request(&allowed());
            proxy.request(&denied());
            proxy.take_log();
        };
        (0..100).for_each(|_| both(&mut proxy));
        let before = proxy.worker(0).memory_size();
        (0..3000).for_each(|_| both(&mut proxy));
        assert_eq!(proxy.worker(0).memory_size(), before, "{profile:?}");
    }
}
