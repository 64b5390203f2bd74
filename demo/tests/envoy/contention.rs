//! A limit under contention, in real Envoys with two and with four workers: exactly what it says gets
//! through, whoever asks at once.

use std::thread;

use postern_demo::cast::{ADA, SUPPORT_BOT, acting, human};
use postern_demo::client::Request;
use postern_demo::{Lab, Settings};
use serde_json::{Value, json};

/// Callers at once, and how often each calls.
const CALLERS: usize = 16;
const CALLS: usize = 60;

/// What is admitted of all of them.
const UNITS: usize = 500;

fn admitted(lab: &Lab) -> usize {
    let bot = acting(SUPPORT_BOT, ADA, "crm.read").sign(&lab.cast.login).unwrap();
    let request = Request::get("/v1/contacts").bearer(&bot);
    let call = || {
        let statuses = (0..CALLS).map(|_| lab.send(&request).unwrap().status);
        statuses.filter(|status| *status == 200).count()
    };
    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(call)).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).sum()
    })
}

fn lab(workers: u32, limits: &Value) -> Lab {
    let mut settings = Settings::from_env().unwrap();
    settings.workers = workers;
    settings.policy["limits"] = json!({ "agents": limits });
    Lab::start(settings).unwrap()
}

#[test]
fn two_workers_and_four_admit_exactly_the_limit_and_nobody_else_is_refused() {
    for workers in [2, 4] {
        for limit in [
            json!({ "per": "agent", "rate": "1/h", "burst": UNITS }),
            json!({ "per": ["agent", "route"], "quota": format!("{UNITS}/month") }),
        ] {
            let lab =
                lab(workers, &json!([limit, { "per": "user", "rate": "1000000/s", "burst": 500 }]));
            assert_eq!(admitted(&lab), UNITS, "{workers} workers: {limit}");
            let ada = human(ADA, "crm.read").sign(&lab.cast.login).unwrap();
            let response = lab.send(&Request::get("/v1/contacts").bearer(&ada)).unwrap();
            assert_eq!(response.status, 200);
        }
    }
}
