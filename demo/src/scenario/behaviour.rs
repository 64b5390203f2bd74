//! An agent that behaves oddly has to prove that its user is there, and is slowed down.

use anyhow::Context as _;
use serde_json::json;

use super::reload::{set, with_member};
use super::{Outcome, Row, Step, with};
use crate::backend::FAILS;
use crate::cast::{ADA, RESEARCH_BOT, SUPPORT_BOT, acting, human};
use crate::client::Request;
use crate::{Lab, Published};

const WHO: &str = "support-bot for ada";

/// Calls that fail, enough of them for any number of workers to see it.
const FAILED: usize = 60;

pub(super) fn rows(lab: &Lab) -> anyhow::Result<Vec<Row>> {
    let mut policy = with_member(lab.policy(), "behaviour", json!({}));
    let odd = json!(["caller.kind == 'agent'", "behaviour.score >= 0.5"]);
    policy = with_member(
        &policy,
        "step_up",
        json!({ "contacts:write": { "acr": ["mfa"], "when": odd } }),
    );
    set(
        &mut policy,
        "/limits",
        json!({ "agents": [
            { "per": "client", "rate": "6000/min" },
            {
                "per": "agent", "rate": "2/h", "name": "odd", "when": odd,
                "permissions": ["contacts:read", "contacts:write"],
            },
        ] }),
    )?;
    set(&mut policy, "/revision", json!("crm-behaviour"))?;
    let published = lab.publish(&policy)?;

    let key = &lab.cast.login;
    let token = acting(SUPPORT_BOT, ADA, "crm.read crm.write");
    let write = |token| with(Request::new("PUT", "/v1/contacts/1"), token, key);
    let read = |token| with(Request::get("/v1/contacts"), token, key);
    let lost = with(Request::get("/v1/deals"), &token, key)?.header(FAILS, "404");
    let strong = acting(SUPPORT_BOT, ADA, "crm.read crm.write").claim("acr", "mfa");
    let stepped = [
        Step::allowed(WHO, "changes a contact", write(&token)?, "it behaves as agents do"),
        Step {
            who: WHO,
            does: "asks 60 times for what is not there",
            requests: vec![lost; FAILED],
            expected: Outcome { status: 404, code: None },
            why: "the backend says so, and Postern takes note",
            check: |_| Ok(()),
        },
        Step::denied(
            WHO,
            "changes a contact",
            write(&token)?,
            (401, "insufficient_user_authentication"),
            "most of its calls failed: a score of more than 0.5, and its user must log in",
        ),
        Step::allowed(WHO, "changes it, ada having logged in", write(&strong)?, "she is there"),
        Step::allowed(WHO, "reads contacts", read(&token)?, "nobody has to log in for that"),
        Step::denied(
            WHO,
            "reads contacts again",
            read(&token)?,
            (429, "rate_limited"),
            "but who behaves oddly has two calls an hour here",
        ),
        Step::allowed(
            "research-bot for ada",
            "reads contacts",
            read(&acting(RESEARCH_BOT, ADA, "crm.read"))?,
            "another agent has a past of its own",
        ),
        Step::allowed("ada", "changes a contact", write(&human(ADA, "crm.write"))?, "so has she"),
    ];
    let mut rows: Vec<_> = stepped.iter().map(|step| step.take(lab)).collect();
    let first = rows.first_mut().context("there are rows")?;
    if published != Published::Accepted {
        first.objection = Some(format!("the policy was {published:?}"));
    }
    Ok(rows)
}
