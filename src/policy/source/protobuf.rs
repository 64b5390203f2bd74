//! A policy as a `google.protobuf.Struct` on the wire.
//!
//! Envoy hands one over when the policy stands inline in its own configuration. protobuf lets a
//! reader choose what to do with a field that comes twice (the last counts, or both are merged)
//! and with a `Value` that says nothing; what can be read in two ways is refused here.

#[cfg(test)]
pub(super) mod tests;

use serde_json::{Map, Value};

use super::{LIMITS, number};
use crate::policy::problem::{Problem, quoted};
use crate::protobuf::{Malformed, Wire};

/// Reads a `google.protobuf.Struct` within [`LIMITS`]; fields that the message does
/// not define are skipped.
///
/// A double that is a whole number becomes an integer.
///
/// # Errors
///
/// What is wrong with the bytes, with the path as far as it is known.
pub fn parse(bytes: &[u8]) -> Result<Value, Problem> {
    if bytes.len() > LIMITS.bytes {
        return Err(Problem::new(format!("longer than {} bytes", LIMITS.bytes)));
    }
    let mut reader = Reader { items: LIMITS.items };
    reader.count()?;
    reader.fields(bytes, LIMITS.depth)
}

/// Reads messages while counting the values that may still come. `depth` is how many lists and
/// maps may be entered.
struct Reader {
    items: usize,
}

impl Reader {
    fn count(&mut self) -> Result<(), Problem> {
        self.items = self.items.checked_sub(1).ok_or_else(|| Problem::new("too many values"))?;
        Ok(())
    }

    /// `Struct`: field 1, many times, is an entry of the map.
    fn fields(&mut self, bytes: &[u8], depth: usize) -> Result<Value, Problem> {
        let depth = enter(depth)?;
        let mut map = Map::new();
        let mut wire = Wire::new(bytes);
        while let Some((id, field)) = wire.field()? {
            if id != 1 {
                continue;
            }
            let (key, value) = entry(field.bytes()?)?;
            if map.contains_key(key) {
                return Err(Problem::new(format!("key {} is there twice", quoted(key))));
            }
            let value = self.value(value, depth).map_err(|problem| problem.under(key))?;
            map.insert(key.to_owned(), value);
        }
        Ok(Value::Object(map))
    }

    /// `ListValue`: field 1, many times, is an element.
    fn elements(&mut self, bytes: &[u8], depth: usize) -> Result<Value, Problem> {
        let depth = enter(depth)?;
        let mut list = Vec::new();
        let mut wire = Wire::new(bytes);
        while let Some((id, field)) = wire.field()? {
            if id != 1 {
                continue;
            }
            let index = list.len();
            let element =
                field.bytes().map_err(Problem::from).and_then(|bytes| self.value(bytes, depth));
            list.push(element.map_err(|problem| problem.under(index))?);
        }
        Ok(Value::Array(list))
    }

    /// `Value`: one field of six.
    fn value(&mut self, bytes: &[u8], depth: usize) -> Result<Value, Problem> {
        self.count()?;
        let mut value = None;
        let mut wire = Wire::new(bytes);
        while let Some((id, field)) = wire.field()? {
            let read = match id {
                1 => match field.varint()? {
                    0 => Value::Null,
                    _ => return Err(malformed("a null other than 0")),
                },
                2 => Value::Number(number::number(field.double()?)?),
                3 => Value::String(field.text()?.to_owned()),
                4 => match field.varint()? {
                    0 => Value::Bool(false),
                    1 => Value::Bool(true),
                    _ => return Err(malformed("a boolean other than 0 and 1")),
                },
                5 => self.fields(field.bytes()?, depth)?,
                6 => self.elements(field.bytes()?, depth)?,
                _ => continue,
            };
            once(&mut value, read)?;
        }
        value.ok_or_else(|| malformed("a value of no kind"))
    }
}

/// An entry of a `Struct`: field 1 is the key, left out when empty, and field 2 the value.
fn entry(bytes: &[u8]) -> Result<(&str, &[u8]), Problem> {
    let mut key = None;
    let mut value = None;
    let mut wire = Wire::new(bytes);
    while let Some((id, field)) = wire.field()? {
        match id {
            1 => once(&mut key, field.text()?)?,
            2 => once(&mut value, field.bytes()?)?,
            _ => {}
        }
    }
    let value = value.ok_or_else(|| malformed("a key without a value"))?;
    Ok((key.unwrap_or_default(), value))
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), Problem> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(malformed("a field twice")),
    }
}

fn enter(depth: usize) -> Result<usize, Problem> {
    depth.checked_sub(1).ok_or_else(|| Problem::new("nested too deeply"))
}

fn malformed(what: &'static str) -> Problem {
    Malformed(what).into()
}

impl From<Malformed> for Problem {
    fn from(Malformed(what): Malformed) -> Self {
        Self::new(format!("not a `google.protobuf.Struct`: found {what}"))
    }
}
