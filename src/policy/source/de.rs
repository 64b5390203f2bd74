//! A [`Value`] becomes a Rust type, and what does not fit is told by path.
//!
//! Stricter than serde_json's own: a struct is written as a map and never as a list, and `null`
//! is no way to leave a field out. A key that somebody emptied and forgot (`ceiling:` and nothing
//! behind it, in YAML) would otherwise lift the restriction it names.

mod access;
mod error;
#[cfg(test)]
mod tests;

use serde::de::{DeserializeOwned, Deserializer, Error as _, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use self::access::{Choice, Elements, Members};
use self::error::{Error, list};
use crate::policy::problem::Problem;

/// Reads a `T` out of `value`, which a front-end has bounded in depth.
///
/// An `Option` field may be left out; when it is there, it must have a value. Enums are tagged
/// externally: a string, or a map with one key. A map's keys are strings, or read from strings.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use postern::policy::source::de::from_value;
/// use serde_json::json;
///
/// let costs = json!({ "read": 1, "export": -5 });
/// let problem = from_value::<BTreeMap<String, u8>>(&costs).unwrap_err();
/// assert_eq!(problem.to_string(), "export: expected a whole number from 0 to 255, found -5");
/// ```
///
/// # Errors
///
/// The first thing that does not fit, with its path and the nearest known name.
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, Problem> {
    T::deserialize(Reader(value)).map_err(Problem::from)
}

#[derive(Clone, Copy)]
struct Reader<'v>(&'v Value);

impl Reader<'_> {
    /// What is there where something else was expected: a string's text is not repeated.
    fn found(self) -> Unexpected<'static> {
        match self.0 {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Number(_) => Unexpected::Other("a number"),
            Value::String(_) => Unexpected::Other("a string"),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        }
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), _, _) => visitor.visit_u64(value),
                (_, Some(value), _) => visitor.visit_i64(value),
                (_, _, Some(value)) => visitor.visit_f64(value),
                _ => Err(Error::invalid_type(self.found(), &visitor)),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(elements) => {
                let mut rest = Elements::new(elements);
                let list = visitor.visit_seq(&mut rest)?;
                rest.end()?;
                Ok(list)
            }
            Value::Object(members) => visitor.visit_map(Members::new(members)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => Err(Error::empty()),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            // Not by way of `deserialize_any`: what nobody calls, such as a visitor's reading of a
            // list, is left out of the filter, and there is one for each type of the policy.
            Value::Object(members) => visitor.visit_map(Members::new(members)),
            _ => Err(Error::invalid_type(self.found(), &"a map")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let choice = match self.0 {
            Value::String(name) => Some(Choice::word(name)),
            Value::Object(members) => Choice::only(members),
            _ => None,
        };
        match choice {
            Some(choice) => visitor.visit_enum(choice),
            None => {
                let expected = format!("one of {}", list(variants));
                Err(Error::invalid_type(self.found(), &expected.as_str()))
            }
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}
