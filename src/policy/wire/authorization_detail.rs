//! What the details in a token are worth, as it is written.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What `authorization_details` of one type are worth (RFC 9396).
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a type of authorization details")]
pub struct AuthorizationDetail {
    /// The permissions that each of its `actions` grants; an action not listed grants nothing.
    pub actions: BTreeMap<String, Vec<String>>,
    /// The paths it is for, as in a route, in which `{identifier}` stands for its `identifier`. Left
    /// out: all, for details without an `identifier`.
    pub path: Option<String>,
    /// Members that take nothing away from it. Details with a member that is not known are worth
    /// nothing.
    #[serde(default)]
    pub ignore: Vec<String>,
}
