//! How often and how much, as it is written.

use std::fmt;

use serde::de::value::{SeqAccessDeserializer, StrDeserializer};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Condition, Mode};
use crate::policy::duration::Seconds;

/// How often a caller may call.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "limits")]
pub struct Limits {
    /// For agents.
    pub agents: Vec<Limit>,
    /// For humans.
    pub humans: Vec<Limit>,
    /// For API keys.
    pub keys: Vec<Limit>,
    /// The service that counts those of them that are `shared`.
    pub shared: Option<SharedLimits>,
    /// The header of the backend's responses that says what a call has cost after all.
    pub cost_header: Option<String>,
    /// How many tokens that are refused in the end one address may send to one worker, before
    /// no more are tried for a while: `1000/10s` when left out.
    pub refused_tokens: Option<String>,
}

/// A service that counts limits for all replicas, by Envoy's rate limit protocol
/// (`envoy.service.ratelimit.v3`).
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a rate limit service")]
pub struct SharedLimits {
    /// Where it is: a URL without a path, such as `https://limits.internal:8081`.
    pub url: String,
    /// The cluster through which the proxy gets there; it has to speak HTTP/2.
    pub cluster: String,
    /// What the service calls these limits; `postern` when left out.
    pub domain: Option<String>,
    /// How long it has to answer, at most `10s`; `1s` when left out. No request waits for it.
    pub timeout: Option<Seconds>,
}

/// A limit: exactly one of `rate`, `quota` and `concurrent`.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a limit")]
pub struct Limit {
    /// What it is called; after `per` when left out.
    pub name: Option<String>,
    /// Whose calls, and which of them, are counted together.
    pub per: Pers,
    /// How many in how much time: `60/min`, `100/10s`, `5000/day`.
    pub rate: Option<String>,
    /// How many may come at once; as many as the rate counts when left out.
    pub burst: Option<u32>,
    /// How many in each hour, day or month of the calendar: `10000/day`.
    pub quota: Option<String>,
    /// How many may be under way at once.
    pub concurrent: Option<u32>,
    /// For how long a call is under way whose end is not heard of: `5m` when left out.
    pub max_duration: Option<Seconds>,
    /// What is counted.
    #[serde(default)]
    pub counts: Counts,
    /// How many writes each read makes up for, where writes are counted; 1 when left out.
    pub per_read: Option<u32>,
    /// For how long nobody passes once a rate is exceeded; twice as long each time after.
    pub pause: Option<Seconds>,
    /// Where the days of a quota begin: `+01:00`. As the organization has it when left out, and in UTC
    /// where it has none.
    pub time_zone: Option<String>,
    /// Only calls that need one of these permissions are counted; all when left out.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// Only calls of which all of these hold are counted, and those of which it cannot be told.
    #[serde(default)]
    pub when: Vec<Condition>,
    /// Whether it is enforced, or only written down what it would deny.
    #[serde(default)]
    pub mode: Mode,
    /// Whether it holds for all replicas together, as the service of `limits.shared` counts it.
    #[serde(default)]
    pub shared: bool,
    /// What becomes of calls while that service does not answer; `closed` when left out.
    pub on_failure: Option<OnFailure>,
    /// How many units each worker may admit before the service has granted any: a six hundredth of the
    /// limit, and at least 1, when left out.
    pub overdraft: Option<u32>,
}

/// What becomes of calls while nobody counts a limit for all replicas.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// They are denied.
    #[default]
    Closed,
    /// Each proxy counts for itself.
    Local,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Counts {
    /// Each call as one.
    #[default]
    Calls,
    /// Each call as what its route says that it costs.
    Cost,
    /// Calls that were denied for what their caller may not do: once they are too many, all its calls are.
    Denials,
    /// Calls that change something, less those that read.
    Writes,
}

/// What a call costs.
#[derive(Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(untagged))]
pub enum Cost {
    /// So much.
    Units(u32),
    /// What this expression comes to, such as `1 + request.size / 1024`.
    Expression(String),
}

impl<'de> Deserialize<'de> for Cost {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Cost;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or an expression such as `1 + request.size / 1024`")
            }

            fn visit_u64<E: Error>(self, units: u64) -> Result<Cost, E> {
                let units = u32::try_from(units);
                units.map(Cost::Units).map_err(|_| E::custom("expected less than 4294967296"))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Cost, E> {
                Ok(Cost::Expression(text.to_owned()))
            }
        }
        reader.deserialize_any(Either)
    }
}

/// Whose calls, and which of them, are counted together.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// Those of one agent, for whomever it acts.
    Agent,
    /// Those made with one OAuth client.
    Client,
    /// Those made with one API key, before and after it was rotated.
    Key,
    /// Those of one organization; of one subject where the token names no organization.
    Organization,
    /// Those that need one permission.
    Permission,
    /// Those with one method, path and query.
    Request,
    /// Those of one route.
    Route,
    /// Those of, or on behalf of, one user.
    User,
}

/// One or several of them: then those are counted together that agree in all.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(untagged))]
pub enum Pers {
    /// One.
    One(Per),
    /// Several.
    All(Vec<Per>),
}

impl Pers {
    /// As they are written.
    pub fn as_slice(&self) -> &[Per] {
        match self {
            Self::One(per) => std::slice::from_ref(per),
            Self::All(all) => all,
        }
    }
}

impl<'de> Deserialize<'de> for Pers {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Pers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("what calls are counted by, such as `agent` or `[agent, route]`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Pers, E> {
                Per::deserialize(StrDeserializer::new(text)).map(Pers::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Pers, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Pers::All)
            }
        }
        reader.deserialize_any(Either)
    }
}
