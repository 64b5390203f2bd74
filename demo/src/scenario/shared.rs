//! Two Envoys that share one budget, which a service on Redis counts: Envoys of their own, for the service
//! stands in their configuration.

use std::thread;
use std::time::Duration;

use serde_json::json;

use super::reload::set;
use super::{Outcome, Row, Step, outcome, with};
use crate::cast::{ADA, SUPPORT_BOT, acting, human};
use crate::client::{Request, Response};
use crate::limits::{Limits, Manner};
use crate::{Lab, Settings, interrupt};

/// What both together admit.
const UNITS: u32 = 40;

/// Calls after which both are left alone, whatever they say.
const ENOUGH: u32 = 2_000;

/// Refusals in a row after which nothing is left at either.
const OFTEN: u32 = 64;

const WHO: &str = "support-bot for ada";

pub(super) fn rows() -> anyhow::Result<Vec<Row>> {
    let limits = Limits::start(Manner::Tells, &[&format!("agents.budget={UNITS}/3600")])?;
    let start = || {
        let mut settings = Settings::from_env()?;
        let shared = json!({
            "shared": { "url": limits.url(), "cluster": "limits", "timeout": "10s" },
            "agents": [{
                "per": "agent", "quota": format!("{UNITS}/hour"), "name": "budget",
                "shared": true, "overdraft": 0,
            }],
        });
        set(&mut settings.policy, "/limits", shared)?;
        Lab::start(settings)
    };
    let labs = [start()?, start()?];
    let mut each = [0_u32; 2];
    let (mut refused, mut last) = (0, None);
    for turn in 0..ENOUGH {
        interrupt::check()?;
        let place = usize::from(turn % 2 == 1);
        let (Some(lab), Some(admitted)) = (labs.get(place), each.get_mut(place)) else { break };
        let token = acting(SUPPORT_BOT, ADA, "crm.read");
        let response = lab.send(&with(Request::get("/v1/contacts"), &token, &lab.cast.login)?)?;
        if response.status == 200 {
            (*admitted, refused) = (admitted.saturating_add(1), 0);
        } else {
            refused += 1;
            // What is to come is on its way.
            thread::sleep(Duration::from_millis(2));
        }
        last = Some(response);
        if refused == OFTEN {
            break;
        }
    }
    let [one, other] = each;
    let is_exact = one + other == UNITS && one > 0 && other > 0;
    let both = Row {
        who: WHO,
        does: "reads by turns at two Envoys",
        expected: Outcome { status: 429, code: Some("budget_exhausted".to_owned()) },
        got: last.as_ref().map(|response: &Response| outcome(response)),
        why: "both together let 40 pass, as a service on Redis counts",
        objection: (!is_exact).then(|| format!("{one} passed the one and {other} the other")),
    };
    let [lab, _] = &labs;
    let ada = with(Request::get("/v1/contacts"), &human(ADA, "crm.read"), &lab.cast.login)?;
    let why = "people have limits of their own";
    Ok(vec![both, Step::allowed("ada, an editor", "reads at one of them", ada, why).take(lab)])
}
