//! Tokens of a real identity provider at a real Envoy: needs `ENVOY`, `NODE` and `POSTERN_WASM`, as
//! `make test` sets them.

use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use postern_demo::client::{Echo, Request};
use postern_demo::clock::wait_for;
use postern_demo::provider::{AGENT, API, OTHER_API, Provider, USER, WEB};
use postern_demo::{Lab, Published, Settings};
use serde_json::{Value, json};

/// The scenario's policy with the provider for its only issuer.
fn policy(provider: &Provider, revision: &str) -> Value {
    let mut policy = Settings::from_env().unwrap().policy;
    policy["revision"] = json!(revision);
    policy["issuers"] = json!([{
        "issuer": provider.issuer(),
        "preset": "rfc9068",
        "audiences": [API],
        "algorithms": ["ES256", "RS256"],
        "max_token_lifetime": "1h",
        "jwks": keys(provider),
    }]);
    for agent in policy["agents"].as_object_mut().unwrap().values_mut() {
        agent["issuer"] = json!(provider.issuer());
    }
    policy
}

/// How the policy comes by the provider's keys: they are written into it.
fn keys(provider: &Provider) -> Value {
    provider.jwks().unwrap()
}

fn start() -> (Provider, Lab) {
    let provider = Provider::start().unwrap();
    let policy = policy(&provider, "first-keys");
    let settings = Settings { policy, ..Settings::from_env().unwrap() };
    let lab = Lab::start_as_written(settings).unwrap();
    (provider, lab)
}

/// What becomes of a request with the token: the denial's code, or `allow`.
fn ask(lab: &Lab, method: &str, path: &str, token: &str) -> String {
    let response = lab.send(&Request::new(method, path).bearer(token)).unwrap();
    match response.code() {
        Some(code) => code,
        None => response.echo().map(|_| "allow".to_owned()).unwrap(),
    }
}

fn read(lab: &Lab, token: &str) -> String {
    ask(lab, "GET", "/v1/contacts", token)
}

/// What the backend was told, and what was written down.
fn seen(lab: &Lab, token: &str) -> (Echo, Value) {
    let response = lab.send(&Request::get("/v1/contacts").bearer(token)).unwrap();
    let echo = response.echo().unwrap_or_else(|| panic!("{:?}", response.code()));
    let line = lab.log_line(echo.all("x-request-id")[0]).unwrap();
    let record = line["postern"].as_str().unwrap();
    (echo, serde_json::from_str(record).unwrap())
}

#[test]
fn the_agent_the_user_and_the_agent_for_the_user_are_told_apart() {
    let (provider, lab) = start();

    let own = provider.client_credentials(API, "crm.read").unwrap();
    let (echo, record) = seen(&lab, &own);
    assert_eq!(echo.all("x-postern-kind"), ["agent"]);
    assert_eq!(echo.all("x-postern-agent"), [AGENT]);
    assert_eq!(echo.all("x-postern-issuer"), [provider.issuer()]);
    assert_eq!(echo.all("x-postern-actor-chain"), [""; 0]);
    assert_eq!(echo.all("authorization"), [""; 0]);
    assert_eq!((&record["agent"], &record["delegated"]), (&json!(AGENT), &Value::Null));

    let login = provider.login(API, "openid crm.read crm.write").unwrap();
    let (echo, record) = seen(&lab, &login.access_token);
    assert_eq!(echo.all("x-postern-kind"), ["human"]);
    assert_eq!(echo.all("x-postern-subject"), [USER]);
    assert_eq!(echo.all("x-postern-organization"), ["acme"]);
    assert_eq!(echo.all("x-postern-client"), [WEB]);
    assert_eq!((&record["kind"], &record["subject"]), (&json!("human"), &json!(USER)));

    let delegated = provider.exchange(&login.access_token, API, "crm.read crm.write").unwrap();
    let (echo, record) = seen(&lab, &delegated);
    assert_eq!(echo.all("x-postern-kind"), ["agent"]);
    assert_eq!(echo.all("x-postern-agent"), [AGENT]);
    assert_eq!(echo.all("x-postern-subject"), [USER]);
    assert_eq!(echo.all("x-postern-actor-chain"), [AGENT]);
    assert_eq!(echo.all("x-postern-organization"), ["acme"]);
    assert_eq!((&record["agent"], &record["subject"]), (&json!(AGENT), &json!(USER)));
    assert_eq!((&record["delegated"], &record["actors"]), (&json!(true), &json!([AGENT])));

    // What each may do is not the same either.
    assert_eq!(ask(&lab, "PUT", "/v1/contacts/42", &own), "insufficient_scope");
    assert_eq!(ask(&lab, "PUT", "/v1/contacts/42", &delegated), "allow");
    assert_eq!(ask(&lab, "POST", "/v1/deals", &login.access_token), "allow");
    assert_eq!(ask(&lab, "POST", "/v1/deals", &delegated), "agent_forbidden");
}

