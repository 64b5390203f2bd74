//! What an agent may for a while besides, as it is written.

use serde::Deserialize;

use super::Condition;
use crate::policy::moment::Moment;

/// What an agent may besides what it has: for a while, so many times, or while something is so.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a grant")]
pub struct Grant {
    /// The agent that has it.
    pub agent: String,
    /// The permission that it gives. Exactly one of `permission` and `role`.
    pub permission: Option<String>,
    /// The role whose permissions it gives.
    pub role: Option<String>,
    /// From when on; from ever when left out.
    pub from: Option<Moment>,
    /// Until when. May be left out only where there is `when`.
    pub until: Option<Moment>,
    /// How many requests it may be used for, by all workers together; any number when left out.
    pub uses: Option<u32>,
    /// The paths it is for, as in a route; all when left out.
    pub path: Option<String>,
    /// What must be so of a request.
    #[serde(default)]
    pub when: Vec<Condition>,
    /// Whether it reaches beyond what the user may whom the agent acts for.
    #[serde(default)]
    pub beyond_user: bool,
    /// Who approved it.
    pub approved_by: String,
    /// Why: a ticket, an incident.
    pub reason: String,
}
