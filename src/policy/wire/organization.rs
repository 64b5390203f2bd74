//! What organizations have decided for themselves, as it is written.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What an organization's administrators have decided for its own. It only ever takes away: nobody
/// may more than without it.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "what an organization decided")]
pub struct Organization {
    /// OAuth clients, and agents, that nobody of it may call with.
    pub blocked_clients: Vec<String>,
    /// Scopes that are worth nothing.
    pub blocked_scopes: Vec<String>,
    /// The role beyond which no agent reaches that acts for it.
    pub agent_ceiling: Option<String>,
    /// Whether only registered agents may act for it.
    pub registered_agents_only: bool,
    /// Scopes that are worth something in an agent's hands only if the user it acts for has a role:
    /// the scope, and the role.
    pub delegable_by: BTreeMap<String, String>,
    /// Where the days of its quotas begin: `+01:00`, or `-05:00`; in UTC when left out.
    pub time_zone: Option<String>,
}
