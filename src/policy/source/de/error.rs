//! serde's complaints in an operator's words.

use std::fmt;

use serde::de::{Expected, Unexpected};

use crate::policy::nearest::nearest;
use crate::policy::problem::{Problem, Segment, quoted};

/// The most names that a message lists.
const MAX_LISTED: usize = 12;

/// A [`Problem`] on its way out, gaining a step of its path at each level.
#[derive(Debug)]
pub(super) struct Error(Problem);

impl Error {
    /// A value that is there and says nothing.
    pub(super) fn empty() -> Self {
        Problem::new("expected a value, found null").help("give it a value, or leave it out").into()
    }

    /// This error as seen from one level further out.
    pub(super) fn under(self, step: impl Into<Segment>) -> Self {
        Self::from(self.0.under(step))
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        error.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Problem::new(message.to_string()).into()
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = wanted(expected);
        let problem = Problem::new(format!("expected {expected}, found {}", kind(found)));
        match found {
            Unexpected::Unit => problem.help("give it a value, or leave it out"),
            Unexpected::Bool(_) | Unexpected::Unsigned(_) | Unexpected::Signed(_)
                if expected == "a string" =>
            {
                problem.help("put it in quotes")
            }
            Unexpected::Str(text) if unquoted(text, &expected) => {
                problem.help("write it without quotes")
            }
            _ => problem,
        }
        .into()
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Str(text) => quoted(text),
            other => kind(other),
        };
        Problem::new(format!("expected {}, found {found}", wanted(expected))).into()
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Problem::new(format!("expected {}, found {length}", wanted(expected))).into()
    }

    fn unknown_variant(name: &str, expected: &'static [&'static str]) -> Self {
        unknown("value", name, expected)
    }

    fn unknown_field(name: &str, expected: &'static [&'static str]) -> Self {
        unknown("field", name, expected)
    }

    fn missing_field(name: &'static str) -> Self {
        Problem::new(format!("missing field {}", quoted(name))).into()
    }

    fn duplicate_field(name: &'static str) -> Self {
        Problem::new(format!("field {} is there twice", quoted(name))).into()
    }
}

/// Some names in backticks, as many as a message can bear.
pub(super) fn list(names: &[&str]) -> String {
    let listed: Vec<String> = names.iter().take(MAX_LISTED).map(|name| quoted(name)).collect();
    match names.len().saturating_sub(MAX_LISTED) {
        0 => listed.join(", "),
        more => format!("{} and {more} more", listed.join(", ")),
    }
}

fn unknown(what: &str, name: &str, known: &[&str]) -> Error {
    let expected = match known {
        [] => "expected none".to_owned(),
        [only] => format!("expected {}", quoted(only)),
        _ => format!("expected one of {}", list(known)),
    };
    Problem::new(format!("unknown {what} {}, {expected}", quoted(name)))
        .did_you_mean(nearest(name, known.iter().copied()))
        .into()
}

/// What was found; a string's text stays out, for it may be a secret in the wrong place.
fn kind(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(value) => value.to_string(),
        Unexpected::Signed(value) => value.to_string(),
        Unexpected::Float(value) => value.to_string(),
        Unexpected::Str(_) | Unexpected::Char(_) | Unexpected::Bytes(_) => "a string".to_owned(),
        Unexpected::Unit | Unexpected::Option => "null".to_owned(),
        Unexpected::Seq | Unexpected::TupleVariant => "a list".to_owned(),
        Unexpected::Map | Unexpected::StructVariant => "a map".to_owned(),
        Unexpected::Enum | Unexpected::UnitVariant => "a word".to_owned(),
        Unexpected::NewtypeStruct | Unexpected::NewtypeVariant => "a value".to_owned(),
        Unexpected::Other(what) => what.to_owned(),
    }
}

/// What was expected, where serde says it in the terms of Rust.
fn wanted(expected: &dyn Expected) -> String {
    let rust = expected.to_string();
    let (least, type_name) = match rust.strip_prefix("a nonzero ") {
        Some(name) => (1, name),
        None => (0, rust.as_str()),
    };
    let from = |most: u64| format!("a whole number from {least} to {most}");
    let signed = |least: i64, most: i64| format!("a whole number from {least} to {most}");
    match type_name {
        "u8" => from(u8::MAX.into()),
        "u16" => from(u16::MAX.into()),
        "u32" => from(u32::MAX.into()),
        "u64" | "usize" => from(u64::MAX),
        "i8" => signed(i8::MIN.into(), i8::MAX.into()),
        "i16" => signed(i16::MIN.into(), i16::MAX.into()),
        "i32" => signed(i32::MIN.into(), i32::MAX.into()),
        "i64" | "isize" => signed(i64::MIN, i64::MAX),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a character" => "a single character".to_owned(),
        "a sequence" => "a list".to_owned(),
        "unit" => "null".to_owned(),
        other => match other.split_once(' ') {
            Some(("struct" | "enum", _)) => "a map".to_owned(),
            Some(("a" | "an", what)) => {
                let length =
                    what.strip_prefix("tuple of size ").or(what.strip_prefix("array of length "));
                length.map_or_else(|| rust.clone(), |length| format!("a list of {length}"))
            }
            _ => rust.clone(),
        },
    }
}

/// Whether somebody put quotes around a number or a boolean where one was expected.
fn unquoted(text: &str, expected: &str) -> bool {
    match expected {
        "`true` or `false`" => text.parse::<bool>().is_ok(),
        _ => expected.contains("number") && text.parse::<f64>().is_ok_and(f64::is_finite),
    }
}
