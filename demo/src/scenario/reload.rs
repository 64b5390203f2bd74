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

    let mut broken = lab.policy().clone();
    set(&mut broken, "/agents/support-bot/ceiling", json!("emperor"))?;
    set(&mut broken, "/revision", json!("crm-3"))?;
    let published = lab.publish(&broken)?;
    let kept = denied(
        "changes a contact after a broken policy",
        "Envoy refused it: the last good one stands",
    );
    Ok(vec![changed, expect(published, Published::Refused, kept.take(lab))])
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
