//! Values while an expression is evaluated: borrowed from the expression and its facts.

use serde_json::{Map, Value as Json};

use crate::host::Timestamp;

/// A value.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Double(f64),
    /// Text.
    Text(&'a str),
    /// A moment.
    Timestamp(Moment),
    /// A span of time, in nanoseconds.
    Duration(i64),
    /// Values one after the other.
    List(List<'a>),
    /// Values by their names.
    Map(&'a Map<String, Json>),
}

/// A moment of the language, nanosecond by nanosecond: values are copied at each step, and so they are
/// smaller by a third than with a number of 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    seconds: i64,
    /// INVARIANT: less than a second.
    nanos: u32,
}

impl Moment {
    /// So many seconds after the Unix epoch, and nanoseconds, which may be more than a second.
    pub const fn new(seconds: i64, nanos: u32) -> Self {
        let more = (nanos / 1_000_000_000) as i64;
        Self { seconds: seconds.saturating_add(more), nanos: nanos % 1_000_000_000 }
    }

    /// The whole seconds since the Unix epoch, a fraction counting as earlier.
    pub(super) const fn seconds(self) -> i64 {
        self.seconds
    }
}

impl From<Moment> for i128 {
    /// Nanoseconds since the Unix epoch.
    fn from(moment: Moment) -> Self {
        Self::from(moment.seconds) * 1_000_000_000 + Self::from(moment.nanos)
    }
}

impl From<Timestamp> for Moment {
    fn from(timestamp: Timestamp) -> Self {
        let nanos = timestamp.as_nanos() % 1_000_000_000;
        Self { seconds: timestamp.as_secs(), nanos: nanos as u32 }
    }
}

/// Values one after the other.
pub type List<'a> = &'a [Json];

impl<'a> From<&'a Json> for Value<'a> {
    /// The value of a JSON text: numbers that are written whole are, as far as 64 bits go.
    fn from(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(is) => Self::Bool(*is),
            Json::Number(number) => match number.as_i64() {
                Some(number) => Self::Int(number),
                None => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::Text(text),
            Json::Array(list) => Self::List(list),
            Json::Object(map) => Self::Map(map),
        }
    }
}
