//! A policy is replaced while Envoy runs: by a good one, then by a broken one.

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{Row, Step, with};
use crate::cast::{ADA, SUPPORT_BOT, acting};
use crate::client::Request;
use crate::{Lab, Published};

pub(super) fn rows(lab: &Lab) -> anyhow::Result<Vec<Row>> {
    let write = Request::new("PUT", "/v1/contacts/42");
    let write = with(write, &acting(SUPPORT_BOT, ADA, "crm.write"), &lab.cast.login)?;
    let denied = |does, why| {
        Step::denied("support-bot for ada", does, write.clone(), (403, "agent_forbidden"), why)
    };

    let mut stricter = lab.policy().clone();
    set(&mut stricter, "/agents/support-bot/never", json!(["contacts:write", "deals:write"]))?;
    set(&mut stricter, "/revision", json!("crm-2"))?;
    let published = lab.publish(&stricter)?;
    let changed = denied(
        "changes a contact after a new policy",
        "the new policy forbids it; Envoy was not restarted",
    );
    let changed = expect(published, Published::Accepted, changed.take(lab));

    // What is forbidden is granted once, by somebody who says why.
    let grant = json!({
        "agent": SUPPORT_BOT,
        "permission": "contacts:write",
        "path": "/v1/contacts/42",
        "until": "2100-01-01",
        "uses": 1,
        "approved_by": "oncall",
        "reason": "INC-4711",
    });
    let mut granting = with_member(&stricter, "grants", json!([grant]));
    set(&mut granting, "/revision", json!("crm-2-grant"))?;
    let published = lab.publish(&granting)?;
    let granted = Step::allowed(
        "support-bot for ada",
        "changes a contact by a grant",
        write.clone(),
        "on call gave it one use, for this contact",
    );
    let granted = expect(published, Published::Accepted, granted.take(lab));
    let spent = Step::denied(
        "support-bot for ada",
        "changes it once more",
        write.clone(),
        (403, "grant_exhausted"),
        "one use is one use, whichever worker counts it",
    );
    let spent = spent.take(lab);

    // The same rule, written down and not enforced.
    let mut shadowed = stricter.clone();
    let place = shadowed.pointer_mut("/routes").and_then(Value::as_array_mut);
    let route = place.and_then(|routes| {
        routes.iter_mut().find(|route| route.pointer("/methods/0") == Some(&json!("PUT")))
    });
    let route = route.context("the policy has no `PUT`")?;
    *route = with_member(route, "mode", json!("shadow"));
    set(&mut shadowed, "/revision", json!("crm-2-shadow"))?;
    let published = lab.publish(&shadowed)?;
    let tried = Step::allowed(
        "support-bot for ada",
        "changes a contact, forbidden in shadow mode",
        write.clone(),
        "what would be is written down, and counted by route and agent",
    );
    let mut tried = expect(published, Published::Accepted, tried.take(lab));
    let counter = format!("postern.shadow.route.2.agent.{SUPPORT_BOT}.agent_forbidden");
    if lab.envoy.stat(&counter)? != Some(1) {
        tried.objection = Some(format!("`{counter}` is {:?}", lab.envoy.stat(&counter)?));
    }

    // And beside the policy that is decided by.
    let mut candidate = stricter.clone();
    set(&mut candidate, "/revision", json!("crm-2-candidate"))?;
    let policy = with_member(lab.policy(), "candidate", candidate);
    let published = lab.publish(&policy)?;
    let tried_beside = Step::allowed(
        "support-bot for ada",
        "changes a contact, which a candidate would forbid",
        write.clone(),
        "what the next policy would decide otherwise is written down, and counted",
    );
    let mut tried_beside = expect(published, Published::Accepted, tried_beside.take(lab));
    let counter = format!("postern.candidate.route.2.agent.{SUPPORT_BOT}.allow.agent_forbidden");
    if lab.envoy.stat(&counter)? != Some(1) {
        tried_beside.objection = Some(format!("`{counter}` is {:?}", lab.envoy.stat(&counter)?));
    }

    let mut broken = lab.policy().clone();
    set(&mut broken, "/agents/support-bot/ceiling", json!("emperor"))?;
    set(&mut broken, "/revision", json!("crm-3"))?;
    let published = lab.publish(&broken)?;
    let kept = Step::allowed(
        "support-bot for ada",
        "changes a contact after a broken policy",
        write,
        "Envoy refused it: the last good one stands",
    );
    let kept = expect(published, Published::Refused, kept.take(lab));
    Ok(vec![changed, granted, spent, tried, tried_beside, kept])
}

/// `object` with one member more.
pub(super) fn with_member(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    object
}

pub(super) fn set(policy: &mut Value, pointer: &str, value: Value) -> anyhow::Result<()> {
    *policy.pointer_mut(pointer).with_context(|| format!("the policy has no `{pointer}`"))? = value;
    Ok(())
}

pub(super) fn expect(published: Published, wanted: Published, mut row: Row) -> Row {
    if published != wanted {
        row.objection = Some(format!("the policy was {published:?}"));
    }
    row
}
