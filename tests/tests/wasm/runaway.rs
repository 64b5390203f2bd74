//! Calls under way and runaway agents, in the compiled filter on all hosts.

use postern_tests::fixture::{document, signed, token};
use postern_tests::wasm_host::{Exchange, Profile, Proxy, Request};
use serde_json::{Value, json};

fn proxy(profile: Profile, limit: &Value) -> Proxy {
    let mut policy = document();
    policy["limits"] = json!({ "agents": [limit] });
    policy["roles"]["editor"] = json!({ "permissions": ["contacts:write"] });
    policy["scopes"]["contacts.write"] = json!({ "role": "editor" });
    let write =
        json!({ "path": "/v1/contacts/{id}", "methods": ["PUT"], "permission": "contacts:write" });
    policy["routes"].as_array_mut().unwrap().push(write);
    Proxy::new(profile, policy.to_string())
}

fn ask(proxy: &mut Proxy, method: &str, path: &str) -> Exchange {
    proxy.request(&Request::new(method, path).bearer(&signed(&token())))
}

#[test]
fn a_call_counts_until_its_context_is_gone() {
    for profile in Profile::ALL {
        let mut proxy = proxy(profile, &json!({ "per": "agent", "concurrent": 1 }));
        for _ in 0..5 {
            let exchange = ask(&mut proxy, "GET", "/v1/contacts");
            assert_eq!(exchange.status(), Some(200), "{profile:?}: {:?}", exchange.code());
        }
    }
}

#[test]
fn an_agent_that_is_denied_over_and_over_is_stopped_on_every_worker() {
    for profile in Profile::ALL {
        let limit = json!({ "per": "agent", "rate": "2/min", "counts": "denials", "pause": "30s" });
        let mut proxy = proxy(profile, &limit);
        let codes: Vec<_> =
            (0..4).map(|_| ask(&mut proxy, "PUT", "/v1/contacts/7").code()).collect();
        let codes: Vec<_> = codes.iter().map(|code| code.as_deref().unwrap_or_default()).collect();
        assert_eq!(codes[2..], ["too_many_denials"; 2], "{profile:?}: {codes:?}");
        assert_eq!(ask(&mut proxy, "GET", "/v1/contacts").status(), Some(429), "{profile:?}");
    }
}
