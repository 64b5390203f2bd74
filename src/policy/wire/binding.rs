//! Proof of possession, as it is written.

use serde::Deserialize;

use crate::policy::duration::Seconds;

/// How callers prove that a bound token (`cnf`) is theirs. A token that is bound in a way that is
/// not listed here is refused.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "bindings")]
pub struct Binding {
    /// Tokens that are bound to a key (`jkt`): by a `DPoP` proof (RFC 9449).
    pub dpop: Option<Dpop>,
    /// Tokens that are bound to a client certificate (`x5t#S256`): by mutual TLS (RFC 8705).
    pub mtls: Option<Mtls>,
}

/// How a `DPoP` proof is checked.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "settings for `DPoP`")]
pub struct Dpop {
    /// Scheme, host and port under which callers know the API: what `htu` of a proof begins with.
    /// Those of `resource.identifier` when left out.
    pub origin: Option<String>,
    /// What proofs may be signed with; `EdDSA` and `ES256` when left out.
    pub algorithms: Option<Vec<String>>,
    /// How old a proof may be, at most `5m`; `60s` when left out.
    pub max_age: Option<Seconds>,
    /// Whether a proof must have a nonce of ours, so that none can be made in advance.
    pub nonce: bool,
}

/// How a client's certificate is seen.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "settings for mutual TLS")]
pub struct Mtls {
    /// Where it is seen.
    pub certificate: CertificateSource,
}

/// Where a client's certificate is seen.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CertificateSource {
    /// In the connection: TLS ends at this proxy, and it is Envoy.
    #[default]
    Connection,
    /// In the header of this name: TLS ends at a proxy before this one, and nobody else gets to
    /// send that header.
    XForwardedClientCert,
}

/// How a token has to be bound.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum RequireBinding {
    /// To a key or to a certificate.
    Any,
    /// To a key.
    Dpop,
    /// To a certificate.
    Mtls,
}
