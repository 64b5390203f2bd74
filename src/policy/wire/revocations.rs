//! What is taken back, as it is written.

use serde::Deserialize;

use crate::policy::duration::Seconds;
use crate::policy::moment::Moment;

/// What is taken back before it ends by itself. A token is refused for its issuer, its subject,
/// its client, and for each of its actors.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "revocations")]
pub struct Revocations {
    /// Agents of the registry, by name: the switch that stops one at once.
    pub agents: Vec<String>,
    /// Where more of them are told, while the policy is in force.
    pub feed: Option<RevocationFeed>,
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

/// Where revocations are told: a document of these very lists, fetched by the proxy.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "where revocations are told")]
pub struct RevocationFeed {
    /// Where the document is: an `https` URL.
    pub url: String,
    /// Through which upstream the proxy gets there: the name of a cluster in Envoy, `host:port` in
    /// nginx.
    pub cluster: String,
    /// The issuer of the policy that signs it, as a JWT; it need not be signed when left out.
    pub signed_by: Option<String>,
    /// How often it is fetched anew, `5s` to `24h`; `10s` when left out.
    pub refresh: Option<Seconds>,
    /// How old it may get while it cannot be fetched, at most `7d`; `5m` when left out.
    pub max_staleness: Option<Seconds>,
    /// What becomes of requests when it is older, or was never there.
    #[serde(default)]
    pub when_stale: WhenStale,
    /// How long an answer may take, at most `30s`; `5s` when left out.
    pub timeout: Option<Seconds>,
    /// How long a request may be held until it is there, at most `10s`; `2s` when left out.
    pub hold: Option<Seconds>,
}

/// What becomes of requests when nobody knows any more what is taken back.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum WhenStale {
    /// They are denied.
    #[default]
    Deny,
    /// They are decided by what was known last.
    Ignore,
}

/// Something that an issuer gave a name.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a revocation such as `{ id: scraper-9000 }`")]
pub struct Revoked {
    /// What it is called: a token's `jti`, a subject's `sub`, a client's `client_id`.
    pub id: String,
    /// The issuer that calls it so; any when left out.
    pub issuer: Option<String>,
}

/// Tokens of before a moment: of everybody, of one subject, or of one client.
#[derive(Clone, Debug, Deserialize)]
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
