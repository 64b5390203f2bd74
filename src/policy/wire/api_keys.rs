//! API keys, as they are written.

use serde::Deserialize;

use crate::policy::duration::Seconds;
use crate::policy::moment::Moment;

/// The API keys of organizations.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "API keys")]
pub struct ApiKeys {
    /// The header that brings a key, in lower case.
    #[serde(default = "header")]
    pub header: String,
    /// What keys begin with, and leaked ones are found by.
    pub prefix: String,
    /// How old a key may get before it is to be replaced; `90d` when left out.
    pub rotate_after: Option<Seconds>,
    /// For how long after that it still works, with a warning in the record; `14d` when left out.
    pub grace: Option<Seconds>,
    /// The keys.
    pub keys: Vec<ApiKey>,
}

/// An API key.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "an API key")]
pub struct ApiKey {
    /// Its name. While it is being rotated two entries have it: the old one and the new one.
    pub id: String,
    /// `sha256:` and the hash of the key in base64url.
    pub hash: String,
    /// The organization whose it is.
    pub organization: String,
    /// The scopes that it has.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created: Moment,
    /// When it ends, if that is before its rotation is overdue.
    pub expires: Option<Moment>,
}

fn header() -> String {
    "x-api-key".to_owned()
}
