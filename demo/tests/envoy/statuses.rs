//! What became of tokens, as their issuer publishes it, fetched by a real Envoy with two workers.

use postern_cli::mint::StatusList;
use postern_demo::cast::{ADA, LOGIN, human};
use postern_demo::clock::now;
use postern_demo::key_server::{KeyServer, Mood};
use postern_demo::{Lab, Settings};
use serde_json::json;

use crate::say;

#[test]
fn a_token_that_its_issuer_takes_back_in_a_list_is_refused_by_all_workers() {
    let server = KeyServer::start(Mood::Down).unwrap();
    let mut settings = Settings::from_env().unwrap();
    settings.policy["limits"] = json!({});
    let issuers = settings.policy["issuers"].as_array_mut().unwrap();
    let login = issuers.iter_mut().find(|issuer| issuer["issuer"] == LOGIN).unwrap();
    login["status_lists"] = json!([{
        "url": server.url(), "cluster": "login", "refresh": "5s", "max_staleness": "9s",
        "timeout": "1s",
    }]);
    let lab = Lab::start(settings).unwrap();
    let token = |index: u64| {
        let status = json!({ "status_list": { "uri": server.url(), "idx": index } });
        human(ADA, "crm.read").claim("status", status).sign(&lab.cast.login).unwrap()
    };
    let plain = human(ADA, "crm.read").sign(&lab.cast.login).unwrap();
    let (one, other) = (token(70_000), token(70_001));
    let all_say = |token: &str, code: &str| say::all(&lab, token, code);
    let becomes = |token: &str, code: &str| say::in_the_end(&lab, token, code);
    // A hundred thousand tokens, of which a few are taken back.
    let publish = |taken: &[usize]| {
        let list = StatusList::new(&server.url(), 1, 100_000, now());
        let list = taken.iter().fold(list, |list, index| list.set(*index, 1));
        server.set(Mood::Says(200, list.sign(&lab.cast.login).unwrap()));
    };

    // Without the list nobody is let in by a token that is in it; all others are.
    becomes(&one, "not_ready");
    assert!(all_say(&plain, "allow"), "{}", lab.envoy.log_tail());
    publish(&[3, 70_002]);
    becomes(&one, "allow");
    becomes(&other, "allow");
    publish(&[3, 70_000, 70_002]);
    becomes(&one, "revoked_token");
    assert!(all_say(&other, "allow") && all_say(&plain, "allow"));

    // What is no list changes nothing, until the last one is too old.
    server.set(Mood::Says(200, "{}".to_owned()));
    assert!(all_say(&one, "revoked_token") && all_say(&other, "allow"));
    becomes(&other, "not_ready");
    assert!(all_say(&plain, "allow"));
    publish(&[]);
    becomes(&other, "allow");
    becomes(&one, "allow");
}
