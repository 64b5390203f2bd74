//! Conditions, as they are written.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A condition: an expression in a subset of CEL, or a test of one claim.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(untagged))]
pub enum Condition {
    /// An expression that says yes or no, such as `agent.confidence >= 0.8`.
    Expression(String),
    /// A test of one claim, such as `{ claim: sub_profile, equals: ai_agent }`.
    Claim(ClaimTest),
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Condition;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a condition such as `agent.confidence >= 0.8` or \
                     `{ claim: sub_profile, equals: ai_agent }`",
                )
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Condition, E> {
                Ok(Condition::Expression(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Condition, A::Error> {
                ClaimTest::deserialize(MapAccessDeserializer::new(members)).map(Condition::Claim)
            }
        }
        reader.deserialize_any(Either)
    }
}

/// A test of one claim of the verified token: exactly one of them. A claim that is not there
/// satisfies no test but `exists: false`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a test of a claim")]
pub struct ClaimTest {
    /// The claim's exact name or, beginning with `/`, a JSON Pointer (RFC 6901).
    pub claim: String,
    /// The claim is there (`true`) or is not (`false`); `null` counts as not there.
    pub exists: Option<bool>,
    /// The claim is this string, number or boolean.
    pub equals: Option<serde_json::Value>,
    /// The claim is one of these.
    #[serde(rename = "in")]
    pub one_of: Option<Vec<serde_json::Value>>,
    /// The claim is a list with this element, or a string in which this stands between spaces.
    pub contains: Option<String>,
    /// The claim is a string that begins with this.
    pub starts_with: Option<String>,
}
