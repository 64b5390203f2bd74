//! How agents behave, in the compiled filter on all hosts.

use postern_tests::fixture::{document, signed, token};
use postern_tests::wasm_host::{Exchange, Profile, Proxy, Request};
use serde_json::{Value, json};

fn watching() -> Value {
    let mut policy = document();
    policy["behaviour"] = json!({ "learning": "2m" });
    policy
}

fn call(address: &str, status: &str) -> Request {
    let request = Request::get("/v1/contacts").bearer(&signed(&token()));
    request.property(&["source", "address"], address).header("x-answer-status", status)
}

/// The record of a request, from wherever the host has it.
fn record(proxy: &mut Proxy, exchange: &Exchange) -> Value {
    let logged = proxy.take_log().into_iter().rev();
    let mut logged = logged.filter_map(|(_, line)| serde_json::from_str(&line).ok());
    exchange.record().or_else(|| logged.next()).unwrap()
}

#[test]
fn networks_are_told_apart_and_what_the_backend_refuses_has_failed() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, watching().to_string());
        for _ in 0..3 {
            proxy.request(&call("192.0.2.1:80", "200"));
            proxy.advance(60);
        }
        let calls = (0..20).map(|n| proxy.request(&call(&format!("192.0.2.{n}:80"), "404")));
        let last = calls.last().unwrap();
        let record = record(&mut proxy, &last);
        let parts = [&record["behaviour_sources"], &record["behaviour_failures"]];
        match profile {
            // It shows neither.
            Profile::TrafficServer => assert_eq!(parts, [&Value::Null; 2], "{record}"),
            // 19 of 21 calls, and 10.
            _ => assert_eq!(parts, [&json!(1.0), &json!(0.612)], "{profile:?}: {record}"),
        }
        assert_eq!(record["behaviour_known"], true);
    }
}

/// How often the store is asked in each of some calls, and the workers.
fn asked(profile: Profile, policy: &Value) -> (Vec<u32>, Proxy) {
    let mut proxy = Proxy::start(profile, Some(policy.to_string().as_bytes()), 2);
    let calls = (0..32).map(|_| proxy.request_on(0, &call("192.0.2.1:80", "403")).calls);
    let count = |calls: std::collections::BTreeMap<&str, u32>| {
        calls.get("proxy_get_shared_data").copied().unwrap_or_default()
    };
    (calls.map(count).collect(), proxy)
}

#[test]
fn what_one_worker_sees_the_others_know_and_most_calls_ask_nothing_of_the_store() {
    for profile in Profile::ALL {
        let (without, _) = asked(profile, &document());
        let (with, mut proxy) = asked(profile, &watching());
        proxy.advance(1);
        assert_eq!(with[0], without[0] + 1, "{profile:?}");
        assert_eq!(with[1..], without[1..], "{profile:?}");
        let mut failures = |worker: usize| {
            let exchange = proxy.request_on(worker, &call("192.0.2.1:80", "200"));
            record(&mut proxy, &exchange)["behaviour_failures"].as_f64()
        };
        // 32 of 33 calls and 10, told a second later. Then 32 of 34.
        let shown = |part| (profile != Profile::TrafficServer).then_some(part);
        assert_eq!(failures(0), shown(0.744), "{profile:?}");
        assert_eq!(failures(1), shown(0.727), "{profile:?}");
    }
}
