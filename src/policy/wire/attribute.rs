//! What is known of agents, as it is written.

use serde::Deserialize;

/// Something that is known of agents. What an agent's entry says of it comes before its token, and
/// that before a header.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "an attribute such as `{ type: string, claim: model }`")]
pub struct Attribute {
    /// What it is: `string`, `strings` for a list of them, `integer`, `number` or `boolean`.
    #[serde(rename = "type")]
    pub kind: AttributeType,
    /// The claim that says it: its exact name or, beginning with `/`, a JSON Pointer (RFC 6901).
    pub claim: Option<String>,
    /// The request header that says it, believed from `trusted_hops` only.
    pub header: Option<String>,
}

/// What the values of an attribute are.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AttributeType {
    /// Text.
    String,
    /// A list of texts; in a header, parted by commas.
    Strings,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
}
