//! Keys that are fetched, by a real Envoy with two workers, from a provider that stops, slows,
//! corrupts and rotates.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use postern_cli::mint::{Algorithm, PrivateKey, key_set};
use postern_demo::cast::{ADA, human};
use postern_demo::client::{Request, Response};
use postern_demo::clock::wait_for;
use postern_demo::key_server::{KeyServer, Mood};
use postern_demo::{Lab, Settings};
use serde_json::json;

/// How long anything may take that is to happen at all.
const SOON: Duration = Duration::from_secs(20);

/// As short as a policy may have it.
const OFTEN: &str = "5s";

/// Requests after which both workers have had some: each comes over a connection of its own, and goes to
/// either.
const MANY: usize = 24;
/// So long that only unknown keys are a reason to fetch.
const SELDOM: &str = "1h";

fn lab(provider: &KeyServer, refresh: &str) -> Lab {
    let mut settings = Settings::from_env().unwrap();
    settings.policy["issuers"][0]["jwks"] = json!({
        "url": provider.url(), "cluster": "login", "refresh": refresh, "timeout": "1s",
    });
    settings.policy["limits"] = json!({});
    Lab::start(settings).unwrap()
}

fn key(kid: &str) -> PrivateKey {
    PrivateKey::generate(Algorithm::Es256).unwrap().with_kid(kid)
}

fn publishes<'k>(keys: impl IntoIterator<Item = &'k PrivateKey>) -> Mood {
    Mood::Says(200, key_set(keys).to_string())
}

/// What Ada sends, with a token of its own each time.
fn call(key: &PrivateKey) -> Request {
    let token = human(ADA, "crm.read").sign(key).unwrap();
    Request::get("/v1/contacts").bearer(&token)
}

fn send(to: SocketAddr, request: &Request) -> Response {
    request.send(to).unwrap()
}

fn code(response: &Response) -> String {
    response.code().unwrap_or_default()
}

/// Whether the last attempts to fetch failed.
fn failures(lab: &Lab) -> u64 {
    let name = "postern.keys.0.login_crm_example.failures";
    lab.envoy.stat(name).unwrap().unwrap_or_default()
}

#[test]
fn the_first_callers_wait_for_the_keys_and_nobody_is_refused() {
    let key = key("key-1");
    let body = key_set([&key]).to_string();
    let provider =
        KeyServer::start(Mood::SaysSlowly(Duration::from_millis(300), 200, body)).unwrap();
    let lab = lab(&provider, SELDOM);
    let (to, request) = (lab.address(), call(&key));
    let statuses: Vec<_> = thread::scope(|scope| {
        let callers: Vec<_> = (0..16).map(|_| scope.spawn(|| send(to, &request).status)).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    assert_eq!(statuses, [200; 16], "{}", lab.envoy.log_tail());
    // One of the two workers asked, for both.
    assert_eq!(provider.asked(), 1);
}

#[test]
fn while_there_are_no_keys_callers_are_told_to_come_again_and_then_all_is_well() {
    let key = key("key-1");
    let provider = KeyServer::start(Mood::Silent).unwrap();
    let lab = lab(&provider, OFTEN);
    let refused = send(lab.address(), &call(&key));
    assert_eq!((refused.status, code(&refused).as_str()), (503, "not_ready"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(send(lab.address(), &Request::get("/healthz")).status, 200);
    provider.set(publishes([&key]));
    wait_for("keys", SOON, || Ok((send(lab.address(), &call(&key)).status == 200).then_some(())))
        .unwrap();
}

#[test]
fn keys_are_rotated_under_traffic_without_one_wrong_answer() {
    let (old, new) = (key("old"), key("new"));
    let provider = KeyServer::start(publishes([&old])).unwrap();
    let lab = lab(&provider, OFTEN);
    let to = lab.address();
    let signer = Mutex::new(&old);
    let (stop, wrong) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let request = call(*signer.lock().unwrap());
                    let response = send(to, &request);
                    if response.status != 200 {
                        wrong.lock().unwrap().push((response.status, code(&response)));
                    }
                }
            });
        }
        let traffic = || thread::sleep(Duration::from_millis(700));
        traffic();
        // Published, and used at once: nobody here has had time to notice.
        provider.set(publishes([&old, &new]));
        *signer.lock().unwrap() = &new;
        traffic();
        provider.set(publishes([&new]));
        let asked = provider.asked();
        wait_for("a refresh", SOON, || Ok((provider.asked() > asked).then_some(()))).unwrap();
        traffic();
        stop.store(true, Ordering::SeqCst);
    });
    assert_eq!(*wrong.lock().unwrap(), [], "{}", lab.envoy.log_tail());

    // What the provider took back no worker accepts any more once it has looked.
    let is_refused = || code(&send(to, &call(&old))) == "unknown_key";
    let noticed = || Ok((0..MANY).all(|_| is_refused()).then_some(()));
    wait_for("every worker to notice", SOON, noticed).unwrap();
    for _ in 0..MANY {
        let response = send(to, &call(&old));
        assert_eq!((response.status, code(&response).as_str()), (401, "unknown_key"));
    }
}

#[test]
fn a_provider_that_fails_in_every_way_takes_nobody_down_with_it() {
    let key = key("key-1");
    let provider = KeyServer::start(publishes([&key])).unwrap();
    let lab = lab(&provider, OFTEN);
    let to = lab.address();
    assert_eq!(send(to, &call(&key)).status, 200);
    let moods = [
        Mood::Down,
        Mood::Silent,
        Mood::Says(500, String::new()),
        Mood::Says(200, "<html>".to_owned()),
        Mood::Says(200, json!({ "keys": [] }).to_string()),
    ];
    for mood in moods {
        provider.set(publishes([&key]));
        wait_for("no failures", SOON, || Ok((failures(&lab) == 0).then_some(()))).unwrap();
        provider.set(mood.clone());
        wait_for("a failure", SOON, || Ok((failures(&lab) > 0).then_some(()))).unwrap();
        for _ in 0..MANY {
            assert_eq!(send(to, &call(&key)).status, 200, "{mood:?}");
        }
    }
    let ready = lab.envoy.stat("postern.keys.0.login_crm_example.ready").unwrap();
    assert_eq!(ready, Some(1));
}

#[test]
fn whoever_makes_up_key_ids_is_refused_and_does_not_drive_the_fetching() {
    let key = key("key-1");
    let provider = KeyServer::start(publishes([&key])).unwrap();
    let lab = lab(&provider, SELDOM);
    let to = lab.address();
    assert_eq!(send(to, &call(&key)).status, 200);
    let before = provider.asked();
    thread::scope(|scope| {
        for forger in 0..10 {
            scope.spawn(move || {
                for n in 0..10 {
                    let response = send(to, &call(&self::key(&format!("{forger}-{n}"))));
                    assert_eq!((response.status, code(&response).as_str()), (401, "unknown_key"));
                }
            });
        }
        for _ in 0..100 {
            assert_eq!(send(to, &call(&key)).status, 200);
        }
    });
    let asked = provider.asked() - before;
    // Four at once, and one in fifteen seconds.
    assert!((1..=8).contains(&asked), "{asked}");
}
