//! What calls cost of a day's budget, and an agent that goes round in circles.

use anyhow::Context as _;
use serde_json::{Value, json};

use super::reload::set;
use super::{Outcome, Row, Step, require, with};
use crate::backend::{COST, COSTS, FAILS};
use crate::cast::{ADA, RESEARCH_BOT, SUPPORT_BOT, acting};
use crate::client::{Request, Response};
use crate::{Lab, Published};

const WHO: &str = "support-bot for ada";

pub(super) fn rows(lab: &Lab) -> anyhow::Result<Vec<Row>> {
    let mut policy = lab.policy().clone();
    let routes = policy.pointer_mut("/routes").and_then(Value::as_array_mut);
    let write = routes.and_then(|routes| {
        routes.iter_mut().find(|route| route.pointer("/methods/0") == Some(&json!("PUT")))
    });
    let write = write.and_then(Value::as_object_mut).context("the policy has no `PUT`")?;
    write.insert("cost".to_owned(), json!(40));
    set(
        &mut policy,
        "/limits",
        json!({
            "cost_header": COST,
            "agents": [
                { "per": "user", "quota": "100/day", "counts": "cost", "name": "budget" },
                { "per": ["agent", "request"], "rate": "3/h", "name": "loops" },
                { "per": "agent", "rate": "2/min", "counts": "denials", "pause": "1m" },
            ],
        }),
    )?;
    set(&mut policy, "/revision", json!("crm-budgets"))?;
    let published = lab.publish(&policy)?;

    let key = &lab.cast.login;
    let token = acting(SUPPORT_BOT, ADA, "crm.read crm.write");
    let change = |id: u32| with(Request::new("PUT", &format!("/v1/contacts/{id}")), &token, key);
    let list = |page: u32| with(Request::get(&format!("/v1/contacts?page={page}")), &token, key);
    let failed = Step {
        who: WHO,
        does: "changes another, and the backend fails",
        requests: vec![change(2)?.header(FAILS, "503")],
        expected: Outcome { status: 503, code: None },
        why: "what the backend answers is the caller's to see",
        check: |_| Ok(()),
    };
    let steps = [
        Step::allowed(
            WHO,
            "changes a contact, at a cost of 40",
            change(1)?,
            "of 100 a day, 60 are left",
        )
        .checked(|response| left(response, 60)),
        failed,
        Step::allowed(
            WHO,
            "changes it again",
            change(2)?,
            "the failed call was given back: 20 are left",
        )
        .checked(|response| left(response, 20)),
        Step::denied(
            WHO,
            "changes a third",
            change(3)?,
            (429, "budget_exhausted"),
            "20 are not 40; the answer says when there is a new budget",
        ),
        Step::allowed(
            WHO,
            "reads a list that costs 15 after all",
            list(1)?.header(COSTS, "15"),
            "a call costs 1 unless the backend says otherwise",
        )
        .checked(|response| left(response, 19)),
        Step::allowed(WHO, "reads the next page", list(2)?, "20 less 15 less 1")
            .checked(|response| left(response, 4)),
        Step::allowed(WHO, "reads it again", list(2)?, "twice is no loop"),
        Step::allowed(WHO, "and again", list(2)?, "nor is three times"),
        Step::denied(WHO, "and again", list(2)?, (429, "loop_detected"), "four times is"),
        Step::allowed(WHO, "reads a third page", list(3)?, "another request is no loop")
            .checked(|response| left(response, 1)),
    ];
    let mut rows: Vec<_> = steps.iter().map(|step| step.take(lab)).collect();
    rows.extend(runaway(lab)?);
    if let Some(row) = rows.first_mut().filter(|_| published != Published::Accepted) {
        row.objection = Some(format!("the policy was {published:?}"));
    }
    Ok(rows)
}

/// An agent that tries over and over what it may not do.
fn runaway(lab: &Lab) -> anyhow::Result<Vec<Row>> {
    let key = &lab.cast.login;
    let token = acting(RESEARCH_BOT, ADA, "crm.read");
    let forbidden = with(Request::new("PUT", "/v1/contacts/1"), &token, key)?;
    let lacks = (403, "agent_ceiling");
    let stopped = (429, "too_many_denials");
    let read = with(Request::get("/v1/contacts?page=9"), &token, key)?;
    let other =
        with(Request::get("/v1/contacts?page=9"), &acting(SUPPORT_BOT, ADA, "crm.read"), key)?;
    const RESEARCH: &str = "research-bot for ada";
    let steps = [
        Step::denied(RESEARCH, "tries to write", forbidden.clone(), lacks, "it may only read"),
        Step::denied(RESEARCH, "tries again", forbidden.clone(), lacks, "as it was told"),
        Step::denied(RESEARCH, "and again", forbidden, stopped, "two denials a minute are enough"),
        Step::denied(RESEARCH, "reads contacts", read, stopped, "it is stopped for a minute"),
        Step::allowed(WHO, "reads contacts", other, "another agent is not"),
    ];
    Ok(steps.iter().map(|step| step.take(lab)).collect())
}

/// Whether so much is left of the budget.
fn left(response: &Response, units: u32) -> Result<(), String> {
    let told = response.header("ratelimit").unwrap_or_default();
    require(told.contains(&format!("\"budget\";r={units};")), &format!("RateLimit is {told}"))
}
