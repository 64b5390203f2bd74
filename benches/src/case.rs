//! What all measurements are of: a policy, and an agent that reads contacts for a user.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use postern::decision::{Answer, Engine, Request};
use postern::host::{Expected, Host, HostError, SignatureCheck, Stored, Swap, Timestamp};
use postern::policy::Policy;
use postern_cli::mint::{self, AccessToken, Algorithm, PrivateKey};
use postern_tests::wasm_host::signature_arguments;
use serde_json::{Map, Value, json};

/// The operation asked for.
pub(crate) const PATH: &str = "/v1/contacts";
/// Whom the agent acts for.
pub(crate) const USER: &str = "0d9c5b6e-6b0e-4f52-9c1e-2a54f2b3c7d1";
/// Who issues the tokens.
pub(crate) const ISSUER: &str = "https://login.crm.example/";
/// Whom the tokens are for.
pub(crate) const AUDIENCE: &str = "https://api.crm.example";

const AGENT: &str = "support-bot";

const CONDITION: &str = "agent.name in ['support-bot', 'research-bot'] && request.method == 'GET' \
    && has(user.subject) && now > timestamp('2026-01-01T00:00:00Z')";

/// How long tokens are valid: longer than all measurements take.
const LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// How much a policy has of everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Operations, besides the one asked for.
    pub(crate) routes: usize,
    /// Agents, besides the one that calls.
    pub(crate) agents: usize,
    /// Scopes, besides those of the token.
    pub(crate) scopes: usize,
}

impl Size {
    /// A few of each.
    pub(crate) const SMALL: Self = Self { routes: 10, agents: 10, scopes: 10 };
}

/// A policy, and the key of the issuer that it trusts.
pub(crate) struct Case {
    key: PrivateKey,
    /// The policy.
    pub(crate) policy: Value,
    now: i64,
}

/// What else a policy rules, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rules {
    /// One limit, so wide that a worker takes units ahead of need.
    Usual,
    /// That, and a condition on the operation asked for: on the user, the agent, the request and the time.
    Condition,
    /// No limit at all.
    Unlimited,
    /// One limit that is counted in the shared store with each request.
    Limit,
    /// Five of them, each by another level.
    FiveLimits,
    /// Five of them, all of one agent.
    FiveOfOne,
    /// One that is soon used up.
    Narrow,
}

impl Rules {
    /// What a policy with them is called in figures.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Usual => "postern",
            Self::Condition => "condition",
            Self::Unlimited => "unlimited",
            Self::Limit => "limit",
            Self::FiveLimits => "five_limits",
            Self::FiveOfOne => "five_of_one",
            Self::Narrow => "narrow",
        }
    }
}

impl Case {
    /// The policy with these rules.
    pub(crate) fn with(&self, rules: Rules) -> Value {
        let counted = |per: &str| json!({ "per": per, "rate": "1000000/s", "burst": 500 });
        match rules {
            Rules::Usual => self.policy.clone(),
            Rules::Condition => self.conditional(),
            Rules::Unlimited => self.limited(json!([])),
            Rules::Limit => self.limited(json!([counted("agent")])),
            Rules::Narrow => self.limited(json!([{ "per": "agent", "rate": "60/min" }])),
            Rules::FiveOfOne => self.limited(json!([
                counted("agent"),
                { "per": "agent", "rate": "1000000/s", "burst": 400, "name": "burst" },
                { "per": "agent", "quota": "4000000000/h", "name": "hourly" },
                { "per": "agent", "quota": "4000000000/day", "name": "daily" },
                { "per": "agent", "quota": "4000000000/month", "name": "monthly" },
            ])),
            Rules::FiveLimits => self.limited(
                ["agent", "user", "organization", "client", "route"]
                    .map(counted)
                    .into_iter()
                    .collect(),
            ),
        }
    }

    fn limited(&self, limits: Value) -> Value {
        let mut policy = self.policy.clone();
        if let Some(agents) = policy.pointer_mut("/limits/agents") {
            *agents = limits;
        }
        policy
    }

