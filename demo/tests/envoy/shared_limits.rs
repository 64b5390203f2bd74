//! Several real Envoys, two workers each, that share a limit through a service of Envoy's rate limit
//! protocol on a real Redis.

use std::thread;
use std::time::Duration;

use postern_demo::cast::{ADA, SUPPORT_BOT, acting, human};
use postern_demo::client::{Request, Response};
use postern_demo::clock::wait_for;
use postern_demo::limits::{Limits, Manner};
use postern_demo::{Lab, Settings};
use serde_json::{Value, json};

/// How long anything may take that is to happen at all.
const SOON: Duration = Duration::from_secs(30);

/// What all replicas together admit.
const UNITS: usize = 1_200;
/// A hundredth of it: what six workers may lend.
const OVER: usize = 12;
/// Requests after which an Envoy is left alone, whatever it says.
const ENOUGH: usize = 3_000;
/// Refusals in a row after which an Envoy has nothing left on either worker.
const OFTEN: usize = 60;

fn lab(limits: &Limits, limit: &Value) -> Lab {
    let mut settings = Settings::from_env().unwrap();
    settings.policy["limits"] = json!({
        // A machine that is slow is no service that is.
        "shared": { "url": limits.url(), "cluster": "limits", "timeout": "10s" },
        "agents": [limit],
    });
    Lab::start(settings).unwrap()
}

fn budget() -> Value {
    json!({ "per": "agent", "quota": "1200/hour", "shared": true, "name": "budget" })
}

fn ask(lab: &Lab) -> Response {
    let bot = acting(SUPPORT_BOT, ADA, "crm.read").sign(&lab.cast.login).unwrap();
    lab.send(&Request::get("/v1/contacts").bearer(&bot)).unwrap()
}

/// Calls until there is nothing left, or so many were admitted; how many were.
fn use_up(lab: &Lab, most: usize) -> usize {
    let bot = acting(SUPPORT_BOT, ADA, "crm.read").sign(&lab.cast.login).unwrap();
    let request = Request::get("/v1/contacts").bearer(&bot);
    let (mut admitted, mut refused) = (0, 0);
    for _ in 0..ENOUGH {
        let response = lab.send(&request).unwrap();
        match (response.status, response.code().as_deref()) {
            (200, _) => (admitted, refused) = (admitted + 1, 0),
            (429, Some("budget_exhausted")) => refused += 1,
            other => panic!("{other:?}\n{}", lab.envoy.log_tail()),
        }
        if admitted == most || refused == OFTEN {
            break;
        }
        // What was asked for is on its way.
        if refused > 0 {
            thread::sleep(Duration::from_millis(4));
        }
    }
    admitted
}

#[test]
fn three_envoys_share_one_budget_and_one_that_is_killed_takes_little_with_it() {
    for manner in [Manner::Tells, Manner::Silent] {
        let limits = Limits::start(manner, &["agents.budget=1200/3600"]).unwrap();
        let mut labs: Vec<_> = (0..3).map(|_| lab(&limits, &budget())).collect();
        let doomed = labs.pop().unwrap();
        let admitted: usize = thread::scope(|scope| {
            let doomed = scope.spawn(move || use_up(&doomed, 200));
            let others: Vec<_> =
                labs.iter().map(|lab| scope.spawn(|| use_up(lab, usize::MAX))).collect();
            let lost = doomed.join().unwrap();
            lost + others.into_iter().map(|other| other.join().unwrap()).sum::<usize>()
        });
        assert!(admitted <= UNITS + OVER, "{manner:?}: {admitted}");
        // What the one held that was killed, and what the others could not divide, is lost.
        assert!(admitted >= UNITS * 8 / 10, "{manner:?}: {admitted}");
        println!("{manner:?}: {admitted} of {UNITS}");

        // Nobody else is limited by it.
        let ada = human(ADA, "crm.read").sign(&labs[0].cast.login).unwrap();
        let response = labs[0].send(&Request::get("/v1/contacts").bearer(&ada)).unwrap();
        assert_eq!(response.status, 200);
    }
}

#[test]
fn what_the_service_says_is_left_is_what_callers_are_told() {
    let limits = Limits::start(Manner::Tells, &["agents.budget=1200/3600"]).unwrap();
    let (one, other) = (lab(&limits, &budget()), lab(&limits, &budget()));
    assert_eq!(use_up(&one, 900), 900);
    let told = |lab: &Lab| {
        let response = ask(lab);
        let text = response.header("ratelimit").unwrap_or_default().to_owned();
        let left = text.split(';').find_map(|part| part.strip_prefix("r="));
        Ok(left.and_then(|left| left.parse::<u32>().ok()).filter(|left| *left <= 320))
    };
    wait_for("the other Envoy to know", SOON, || told(&other)).unwrap();
}

#[test]
fn a_service_that_is_slow_or_away_holds_nobody_up_and_the_limit_says_what_then() {
    let mut limits =
        Limits::start(Manner::Tells, &["agents.budget=1200/3600", "humans.open=1200/3600"])
            .unwrap();
    let mut settings = Settings::from_env().unwrap();
    settings.policy["limits"] = json!({
        "shared": { "url": limits.url(), "cluster": "limits" },
        "agents": [budget()],
        "humans": [{
            "per": "user", "quota": "1200/hour", "shared": true, "name": "open", "on_failure": "local",
        }],
    });
    let lab = Lab::start(settings).unwrap();
    let ada = human(ADA, "crm.read").sign(&lab.cast.login).unwrap();
    let ada = || lab.send(&Request::get("/v1/contacts").bearer(&ada)).unwrap();
    let becomes = |what: &str, code: &str| {
        let settled = || {
            let codes: Vec<_> = (0..8).map(|_| ask(&lab).code().unwrap_or_default()).collect();
            Ok(codes.iter().all(|one| one == code).then_some(()))
        };
        wait_for(what, SOON, settled).unwrap_or_else(|_| panic!("{}", lab.envoy.log_tail()));
    };
    becomes("the service to be asked", "");

    // Slow: it takes every question and says nothing.
    limits.hold(true).unwrap();
    becomes("nothing to be left of what was granted", "not_ready");
    for _ in 0..40 {
        let response = ada();
        // Until it is known that nobody answers, callers are told to come back.
        assert!([200, 429].contains(&response.status), "{}", response.status);
    }
    let settled = || Ok((0..16).all(|_| ada().status == 200).then_some(()));
    wait_for("each proxy to count for itself", SOON, settled).unwrap();
    limits.hold(false).unwrap();
    becomes("the service to be asked again", "");

    // Away, and back.
    limits.end();
    becomes("nothing to be left of what was granted", "not_ready");
    limits.resume().unwrap();
    becomes("the service to be asked again", "");
    assert!(lab.envoy.has_logged("the service that counts shared limits answers again").unwrap());
}
