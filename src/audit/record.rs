//! The line that each decision leaves behind: one JSON object.

use std::borrow::Cow;

use super::{json, time};
use crate::host::Timestamp;
use crate::policy::{AuditLog, Policy};
use crate::principal::Principal;

/// The longest path that is written down, in bytes; the query never is.
const MAX_PATH: usize = 512;

/// The longest request identifier that is written down, in bytes.
const MAX_REQUEST_ID: usize = 128;

/// Room for a line as they usually are, in bytes.
const LINE_BYTES: usize = 768;

/// What was decided, and where to write it down.
#[derive(Debug)]
pub struct Record {
    /// One JSON object, without a line end.
    pub line: String,
    /// Where it goes.
    pub log: AuditLog,
}

/// What a record says of the caller: the same for each of its requests, so rendered once.
#[derive(Debug)]
pub struct Context {
    members: String,
}

impl Context {
    /// What is recorded of `principal`.
    pub fn new(policy: &Policy, principal: &Principal) -> Self {
        let agent = principal.agent.as_ref();
        let registered = principal.registered().and_then(|id| policy.agents.get(id));
        let mut members = String::new();
        json::text(&mut members, "kind", principal.kind.name());
        json::optional(&mut members, "agent", agent.map(|agent| agent.name.as_str()));
        if let Some(agent) = agent {
            json::plain(&mut members, "registered", agent.registered.is_some());
        }
        json::optional(&mut members, "owner", registered.and_then(|agent| agent.owner.as_deref()));
        json::text(&mut members, "subject", &principal.subject);
        json::optional(&mut members, "organization", principal.organization.as_deref());
        json::text(&mut members, "client", &principal.client);
        json::text(&mut members, "issuer", policy.trusted.identifier(principal.issuer));
        json::optional(&mut members, "token_id", principal.token_id.as_deref());
        if principal.delegated {
            json::plain(&mut members, "delegated", true);
        }
        if !principal.actors.is_empty() {
            json::list(&mut members, "actors", &principal.actors);
        }
        Self { members }
    }
}

/// What is recorded of one decision.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// When.
    pub time: Timestamp,
    /// Its identifier.
    pub id: &'a str,
    /// The edition of the policy.
    pub policy: &'a str,
    /// `allow` or `deny`.
    pub decision: &'static str,
    /// The denial's code, its status and its reason.
    pub denial: Option<(&'static str, u16, &'a str)>,
    /// The method asked for.
    pub method: &'a [u8],
    /// The path asked for, with its query.
    pub path: &'a [u8],
    /// The route that matched, as the policy writes it.
    pub route: Option<&'a str>,
    /// The permission it needs.
    pub permission: Option<&'a str>,
    /// The proxy's identifier of the request.
    pub request_id: Option<&'a [u8]>,
    /// The caller, once its token is verified.
    pub caller: Option<&'a Context>,
}

impl Event<'_> {
    /// The record as one JSON object.
    pub fn line(&self) -> String {
        // A fragment has no business here, and may hold a token all the same (RFC 6749 §4.2.2).
        let path = self.path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
        let mut line = String::with_capacity(LINE_BYTES);
        line.push_str("{\"time\":\"");
        time::write(&mut line, self.time);
        line.push('"');
        json::text(&mut line, "decision", self.decision);
        if let Some((code, status, reason)) = self.denial {
            json::text(&mut line, "code", code);
            json::plain(&mut line, "status", status);
            json::text(&mut line, "reason", reason);
        }
        json::text(&mut line, "id", self.id);
        let request_id = self.request_id.map(|id| text(id, MAX_REQUEST_ID));
        json::optional(&mut line, "request_id", request_id.as_deref());
        json::text(&mut line, "policy", self.policy);
        json::text(&mut line, "method", &text(self.method, 32));
        json::text(&mut line, "path", &text(path, MAX_PATH));
        json::optional(&mut line, "route", self.route);
        json::optional(&mut line, "permission", self.permission);
        match self.caller {
            Some(caller) => line.push_str(&caller.members),
            None => json::text(&mut line, "kind", "anonymous"),
        }
        line.push('}');
        line
    }
}

/// At most `limit` bytes of what the caller sent, as text.
fn text(bytes: &[u8], limit: usize) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes.get(..limit).unwrap_or(bytes))
}
