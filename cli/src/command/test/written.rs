//! Tests of a policy as they are written.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use postern::policy::Seconds;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// A file of tests.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a file of tests")]
pub(super) struct File {
    /// The policy, seen from this file; `NAME.yaml` beside `NAME.test.yaml` when left out.
    pub(super) policy: Option<String>,
    /// When the requests come; now when left out.
    pub(super) at: Option<String>,
    /// Who calls, by names of their own.
    #[serde(default)]
    pub(super) callers: BTreeMap<String, Caller>,
    /// The tests.
    pub(super) tests: Vec<Test>,
}

/// Somebody who calls: with a token of these claims, or an API key.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a caller")]
pub(super) struct Caller {
    /// The caller of which this one is a kind.
    pub(super) like: Option<String>,
    /// The issuer of the token; the policy's first when left out.
    pub(super) issuer: Option<String>,
    /// What the token says besides `iss`, `aud`, `iat`, `exp` and `jti`.
    pub(super) claims: Map<String, Value>,
    /// Claims that were so long ago: `auth_time: 10m`.
    pub(super) ago: BTreeMap<String, Seconds>,
    /// Claims that it has not after all.
    pub(super) without: Vec<String>,
    /// The API key with this `id`, in place of a token.
    pub(super) api_key: Option<String>,
    /// The SHA-256 of the client certificate of the connection, to which the token is bound.
    pub(super) certificate: Option<String>,
}

/// A test: given a caller, when a request, then a decision.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a test")]
pub(super) struct Test {
    /// What is so, in a sentence.
    pub(super) name: String,
    /// Who calls; nobody when left out.
    pub(super) given: Option<Given>,
    /// What they ask for.
    #[serde(deserialize_with = "short")]
    pub(super) when: When,
    /// What comes of it.
    #[serde(deserialize_with = "short")]
    pub(super) then: Then,
}

/// Who calls: a caller by name, or one of its own.
#[derive(Debug)]
pub(super) struct Given(pub(super) Caller);

/// A request: `GET /v1/contacts`, or that and more.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a request")]
pub(super) struct When {
    /// The method and the path.
    pub(super) request: String,
    /// The headers besides the credential.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    /// When it comes; as the file says when left out.
    pub(super) at: Option<String>,
    /// How often it comes; the last time counts.
    pub(super) times: Option<u32>,
    /// What the user said to it.
    pub(super) consent: Option<Consent>,
    /// How unusual the agent behaves: `rate`, `novelty`, `failures` and `sources`, from 0 to 1.
    pub(super) behaviour: Option<BTreeMap<String, f64>>,
}

/// What a user said: that this agent may, for this permission.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "what the user said")]
pub(super) struct Consent {
    pub(super) agent: String,
    pub(super) permission: String,
}

/// What comes of a request: `allow` or a denial's code, or that and more.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "what comes of it")]
pub(super) struct Then {
    /// `allow`, or the code of the denial.
    pub(super) decision: String,
    /// What it would be, were it enforced.
    pub(super) shadow: Option<String>,
    /// The status of the answer.
    pub(super) status: Option<u16>,
    /// Headers that the backend sees, exactly so.
    #[serde(default)]
    pub(super) backend: BTreeMap<String, String>,
    /// Headers that the backend does not see.
    #[serde(default)]
    pub(super) hidden: Vec<String>,
    /// Headers that the caller sees, with this in them.
    #[serde(default)]
    pub(super) answer: BTreeMap<String, String>,
    /// How many calls are left of a limit, by its name.
    #[serde(default)]
    pub(super) remaining: BTreeMap<String, u32>,
}

/// What may be written in a word, or in full.
trait Short: Sized {
    const EXPECTING: &'static str;

    fn of_word(word: &str) -> Self;

    fn of_map<'de, M: MapAccess<'de>>(members: M) -> Result<Self, M::Error>;
}

struct Either<T>(PhantomData<T>);

impl<'de, T: Short> Visitor<'de> for Either<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTING)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<T, E> {
        Ok(T::of_word(word))
    }

    fn visit_map<M: MapAccess<'de>>(self, members: M) -> Result<T, M::Error> {
        T::of_map(members)
    }
}

fn short<'de, D: Deserializer<'de>, T: Short>(reader: D) -> Result<T, D::Error> {
    reader.deserialize_any(Either(PhantomData))
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        short(reader)
    }
}

impl Short for Given {
    const EXPECTING: &'static str = "a caller's name, or a caller";

    fn of_word(word: &str) -> Self {
        Self(Caller { like: Some(word.to_owned()), ..Caller::default() })
    }

    fn of_map<'de, M: MapAccess<'de>>(members: M) -> Result<Self, M::Error> {
        Caller::deserialize(MapAccessDeserializer::new(members)).map(Self)
    }
}

impl Short for When {
    const EXPECTING: &'static str =
        "a request such as `GET /v1/contacts`, or a mapping with `request`";

    fn of_word(word: &str) -> Self {
        Self {
            request: word.to_owned(),
            headers: BTreeMap::new(),
            at: None,
            times: None,
            consent: None,
            behaviour: None,
        }
    }

    fn of_map<'de, M: MapAccess<'de>>(members: M) -> Result<Self, M::Error> {
        Self::deserialize(MapAccessDeserializer::new(members))
    }
}

impl Short for Then {
    const EXPECTING: &'static str = "`allow` or a denial's code, or a mapping with `decision`";

    fn of_word(word: &str) -> Self {
        Self {
            decision: word.to_owned(),
            shadow: None,
            status: None,
            backend: BTreeMap::new(),
            hidden: Vec::new(),
            answer: BTreeMap::new(),
            remaining: BTreeMap::new(),
        }
    }

    fn of_map<'de, M: MapAccess<'de>>(members: M) -> Result<Self, M::Error> {
        Self::deserialize(MapAccessDeserializer::new(members))
    }
}
