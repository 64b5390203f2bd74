//! What is taken back, as it is written.

use serde::Deserialize;

use crate::policy::moment::Moment;

/// What is taken back before it ends by itself. A name that nobody has is an error: it would
/// protect nobody. Whoever acts counts like whoever is acted for: a token is refused for its
/// subject, for its client, and for each of its actors, nested ones too.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "revocations")]
pub struct Revocations {
    /// Agents of the registry, by name: the switch that stops one at once.
    pub agents: Vec<String>,
    /// OAuth clients.
    pub clients: Vec<RevokedClient>,
    /// Whatever was issued before a moment.
    pub issued_before: Vec<IssuedBefore>,
    /// Issuers of the policy: none of their tokens counts.
    pub issuers: Vec<String>,
    /// Users, or whoever else is the subject of tokens.
    pub subjects: Vec<RevokedSubject>,
    /// Single tokens.
    pub tokens: Vec<RevokedToken>,
}

/// A client that is turned away.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a client such as `{ client: scraper-9000 }`")]
pub struct RevokedClient {
    /// Its client identifier.
    pub client: String,
    /// The issuer that knows it; any when left out.
    pub issuer: Option<String>,
}

/// Tokens of before a moment: of everybody, of one subject, or of one client.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a moment such as `{ at: 2026-11-01T00:00:00Z }`")]
pub struct IssuedBefore {
    /// Tokens with an earlier `iat`, or with none, are refused.
    pub at: Moment,
    /// The issuer whose tokens they are; any when left out.
    pub issuer: Option<String>,
    /// The subject whose tokens they are.
    pub subject: Option<String>,
    /// The client whose tokens they are.
    pub client: Option<String>,
}

/// A subject whose tokens are refused.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a subject such as `{ subject: ada }`")]
pub struct RevokedSubject {
    /// The value of `sub`.
    pub subject: String,
    /// The issuer that knows it; any when left out.
    pub issuer: Option<String>,
}

/// A token that is refused.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a token such as `{ id: JTI }`")]
pub struct RevokedToken {
    /// The value of `jti`.
    pub id: String,
    /// Its issuer; any when left out.
    pub issuer: Option<String>,
}
