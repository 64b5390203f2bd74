//! Programs of an organization that come with an API key.

use postern_cli::mint::ApiKey;

use super::{Outcome, Row, Step, not_from_backend, outcome, require, with};
use crate::Lab;
use crate::cast::{ADA, KEY_PREFIX, SUPPORT_BOT, acting, human};
use crate::client::{Request, Response};

/// More than the limit of keys admits at once.
const CALLS: u32 = 60;

const WHO: &str = "acme, by an API key";

fn keyed(request: Request, key: &ApiKey) -> Request {
    request.header("X-API-Key", key.secret())
}

pub(super) fn steps(lab: &Lab) -> anyhow::Result<Vec<Step>> {
    let read = || Request::get("/v1/contacts");
    let good = &lab.cast.api_key;
    let token = human(ADA, "crm.read");
    Ok(vec![
        Step::allowed(
            WHO,
            "reads contacts",
            keyed(read(), good),
            "the policy lists its hash; the backend does not see it",
        )
        .checked(backend_sees_an_organization),
        Step::denied(
            WHO,
            "changes a contact",
            keyed(Request::new("PUT", "/v1/contacts/42"), good),
            (403, "insufficient_scope"),
            "the key has the scope to read only",
        ),
        Step::denied(
            "mallory",
            "comes with a key of her own making",
            keyed(read(), &ApiKey::generate(KEY_PREFIX)?),
            (401, "invalid_token"),
            "the policy lists no such key",
        )
        .checked(repeats_no_key),
        Step::denied(
            WHO,
            "comes with an old key",
            keyed(read(), &lab.cast.expired_key),
            (401, "expired_token"),
            "it ended yesterday",
        ),
        Step::denied(
            "mallory",
            "sends a key and a token",
            with(keyed(read(), good), &token, &lab.cast.login)?,
            (400, "invalid_request"),
            "which of the two would the backend read?",
        ),
        Step::denied(
            "mallory",
            "sends a key as a token",
            read().bearer(good.secret()),
            (401, "invalid_token"),
            "a key counts in its own header only",
        ),
    ])
}

/// A key that is used too often, and who is not hurt by it.
pub(super) fn burst(lab: &Lab) -> anyhow::Result<Vec<Row>> {
    let read = || Request::get("/v1/contacts");
    let request = keyed(read(), &lab.cast.api_key);
    let mut last = lab.send(&request)?;
    for _ in 0..CALLS {
        if last.status != 200 {
            break;
        }
        last = lab.send(&request)?;
    }
    let mut rows = vec![Row {
        who: WHO,
        does: "reads contacts as fast as it can",
        expected: Outcome { status: 429, code: Some("rate_limited".to_owned()) },
        got: Some(outcome(&last)),
        why: "keys have limits of their own",
        objection: not_from_backend(&last).err(),
    }];
    let others = [
        Step::allowed(
            "ada, an editor",
            "reads contacts meanwhile",
            with(read(), &human(ADA, "crm.read"), &lab.cast.login)?,
            "she is of acme too, and shares no bucket with its keys",
        ),
        Step::allowed(
            "support-bot for ada",
            "reads contacts meanwhile",
            with(read(), &acting(SUPPORT_BOT, ADA, "crm.read"), &lab.cast.login)?,
            "nor does an agent",
        ),
    ];
    rows.extend(others.iter().map(|step| step.take(lab)));
    Ok(rows)
}

fn backend_sees_an_organization(response: &Response) -> Result<(), String> {
    let echo = response.echo().ok_or("the backend did not answer")?;
    for (name, value) in [
        ("x-postern-kind", "organization"),
        ("x-postern-organization", "acme"),
        ("x-postern-key", "acme-ci"),
    ] {
        require(echo.all(name) == [value], &format!("the backend was not told `{name}: {value}`"))?;
    }
    let has_key = |(_, value): &(String, String)| value.contains(KEY_PREFIX);
    require(!echo.headers.iter().any(has_key), "the backend saw the key")
}

fn repeats_no_key(response: &Response) -> Result<(), String> {
    not_from_backend(response)?;
    let body = String::from_utf8_lossy(&response.body);
    require(!body.contains(KEY_PREFIX), "the answer repeats the key")
}
