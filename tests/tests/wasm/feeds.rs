//! What is fetched besides keys, by the compiled filter, on every host.

use postern_cli::mint::key_set;
use postern_tests::fixture::{ISSUER, KEY, POLICY, allowed, denied, document, token};
use postern_tests::wasm_host::{Call, Profile, Proxy, Request};
use serde_json::{Value, json};

const WARN: u32 = 3;

/// What stops [`AGENT`].
const STOPS: &str = r#"{"agents":["support-bot"]}"#;

fn subscribed() -> Value {
    let mut policy = document();
    policy["agents"]["other-bot"] = json!({ "ceiling": "reader" });
    policy["revocations"]["feed"] = json!({
        "url": "https://admin.example/revoked", "cluster": "login", "max_staleness": "1m",
    });
    policy
}

/// What another agent asks.
fn other() -> Request {
    let actor = json!({ "sub": "other-bot" });
    let token = token().client("other-bot").claim("act", actor).sign(&KEY).unwrap();
    Request::get("/v1/contacts").bearer(&token)
}

fn field(call: &Call, name: &str) -> Option<String> {
    let field = call.headers.iter().find(|(field, _)| field == name.as_bytes());
    field.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
}

/// Lets time go by until something is asked, and answers it.
fn next(proxy: &mut Proxy, status: u16, body: &str) {
    for _ in 0..100 {
        if let [call] = &proxy.calls()[..] {
            assert!(proxy.answer(call, Some((status, body.as_bytes()))).is_empty());
            // The workers that did not ask notice by their next tick.
            proxy.pass(1_000);
            return;
        }
        proxy.pass(1_000);
    }
    panic!("nothing was asked");
}

/// A proxy whose workers have an empty list.
fn ready(profile: Profile, workers: usize) -> Proxy {
    let mut proxy = Proxy::start(profile, Some(subscribed().to_string().as_bytes()), workers);
    assert!(proxy.configured, "{:?}", proxy.take_log());
    next(&mut proxy, 200, "{}");
    proxy
}

/// The code that each worker answers, or none where it lets the request through.
fn assert_all(proxy: &mut Proxy, workers: usize, code: Option<&str>, request: &Request) {
    for worker in 0..workers {
        let exchange = proxy.request_on(worker, request);
        assert_eq!(exchange.code().as_deref(), code, "worker {worker}: {exchange:?}");
        assert_eq!(exchange.status() == Some(200), code.is_none(), "worker {worker}");
    }
}

#[test]
fn a_kill_switch_stops_one_agent_on_all_workers_within_one_poll() {
    for profile in Profile::ALL {
        let mut proxy = ready(profile, 2);
        assert_all(&mut proxy, 2, None, &allowed());
        assert_all(&mut proxy, 2, None, &other());
        next(&mut proxy, 200, STOPS);
        assert_all(&mut proxy, 2, Some("agent_blocked"), &allowed());
        assert_all(&mut proxy, 2, None, &other());
        next(&mut proxy, 200, "{}");
        assert_all(&mut proxy, 2, None, &allowed());
    }
}

#[test]
fn nobody_is_let_in_before_the_first_list_or_after_the_last_one_is_too_old() {
    for profile in [Profile::Nginx, Profile::TrafficServer] {
        let policy = subscribed().to_string();
        let mut proxy = Proxy::start(profile, Some(policy.as_bytes()), 2);
        assert_all(&mut proxy, 2, Some("not_ready"), &allowed());
        assert_all(&mut proxy, 2, Some("missing_token"), &denied());
    }
    for profile in Profile::ALL {
        let mut proxy = ready(profile, 2);
        let late = |proxy: &Proxy| {
            let now = proxy.now();
            let token = token().valid(now, now + 60).sign(&KEY).unwrap();
            Request::get("/v1/contacts").bearer(&token)
        };
        // What is no list leaves the last one in force, as long as that may be.
        next(&mut proxy, 200, r#"{"agents":"support-bot"}"#);
        assert!(proxy.take_log().iter().any(|(level, _)| *level == WARN), "{profile:?}");
        let request = late(&proxy);
        assert_all(&mut proxy, 2, None, &request);
        for _ in 0..8 {
            next(&mut proxy, 503, "");
            proxy.advance(8);
        }
        let request = late(&proxy);
        for worker in 0..2 {
            let exchange = proxy.request_on(worker, &request);
            let code = exchange.code();
            assert_ne!(exchange.status(), Some(200), "{profile:?} {code:?}");
        }
        next(&mut proxy, 200, "{}");
        let request = late(&proxy);
        assert_all(&mut proxy, 2, None, &request);
    }
}

#[test]
fn a_remembered_token_makes_no_more_calls_for_a_list_that_is_fetched() {
    let warm = |mut proxy: Proxy| {
        (0..5).for_each(|_| assert_eq!(proxy.request(&allowed()).status(), Some(200)));
        proxy.request(&allowed()).calls
    };
    let with = warm(ready(Profile::Envoy, 1));
    assert_eq!(with, warm(Proxy::new(Profile::Envoy, &*POLICY)));
}

#[test]
fn rfc8414_3_keys_are_found_by_the_metadata_of_their_issuer() {
    for profile in Profile::ALL {
        let mut policy = document();
        policy["issuers"][0]["jwks"] =
            json!({ "discover": "oauth-authorization-server", "cluster": "login" });
        let mut proxy = Proxy::start(profile, Some(policy.to_string().as_bytes()), 2);
        proxy.pass(100);
        let call = proxy.the_call();
        let path = field(&call, ":path");
        assert_eq!(path.as_deref(), Some("/.well-known/oauth-authorization-server"));
        let keys = |issuer: &str| {
            json!({ "issuer": issuer, "jwks_uri": format!("{ISSUER}keys") }).to_string()
        };
        // Somebody else's metadata leads nowhere.
        proxy.answer(&call, Some((200, keys("https://evil.example/").as_bytes())));
        assert!(proxy.calls().is_empty(), "{profile:?}");
        assert!(proxy.take_log().iter().any(|(level, _)| *level == WARN), "{profile:?}");
        next(&mut proxy, 200, &keys(ISSUER));
        next(&mut proxy, 200, &key_set([&*KEY]).to_string());
        assert_all(&mut proxy, 2, None, &allowed());
    }
}