    fn conditional(&self) -> Value {
        let mut policy = self.policy.clone();
        let routes = policy.get_mut("routes").and_then(Value::as_array_mut).into_iter().flatten();
        for route in routes
            .filter(|route| route.get("path").is_some_and(|path| path == PATH))
            .filter_map(Value::as_object_mut)
        {
            route.insert("require".to_owned(), json!([CONDITION]));
        }
        policy
    }

    /// A small policy and a new key.
    ///
    /// # Errors
    ///
    /// The operating system gives no randomness.
    pub(crate) fn new(algorithm: Algorithm) -> anyhow::Result<Self> {
        let key = PrivateKey::generate(algorithm)?;
        let policy = policy(&key, Size::SMALL);
        Ok(Self { key, policy, now: now()? })
    }

    /// Makes the limit one that is counted in the shared store for each request.
    pub(crate) fn narrow(&mut self) {
        if let Some(limit) = self.policy.pointer_mut("/limits/agents/0") {
            *limit = json!({ "per": "agent", "rate": "60/min" });
        }
    }

    /// The same, and more of it.
    pub(crate) fn sized(&self, size: Size) -> Value {
        policy(&self.key, size)
    }

    /// The issuer's public keys.
    pub(crate) fn jwks(&self) -> Value {
        mint::key_set([&self.key])
    }

    /// What signs the tokens.
    pub(crate) const fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    /// What the filter asks the proxy to check of a token: the argument of `verify_signature`.
    ///
    /// # Errors
    ///
    /// It asks nothing, or denies the request all the same.
    pub(crate) fn check(&self, token: &str) -> anyhow::Result<Vec<u8>> {
        let (policy, _) =
            Policy::compile(&self.policy).map_err(|problems| anyhow::anyhow!("{problems}"))?;
        let engine = Engine::new(policy, [7; 16]);
        let host = Eavesdropper { now: self.now, arguments: RefCell::default() };
        let authorization = format!("Bearer {token}");
        let request = Request {
            method: b"GET",
            path: PATH.as_bytes(),
            headers: &[(b"authorization", authorization.as_bytes())],
            strips_headers: true,
        };
        match engine.decide(&request, &host, &mut ()).answer {
            Answer::Forward(_) => Ok(host.arguments.into_inner()),
            Answer::Reply(reply) => bail!("a request that must pass came to {}", reply.body),
        }
    }

    /// When the tokens are looked at, in seconds since the Unix epoch.
    pub(crate) const fn now(&self) -> i64 {
        self.now
    }

    /// A token that no other is like, as long as those of a usual identity provider.
    ///
    /// # Errors
    ///
    /// The key cannot sign.
    pub(crate) fn token(&self) -> anyhow::Result<String> {
        Ok(self.access_token()?.sign(&self.key)?)
    }

    /// A token of a person's.
    ///
    /// # Errors
    ///
    /// The key cannot sign.
    pub(crate) fn person_token(&self) -> anyhow::Result<String> {
        let lifetime = i64::try_from(LIFETIME.as_secs())?;
        let token = AccessToken::new(ISSUER, AUDIENCE, self.now)
            .valid(self.now, self.now.saturating_add(lifetime))
            .subject(USER)
            .client("crm-web")
            .scope("crm.read")
            .roles(&["editor"]);
        Ok(token.sign(&self.key)?)
    }

    /// Such a token, signed by somebody else's key that has the same name.
    ///
    /// # Errors
    ///
    /// The operating system gives no randomness, or the key cannot sign.
    pub(crate) fn forged_token(&self) -> anyhow::Result<String> {
        let other = PrivateKey::generate(self.key.algorithm())?.with_kid(self.key.kid());
        Ok(self.access_token()?.sign(&other)?)
    }

    /// Such a token, with the signature of another.
    ///
    /// # Errors
    ///
    /// The key cannot sign.
    pub(crate) fn misattributed_token(&self) -> anyhow::Result<String> {
        let (claimed, other) = (self.token()?, self.token()?);
        let parts = claimed.rsplit_once('.').zip(other.rsplit_once('.'));
        let ((claims, _), (_, signature)) = parts.context("a token without a signature")?;
        Ok(format!("{claims}.{signature}"))
    }

