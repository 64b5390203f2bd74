//! The engine without a proxy, to compare the compiled filter with.

use postern::decision::{Answer, Engine, Request as Asked};
use serde_json::Value;

use crate::engine::{NOW, World};
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

/// An engine at the time at which every simulated proxy starts.
pub struct Native {
    engine: Engine,
    world: World,
}

impl Native {
    /// An engine that decides by `policy`.
    pub fn new(policy: &str) -> Self {
        let policy = postern::policy::load(policy.as_bytes()).expect("a policy");
        let world = World::default();
        world.set(START.cast_signed() - NOW.cast_signed());
        Self { engine: Engine::new(policy, [7; 16]), world }
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
        match self.engine.decide(&asked, &self.world, &mut ()).answer {
            Answer::Forward(_) => Verdict::allow(),
            Answer::Reply(reply) => Verdict::of_reply(reply.status, &reply.body),
        }
    }
}
