//! The header map as proxy-wasm passes it: a count, the length of every name and value, then
//! names and values, each ended by a NUL. Numbers are 32 bits, little endian.

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

/// Reads a header map; names and values borrow from `bytes`.
///
/// # Errors
///
/// [`PairsError`]: too many pairs, or lengths that do not fit the bytes.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Pair<'_>>, PairsError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let (count, rest) = bytes.split_first_chunk().ok_or(PairsError::Malformed)?;
    let count = length(*count);
    if count > MAX_HEADERS {
        return Err(PairsError::TooMany);
    }
    let (lengths, mut text) =
        rest.split_at_checked(count.saturating_mul(8)).ok_or(PairsError::Malformed)?;
    let (lengths, _) = lengths.as_chunks();
    let mut pairs = Vec::with_capacity(count);
    let mut take = |size| {
        let (taken, rest) = text.split_at_checked(length(size))?;
        text = rest.strip_prefix(b"\0")?;
        Some(taken)
    };
    for [name, value] in lengths.as_chunks().0 {
        let pair = take(*name).zip(take(*value));
        pairs.push(pair.ok_or(PairsError::Malformed)?);
    }
    Ok(pairs)
}

/// Writes a header map.
///
/// `None` when a length does not fit 32 bits.
pub(super) fn serialize(pairs: &[Pair<'_>]) -> Option<Vec<u8>> {
    let text: usize = pairs.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    let mut bytes = Vec::with_capacity(4 + pairs.len() * 8 + text);
    let number = |bytes: &mut Vec<u8>, n: usize| {
        bytes.extend_from_slice(&u32::try_from(n).ok()?.to_le_bytes());
        Some(())
    };
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
        assert_eq!(parse(b""), Ok(vec![]));
        assert_eq!(parse(&[0, 0, 0, 0]), Ok(vec![]));
    }

    #[test]
    fn a_value_may_hold_any_byte() {
        let pairs: [Pair; 2] = [(b"x-bin", b"\xff\0\xfe"), (b"", b"")];
        let bytes = serialize(&pairs).unwrap();
        assert_eq!(parse(&bytes).unwrap(), pairs);
    }

    #[test]
    fn more_than_the_bound_is_refused() {
        let at_bound = serialize(&[(b"a".as_slice(), b"b".as_slice()); MAX_HEADERS]).unwrap();
        assert_eq!(parse(&at_bound).map(|pairs| pairs.len()), Ok(MAX_HEADERS));
        let over = serialize(&[(b"a".as_slice(), b"b".as_slice()); MAX_HEADERS + 1]).unwrap();
        assert_eq!(parse(&over), Err(PairsError::TooMany));
    }

    #[test]
    fn lengths_that_do_not_fit_the_bytes_are_refused() {
        let bytes = serialize(&[(b"name", b"value")]).unwrap();
        for end in 1..bytes.len() {
            assert_eq!(parse(&bytes[..end]), Err(PairsError::Malformed), "{end} bytes");
        }
        let mut huge = bytes.clone();
        huge[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(parse(&huge), Err(PairsError::Malformed));
        let mut unended = bytes;
        *unended.last_mut().unwrap() = b'!';
        assert_eq!(parse(&unended), Err(PairsError::Malformed));
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
            prop_assert_eq!(parse(&bytes).unwrap(), pairs);
        }
    }
}
