//! What came of a request.

use postern::decision::{Answer, Decision};
use postern::denial::Reply;
use postern::limit::RateLimit;
use serde_json::Value;

use super::Call;

/// What came of a request.
#[derive(Debug)]
pub struct Outcome {
    /// What the engine answered.
    pub answer: Answer,
    /// The audit record as it was written.
    pub line: String,
    /// The same, read.
    pub record: Value,
    sent: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Outcome {
    pub(super) fn of(decision: Decision, call: &Call) -> Self {
        let line = decision.record.line;
        let record = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self { answer: decision.answer, record, line, sent: call.headers.clone() }
    }

    /// `allow`, the code of the denial, or `reply` for an answer that is none.
    pub fn code(&self) -> String {
        match &self.answer {
            Answer::Forward(_) => "allow".to_owned(),
            Answer::Reply(_) => {
                let code = self.problem().get("code").and_then(Value::as_str).map(str::to_owned);
                code.unwrap_or_else(|| "reply".to_owned())
            }
        }
    }

    /// The reply, when there is one.
    pub fn reply(&self) -> &Reply {
        match &self.answer {
            Answer::Forward(forward) => panic!("forwarded: {forward:?}"),
            Answer::Reply(reply) => reply,
        }
    }

    /// The reply's body, read.
    pub fn problem(&self) -> Value {
        let body = &self.reply().body;
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
    }

    /// The values of a field of the response.
    pub fn response(&self, name: &str) -> Vec<&str> {
        let fields: Vec<_> = match &self.answer {
            Answer::Forward(forward) => {
                let nonce = forward.dpop_nonce.iter().map(|nonce| ("dpop-nonce", nonce.as_str()));
                forward.rate_limit.iter().flat_map(RateLimit::fields).chain(nonce).collect()
            }
            Answer::Reply(reply) => {
                reply.headers.iter().map(|(field, value)| (*field, value.as_str())).collect()
            }
        };
        fields.into_iter().filter(|(field, _)| *field == name).map(|(_, value)| value).collect()
    }

    /// The headers that reach the backend.
    pub fn forwarded(&self) -> Vec<(String, String)> {
        let Answer::Forward(forward) = &self.answer else { panic!("denied: {}", self.line) };
        assert!(forward.drop.is_sorted_by(|one, next| one < next), "{:?}", forward.drop);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let kept = self.sent.iter().enumerate().filter(|(place, _)| !forward.drop.contains(place));
        let kept = kept.map(|(_, (name, value))| (text(name), text(value)));
        let added = forward.added().map(|(name, value)| (name.to_string(), value.to_string()));
        kept.chain(added).collect()
    }

    /// The one value of a header that the backend sees; none if there is no such header.
    pub fn told(&self, name: &str) -> Option<String> {
        let mut all = self.forwarded().into_iter().filter(|(sent, _)| sent == name);
        let value = all.next().map(|(_, value)| value);
        assert!(all.next().is_none(), "`{name}` is there twice");
        value
    }
}
