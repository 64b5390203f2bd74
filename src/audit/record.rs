//! The line that each decision leaves behind: one JSON object.

use serde_json::{Map, Value};

use super::{json, time};
use crate::api_key::ApiKey;
use crate::authorize::basis::Basis;
use crate::behaviour::{Part, Scores};
use crate::binding::Binding;
use crate::decision::Opinion;
use crate::denial::Refusal;
use crate::host::Timestamp;
use crate::policy::{AuditLog, Kind, Policy};
use crate::principal::Principal;
use crate::principal::attributes::Values;
use crate::revocation::Revocation;

/// The longest path that is written down, in bytes; the query never is.
const MAX_PATH: usize = 512;

/// The longest method that is written down, in bytes.
const MAX_METHOD: usize = 32;

/// The longest request identifier that is written down, in bytes.
const MAX_REQUEST_ID: usize = 128;

/// Room for a line as they usually are, in bytes.
const LINE_BYTES: usize = 1024;

/// What was decided, and where to write it down.
#[derive(Debug)]
pub struct Record {
    /// One JSON object, without a line end.
    pub line: String,
    /// Where it goes.
    pub log: AuditLog,
}

/// Members that are the same in many records, so written once.
#[derive(Clone, Debug, Default)]
pub struct Members(String);

impl Members {
    /// What is recorded of the policy of this edition.
    pub fn of_policy(version: &str) -> Self {
        let mut members = String::new();
        json::text(&mut members, "policy", version);
        Self(members)
    }

    /// What is recorded of an operation: the route as the policy writes it, and the permission it
    /// needs.
    pub fn of_operation(route: &str, permission: Option<&str>) -> Self {
        let mut members = String::new();
        json::text(&mut members, "route", route);
        json::optional(&mut members, "permission", permission);
        Self(members)
    }

    /// What is recorded of what a proxy before us says of an agent, of how it behaves, of what it may do
    /// this by where that is no scope, of why it would have been denied were that enforced, and of what
    /// the candidate would have decided.
    pub fn of_request(
        policy: &Policy,
        (values, behaviour): (&Values, Option<Scores>),
        (basis, consent): (&Basis, Option<&str>),
        (cost, running_out): (Option<u32>, Option<&str>),
        (shadow, opinion): (Option<Refusal>, Option<&Opinion<'_>>),
    ) -> Self {
        let mut members = String::new();
        if let Some(values) = said(policy, values) {
            json::value(&mut members, "request_attributes", &values);
        }
        if let Some(scores) = behaviour {
            behaves(&mut members, &scores);
        }
        json::optional(&mut members, "authorization_details", basis.details());
        if let Some(used) = basis.grant() {
            json::text(&mut members, "grant", &used.to_string());
            json::text(&mut members, "approved_by", &used.approved_by);
            json::text(&mut members, "grant_reason", &used.reason);
            if let Some(left) = used.left {
                json::plain(&mut members, "uses_left", left);
            }
        }
        json::optional(&mut members, "consent", consent);
        if let Some(cost) = cost {
            json::plain(&mut members, "cost", cost);
        }
        json::optional(&mut members, "running_out", running_out);
        if let Some(refusal) = shadow {
            json::text(&mut members, "shadow", refusal.denial.code());
            json::plain(&mut members, "shadow_status", refusal.denial.status());
            json::text(&mut members, "shadow_reason", refusal.reason);
        }
        if let Some(opinion) = opinion {
            json::text(&mut members, "candidate", opinion.code());
            json::optional(&mut members, "candidate_reason", opinion.refusal.map(|one| one.reason));
            json::text(&mut members, "candidate_policy", opinion.policy);
        }
        Self(members)
    }

    /// What is recorded of an API key, that it is to be replaced, and of the revocation that
    /// refuses it.
    pub fn of_key(key: &ApiKey, due: bool, revocation: Option<Revocation>) -> Self {
        let mut members = String::new();
        json::text(&mut members, "kind", Kind::Organization.name());
        json::text(&mut members, "organization", &key.organization);
        json::text(&mut members, "key", &key.id);
        if due {
            json::text(&mut members, "warning", "the API key is due to be rotated");
        }
        if let Some(revocation) = revocation {
            json::text(&mut members, "revocation", &revocation.to_string());
        }
        Self(members)
    }

    /// What is recorded of `principal`, of what its token is bound to, and of the revocation that
    /// refuses it.
    pub fn of_caller(
        policy: &Policy,
        principal: &Principal,
        attributes: &Values,
        binding: Option<Binding>,
        revocation: Option<Revocation>,
    ) -> Self {
        let agent = principal.agent.as_ref();
        let registered = principal.registered().and_then(|id| policy.agents.get(id));
        let mut members = String::new();
        json::text(&mut members, "kind", principal.kind.name());
        json::optional(&mut members, "agent", agent.map(|agent| agent.name.as_str()));
        if let Some(agent) = agent {
            json::plain(&mut members, "registered", agent.registered.is_some());
        }
        json::optional(&mut members, "owner", registered.and_then(|agent| agent.owner.as_deref()));
        if let Some(attributes) = said(policy, attributes) {
            json::value(&mut members, "attributes", &attributes);
        }
        json::text(&mut members, "subject", &principal.subject);
        json::optional(&mut members, "organization", principal.organization.as_deref());
        json::text(&mut members, "client", &principal.client);
        json::text(&mut members, "issuer", policy.trusted.identifier(principal.issuer));
        json::optional(&mut members, "token_id", principal.token_id.as_deref());
        json::optional(&mut members, "binding", binding.map(Binding::name));
        if principal.delegated {
            json::plain(&mut members, "delegated", true);
        }
        if !principal.actors.is_empty() {
            json::list(&mut members, "actors", &principal.actors);
        }
        if let Some(revocation) = revocation {
            json::text(&mut members, "revocation", &revocation.to_string());
        }
        Self(members)
    }
}

/// Adds how an agent behaves: the score, and each part of it that is there.
fn behaves(members: &mut String, scores: &Scores) {
    json::plain(members, "behaviour_score", scores.score());
    json::plain(members, "behaviour_known", scores.known);
    for (name, part) in [
        ("behaviour_rate", scores.rate),
        ("behaviour_novelty", scores.novelty),
        ("behaviour_failures", scores.failures),
        ("behaviour_sources", scores.sources),
    ] {
        if part > Part::default() {
            json::plain(members, name, part);
        }
    }
}

/// What is said of an agent, by name, where anything is.
fn said(policy: &Policy, values: &Values) -> Option<Value> {
    let said = policy.attributes.names().zip(values);
    let said = said.filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
    let said = Map::from_iter(said);
    (!said.is_empty()).then_some(Value::Object(said))
}

/// What is recorded of one decision.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// When.
    pub time: Timestamp,
    /// Its identifier.
    pub id: &'a str,
    /// The policy.
    pub policy: &'a Members,
    /// The denial's code, its status and its reason; none when the request was allowed.
    pub denial: Option<(&'static str, u16, &'a str)>,
    /// The method asked for.
    pub method: &'a [u8],
    /// The path asked for, with its query.
    pub path: &'a [u8],
    /// The operation asked for, once it is known.
    pub operation: Option<&'a Members>,
    /// The proxy's identifier of the request.
    pub request_id: Option<&'a [u8]>,
    /// The caller, once its token is verified.
    pub caller: Option<&'a Members>,
    /// What of the caller is of this request alone.
    pub said: &'a Members,
}

