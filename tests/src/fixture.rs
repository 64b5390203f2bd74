//! A policy, a key and tokens for it, and requests that it allows and denies.

pub mod cast;

use std::sync::LazyLock;

use postern_cli::mint::{AccessToken, Algorithm, PrivateKey, key_set};
use prost::Message;
use prost_types::value::Kind;
use prost_types::{ListValue, Struct};
use serde_json::{Value, json};

use crate::wasm_host::{Exchange, Request, START};

/// Who issues the tokens.
pub const ISSUER: &str = "https://login.example/";
/// What they are for.
pub const AUDIENCE: &str = "https://api.example";
/// The agent that [`POLICY`] knows.
pub const AGENT: &str = "support-bot";

/// A header that only the gateway may set, and that tells the upstream of the agent.
pub const RESERVED: &str = "x-postern-agent";

/// The issuer's key.
pub static KEY: LazyLock<PrivateKey> =
    LazyLock::new(|| PrivateKey::generate(Algorithm::Es256).expect("a key"));

/// Lets [`allowed`] through, often.
pub static POLICY: LazyLock<String> = LazyLock::new(|| document().to_string());

/// As [`POLICY`], with the issuer's keys at a URL.
pub static REMOTE: LazyLock<String> = LazyLock::new(|| remote().to_string());

/// Lets [`allowed`] through three times a day, over all workers.
pub static THRICE: LazyLock<String> = LazyLock::new(|| limited("3/day").to_string());

/// Refused, for three reasons.
pub static BAD_POLICY: LazyLock<String> = LazyLock::new(|| {
    let mut policy = document();
    policy["version"] = 2.into();
    policy["routes"][0]["permission"] = "contacts:raed".into();
    policy["agents"][AGENT]["ceiling"] = "raeder".into();
    policy.to_string()
});

static TOKEN: LazyLock<String> = LazyLock::new(|| signed(&token()));

/// What [`POLICY`] is written from, to be changed.
pub fn document() -> Value {
    json!({
        "version": 1,
        "revision": "fixture-1",
        "issuers": [{
            "issuer": ISSUER,
            "audiences": [AUDIENCE],
            "algorithms": ["ES256"],
            "jwks": key_set([&*KEY]),
        }],
        "roles": { "reader": { "permissions": ["contacts:read"] } },
        "scopes": { "contacts.read": { "role": "reader" } },
        "agents": { AGENT: { "ceiling": "reader", "owner": "support" } },
        "routes": [
            { "path": "/v1/contacts", "methods": ["GET"], "permission": "contacts:read" },
            { "path": "/v1/kept", "methods": ["GET"], "permission": "contacts:read",
              "keep_credential": true },
            { "path": "/healthz", "public": true },
        ],
        "limits": { "agents": [{ "per": "agent", "rate": "1000000/min" }] },
        "audit": { "log": "access_log" },
    })
}

/// What [`REMOTE`] is written from.
pub fn remote() -> Value {
    let mut policy = document();
    policy["issuers"][0]["jwks"] =
        json!({ "url": "https://login.example/jwks.json", "cluster": "login" });
    policy
}

/// The same with another limit for agents.
pub fn limited(rate: &str) -> Value {
    let mut policy = document();
    policy["revision"] = format!("limited-{}", rate.replace('/', "-")).into();
    policy["limits"]["agents"][0]["rate"] = rate.into();
    policy
}

/// A token with which [`AGENT`] reads contacts for a user.
pub fn token() -> AccessToken {
    AccessToken::new(ISSUER, AUDIENCE, START.cast_signed())
        .subject("ada")
        .client(AGENT)
        .actor(AGENT)
        .roles(&["reader"])
        .scope("contacts.read")
}

/// The token, signed by [`KEY`].
pub fn signed(token: &AccessToken) -> String {
    token.sign(&KEY).expect("a signature")
}

/// A request that [`POLICY`] allows, always with the same token.
pub fn allowed() -> Request {
    Request::get("/v1/contacts").bearer(&TOKEN)
}

/// A request that [`POLICY`] denies: it has no token.
pub fn denied() -> Request {
    Request::get("/v1/contacts")
}

/// Fails unless this was forwarded as [`AGENT`]'s, without its credential, and recorded so.
pub fn assert_allowed(exchange: &Exchange) {
    assert_eq!(exchange.upstream(RESERVED).expect("forwarded"), [AGENT], "{exchange:?}");
    assert_eq!(exchange.upstream("authorization").expect("forwarded"), [""; 0], "{exchange:?}");
    assert!(exchange.record().is_some_and(|record| record["decision"] == "allow"));
}

/// The policy as Envoy hands it over when it is written in Envoy's own configuration: a
/// `google.protobuf.Struct`.
pub fn as_struct(policy: &Value) -> Vec<u8> {
    match struct_value(policy).kind {
        Some(Kind::StructValue(policy)) => policy.encode_to_vec(),
        _ => panic!("a policy is an object"),
    }
}

fn struct_value(value: &Value) -> prost_types::Value {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(truth) => Kind::BoolValue(*truth),
        Value::Number(number) => Kind::NumberValue(number.as_f64().expect("a finite number")),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(list) => {
            Kind::ListValue(ListValue { values: list.iter().map(struct_value).collect() })
        }
        Value::Object(members) => {
            let field = |(name, value): (&String, &Value)| (name.clone(), struct_value(value));
            Kind::StructValue(Struct { fields: members.iter().map(field).collect() })
        }
    };
    prost_types::Value { kind: Some(kind) }
}
