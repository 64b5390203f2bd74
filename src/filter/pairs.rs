//! The header map as proxy-wasm passes it: a count, the length of every name and value, then
//! names and values, each ended by a NUL. Numbers are 32 bits, little endian.

use crate::fields::Fields;

/// Header fields of one request, pseudo-headers among them; a request with more is refused.
pub(super) const MAX_HEADERS: usize = 256;

/// A name and its value.
pub(super) type Pair<'a> = (&'a [u8], &'a [u8]);

/// Why bytes are no header map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PairsError {
    /// Lengths and bytes do not agree.
    Malformed,
    /// More than [`MAX_HEADERS`].
    TooMany,
}

/// A header map as it was read.
#[derive(Debug, Default)]
pub(super) struct Pairs<'a> {
    /// Names and values, borrowed from what was read.
    pub(super) list: Vec<Pair<'a>>,
    lengths: &'a [[u8; 8]],
    text: &'a [u8],
}

/// Reads a header map.
///
/// # Errors
///
/// [`PairsError`]: too many pairs, or lengths that do not fit the bytes.
pub(super) fn parse(bytes: &[u8]) -> Result<Pairs<'_>, PairsError> {
    if bytes.is_empty() {
        return Ok(Pairs::default());
    }
    let (count, rest) = bytes.split_first_chunk().ok_or(PairsError::Malformed)?;
    let count = length(*count);
    if count > MAX_HEADERS {
        return Err(PairsError::TooMany);
    }
    let (lengths, text) =
        rest.split_at_checked(count.saturating_mul(8)).ok_or(PairsError::Malformed)?;
    let (lengths, _) = lengths.as_chunks::<8>();
    let mut list = Vec::with_capacity(count);
    let mut rest = text;
    let mut take = |size| {
        let (taken, after) = rest.split_at_checked(length(size))?;
        rest = after.strip_prefix(b"\0")?;
        Some(taken)
    };
    for [a, b, c, d, e, f, g, h] in lengths {
        let pair = take([*a, *b, *c, *d]).zip(take([*e, *f, *g, *h]));
        list.push(pair.ok_or(PairsError::Malformed)?);
    }
    Ok(Pairs { list, lengths, text })
}

impl Pairs<'_> {
    /// Writes the map without the pairs at the places `drop`, which ascend, and with the fields
    /// `add` and a `last` pair after those that are left.
    ///
    /// `None` when there is no such place, or a length does not fit 32 bits.
    pub(super) fn edit(&self, drop: &[usize], add: &Fields, last: Pair<'_>) -> Option<Vec<u8>> {
        let count = self.list.len().checked_sub(drop.len())? + add.lengths().len() + 1;
        let text = self.text.len() + add.text().len() + last.0.len() + last.1.len() + 2;
        let mut bytes = Vec::with_capacity(4 + count * 8 + text);

        number(&mut bytes, count)?;
        let mut next = 0;
        for place in drop {
            bytes.extend_from_slice(self.lengths.get(next..*place)?.as_flattened());
            next = place + 1;
        }
        bytes.extend_from_slice(self.lengths.get(next..)?.as_flattened());
        bytes.extend_from_slice(add.lengths().as_flattened());
        number(&mut bytes, last.0.len())?;
        number(&mut bytes, last.1.len())?;

        let mut rest = self.text;
        let mut take = |pairs: &[Pair<'_>]| {
            let size = pairs.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
            let (taken, after) = rest.split_at_checked(size)?;
            rest = after;
            Some(taken)
        };
        let mut next = 0;
        for place in drop {
            bytes.extend_from_slice(take(self.list.get(next..*place)?)?);
            next = place + 1;
            take(self.list.get(*place..next)?)?;
        }
        bytes.extend_from_slice(take(self.list.get(next..)?)?);
        bytes.extend_from_slice(add.text().as_bytes());
        for part in [last.0, last.1] {
            bytes.extend_from_slice(part);
            bytes.push(0);
        }
        Some(bytes)
    }
}

