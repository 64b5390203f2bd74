//! An agent that calls too often, and who is not hurt by it.

use super::{Outcome, Row, Step, outcome, require, with};
use crate::Lab;
use crate::cast::{ADA, RESEARCH_BOT, SUPPORT_BOT, acting, human};
use crate::client::{Request, Response};

/// More than the policy's burst of 20 and what comes back meanwhile.
const CALLS: usize = 60;
/// How many calls must pass before the limit speaks; earlier rows may have used some.
const LEAST_PASSED: usize = 12;

pub(super) fn rows(lab: &Lab) -> anyhow::Result<Vec<Row>> {
    let key = &lab.cast.login;
    let read = || Request::get("/v1/contacts");
    let others = [
        Step::allowed(
            "ada, an editor",
            "reads contacts meanwhile",
            with(read(), &human(ADA, "crm.read"), key)?,
            "people and agents never share a bucket",
        ),
        Step::allowed(
            "support-bot for ada",
            "reads contacts meanwhile",
            with(read(), &acting(SUPPORT_BOT, ADA, "crm.read"), key)?,
            "nor do two agents",
        ),
    ];
    let mut rows = vec![burst(lab, &with(read(), &acting(RESEARCH_BOT, ADA, "crm.read"), key)?)?];
    rows.extend(others.iter().map(|step| step.take(lab)));
    Ok(rows)
}

fn burst(lab: &Lab, request: &Request) -> anyhow::Result<Row> {
    let mut passed: usize = 0;
    let mut last = lab.send(request)?;
    while last.status == 200 && passed < CALLS {
        passed = passed.saturating_add(1);
        last = lab.send(request)?;
    }
    let objection = if passed < LEAST_PASSED {
        Err(format!("only {passed} calls passed"))
    } else {
        says_when_to_come_back(&last)
    };
    Ok(Row {
        who: "research-bot for ada",
        does: "reads contacts as fast as it can",
        expected: Outcome { status: 429, code: Some("rate_limited".to_owned()) },
        got: Some(outcome(&last)),
        why: "20 at once, then one a second; the answer says when",
        objection: objection.err(),
    })
}

fn says_when_to_come_back(response: &Response) -> Result<(), String> {
    let seconds = response.header("retry-after").and_then(|value| value.parse::<u32>().ok());
    require(seconds.is_some_and(|seconds| seconds > 0), "there is no Retry-After in seconds")?;
    for name in ["ratelimit", "ratelimit-policy"] {
        require(response.header(name).is_some(), &format!("there is no `{name}`"))?;
    }
    Ok(())
}
