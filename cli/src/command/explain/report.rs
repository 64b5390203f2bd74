//! All that there is to say of one request.

use postern::decision::{self, Answer};
use postern::limit::RateLimit;
use serde::Serialize;
use serde_json::Value;

use super::finding::Step;
use super::watch::Walk;
use crate::command::time::Moment;

/// What was asked, what each step found, what was decided, and what becomes of the request.
#[derive(Serialize)]
pub(super) struct Report {
    #[serde(flatten)]
    pub(super) asked: Asked,
    pub(super) steps: Vec<Step>,
    pub(super) decision: Decision,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) forward: Option<Forward>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reply: Option<Reply>,
}

#[derive(Serialize)]
pub(super) struct Asked {
    pub(super) method: String,
    /// Without its query, where a token might be.
    pub(super) path: String,
    pub(super) at: Moment,
    pub(super) policy: String,
}

impl Asked {
    pub(super) fn new(method: &str, path: &str, at: Moment, policy: &str) -> Self {
        let path = path.split('?').next().unwrap_or_default().to_owned();
        Self { method: method.to_owned(), path, at, policy: policy.to_owned() }
    }
}

#[derive(Serialize)]
pub(super) struct Decision {
    pub(super) allowed: bool,
    pub(super) code: Option<&'static str>,
    /// The HTTP status, where Postern answers.
    pub(super) status: Option<u16>,
    pub(super) reason: Option<&'static str>,
}

/// How the request goes to the backend.
#[derive(Serialize)]
pub(super) struct Forward {
    /// The headers that the backend sees besides those that the caller sent.
    pub(super) added: Vec<Header>,
    /// The headers that the caller sent and the backend does not see.
    pub(super) removed: Vec<String>,
    /// The headers that the caller sees besides those that the backend sends.
    pub(super) response: Vec<Header>,
}

/// What Postern answers.
#[derive(Serialize)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<Header>,
    pub(super) body: Value,
}

#[derive(Serialize)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) value: String,
}

impl Header {
    fn new((name, value): (impl AsRef<str>, impl AsRef<str>)) -> Self {
        Self { name: name.as_ref().to_owned(), value: value.as_ref().to_owned() }
    }
}

impl Report {
    pub(super) fn new(
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
            allowed: walk.refusal.is_none(),
            code: walk.refusal.map(|refusal| refusal.denial.code()),
            status: reply.as_ref().map(|reply| reply.status),
            reason: walk.refusal.map(|refusal| refusal.reason),
        };
        Self { asked, steps: walk.steps, decision, forward, reply }
    }
}
