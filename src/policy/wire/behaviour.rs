//! How agents are watched, as it is written.

use serde::Deserialize;

use super::Pers;
use crate::policy::duration::Seconds;

/// How the behaviour of agents is held against their past.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "how agents are watched")]
pub struct Behaviour {
    /// Whose calls are held against whose: `agent` when left out, or a list with `user`, `client` or
    /// `organization` in it.
    pub per: Option<Pers>,
    /// What is held against the past, `10s` to `1h`; `1m` when left out.
    pub interval: Option<Seconds>,
    /// How long an agent must have been seen before it is known what is usual of it; `1d` when left
    /// out.
    pub learning: Option<Seconds>,
    /// How long it is remembered what it did, at most `90d`; `7d` when left out.
    pub memory: Option<Seconds>,
}
