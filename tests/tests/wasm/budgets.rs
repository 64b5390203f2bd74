//! What calls cost, in the compiled filter: reserved before, settled after.

use postern_tests::fixture::{document, signed, token};
use postern_tests::wasm_host::{Exchange, Profile, Proxy, Request};
use serde_json::json;

fn proxy(profile: Profile) -> Proxy {
    let mut policy = document();
    policy["routes"][0]["cost"] = json!(40);
    policy["limits"] = json!({
        "cost_header": "x-cost",
        "agents": [{ "per": "agent", "quota": "100/day", "counts": "cost" }],
    });
    Proxy::new(profile, policy.to_string())
}

fn ask(proxy: &mut Proxy, headers: &[(&str, &str)]) -> Exchange {
    let request = Request::get("/v1/contacts").bearer(&signed(&token()));
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(name, *value));
    proxy.request(&request)
}

fn left(exchange: &Exchange) -> String {
    let told = exchange.answer("ratelimit").unwrap();
    told.split(';').find_map(|part| part.strip_prefix("r=")).unwrap().to_owned()
}

#[test]
fn a_failed_call_is_given_back_and_a_cheaper_one_costs_less() {
    for profile in Profile::ALL {
        let mut proxy = proxy(profile);
        assert_eq!(left(&ask(&mut proxy, &[])), "60", "{profile:?}");
        assert_eq!(left(&ask(&mut proxy, &[("x-answer-x-cost", "0")])), "20", "{profile:?}");
        // Traffic Server does not show the status: then a call costs what was reserved.
        let is_shown = profile != Profile::TrafficServer;
        assert_eq!(left(&ask(&mut proxy, &[("x-answer-status", "503")])), "20", "{profile:?}");
        let (last, status) = (ask(&mut proxy, &[]), if is_shown { 200 } else { 429 });
        assert_eq!((left(&last).as_str(), last.status()), ("20", Some(status)), "{profile:?}");
        let refused = ask(&mut proxy, &[]);
        assert_eq!(refused.status(), Some(429), "{profile:?}");
        assert_eq!(refused.code().as_deref(), Some("budget_exhausted"), "{profile:?}");
    }
}

#[test]
fn a_call_that_costs_what_was_reserved_takes_one_look_at_the_response_and_none_at_the_clock() {
    for profile in Profile::ALL {
        let mut proxy = proxy(profile);
        let calls = ask(&mut proxy, &[]).calls;
        assert_eq!(calls.get("proxy_get_header_map_pairs"), Some(&2), "{profile:?}");
        assert_eq!(calls.get("proxy_get_current_time_nanoseconds"), Some(&1), "{profile:?}");
    }
}
