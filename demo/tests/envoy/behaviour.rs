//! How agents behave, in a real Envoy with two workers: who shares its token is noticed by its addresses,
//! and one that does what it never did by its operations.

use std::thread::sleep;
use std::time::Duration;

use postern_demo::cast::{ADA, SUPPORT_BOT, acting};
use postern_demo::client::Request;
use postern_demo::clock::now;
use postern_demo::{Lab, Settings};
use serde_json::{Value, json};

/// In seconds.
const INTERVAL: i64 = 10;

/// Waits until an interval begins, so that none ends in the midst of what is done in it.
fn next_interval() {
    let left = INTERVAL - now().rem_euclid(INTERVAL);
    sleep(Duration::from_secs(left.unsigned_abs()));
}

/// Behind a load balancer that says who called; agents are known after two intervals.
fn lab() -> Lab {
    let mut settings = Settings::from_env().unwrap();
    settings.policy["behaviour"] = json!({ "learning": "20s", "interval": "10s" });
    settings.policy["limits"] = json!({});
    let odd = json!(["caller.kind != 'agent' || behaviour.score < 0.6"]);
    for route in settings.policy["routes"].as_array_mut().unwrap() {
        if route["permission"] == "contacts:write" {
            route["require"] = odd.clone();
        }
    }
    settings.edits = vec![(
        "use_remote_address: true\n".to_owned(),
        "use_remote_address: true\n          xff_num_trusted_hops: 1\n".to_owned(),
    )];
    Lab::start(settings).unwrap()
}

#[test]
fn a_token_in_many_hands_and_an_agent_that_turns_to_other_things_are_noticed() {
    let lab = lab();
    let token = acting(SUPPORT_BOT, ADA, "crm.read crm.write").sign(&lab.cast.login).unwrap();
    let from = |address: &str, method: &str, path: &str| {
        let request = Request::new(method, path).bearer(&token);
        let response = request.header("x-forwarded-for", address).send(lab.address()).unwrap();
        response.code().unwrap_or("allow".to_owned())
    };
    next_interval();
    for _ in 0..20 {
        assert_eq!(from("192.0.2.1", "GET", "/v1/contacts"), "allow");
    }
    next_interval();
    for worker in 0..10 {
        assert_eq!(from("192.0.2.1", "GET", "/v1/contacts"), "allow", "{worker}");
    }
    next_interval();
    assert_eq!(from("192.0.2.1", "PUT", "/v1/contacts/1"), "allow", "one new operation is 0.25");
    let others = (2..=9).map(|n| format!("192.0.2.{n}"));
    for address in others {
        assert_eq!(from(&address, "GET", "/v1/contacts"), "allow");
    }
    // Whatever worker saw which of them: what is new is told at once.
    sleep(Duration::from_millis(1_100));
    assert_eq!(from("192.0.2.1", "PUT", "/v1/contacts/2"), "condition_failed");
    let read = lab.send(&Request::get("/v1/contacts").bearer(&token)).unwrap();
    let echo = read.echo().unwrap_or_else(|| panic!("{:?}", read.code()));
    let last = lab.log_line(echo.all("x-request-id")[0]).unwrap();
    let last: Value = serde_json::from_str(last["postern"].as_str().unwrap()).unwrap();
    let number = |name: &str| last[name].as_f64().unwrap_or_else(|| panic!("{last}"));
    // Nine networks, of which two may have the same bit.
    assert!(number("behaviour_sources") > 0.8, "{last}");
    assert_eq!(number("behaviour_novelty"), 0.25, "{last}");
    let [rate, failures] = [&last["behaviour_rate"], &last["behaviour_failures"]];
    assert_eq!([rate, failures], [&Value::Null; 2], "{last}");
    assert_eq!(last["behaviour_known"], true);
}
