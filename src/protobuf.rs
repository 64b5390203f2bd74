//! protobuf's wire format: a message is a sequence of numbered fields.

/// What is wrong with bytes that are no message: words that follow *found*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Bits of a varint's byte that carry the number; the eighth says that another byte follows.
const VARINT_BITS: u32 = 7;

/// What is left of a message.
pub(crate) struct Wire<'a> {
    rest: &'a [u8],
}

/// A field's content, by its wire type.
pub(crate) enum Field<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32,
}

impl<'a> Wire<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field and its number, or `None` at the end of the message.
    pub(crate) fn field(&mut self) -> Result<Option<(u64, Field<'a>)>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let (id, wire_type) = (tag >> 3, tag & 0b111);
        // Field numbers have 29 bits.
        if id == 0 || id >= 1 << 29 {
            return Err(Malformed("a field number out of range"));
        }
        let field = match wire_type {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(self.array()?),
            2 => {
                let length = self.varint()?;
                Field::Bytes(self.take(usize::try_from(length).unwrap_or(usize::MAX))?)
            }
            3 | 4 => return Err(Malformed("a group")),
            5 => {
                self.array::<4>()?;
                Field::Fixed32
            }
            _ => return Err(Malformed("an unknown wire type")),
        };
        Ok(Some((id, field)))
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(VARINT_BITS as usize) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            let shifted = bits << shift;
            if shifted >> shift != bits {
                return Err(Malformed("a number of more than 64 bits"));
            }
            number |= shifted;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Malformed("a number of more than 64 bits"))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(cut_short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(cut_short)?;
        self.rest = rest;
        Ok(*taken)
    }
}

impl<'a> Field<'a> {
    pub(crate) fn varint(self) -> Result<u64, Malformed> {
        match self {
            Self::Varint(number) => Ok(number),
            _ => Err(wrong_type()),
        }
    }

    pub(crate) fn double(self) -> Result<f64, Malformed> {
        match self {
            Self::Fixed64(bytes) => Ok(f64::from_le_bytes(bytes)),
            _ => Err(wrong_type()),
        }
    }

    pub(crate) fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(wrong_type()),
        }
    }

    pub(crate) fn text(self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed("a string that is not UTF-8"))
    }
}

fn cut_short() -> Malformed {
    Malformed("its end within a field")
}

fn wrong_type() -> Malformed {
    Malformed("a field of another wire type")
}

/// Appends a field of wire type 0; one of 0 is the same as none.
pub(crate) fn put_number(message: &mut Vec<u8>, id: u8, number: u64) {
    if number > 0 {
        message.push(id << 3);
        put_varint(message, number);
    }
}

/// Appends a field of wire type 2.
pub(crate) fn put_bytes(message: &mut Vec<u8>, id: u8, bytes: &[u8]) {
    message.push(id << 3 | 2);
    put_varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

fn put_varint(message: &mut Vec<u8>, mut number: u64) {
    while let Some(rest) = Some(number >> VARINT_BITS).filter(|rest| *rest > 0) {
        message.push(number.to_le_bytes()[0] | 0x80);
        number = rest;
    }
    message.push(number.to_le_bytes()[0]);
}
