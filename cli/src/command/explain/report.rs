//! All that there is to say of one request.

use postern::decision::{self, Answer};
use postern::limit::RateLimit;
use serde::Serialize;
use serde_json::Value;

use super::finding::{Finding, Step};
use super::watch::Walk;
use crate::command::time::Moment;

/// What was asked, what each step found, what was decided, and what becomes of the request.
#[derive(Serialize)]
pub(in crate::command) struct Report {
    #[serde(flatten)]
    pub(in crate::command) asked: Asked,
    pub(in crate::command) steps: Vec<Step>,
    pub(in crate::command) decision: Decision,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::command) forward: Option<Forward>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::command) reply: Option<Reply>,
}

#[derive(Serialize)]
pub(in crate::command) struct Asked {
    pub(in crate::command) method: String,
    /// Without its query, where a token might be.
    pub(in crate::command) path: String,
    pub(in crate::command) at: Moment,
    pub(in crate::command) policy: String,
}

impl Asked {
    pub(in crate::command) fn new(method: &str, path: &str, at: Moment, policy: &str) -> Self {
        let path = path.split('?').next().unwrap_or_default().to_owned();
        Self { method: method.to_owned(), path, at, policy: policy.to_owned() }
    }
}

#[derive(Serialize)]
pub(in crate::command) struct Decision {
    pub(in crate::command) allowed: bool,
    /// Whether it is one that is not enforced.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::command) shadow: bool,
    pub(in crate::command) code: Option<&'static str>,
    /// The HTTP status, where Postern answers.
    pub(in crate::command) status: Option<u16>,
    pub(in crate::command) reason: Option<&'static str>,
}

/// How the request goes to the backend.
#[derive(Serialize)]
pub(in crate::command) struct Forward {
    /// The headers that the backend sees besides those that the caller sent.
    pub(in crate::command) added: Vec<Header>,
    /// The headers that the caller sent and the backend does not see.
    pub(in crate::command) removed: Vec<String>,
    /// The headers that the caller sees besides those that the backend sends.
    pub(in crate::command) response: Vec<Header>,
}

/// What Postern answers.
#[derive(Serialize)]
pub(in crate::command) struct Reply {
    pub(in crate::command) status: u16,
    pub(in crate::command) headers: Vec<Header>,
    pub(in crate::command) body: Value,
}

#[derive(Serialize)]
pub(in crate::command) struct Header {
    pub(in crate::command) name: String,
    pub(in crate::command) value: String,
}

impl Header {
    fn new((name, value): (impl AsRef<str>, impl AsRef<str>)) -> Self {
        Self { name: name.as_ref().to_owned(), value: value.as_ref().to_owned() }
    }
}

impl Report {
    pub(in crate::command) fn new(
        asked: Asked,
        walk: Walk,
        decision: decision::Decision,
        headers: &[(&[u8], &[u8])],
    ) -> Self {
        let (forward, reply) = match decision.answer {
            Answer::Forward(forward) => {
                let nonce = forward.dpop_nonce.iter();
                let nonce = nonce.map(|nonce| ("dpop-nonce", nonce.as_str()));
                let dropped = forward.drop.iter().filter_map(|place| headers.get(*place));
                let forward = Forward {
                    added: forward.added().map(Header::new).collect(),
                    removed: dropped
                        .map(|(name, _)| String::from_utf8_lossy(name).into_owned())
                        .collect(),
                    response: forward
                        .rate_limit
                        .iter()
                        .flat_map(RateLimit::fields)
                        .chain(nonce)
                        .map(Header::new)
                        .collect(),
                };
                (Some(forward), None)
            }
            Answer::Reply(reply) => {
                let body = serde_json::from_str(&reply.body).unwrap_or(Value::String(reply.body));
                let headers = reply.headers.into_iter().map(Header::new).collect();
                (None, Some(Reply { status: reply.status, headers, body }))
            }
        };
        let decision = Decision {
            allowed: forward.is_some() || walk.refusal.is_none(),
            shadow: forward.is_some() && walk.refusal.is_some(),
            code: walk.refusal.map(|refusal| refusal.denial.code()),
            status: reply.as_ref().map(|reply| reply.status),
            reason: walk.refusal.map(|refusal| refusal.reason),
        };
        Self { asked, steps: walk.steps, decision, forward, reply }
    }

    /// How many calls are left of the limit called so, if it spoke.
    pub(in crate::command) fn left(&self, name: &str) -> Option<u32> {
        let limits = self.steps.iter().filter_map(|step| match &step.finding {
            Finding::Limits(limits) => Some(&limits.limits),
            _ => None,
        });
        limits.flatten().find(|left| left.limit == name).map(|left| left.remaining)
    }
}
