//! What was good is taken back while Envoy runs, and each of its workers refuses it.

use std::collections::BTreeSet;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::reload::{expect, set};
use super::{Outcome, Row, Step, outcome, with};
use crate::cast::{ADA, LOGIN, RESEARCH_BOT, SUPPORT_BOT, acting, human};
use crate::client::{Request, Response};
use crate::{Lab, Published};

/// Each request has a connection of its own, which any worker may take: so many miss one of two
/// by a chance of 2⁻⁶³.
const CALLS: u32 = 64;

pub(super) fn rows(lab: &Lab) -> anyhow::Result<Vec<Row>> {
    let key = &lab.cast.login;
    let read = || Request::get("/v1/contacts");
    let stolen = with(read(), &human(ADA, "crm.read").claim("jti", "stolen"), key)?;
    let remembered = everywhere(lab, &stolen, &Outcome { status: 200, code: None });

    let mut policy = lab.policy().clone();
    set(&mut policy, "/revision", json!("crm-4"))?;
    policy.as_object_mut().context("the policy is no mapping")?.insert(
        "revocations".to_owned(),
        json!({ "tokens": [{ "issuer": LOGIN, "id": "stolen" }], "agents": [RESEARCH_BOT] }),
    );
    let published = lab.publish(&policy)?;

    let refused = Outcome { status: 401, code: Some("revoked_token".to_owned()) };
    let objection = remembered.and_then(|_| everywhere(lab, &stolen, &refused));
    let (got, objection) = match objection {
        Ok(got) => (Some(got), None),
        Err((got, objection)) => (got, Some(objection)),
    };
    let row = Row {
        who: "mallory",
        does: "uses a token of ada's that was revoked",
        expected: refused,
        got,
        why: "each worker had remembered it, and each refuses it now",
        objection,
    };
    let mut rows = vec![expect(published, Published::Accepted, row)];
    let others = [
        Step::allowed(
            "ada, an editor",
            "reads contacts with her other token",
            with(read(), &human(ADA, "crm.read"), key)?,
            "one token was revoked, not she",
        ),
        Step::denied(
            "research-bot for ada",
            "reads contacts",
            with(read(), &acting(RESEARCH_BOT, ADA, "crm.read"), key)?,
            (403, "agent_blocked"),
            "it was stopped: one line in the policy",
        ),
        Step::denied(
            "support-bot for ada",
            "reads contacts through research-bot",
            with(read(), &acting(RESEARCH_BOT, ADA, "crm.read").actor(SUPPORT_BOT), key)?,
            (403, "agent_blocked"),
            "nor does another agent with what came from it",
        ),
        Step::allowed(
            "support-bot for ada",
            "reads contacts",
            with(read(), &acting(SUPPORT_BOT, ADA, "crm.read"), key)?,
            "the other agent goes on",
        ),
    ];
    rows.extend(others.iter().map(|step| step.take(lab)));
    Ok(rows)
}

/// Sends the request until every worker has decided about it, all of them so; otherwise what came
/// of it, and what is wrong.
fn everywhere(
    lab: &Lab,
    request: &Request,
    expected: &Outcome,
) -> Result<Outcome, (Option<Outcome>, String)> {
    let mut workers = BTreeSet::new();
    for _ in 0..CALLS {
        let response = lab.send(request).map_err(|error| (None, format!("{error:#}")))?;
        let got = outcome(&response);
        if got != *expected {
            return Err((Some(got), format!("one of the workers did not say {expected}")));
        }
        workers.extend(worker(&response));
        if workers.len() == lab.envoy.workers() {
            return Ok(got);
        }
    }
    Err((Some(expected.clone()), format!("{} workers decided", workers.len())))
}

/// Which worker decided: each has a random name, with which its decisions' begin.
fn worker(response: &Response) -> Option<String> {
    let told = response.echo().and_then(|echo| {
        let ids = echo.all("x-postern-decision-id");
        ids.first().map(|id| (*id).to_owned())
    });
    let denied = || {
        let problem: Value = serde_json::from_slice(&response.body).ok()?;
        Some(problem.get("decision")?.as_str()?.to_owned())
    };
    let id = told.or_else(denied)?;
    id.split_once('-').map(|(worker, _)| worker.to_owned())
}