    /// Such a token, by a key of a name that the issuer has none of.
    ///
    /// # Errors
    ///
    /// The key cannot sign.
    pub(crate) fn unattributed_token(&self) -> anyhow::Result<String> {
        Ok(self.access_token()?.header("kid", "unheard-of").sign(&self.key)?)
    }

    fn access_token(&self) -> anyhow::Result<AccessToken> {
        let lifetime = i64::try_from(LIFETIME.as_secs())?;
        Ok(AccessToken::new(ISSUER, AUDIENCE, self.now)
            .valid(self.now, self.now.saturating_add(lifetime))
            .subject(USER)
            .client(AGENT)
            .actor(AGENT)
            .scope("crm.read crm.write")
            .roles(&["editor"])
            .claim("org_id", "acme")
            .claim("auth_time", self.now)
            .claim("sid", "f1c2a7d0-5d3b-4d64-8f0a-6d1d3c9f0b42"))
    }
}

/// A proxy that calls every signature good, and notes what it was asked to check.
struct Eavesdropper {
    now: i64,
    arguments: RefCell<Vec<u8>>,
}

impl Host for Eavesdropper {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.now.unsigned_abs())
    }

    fn load(&self, _: &[u8]) -> Result<Option<Stored>, HostError> {
        Ok(None)
    }

    fn swap(&self, _: &[u8], _: &[u8], _: Expected) -> Result<Swap, HostError> {
        Ok(Swap::Done)
    }

    fn verify_signature(&self, check: &SignatureCheck<'_>) -> Option<bool> {
        self.arguments.replace(signature_arguments(check));
        Some(true)
    }
}

/// A policy with one limit, for agents, that is never used up.
fn policy(key: &PrivateKey, size: Size) -> Value {
    let mut routes = vec![
        json!({ "path": PATH, "methods": ["GET"], "permission": "contacts:read" }),
        json!({ "path": "/v1/contacts/{id}", "methods": ["PUT"], "permission": "contacts:write" }),
        json!({ "path": "/healthz", "public": true }),
    ];
    routes.extend((0..size.routes).map(|number| {
        let path = format!("/v1/collection-{number}/{{id}}");
        json!({ "path": path, "methods": ["GET"], "permission": "contacts:read" })
    }));
    let mut agents =
        Map::from_iter([(AGENT.to_owned(), json!({ "ceiling": "editor", "owner": "support" }))]);
    agents.extend(
        (0..size.agents).map(|number| (format!("agent-{number}"), json!({ "ceiling": "reader" }))),
    );
    let mut scopes = Map::from_iter([
        ("crm.read".to_owned(), json!({ "role": "reader" })),
        ("crm.write".to_owned(), json!({ "role": "editor" })),
    ]);
    scopes.extend(
        (0..size.scopes).map(|number| (format!("scope-{number}"), json!({ "role": "reader" }))),
    );
    json!({
        "version": 1,
        "revision": "bench-1",
        "issuers": [{
            "issuer": ISSUER,
            "audiences": [AUDIENCE],
            "algorithms": [key.algorithm().name()],
            "jwks": mint::key_set([key]),
        }],
        "roles": {
            "reader": { "permissions": ["contacts:read"] },
            "editor": { "inherits": ["reader"], "permissions": ["contacts:write"] },
        },
        "scopes": scopes,
        "agents": agents,
        "routes": routes,
        "limits": {
            "agents": [{ "per": "agent", "rate": "1000000/s" }],
            // Of those that are made to be refused none is to be refused for its number.
            "refused_tokens": "4000000000/s",
        },
        "audit": { "log": "access_log" },
    })
}

#[expect(clippy::disallowed_methods, reason = "a real Envoy holds tokens against the real time")]
fn now() -> anyhow::Result<i64> {
    let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Ok(i64::try_from(elapsed.context("the clock stands before 1970")?.as_secs())?)
}
