//! Introspection, as it is written.

use serde::Deserialize;

use crate::introspection::Secret;
use crate::policy::duration::Seconds;

/// Where an issuer is asked about its opaque tokens (RFC 7662), and as whom.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "an introspection endpoint")]
pub struct Introspection {
    /// Its introspection endpoint: an `https` URL.
    pub url: String,
    /// Through which upstream the proxy gets there: the name of a cluster in Envoy, `host:port` in
    /// nginx.
    pub cluster: String,
    /// As which client it is asked.
    pub client_id: Option<String>,
    /// What proves that (`client_secret_basic`); left out where the proxy adds the proof itself.
    pub client_secret: Option<Secret>,
    /// What its opaque tokens begin with. Where several issuers are asked, each needs one.
    pub token_prefix: Option<String>,
    /// Whether the endpoint calls nothing active but access tokens. Only then may `token_type` be
    /// missing in an answer.
    #[serde(default)]
    pub access_tokens_only: bool,
    /// For how long its answer is good, at most `1h`; `60s` when left out. Never for longer than
    /// the token.
    pub cache: Option<Seconds>,
    /// How long an answer may take, at most `30s`; `5s` when left out.
    pub timeout: Option<Seconds>,
    /// How long a request may be held until it is there, at most `10s`; `2s` when left out.
    pub hold: Option<Seconds>,
}
