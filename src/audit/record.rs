//! The line that each decision leaves behind: one JSON object.

use std::fmt::Write;

use serde::Serialize;

use super::time;
use crate::host::Timestamp;
use crate::policy::{AuditLog, Policy};
use crate::principal::Principal;

/// The longest path that is written down, in bytes; the query never is.
const MAX_PATH: usize = 512;

/// The longest request identifier that is written down, in bytes.
const MAX_REQUEST_ID: usize = 128;

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
        member(&mut members, "kind", principal.kind.name());
        optional(&mut members, "agent", agent.map(|agent| agent.name.as_str()));
        optional(&mut members, "registered", agent.map(|agent| agent.registered.is_some()));
        optional(&mut members, "owner", registered.and_then(|agent| agent.owner.as_deref()));
        member(&mut members, "subject", &principal.subject);
        optional(&mut members, "organization", principal.organization.as_deref());
        member(&mut members, "client", &principal.client);
        member(&mut members, "issuer", policy.trusted.identifier(principal.issuer));
        optional(&mut members, "token_id", principal.token_id.as_deref());
        if principal.delegated {
            member(&mut members, "delegated", &true);
        }
        if !principal.actors.is_empty() {
            member(&mut members, "actors", &principal.actors);
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
        let mut line = String::with_capacity(640);
        line.push_str("{\"time\":\"");
        time::write(&mut line, self.time);
        line.push('"');
        member(&mut line, "decision", self.decision);
        if let Some((code, status, reason)) = self.denial {
            member(&mut line, "code", code);
            member(&mut line, "status", &status);
            member(&mut line, "reason", reason);
        }
        member(&mut line, "id", self.id);
        optional(&mut line, "request_id", self.request_id.map(|id| text(id, MAX_REQUEST_ID)));
        member(&mut line, "policy", self.policy);
        member(&mut line, "method", &text(self.method, 32));
        member(&mut line, "path", &text(path, MAX_PATH));
        optional(&mut line, "route", self.route);
        optional(&mut line, "permission", self.permission);
        match self.caller {
            Some(caller) => line.push_str(&caller.members),
            None => member(&mut line, "kind", "anonymous"),
        }
        line.push('}');
        line
    }
}

/// At most `limit` bytes of what the caller sent, as text.
fn text(bytes: &[u8], limit: usize) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes.get(..limit).unwrap_or(bytes))
}

fn optional<T: Serialize>(line: &mut String, name: &str, value: Option<T>) {
    if let Some(value) = value {
        member(line, name, &value);
    }
}

fn member<T: Serialize + ?Sized>(line: &mut String, name: &str, value: &T) {
    line.push_str(",\"");
    line.push_str(name);
    line.push_str("\":");
    // What is recorded are strings, lists of them, numbers and booleans: none fails to serialize.
    match serde_json::to_string(value) {
        Ok(json) => push_visible(line, &json),
        Err(_) => line.push_str("null"),
    }
}

/// Adds JSON, everything in it escaped that is not visible ASCII or a space: what reads the log
/// may end a line at U+0085 or U+2028, and a terminal may obey U+009B.
fn push_visible(line: &mut String, json: &str) {
    if json.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return line.push_str(json);
    }
    for char in json.chars() {
        if matches!(char, ' '..='~') {
            line.push(char);
            continue;
        }
        for unit in char.encode_utf16(&mut [0; 2]) {
            // Writing to a `String` cannot fail.
            let _ = write!(line, "\\u{unit:04x}");
        }
    }
}
