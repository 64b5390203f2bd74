//! What each proxy does when a filter traps: why ours must not.

use postern_tests::fixture::{POLICY, allowed, denied};
use postern_tests::wasm_host::{Fault, Outcome, Profile, Proxy};

fn trapped(profile: Profile) -> Proxy {
    let mut proxy = Proxy::new(profile, &*POLICY);
    proxy.worker(0).fail("proxy_get_header_map_pairs", Fault::Trap);
    let exchange = proxy.request(&allowed());
    assert!(exchange.trap.is_some(), "{exchange:?}");
    proxy
}

#[test]
fn envoy_answers_every_later_request_with_an_error() {
    for profile in [Profile::Envoy, Profile::ProxyWasmHost] {
        let exchange = trapped(profile).request(&allowed());
        assert_eq!(exchange.outcome, Outcome::ProxyError { status: 503 });
    }
}

#[test]
fn nginx_starts_the_filter_again() {
    let mut proxy = trapped(Profile::Nginx);
    assert_eq!(proxy.request(&denied()).status(), Some(401));
    assert_eq!(proxy.request(&allowed()).status(), Some(200));
}

#[test]
fn traffic_server_opens_the_door() {
    let exchange = trapped(Profile::TrafficServer).request(&denied());
    assert!(matches!(exchange.outcome, Outcome::Upstream { .. }));
}
