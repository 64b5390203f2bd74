//! Limits that replicas share, in the compiled filter: asked of a service where a proxy can, and counted
//! by the proxy alone where it cannot.

use postern_tests::fixture::{document, signed, token};
use postern_tests::wasm_host::{Profile, Proxy, Request};
use serde_json::json;

fn proxy(profile: Profile) -> Proxy {
    let mut policy = document();
    policy["limits"] = json!({
        "shared": { "url": "http://127.0.0.1:8081", "cluster": "limits" },
        "agents": [{ "per": "agent", "rate": "600/min", "shared": true, "overdraft": 2 }],
    });
    let mut proxy = Proxy::new(profile, policy.to_string());
    proxy.upstream("limits", true);
    proxy
}

fn ask(proxy: &mut Proxy) -> Option<u16> {
    proxy.request(&Request::get("/v1/contacts").bearer(&signed(&token()))).status()
}

/// A message of gRPC that says yes, and no more.
const YES: &[u8] = b"\0\0\0\0\x02\x08\x01";
const NO: &[u8] = b"\0\0\0\0\x02\x08\x02";

#[test]
fn in_envoy_the_service_is_asked_and_no_request_waits_for_it() {
    let mut proxy = proxy(Profile::Envoy);
    assert_eq!([(); 3].map(|()| ask(&mut proxy)), [Some(200), Some(200), Some(429)]);
    let calls = proxy.calls();
    let [call] = &calls[..] else { panic!("{calls:?}") };
    let header = |name: &str| {
        let mut fields = call.headers.iter().filter(|(one, _)| one == name.as_bytes());
        fields.next().map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    };
    for (name, value) in [
        (":method", "POST"),
        (":path", "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        assert_eq!(header(name).as_deref(), Some(value), "{name}");
    }
    assert!(proxy.answer(call, Some((200, YES))).is_empty(), "nobody was held");
    assert_eq!(ask(&mut proxy), Some(200));
    // Until the service says no: then nothing is lent either.
    while let [call, ..] = &proxy.calls()[..] {
        proxy.answer(call, Some((200, NO)));
    }
    let last: Vec<_> = (0..4).map(|_| ask(&mut proxy)).collect();
    assert_eq!(last.last(), Some(&Some(429)), "{last:?}");
}

#[test]
fn garbage_grants_nothing() {
    let mut proxy = proxy(Profile::Envoy);
    for answer in [&b""[..], b"\0\0\0\0", b"{}", &[0xff; 4_096]] {
        ask(&mut proxy);
        for call in proxy.calls() {
            proxy.answer(&call, Some((200, answer)));
        }
    }
    assert_eq!(ask(&mut proxy), Some(503), "and after three of them nobody passes");
}

#[test]
fn elsewhere_each_proxy_counts_for_itself_and_says_so_once() {
    for profile in Profile::ALL.into_iter().filter(|profile| *profile != Profile::Envoy) {
        let mut proxy = proxy(profile);
        let statuses: Vec<_> = (0..5).map(|_| ask(&mut proxy)).collect();
        assert_eq!(statuses, [Some(200); 5], "{profile:?}");
        assert!(proxy.calls().is_empty(), "{profile:?}");
        let log = proxy.take_log();
        let told = log.iter().filter(|(_, line)| line.contains("counted by this proxy alone"));
        assert_eq!(told.count(), 1, "{profile:?}: {log:?}");
    }
}
