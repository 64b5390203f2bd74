//! Keys that the issuer replaces and agents that are stopped while Envoy runs, by what it fetches: with
//! an Envoy of its own, for the servers to fetch from stand in its configuration.

use std::time::Duration;

use postern_cli::mint::{Algorithm, PrivateKey, key_set};
use serde_json::{Value, json};

use super::reload::set;
use super::{Outcome, Row, Step, outcome, with};
use crate::cast::{ADA, RESEARCH_BOT, acting, human};
use crate::client::Request;
use crate::clock::wait_for;
use crate::key_server::{KeyServer, Mood};
use crate::{Lab, Settings};

/// How long it may take until every worker knows better.
const SOON: Duration = Duration::from_secs(20);

/// Requests after which each worker has had some.
const CALLS: u32 = 16;

pub(super) fn rows() -> anyhow::Result<Vec<Row>> {
    let key = |kid| PrivateKey::generate(Algorithm::Es256).map(|key| key.with_kid(kid));
    let (old, new) = (key("monday")?, key("tuesday")?);
    let says = |document: &Value| Mood::Says(200, document.to_string());
    let keys = KeyServer::start(says(&key_set([&old])))?;
    let list = KeyServer::start(says(&json!({})))?;

    let mut settings = Settings::from_env()?;
    let jwks = json!({ "url": keys.url(), "cluster": "login", "refresh": "5s" });
    set(&mut settings.policy, "/issuers/0/jwks", jwks)?;
    let feed = json!({ "url": list.url(), "cluster": "admin", "refresh": "5s" });
    if let Some(policy) = settings.policy.as_object_mut() {
        policy.insert("revocations".to_owned(), json!({ "feed": feed }));
    }
    let lab = Lab::start(settings)?;
    let read = || Request::get("/v1/contacts");
    let by = |key| with(read(), &human(ADA, "crm.read"), key);
    let bot = with(read(), &acting(RESEARCH_BOT, ADA, "crm.read"), &old)?;

    let mut rows = vec![
        Step::allowed(
            "ada, an editor",
            "reads contacts",
            by(&old)?,
            "her issuer's key was fetched",
        )
        .take(&lab),
        Step::allowed(
            "research-bot for ada",
            "reads contacts",
            bot.clone(),
            "it is not stopped yet",
        )
        .take(&lab),
    ];
    list.set(says(&json!({ "agents": [RESEARCH_BOT] })));
    rows.push(settled(
        &lab,
        &bot,
        Row {
            who: "research-bot for ada",
            does: "goes on with the same token",
            expected: Outcome { status: 403, code: Some("agent_blocked".to_owned()) },
            got: None,
            why: "it is in the list that is fetched: each worker stops it",
            objection: None,
        },
    ));
    keys.set(says(&key_set([&old, &new])));
    let step = "reads with a token of a new key";
    let why = "an unknown key has the keys fetched, and she waits for them";
    rows.push(Step::allowed("ada, an editor", step, by(&new)?, why).take(&lab));
    keys.set(says(&key_set([&new])));
    rows.push(settled(
        &lab,
        &by(&old)?,
        Row {
            who: "ada, an editor",
            does: "comes with a token of the old key again",
            expected: Outcome { status: 401, code: Some("unknown_key".to_owned()) },
            got: None,
            why: "her issuer took it back",
            objection: None,
        },
    ));
    Ok(rows)
}

/// The row, when all workers have come to say what it expects; or what they say instead.
fn settled(lab: &Lab, request: &Request, row: Row) -> Row {
    let all_do = || {
        for _ in 0..CALLS {
            if outcome(&lab.send(request)?) != row.expected {
                return Ok(None);
            }
        }
        Ok(Some(()))
    };
    let waited = wait_for("every worker to know", SOON, all_do);
    let got = lab.send(request).map(|response| outcome(&response));
    Row { got: got.ok(), objection: waited.err().map(|error| format!("{error:#}")), ..row }
}
