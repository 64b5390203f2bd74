//! What is taken back, as it is written.

use serde::Deserialize;

use crate::policy::moment::Moment;

/// What is taken back before it ends by itself. A token is refused for its issuer, its subject,
/// its client, and for each of its actors.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "revocations")]
pub struct Revocations {
    /// Agents of the registry, by name: the switch that stops one at once.
    pub agents: Vec<String>,
    /// OAuth clients, by their client identifier.
    pub clients: Vec<Revoked>,
    /// Whatever was issued before a moment.
    pub issued_before: Vec<IssuedBefore>,
    /// Issuers of the policy: none of their tokens counts.
    pub issuers: Vec<String>,
    /// API keys, by their `id`.
    pub keys: Vec<String>,
    /// Users, or whoever else is the subject of tokens, by their `sub`.
    pub subjects: Vec<Revoked>,
    /// Single tokens, by their `jti`.
    pub tokens: Vec<Revoked>,
}

/// Something that an issuer gave a name.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a revocation such as `{ id: scraper-9000 }`")]
pub struct Revoked {
    /// What it is called: a token's `jti`, a subject's `sub`, a client's `client_id`.
    pub id: String,
    /// The issuer that calls it so; any when left out.
    pub issuer: Option<String>,
}

/// Tokens of before a moment: of everybody, of one subject, or of one client.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a moment such as `{ at: 2026-11-01T00:00:00Z }`")]
pub struct IssuedBefore {
    /// What has an earlier `iat`, or none, is refused.
    pub at: Moment,
    /// The issuer that knows the subject or the client; without either, the issuer of the tokens.
    /// Any when left out.
    pub issuer: Option<String>,
    /// The subject whose tokens they are.
    pub subject: Option<String>,
    /// The client whose tokens they are.
    pub client: Option<String>,
}
