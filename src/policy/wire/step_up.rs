//! What is asked of a login, as it is written.

use serde::Deserialize;

use super::Condition;
use crate::policy::duration::Seconds;

/// How a user must have logged in: at least one of `acr` and `max_age`.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "what is asked of a login")]
pub struct StepUp {
    /// The authentication contexts of which it must have been one (`acr`).
    pub acr: Option<Vec<String>>,
    /// How long ago it may have been at the most (`auth_time`).
    pub max_age: Option<Seconds>,
    /// Only where all of these hold it is asked, and where it cannot be told whether they do.
    #[serde(default)]
    pub when: Vec<Condition>,
}
