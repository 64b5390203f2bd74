//! The engine without a proxy, which is to say of each token what the compiled filter says.

use postern::decision::{Answer, Engine, Request};
use postern::host::{Expected, Host, HostError, Stored, Swap, Timestamp};
use postern::policy::Policy;
use postern_demo::clock::now;
use serde_json::Value;

pub(crate) struct InProcess(Engine);

impl InProcess {
    pub(crate) fn new(policy: &Value) -> Self {
        let (policy, _) = Policy::compile(policy).unwrap();
        Self(Engine::new(policy, [7; 16]))
    }

    /// What it answers to a token, be it `allow`.
    pub(crate) fn code(&self, authorization: &str) -> String {
        // As HTTP has it: what surrounds a value is no part of it (RFC 9110 §5.5).
        let value = authorization.trim_matches([' ', '\t']).as_bytes();
        let headers = [(&b"authorization"[..], value)];
        let request = Request {
            method: b"GET",
            path: b"/v1/contacts",
            headers: &headers,
            strips_headers: true,
        };
        match self.0.decide(&request, &Clock, &mut ()).answer {
            Answer::Forward(_) => "allow".to_owned(),
            Answer::Reply(reply) => {
                let body: Value = serde_json::from_slice(reply.body.as_bytes()).unwrap();
                body["code"].as_str().unwrap().to_owned()
            }
        }
    }
}

/// A world with nothing in it but the time.
struct Clock;

impl Host for Clock {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(now().cast_unsigned())
    }

    fn load(&self, _: &[u8]) -> Result<Option<Stored>, HostError> {
        Ok(None)
    }

    fn swap(&self, _: &[u8], _: &[u8], _: Expected) -> Result<Swap, HostError> {
        Ok(Swap::Done)
    }
}
