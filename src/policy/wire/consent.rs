//! What users are asked about, as it is written.

use serde::Deserialize;

use crate::policy::duration::Seconds;

/// How users say that an agent may do something.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "how users say that an agent may")]
pub struct Consent {
    /// The issuer of the policy that signs what users say, as JWTs of the type `consent+jwt`.
    pub issuer: String,
    /// Where an agent sends its user to be asked.
    pub url: String,
    /// What such a JWT must have as its audience; the resource's identifier when left out.
    pub audience: Option<String>,
    /// The request header that it comes in; `x-agent-consent` when left out.
    pub header: Option<String>,
    /// The longest time it may be valid, at most `1h`; `5m` when left out.
    pub max_lifetime: Option<Seconds>,
}

/// How often a user is asked about a permission.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "how often the user is asked")]
pub struct ConsentTerm {
    /// For how long it counts what the user said, at most `24h`; for one request when left out.
    pub remember: Option<Seconds>,
}