#[test]
fn a_token_for_another_api_and_an_id_token_open_nothing() {
    let (provider, lab) = start();
    let elsewhere = provider.client_credentials(OTHER_API, "crm.read").unwrap();
    assert_eq!(read(&lab, &elsewhere), "wrong_audience");
    let login = provider.login(OTHER_API, "openid crm.read").unwrap();
    assert_eq!(read(&lab, &login.access_token), "wrong_audience");
    assert_eq!(read(&lab, &login.id_token), "invalid_token");
    // Nor can the agent make more of it than it is.
    provider.exchange(&login.access_token, API, "crm.read").unwrap_err();
    provider.exchange(&elsewhere, OTHER_API, "crm.read").unwrap_err();
}

#[test]
fn old_and_new_keys_verify_as_long_as_the_policy_has_them() {
    let (mut provider, lab) = start();
    let tokens = |provider: &Provider| {
        // ES256 and RS256.
        let agents = provider.client_credentials(API, "crm.read").unwrap();
        [agents, provider.login(API, "openid crm.read").unwrap().access_token]
    };
    let all = |tokens: &[String; 2]| tokens.each_ref().map(|token| read(&lab, token));
    let old = tokens(&provider);
    assert_eq!(all(&old), ["allow"; 2]);

    provider.rotate().unwrap();
    let new = tokens(&provider);
    assert_eq!(all(&new), ["unknown_key"; 2], "the policy has not been told");
    assert_eq!(all(&old), ["allow"; 2]);

    assert_eq!(lab.publish(&policy(&provider, "both")).unwrap(), Published::Accepted);
    assert_eq!(
        (all(&old), all(&new)),
        (["allow"; 2].map(String::from), ["allow"; 2].map(String::from))
    );

    provider.retire().unwrap();
    assert_eq!(lab.publish(&policy(&provider, "new-keys")).unwrap(), Published::Accepted);
    assert_eq!(all(&old), ["unknown_key"; 2]);
    assert_eq!(all(&new), ["allow"; 2]);
}

#[test]
fn the_provider_ends_with_whoever_started_it() {
    let provider = Provider::start().unwrap();
    let address = provider.issuer().trim_start_matches("http://").to_owned();
    drop(provider);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn by_discovery_keys_are_rotated_under_traffic_without_one_wrong_answer() {
    let mut provider = Provider::start().unwrap();
    let mut policy = policy(&provider, "discovery");
    policy["issuers"][0]["jwks"] =
        json!({ "discover": "openid-configuration", "cluster": "login", "refresh": "5s" });
    policy["limits"] = json!({});
    let settings = Settings { policy, ..Settings::from_env().unwrap() };
    let lab = Lab::start_as_written(settings).unwrap();
    let to = lab.address();
    let (stop, wrong) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let served = AtomicUsize::new(0);
    let token = Mutex::new(provider.client_credentials(API, "crm.read").unwrap());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let bearer = token.lock().unwrap().clone();
                    let response = Request::get("/v1/contacts").bearer(&bearer).send(to).unwrap();
                    served.fetch_add(1, Ordering::SeqCst);
                    if response.status != 200 {
                        wrong.lock().unwrap().push((response.status, response.code()));
                    }
                }
            });
        }
        for _ in 0..2 {
            thread::sleep(Duration::from_millis(400));
            provider.rotate().unwrap();
            for _ in 0..5 {
                *token.lock().unwrap() = provider.client_credentials(API, "crm.read").unwrap();
                thread::sleep(Duration::from_millis(100));
            }
        }
        stop.store(true, Ordering::SeqCst);
    });
    assert_eq!(*wrong.lock().unwrap(), [], "{}", lab.envoy.log_tail());
    assert!(served.load(Ordering::SeqCst) > 20);

    // What the provider took back is found to be gone, too.
    let old = token.into_inner().unwrap();
    provider.rotate().unwrap();
    provider.retire().unwrap();
    let is_refused = || (0..6).all(|_| read(&lab, &old) == "unknown_key").then_some(());
    wait_for("every worker to notice", Duration::from_secs(20), || Ok(is_refused())).unwrap();
    assert_eq!(read(&lab, &provider.client_credentials(API, "crm.read").unwrap()), "allow");
}