/// Writes a header map.
///
/// `None` when a length does not fit 32 bits.
pub(super) fn serialize(pairs: &[Pair<'_>]) -> Option<Vec<u8>> {
    let text: usize = pairs.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    let mut bytes = Vec::with_capacity(4 + pairs.len() * 8 + text);
    number(&mut bytes, pairs.len())?;
    for (name, value) in pairs {
        number(&mut bytes, name.len())?;
        number(&mut bytes, value.len())?;
    }
    for part in pairs.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend_from_slice(part);
        bytes.push(0);
    }
    Some(bytes)
}

fn number(bytes: &mut Vec<u8>, n: usize) -> Option<()> {
    bytes.extend_from_slice(&u32::try_from(n).ok()?.to_le_bytes());
    Some(())
}

fn length(bytes: [u8; 4]) -> usize {
    usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn an_empty_buffer_is_an_empty_map() {
        assert!(parse(b"").unwrap().list.is_empty());
        assert!(parse(&[0, 0, 0, 0]).unwrap().list.is_empty());
    }

    #[test]
    fn a_value_may_hold_any_byte() {
        let pairs: [Pair; 2] = [(b"x-bin", b"\xff\0\xfe"), (b"", b"")];
        let bytes = serialize(&pairs).unwrap();
        assert_eq!(parse(&bytes).unwrap().list, pairs);
    }

    #[test]
    fn more_than_the_bound_is_refused() {
        let at_bound = serialize(&[(b"a".as_slice(), b"b".as_slice()); MAX_HEADERS]).unwrap();
        assert_eq!(parse(&at_bound).unwrap().list.len(), MAX_HEADERS);
        let over = serialize(&[(b"a".as_slice(), b"b".as_slice()); MAX_HEADERS + 1]).unwrap();
        assert_eq!(parse(&over).unwrap_err(), PairsError::TooMany);
    }

    #[test]
    fn lengths_that_do_not_fit_the_bytes_are_refused() {
        let bytes = serialize(&[(b"name", b"value")]).unwrap();
        for end in 1..bytes.len() {
            assert_eq!(parse(&bytes[..end]).unwrap_err(), PairsError::Malformed, "{end} bytes");
        }
        let mut huge = bytes.clone();
        huge[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(parse(&huge).unwrap_err(), PairsError::Malformed);
        let mut unended = bytes;
        *unended.last_mut().unwrap() = b'!';
        assert_eq!(parse(&unended).unwrap_err(), PairsError::Malformed);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_is_written_is_read_back(
            map in vec((vec(any::<u8>(), 0..9), vec(any::<u8>(), 0..9)), 0..9),
        ) {
            let pairs: Vec<Pair> = map.iter().map(|(n, v)| (n.as_slice(), v.as_slice())).collect();
            let bytes = serialize(&pairs).unwrap();
            prop_assert_eq!(parse(&bytes).unwrap().list, pairs);
        }

        #[test]
        fn an_edited_map_is_what_was_kept_and_then_what_was_added(
            map in vec((vec(any::<u8>(), 0..9), vec(any::<u8>(), 0..9), any::<bool>()), 0..9),
            more in vec(("[a-z]{1,9}", "[ -~]{0,9}"), 0..5),
        ) {
            let pairs: Vec<Pair> = map.iter().map(|(n, v, _)| (n.as_slice(), v.as_slice())).collect();
            let drop: Vec<_> = (0..map.len()).filter(|place| map[*place].2).collect();
            let mut fields = Fields::default();
            more.iter().for_each(|(name, value)| fields.push(name, value));
            let bytes = serialize(&pairs).unwrap();
            let edited = parse(&bytes).unwrap().edit(&drop, &fields, (b"last", b"!")).unwrap();

            let kept = pairs.iter().zip(&map).filter(|(_, (.., drop))| !drop).map(|(pair, _)| *pair);
            let added = more.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            let last: Pair = (b"last", b"!");
            let expected: Vec<_> = kept.chain(added).chain([last]).collect();
            prop_assert_eq!(parse(&edited).unwrap().list, expected);
            prop_assert_eq!(parse(&bytes).unwrap().edit(&[map.len()], &fields, last), None);
        }
    }
}
