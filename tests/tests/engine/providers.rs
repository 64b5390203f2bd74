//! Tokens in the shapes that identity providers give them, under the preset for each.

mod auth0;
mod cognito;
mod entra;
mod google;
mod keycloak;
mod okta;
mod overrides;
mod rfc9068;
mod spiffe;

use postern_cli::mint::sign;
use postern_tests::engine::{Gate, NOW, get, issuer, key, policy};
use serde_json::{Value, json};

/// A policy that trusts one issuer, with these fields besides, and knows one agent by its client.
fn trusting(identifier: &str, fields: &Value, agent: &str) -> Value {
    let mut policy = policy();
    let mut issuer = issuer(identifier);
    for (name, value) in fields.as_object().unwrap() {
        issuer[name] = value.clone();
    }
    policy["issuers"] = json!([issuer]);
    policy["agents"]["support-bot"]["client"] = json!(agent);
    policy
}

/// A token of these claims, good for five minutes, whose header has this type.
fn token(typ: Option<&str>, claims: &Value) -> String {
    let mut header = json!({ "alg": "EdDSA", "kid": key().kid() });
    if let Some(typ) = typ {
        header["typ"] = json!(typ);
    }
    let mut all = json!({ "iat": NOW, "exp": NOW + 300 });
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    sign(key(), &header.to_string(), &all.to_string()).unwrap()
}

/// What becomes of a reader's request: who the caller is taken for, or why it is refused.
fn ask(policy: &Value, token: &str) -> String {
    let outcome = Gate::new(policy).ask(&get("/v1/contacts").bearer(token));
    let record = &outcome.record;
    let text = |name: &str| record[name].as_str().unwrap_or("-").to_owned();
    match outcome.code().as_str() {
        "allow" => {}
        code => return format!("{code}: {}", text("reason")),
    }
    let who = match (record["kind"].as_str(), record["delegated"].as_bool()) {
        (Some("agent"), Some(true)) => format!("{} for {}", text("agent"), text("subject")),
        (Some("agent"), _) => format!("{} for itself", text("agent")),
        (kind, _) => format!("{} {}", kind.unwrap_or("-"), text("subject")),
    };
    format!("{who}, {}", text("organization"))
}

/// The claims with others besides, or in their place.
fn with(mut claims: Value, more: Value) -> Value {
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    claims
}

fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().unwrap().remove(name).unwrap();
    claims
}

const UNCLEAR: &str =
    "invalid_token: the token is neither clearly a machine's nor clearly a person's";
const NO_CLIENT: &str = "invalid_token: no claim names the client";
const ID_TOKEN: &str = "invalid_token: the claims are an ID token's";
const NOT_AS_REQUIRED: &str = "invalid_token: a claim is not what the issuer's tokens must have";
