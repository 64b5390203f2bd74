//! protobuf's wire format: a message is a sequence of numbered fields.

use super::malformed;
use crate::policy::problem::Problem;

/// Bits of a varint's byte that carry the number; the eighth says that another byte follows.
const VARINT_BITS: u32 = 7;

/// What is left of a message.
pub(super) struct Wire<'a> {
    rest: &'a [u8],
}

/// A field's content, by its wire type.
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32,
}

impl<'a> Wire<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field and its number, or `None` at the end of the message.
    pub(super) fn field(&mut self) -> Result<Option<(u64, Field<'a>)>, Problem> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let (id, wire_type) = (tag >> 3, tag & 0b111);
        // Field numbers have 29 bits.
        if id == 0 || id >= 1 << 29 {
            return Err(malformed("a field number out of range"));
        }
        let field = match wire_type {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(self.array()?),
            2 => {
                let length = self.varint()?;
                Field::Bytes(self.take(usize::try_from(length).unwrap_or(usize::MAX))?)
            }
            3 | 4 => return Err(malformed("a group")),
            5 => {
                self.array::<4>()?;
                Field::Fixed32
            }
            _ => return Err(malformed("an unknown wire type")),
        };
        Ok(Some((id, field)))
    }

    fn varint(&mut self) -> Result<u64, Problem> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(VARINT_BITS as usize) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            let shifted = bits << shift;
            if shifted >> shift != bits {
                return Err(malformed("a number of more than 64 bits"));
            }
            number |= shifted;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(malformed("a number of more than 64 bits"))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Problem> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(cut_short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(cut_short)?;
        self.rest = rest;
        Ok(*taken)
    }
}

impl<'a> Field<'a> {
    pub(super) fn varint(self) -> Result<u64, Problem> {
        match self {
            Self::Varint(number) => Ok(number),
            _ => Err(wrong_type()),
        }
    }

    pub(super) fn double(self) -> Result<f64, Problem> {
        match self {
            Self::Fixed64(bytes) => Ok(f64::from_le_bytes(bytes)),
            _ => Err(wrong_type()),
        }
    }

    pub(super) fn bytes(self) -> Result<&'a [u8], Problem> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(wrong_type()),
        }
    }

    pub(super) fn text(self) -> Result<&'a str, Problem> {
        std::str::from_utf8(self.bytes()?).map_err(|_| malformed("a string that is not UTF-8"))
    }
}

fn cut_short() -> Problem {
    malformed("its end within a field")
}

fn wrong_type() -> Problem {
    malformed("a field of another wire type")
}
