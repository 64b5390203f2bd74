//! What is asked of a login, as it is written.

use serde::Deserialize;

use crate::policy::duration::Seconds;

/// How a user must have logged in: at least one of the two.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "what is asked of a login")]
pub struct StepUp {
    /// The authentication contexts of which it must have been one (`acr`).
    pub acr: Option<Vec<String>>,
    /// How long ago it may have been at the most (`auth_time`).
    pub max_age: Option<Seconds>,
}
