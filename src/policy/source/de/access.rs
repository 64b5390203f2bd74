//! The ways into a value: by index, by key, by variant. Each puts its step before what goes wrong
//! further in.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value, map};

use super::Reader;
use super::error::Error;
use crate::policy::problem::quoted;

/// A list's elements.
pub(super) struct Elements<'v> {
    rest: std::slice::Iter<'v, Value>,
    read: usize,
}

impl<'v> Elements<'v> {
    pub(super) fn new(elements: &'v [Value]) -> Self {
        Self { rest: elements.iter(), read: 0 }
    }

    /// Refuses elements that nobody asked for.
    pub(super) fn end(&self) -> Result<(), Error> {
        let read = self.read;
        match self.rest.len() {
            0 => Ok(()),
            more => Err(Error::invalid_length(read.saturating_add(more), &length(read).as_str())),
        }
    }
}

fn length(count: usize) -> String {
    format!("a list of {count}")
}

impl<'v> SeqAccess<'v> for &mut Elements<'v> {
    type Error = Error;

    #[inline(never)]
    fn next_element_seed<S: DeserializeSeed<'v>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        let Some(value) = self.rest.next() else { return Ok(None) };
        let index = self.read;
        self.read = index.saturating_add(1);
        seed.deserialize(Reader(value)).map(Some).map_err(|error| error.under(index))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// A map's members.
pub(super) struct Members<'v> {
    rest: map::Iter<'v>,
    current: Option<(&'v str, &'v Value)>,
}

impl<'v> Members<'v> {
    pub(super) fn new(members: &'v Map<String, Value>) -> Self {
        Self { rest: members.iter(), current: None }
    }
}

impl<'v> MapAccess<'v> for Members<'v> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'v>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.current = Some((key, value));
        seed.deserialize(Key(key)).map(Some).map_err(|error| error.under(key.as_str()))
    }

    #[inline(never)]
    fn next_value_seed<S: DeserializeSeed<'v>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let (key, value) = self
            .current
            .take()
            .ok_or_else(|| Error::custom("a value was asked for before its key"))?;
        seed.deserialize(Reader(value)).map_err(|error| error.under(key))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// A key: a string, or what is read from one.
struct Key<'v>(&'v str);

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(Choice::word(self.0))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any option
    }
}

/// One of an enum's variants: its name, and its content where it was written as a map.
pub(super) struct Choice<'v> {
    name: &'v str,
    content: Option<&'v Value>,
}

impl<'v> Choice<'v> {
    pub(super) fn word(name: &'v str) -> Self {
        Self { name, content: None }
    }

    /// The only member of a map, if it has just one.
    pub(super) fn only(members: &'v Map<String, Value>) -> Option<Self> {
        let mut members = members.iter();
        match (members.next(), members.next()) {
            (Some((name, content)), None) => Some(Self { name, content: Some(content) }),
            _ => None,
        }
    }

    fn content(&self) -> Result<&'v Value, Error> {
        self.content.ok_or_else(|| {
            Error::custom(format_args!("{} needs a value, found the word alone", quoted(self.name)))
        })
    }

    fn locate(&self, error: Error) -> Error {
        if self.content.is_some() { error.under(self.name) } else { error }
    }
}

impl<'v> EnumAccess<'v> for Choice<'v> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'v>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let variant = seed.deserialize(Key(self.name)).map_err(|error| self.locate(error))?;
        Ok((variant, self))
    }
}

impl<'v> VariantAccess<'v> for Choice<'v> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.content {
            None => Ok(()),
            Some(_) => {
                let word = format!("the word {} alone", quoted(self.name));
                Err(Error::invalid_type(Unexpected::Map, &word.as_str()))
            }
        }
    }

    #[inline(never)]
    fn newtype_variant_seed<S: DeserializeSeed<'v>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(Reader(self.content()?)).map_err(|error| self.locate(error))
    }

    fn tuple_variant<V: Visitor<'v>>(self, _len: usize, visitor: V) -> Result<V::Value, Error> {
        Reader(self.content()?).deserialize_any(visitor).map_err(|error| self.locate(error))
    }

    fn struct_variant<V: Visitor<'v>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        Reader(self.content()?)
            .deserialize_struct("", fields, visitor)
            .map_err(|error| self.locate(error))
    }
}
