//! The engine with real tokens and no proxy: a policy, a request, and what came of it.
//!
//! ```
//! use postern_tests::engine::{Gate, get, policy, user};
//!
//! let gate = Gate::new(&policy());
//! let outcome = gate.ask(&get("/v1/contacts").bearer(&user("crm.read")));
//! assert_eq!(outcome.code(), "allow");
//! ```

mod call;
mod issue;
mod outcome;
mod workers;
mod world;

pub use call::{Call, call, get};
pub use issue::{agent, compact, delegate, issuer, key, token, user};
pub use outcome::Outcome;
pub use workers::Workers;
pub use world::{Sent, World};

use postern::decision::{Attempt, Engine, Request};
use postern::policy::Policy;
use serde_json::{Value, json};

/// The issuer of the policy.
pub const ISSUER: &str = "https://login.crm.example/";

/// What the API is called.
pub const AUDIENCE: &str = "https://api.crm.example/crm";

/// What time it is unless told otherwise, in seconds.
pub const NOW: u64 = 1_800_000_000;

/// A policy to start from: a CRM with readers, editors and admins, and one agent.
pub fn policy() -> Value {
    json!({
        "version": 1,
        "revision": "edition-1",
        "issuers": [issuer(ISSUER)],
        "resource": { "identifier": AUDIENCE },
        "roles": {
            "reader": { "permissions": ["contacts:read", "deals:read"] },
            "editor": { "inherits": ["reader"], "permissions": ["contacts:write", "deals:write"] },
            "admin": { "inherits": ["editor"], "permissions": ["exports:create"] },
        },
        "scopes": {
            "crm.read": { "role": "reader" },
            "crm.write": { "role": "editor" },
            "crm.admin": { "role": "admin", "user_must_hold": "admin" },
        },
        "agents": {
            "support-bot": { "owner": "support", "ceiling": "editor", "never": ["deals:write"] },
        },
        "routes": [
            { "path": "/v1/contacts", "methods": ["GET"], "permission": "contacts:read" },
            { "path": "/v1/contacts/{id}", "methods": ["PUT"], "permission": "contacts:write" },
            { "path": "/v1/deals/{id}", "methods": ["PUT"], "permission": "deals:write" },
            { "path": "/v1/exports", "methods": ["POST"], "permission": "exports:create" },
            { "path": "/v1/legacy", "methods": ["GET"], "permission": "contacts:read",
              "keep_credential": true },
            { "path": "/healthz", "public": true },
        ],
    })
}

/// An engine and its world.
pub struct Gate {
    /// The engine.
    pub engine: Engine,
    /// Clock and store; several gates may share one.
    pub world: World,
}

impl Gate {
    /// Puts `policy` to work in a world of its own.
    pub fn new(policy: &Value) -> Self {
        Self::within(World::default(), policy)
    }

    /// Puts `policy` to work in `world`.
    pub fn within(world: World, policy: &Value) -> Self {
        Self::worker(world, policy, 7)
    }

    /// One of several workers in `world`.
    pub fn worker(world: World, policy: &Value, number: u8) -> Self {
        let (policy, _) = Policy::compile(policy).unwrap_or_else(|problems| panic!("{problems}"));
        Self { engine: Engine::new(policy, [number; 16]), world }
    }

    /// Decides `call`.
    pub fn ask(&self, call: &Call) -> Outcome {
        Self::with(call, |request| {
            Outcome::of(self.engine.decide(request, &self.world, &mut ()), call)
        })
    }

    /// Decides `call`, or says how many seconds it is worth waiting.
    ///
    /// # Errors
    ///
    /// The seconds.
    pub fn attempt(&self, call: &Call) -> Result<Outcome, u32> {
        Self::with(call, |request| match self.engine.attempt(request, &self.world) {
            Attempt::Decided(decision) => Ok(Outcome::of(decision, call)),
            Attempt::Undecided(wait) => Err(wait.seconds),
        })
    }

    fn with<T>(call: &Call, decide: impl FnOnce(&Request<'_>) -> T) -> T {
        let headers: Vec<_> =
            call.headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        decide(&Request {
            method: &call.method,
            path: &call.path,
            headers: &headers,
            strips_headers: call.strips_headers,
        })
    }
}

/// What is wrong with `policy`, each problem on a line, warnings among them; empty if nothing is.
pub fn problems(policy: &Value) -> String {
    match Policy::compile(policy) {
        Ok((_, problems)) | Err(problems) => problems.to_string(),
    }
}
