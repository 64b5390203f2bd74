//! The engine without a proxy, to compare the compiled filter with.

use std::cell::RefCell;
use std::collections::BTreeMap;

use postern::decision::{Answer, Engine, Request as Asked};
use postern::host::{Expected, Host, HostError, Stored, Swap, Timestamp};
use serde_json::Value;

use crate::wasm_host::{Exchange, Outcome, Profile, Request, START};

/// What was decided: for a denial its status, its code, and what the caller is told of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verdict {
    /// 200 where the request is forwarded.
    pub status: u16,
    /// `allow` where the request is forwarded.
    pub code: String,
    /// What exactly is wrong.
    pub detail: String,
}

impl Verdict {
    fn allow() -> Self {
        Self { status: 200, code: "allow".into(), detail: String::new() }
    }

    fn of_reply(status: u16, body: &str) -> Self {
        let body: Value = serde_json::from_str(body).expect("a problem document");
        let member = |name| body[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(body["status"], status, "{body}");
        Self { status, code: member("code"), detail: member("detail") }
    }
}

impl From<&Exchange> for Verdict {
    fn from(exchange: &Exchange) -> Self {
        match &exchange.outcome {
            Outcome::Upstream { .. } => Self::allow(),
            Outcome::Reply { status, body, .. } => Self::of_reply(*status, body),
            Outcome::ProxyError { .. } | Outcome::Held => panic!("no verdict: {exchange:?}"),
        }
    }
}

/// An engine, a clock that stands still, and a store.
pub struct Native {
    engine: Engine,
    store: Memory,
}

impl Native {
    /// An engine that decides by `policy`.
    pub fn new(policy: &str) -> Self {
        let policy = postern::policy::load(policy.as_bytes()).expect("a policy");
        Self { engine: Engine::new(policy, [7; 16]), store: Memory::default() }
    }

    /// What the engine decides about `request`.
    pub fn decide(&self, request: &Request) -> Verdict {
        let fields = request.fields(Profile::Envoy);
        let headers: Vec<(&[u8], &[u8])> =
            fields.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        let asked = Asked {
            method: request.method(),
            path: request.path(),
            headers: &headers,
            strips_headers: true,
        };
        match self.engine.decide(&asked, &self.store, &mut ()).answer {
            Answer::Forward(_) => Verdict::allow(),
            Answer::Reply(reply) => Verdict::of_reply(reply.status, &reply.body),
        }
    }
}

#[derive(Default)]
struct Memory(RefCell<BTreeMap<Vec<u8>, Stored>>);

impl Host for Memory {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(START)
    }

    fn load(&self, key: &[u8]) -> Result<Option<Stored>, HostError> {
        Ok(self.0.borrow().get(key).cloned())
    }

    fn swap(&self, key: &[u8], value: &[u8], expected: Expected) -> Result<Swap, HostError> {
        let mut entries = self.0.borrow_mut();
        let version = entries.get(key).map(|stored| stored.version);
        if expected != version.map_or(Expected::Absent, Expected::Version) {
            return Ok(Swap::Conflict);
        }
        let version = version.unwrap_or_default() + 1;
        entries.insert(key.to_vec(), Stored { value: value.to_vec(), version });
        Ok(Swap::Done)
    }
}
