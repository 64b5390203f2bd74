//! Values while an expression is evaluated: borrowed from the expression and its facts.

use serde_json::{Map, Value as Json};

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
    /// A moment, in nanoseconds since the Unix epoch.
    Timestamp(i128),
    /// A span of time, in nanoseconds.
    Duration(i64),
    /// Values one after the other.
    List(List<'a>),
    /// Values by their names.
    Map(&'a Map<String, Json>),
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
