//! How far authority may be handed on, as it is written.

use serde::Deserialize;

/// How far authority may be handed on.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a mapping of `max_depth` and `pairs`")]
pub struct Delegation {
    /// How many actors there may be in a token (`act`), 1 to 8.
    pub max_depth: Option<u64>,
    /// Who may act with the authority of which other actor. Left out: everybody.
    pub pairs: Option<Vec<DelegationPair>>,
}

/// Two actors that may stand in a token one within the other.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a pair of agents")]
pub struct DelegationPair {
    /// The agent that acts.
    pub actor: String,
    /// The agent that it has its authority from: the `act` within its own.
    pub of: String,
}
