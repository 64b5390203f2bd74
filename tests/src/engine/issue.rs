//! What identity providers issue.

use std::sync::LazyLock;

use postern_cli::mint::{AccessToken, Algorithm, PrivateKey};
use serde_json::{Value, json};

use super::{AUDIENCE, ISSUER, NOW};

/// The key that every issuer here signs with, unless a test gives it another.
pub fn key() -> &'static PrivateKey {
    static KEY: LazyLock<PrivateKey> =
        LazyLock::new(|| PrivateKey::generate(Algorithm::EdDsa).expect("a key"));
    &KEY
}

/// An issuer as policies write it.
pub fn issuer(identifier: &str) -> Value {
    json!({
        "issuer": identifier,
        "audiences": [AUDIENCE],
        "algorithms": ["EdDSA"],
        "jwks": { "keys": [key().public_jwk()] },
    })
}

/// A token of `subject` for `client`, good for five minutes from [`NOW`].
pub fn token(subject: &str, client: &str, scope: &str) -> AccessToken {
    let now = i64::try_from(NOW).expect("a time that fits");
    AccessToken::new(ISSUER, AUDIENCE, now).subject(subject).client(client).scope(scope)
}

/// `token` signed, ready for the wire.
pub fn compact(token: &AccessToken) -> String {
    token.sign(key()).expect("a token")
}

/// What Ada sends from her browser.
pub fn user(scope: &str) -> String {
    compact(&token("ada", "web-app", scope))
}

/// What the registered agent sends when it acts for Ada, who has `roles`.
pub fn delegate(scope: &str, roles: &[&str]) -> String {
    compact(&token("ada", "web-app", scope).roles(roles).actor("support-bot"))
}

/// What an agent sends that acts for nobody.
pub fn agent(name: &str, scope: &str) -> String {
    compact(&token(name, name, scope))
}