impl Event<'_> {
    /// The record as one JSON object.
    pub fn line(&self) -> String {
        // A fragment has no business here, and may hold a token all the same (RFC 6749 §4.2.2).
        let path = self.path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
        let mut line = String::with_capacity(LINE_BYTES);
        line.push_str("{\"time\":\"");
        time::write(&mut line, self.time);
        match self.denial {
            None => line.push_str("\",\"decision\":\"allow"),
            Some((code, status, reason)) => {
                line.push_str("\",\"decision\":\"deny\"");
                json::text(&mut line, "code", code);
                json::plain(&mut line, "status", status);
                line.push_str(",\"reason\":\"");
                json::escape(&mut line, reason);
            }
        }
        line.push_str("\",\"id\":\"");
        json::escape(&mut line, self.id);
        if let Some(id) = self.request_id {
            line.push_str("\",\"request_id\":\"");
            text(&mut line, id, MAX_REQUEST_ID);
        }
        line.push('"');
        line.push_str(&self.policy.0);
        line.push_str(",\"method\":\"");
        text(&mut line, self.method, MAX_METHOD);
        line.push_str("\",\"path\":\"");
        text(&mut line, path, MAX_PATH);
        line.push('"');
        if let Some(operation) = self.operation {
            line.push_str(&operation.0);
        }
        match self.caller {
            Some(caller) => line.push_str(&caller.0),
            None => json::text(&mut line, "kind", "anonymous"),
        }
        line.push_str(&self.said.0);
        line.push('}');
        line
    }
}

/// Adds at most `limit` bytes of what the caller sent, as text.
fn text(line: &mut String, bytes: &[u8], limit: usize) {
    let bytes = bytes.get(..limit).unwrap_or(bytes);
    match str::from_utf8(bytes) {
        Ok(text) => json::escape(line, text),
        Err(_) => json::escape(line, &String::from_utf8_lossy(bytes)),
    }
}
