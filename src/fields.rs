//! Header fields that are ready to be sent.

/// Header fields of visible ASCII and spaces, so that no proxy can read one as two: every other
/// byte of a name or a value is percent-encoded (RFC 3986 §2.1).
///
/// All of them are one piece of text. Those that speak of a caller are the same for each of its
/// requests, and to send them once more is to copy them.
///
/// ```
/// use postern::fields::Fields;
///
/// let mut fields = Fields::default();
/// fields.push("x-postern-kind", "agent");
/// fields.push("x-postern-subject", "ada\r\nx-postern-kind: human");
/// let values: Vec<_> = fields.iter().map(|(_, value)| value).collect();
/// assert_eq!(values, ["agent", "ada%0D%0Ax-postern-kind: human"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    // INVARIANT: names and values in turn, each of visible ASCII and spaces, each ended by a NUL.
    text: String,
    // INVARIANT: how long each name and the value after it are, in the order of `text`: 32 bits
    // each, little endian, as they will be sent.
    lengths: Vec<[u8; 8]>,
}

impl Fields {
    /// None yet, with room for so many bytes of them.
    pub(crate) fn with_room(bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), lengths: Vec::new() }
    }

    /// One more.
    pub fn push(&mut self, name: &str, value: &str) {
        let ([a, b, c, d], [e, f, g, h]) = (self.add(name), self.add(value));
        self.lengths.push([a, b, c, d, e, f, g, h]);
    }

    /// Names and values, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest = self.text.as_str();
        let mut take = move |length| {
            let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
            let (part, after) = rest.split_at_checked(length)?;
            rest = after.get(1..)?;
            Some(part)
        };
        self.lengths.iter().map_while(move |[a, b, c, d, e, f, g, h]| {
            take([*a, *b, *c, *d]).zip(take([*e, *f, *g, *h]))
        })
    }

    /// Names and values in turn, each ended by a NUL.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How long each name and its value are, in bytes: 32 bits each, little endian.
    pub fn lengths(&self) -> &[[u8; 8]] {
        &self.lengths
    }

    /// Adds a name or a value; how long it is as it stands there.
    fn add(&mut self, part: &str) -> [u8; 4] {
        let start = self.text.len();
        if part.bytes().all(is_sound) {
            self.text.push_str(part);
        } else {
            for byte in part.bytes() {
                if is_sound(byte) {
                    self.text.push(char::from(byte));
                } else {
                    percent_encode(&mut self.text, byte);
                }
            }
        }
        let length = self.text.len().saturating_sub(start);
        self.text.push('\0');
        // No field is as long as that; were there one, the text would not fit its lengths, and who
        // gets both would refuse them.
        u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
    }
}

/// Adds `%` and two hexadecimal digits, the byte's (RFC 3986 §2.1).
pub(crate) fn percent_encode(text: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let hex = |nibble: u8| HEX.get(usize::from(nibble)).map_or('0', |digit| char::from(*digit));
    text.extend(['%', hex(byte >> 4), hex(byte & 15)]);
}

const fn is_sound(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Fields;

    proptest! {
        #[test]
        fn whatever_is_put_in_comes_out_as_that_many_fields_of_visible_ascii(
            pairs in prop::collection::vec((any::<String>(), any::<String>()), 0..6),
        ) {
            let mut fields = Fields::default();
            pairs.iter().for_each(|(name, value)| fields.push(name, value));
            let read: Vec<_> = fields.iter().collect();
            prop_assert_eq!(read.len(), pairs.len());
            for ((name, value), pair) in read.iter().zip(&pairs) {
                prop_assert!(name.bytes().chain(value.bytes()).all(|b| matches!(b, b' '..=b'~')));
                let plain = pair.1.bytes().all(|b| matches!(b, b' '..=b'~'));
                prop_assert!(!plain || pair.1 == *value);
            }
        }
    }
}
