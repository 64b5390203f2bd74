//! What users said that an agent may: once, or for a while.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::binding::Unproven;
use crate::binding::replay::{self, Mark};
use crate::denial::{Denial, Refusal};
use crate::feed::{Feeds, SignedBy};
use crate::host::{Host, Timestamp};
use crate::json::Bounds;
use crate::policy::{Agent, Consent, Kind, Party, PermissionId, Policy};
use crate::principal::Principal;
use crate::route::NormalPath;

/// What `typ` says of what a user said.
const TYPE: &str = "consent+jwt";

/// The longest that it may be, in bytes, and as deep and as many as it may have.
const BOUNDS: Bounds = Bounds { bytes: MAX_BYTES, depth: 4, items: 64 };
const MAX_BYTES: usize = 8_192;

/// The longest identifier of one, in bytes.
const MAX_ID_BYTES: usize = 256;

/// How far ahead the clock of who signs it may be, in seconds.
const LEEWAY_SECS: i64 = 60;

/// What a request is for, of which its user is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// The agent, who acts.
    pub(crate) principal: &'a Principal,
    /// What it needs.
    pub(crate) permission: PermissionId,
    /// The method, as it came.
    pub(crate) method: &'a [u8],
    /// The path.
    pub(crate) path: &'a NormalPath<'a>,
    /// The headers.
    pub(crate) headers: &'a [(&'a [u8], &'a [u8])],
}

/// What a user said, and has not been used yet.
#[derive(Debug)]
pub(crate) struct Unspent {
    /// Its identifier.
    pub(crate) id: String,
    used: Mark,
    /// What is remembered, where the agent need not ask each time.
    remembered: Option<Mark>,
}

/// What stands under `agent` of the permission that it must ask for, if it must.
fn term<'p>(policy: &'p Policy, asked: &Asked<'_>) -> Option<(&'p Agent, Option<u32>)> {
    let principal = Some(asked.principal).filter(|one| one.kind == Kind::Agent)?;
    let agent = policy.agents.get(principal.registered()?)?;
    let term = agent.consent.iter().find(|(permission, _)| *permission == asked.permission);
    term.map(|(_, remember)| (agent, *remember))
}

/// Whether the agent has to ask, or to have asked.
pub(crate) fn must_ask(policy: &Policy, asked: &Asked<'_>) -> bool {
    term(policy, asked).is_some()
}

/// What the user said to this request; nothing where the agent need not ask, or has asked not long
/// ago.
///
/// # Errors
///
/// [`Denial::UserRequired`] where there is nobody to ask, [`Denial::ConsentRequired`] where nobody has
/// been asked, [`Denial::ConsentInvalid`] where that is no answer to this, and [`Denial::NotReady`]
/// where it cannot be told.
pub(crate) fn find(
    policy: &Policy,
    asked: &Asked<'_>,
    (feeds, by): (&Feeds, Option<&SignedBy>),
    host: &impl Host,
    now: Timestamp,
) -> Result<Option<Unspent>, Refusal> {
    let Some((agent, remember)) = term(policy, asked) else { return Ok(None) };
    let (Some(consent), Some(by)) = (&policy.consent, by) else {
        return Err(Denial::ConsentRequired.into());
    };
    if !asked.principal.delegated || asked.principal.party != Party::Person {
        return Err(Refusal::because(
            Denial::UserRequired,
            "there is no user whom the agent could ask",
        ));
    }
    let permission = policy.permissions.name(asked.permission);
    let remembered = |until| remembered(asked.principal, consent, agent, permission, until);
    if remember.is_some() && replay::is_marked(&remembered(0), host, now).map_err(unavailable)? {
        return Ok(None);
    }
    let is_it = |(name, _): &&(&[u8], &[u8])| name.eq_ignore_ascii_case(consent.header.as_bytes());
    let mut values = asked.headers.iter().filter(is_it);
    let Some((_, body)) = values.next() else { return Err(Denial::ConsentRequired.into()) };
    let invalid = |reason| Refusal::because(Denial::ConsentInvalid, reason);
    if values.next().is_some() || body.len() > MAX_BYTES {
        return Err(invalid("there is more than one answer of the user, or it is too long"));
    }
    let said = feeds.read_signed(by, (body, TYPE, BOUNDS), host);
    let said = said.map_err(|_| invalid("what the user said is not signed by who asks users"))?;
    let (id, until) =
        check(&said, asked, consent, (&agent.name, permission), now).map_err(invalid)?;
    let issuer = Sha256::digest(consent.issuer_name.as_bytes()).into();
    let until_remembered = remember.map(|seconds| now.as_secs().saturating_add(seconds.into()));
    Ok(Some(Unspent {
        used: Mark::new(&issuer, &id, until.saturating_add(LEEWAY_SECS)),
        remembered: until_remembered.map(remembered),
        id,
    }))
}

