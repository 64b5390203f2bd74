//! JSON as an attacker may write it: read strictly or not at all.
//!
//! Two parsers that disagree about a document are a way round whichever of them guards, so what
//! can be read in two ways is refused: a member named twice, at any depth (RFC 8259 §4 leaves it
//! open, RFC 7515 §4 and RFC 7519 §4 let us refuse it).

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How large a document may be.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of text.
    pub bytes: usize,
    /// Arrays and objects inside one another; the outermost counts.
    pub depth: usize,
    /// Values in all, the outermost among them.
    pub items: usize,
}

/// Reads one JSON document and nothing after it.
///
/// # Errors
///
/// What is wrong with the text, with line and column; never the text itself.
pub fn parse(text: &[u8], bounds: Bounds) -> Result<Value, Error> {
    if text.len() > bounds.bytes {
        return Err(Error { message: format!("longer than {} bytes", bounds.bytes) });
    }
    let mut items = bounds.items;
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Strict { depth: bounds.depth, items: &mut items }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// Why a text is no JSON document that we read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self { message: error.to_string() }
    }
}

/// Builds a `Value` while counting what may still come.
struct Strict<'a> {
    depth: usize,
    items: &'a mut usize,
}

impl Strict<'_> {
    fn inner(&mut self) -> Strict<'_> {
        Strict { depth: self.depth, items: self.items }
    }

    fn enter<E: serde::de::Error>(&mut self) -> Result<(), E> {
        self.depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("nested too deeply"))?;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        *self.items =
            self.items.checked_sub(1).ok_or_else(|| D::Error::custom("too many values"))?;
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut list = Vec::new();
        while let Some(value) = elements.next_element_seed(self.inner())? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(A::Error::custom("a member is named twice"));
            }
            let value = members.next_value_seed(self.inner())?;
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Bounds = Bounds { bytes: 64, depth: 3, items: 6 };

    fn error(text: &str) -> String {
        parse(text.as_bytes(), SMALL).unwrap_err().to_string()
    }

    #[test]
    fn reads_what_serde_json_reads() {
        for text in [r#"{"a":[1,-2,3.5,null]}"#, "\"x\"", "true", " 1e3 ", "[]", "{}"] {
            let ours = parse(text.as_bytes(), SMALL).unwrap();
            assert_eq!(ours, serde_json::from_str::<Value>(text).unwrap(), "{text}");
        }
    }

    #[test]
    fn a_member_named_twice_is_refused_at_any_depth_and_in_any_spelling() {
        assert!(error(r#"{"a":1,"a":1}"#).contains("named twice"));
        assert!(error(r#"{"b":{"a":1,"\u0061":1}}"#).contains("named twice"));
    }

    #[test]
    fn size_depth_and_count_are_bounded() {
        assert!(error(&" ".repeat(65)).contains("longer than"));
        assert!(parse(b"[[[]]]", SMALL).is_ok());
        assert!(error("[[[[]]]]").contains("nested"));
        assert!(parse(b"[1,2,3,4,5]", SMALL).is_ok());
        assert!(error("[1,2,3,4,5,6]").contains("too many"));
    }

    #[test]
    fn what_follows_the_document_is_refused() {
        assert!(!error("{} {}").is_empty());
        assert!(!error("1e999").is_empty());
        assert!(!error("\"\u{1}\"").is_empty());
    }
}
