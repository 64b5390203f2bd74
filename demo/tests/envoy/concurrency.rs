//! Calls that are under way at once, through a real Envoy with two workers: counted until they end, however
//! they do.

use std::io::Write as _;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use postern_demo::backend::LASTS;
use postern_demo::cast::{ADA, SUPPORT_BOT, acting};
use postern_demo::client::Request;
use postern_demo::clock::wait_for;
use postern_demo::{Lab, Settings};
use serde_json::json;

/// How long anything may take that is to happen at all.
const SOON: Duration = Duration::from_secs(20);

/// How many may be under way.
const MOST: usize = 3;

fn lab() -> Lab {
    let mut settings = Settings::from_env().unwrap();
    // What is never heard of again would count for longer than the test takes.
    settings.policy["limits"] =
        json!({ "agents": [{ "per": "agent", "concurrent": MOST, "max_duration": "1h" }] });
    Lab::start(settings).unwrap()
}

fn token(lab: &Lab) -> String {
    acting(SUPPORT_BOT, ADA, "crm.read").sign(&lab.cast.login).unwrap()
}

/// So many calls at once, each of which takes a while; how many were let through.
fn admitted(lab: &Lab, calls: usize, millis: &str) -> usize {
    let token = token(lab);
    let call = || {
        let request = Request::get("/v1/contacts").bearer(&token).header(LASTS, millis);
        let response = lab.send(&request).unwrap();
        match (response.status, response.code().as_deref()) {
            (200, _) => 1,
            (429, Some("too_many_concurrent")) => 0,
            other => panic!("{other:?}"),
        }
    };
    thread::scope(|scope| {
        let calls: Vec<_> = (0..calls).map(|_| scope.spawn(call)).collect();
        calls.into_iter().map(|call| call.join().unwrap()).sum()
    })
}

/// Waits until all that may be are let through again: none counts that has ended.
fn all_have_ended(lab: &Lab) {
    let settled = || Ok((admitted(lab, MOST, "50") == MOST).then_some(()));
    wait_for("all calls to end", SOON, settled).unwrap();
}

#[test]
fn of_many_at_once_as_many_pass_as_may_be_and_all_may_pass_again_when_they_have_ended() {
    let lab = lab();
    for _ in 0..2 {
        assert_eq!(admitted(&lab, 16, "4000"), MOST);
        all_have_ended(&lab);
    }
}

#[test]
fn a_call_whose_caller_goes_away_or_whose_backend_fails_has_ended() {
    let lab = lab();
    let token = token(&lab);
    for _ in 0..8 {
        let calls: Vec<_> = (0..MOST)
            .map(|_| {
                let mut stream = TcpStream::connect(lab.address()).unwrap();
                let head = format!(
                    "GET /v1/contacts HTTP/1.1\r\nhost: crm\r\n{LASTS}: 5000\r\n\
                     authorization: Bearer {token}\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).unwrap();
                stream
            })
            .collect();
        // A call more would take the place of one that is on its way.
        let active = || lab.envoy.stat("http.postern.downstream_rq_active");
        let are_there = || Ok(active()?.filter(|active| *active >= MOST as u64).map(drop));
        wait_for("as many to be under way as may be", SOON, are_there).unwrap();
        assert_eq!(admitted(&lab, 1, "0"), 0);
        // They hang up in the midst of it.
        drop(calls);
        all_have_ended(&lab);
    }
    for _ in 0..8 {
        let request = Request::get("/v1/contacts").bearer(&token);
        let response = lab.send(&request.header("x-demo-status", "503")).unwrap();
        assert_eq!(response.status, 503);
    }
    all_have_ended(&lab);
}