/// What is remembered of a user, an agent and a permission.
fn remembered(
    principal: &Principal,
    consent: &Consent,
    agent: &Agent,
    permission: &str,
    until: i64,
) -> Mark {
    let mut hash = Sha256::new();
    for part in [consent.issuer_name.as_str(), &principal.subject, &principal.client, &agent.name] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    Mark::new(&hash.finalize().into(), permission, until)
}

/// The identifier of what a user said, and when it ends, if it is an answer to this.
fn check(
    said: &Value,
    asked: &Asked<'_>,
    consent: &Consent,
    (agent, permission): (&str, &str),
    now: Timestamp,
) -> Result<(String, i64), &'static str> {
    let text = |name: &str| said.get(name).and_then(Value::as_str);
    if text("iss") != Some(&consent.issuer_name) || text("aud") != Some(&consent.audience) {
        return Err("what the user said is not for this API");
    }
    if text("sub") != Some(&asked.principal.subject) {
        return Err("another user was asked");
    }
    if text("agent") != Some(agent) {
        return Err("the user was asked about another agent");
    }
    if text("permission") != Some(permission) {
        return Err("the user was asked about another permission");
    }
    let is_method = text("htm").is_some_and(|method| method.as_bytes() == asked.method);
    if !is_method || text("path") != Some(asked.path.as_str()) {
        return Err("the user was asked about another request");
    }
    let second = |name: &str| said.get(name).and_then(Value::as_i64);
    let (Some(issued), Some(expires)) = (second("iat"), second("exp")) else {
        return Err("what the user said does not say for how long it counts");
    };
    let now = now.as_secs();
    let longest = i64::from(consent.max_lifetime);
    if expires.saturating_sub(issued) > longest || issued > now.saturating_add(LEEWAY_SECS) {
        return Err("what the user said counts for too long");
    }
    if now >= expires {
        return Err("the user was asked too long ago");
    }
    let id = text("jti").filter(|id| (1..=MAX_ID_BYTES).contains(&id.len()));
    let id = id.ok_or("what the user said has no identifier")?;
    Ok((id.to_owned(), expires))
}

impl Unspent {
    /// Uses it up, once for all workers.
    ///
    /// # Errors
    ///
    /// [`Denial::ConsentSpent`] if it was used, [`Denial::NotReady`] where that cannot be told.
    pub(crate) fn spend(&self, host: &impl Host, now: Timestamp) -> Result<(), Refusal> {
        replay::record(&self.used, host, now).map_err(|unproven| match unproven {
            Unproven::Replayed => Denial::ConsentSpent.into(),
            other => unavailable(other),
        })?;
        match &self.remembered {
            // Another worker may have been told the same.
            Some(mark) => match replay::record(mark, host, now) {
                Ok(()) | Err(Unproven::Replayed) => Ok(()),
                Err(other) => Err(unavailable(other)),
            },
            None => Ok(()),
        }
    }
}

fn unavailable(_: Unproven) -> Refusal {
    Refusal::because(Denial::NotReady, "what users said cannot be looked up now")
}
