//! Whose bucket: a principal as a few bytes.

use sha2::{Digest, Sha256};

use super::Class;

/// Slots of a limit's table in the shared store.
///
/// Nothing is ever freed there, so keys come from a fixed set; at its fullest a table of one limit takes
/// about 20 MB of the host's memory, and a third of that more for each other limit in it.
pub const SLOTS: usize = 1 << u16::BITS;

/// The tag of no bucket key: see [`super::slot::Slot`].
pub(super) const CROWD: u64 = 0;

/// Whose bucket a charge is taken from: a slot of the table, and a tag within the slot.
///
/// Computed once per principal; two that came to share one (a chance of 2⁻⁸⁰) would share a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BucketKey {
    pub(super) slot: u16,
    /// INVARIANT: not [`CROWD`].
    pub(super) tag: u64,
}

impl BucketKey {
    /// The key of what `parts` name together, such as a kind, an issuer and a subject.
    ///
    /// Each part is hashed behind its length, so no two lists of parts are read as one.
    pub fn new(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let [a, b, c, d, e, f, g, h, i, j, ..] = digest;
        let tag = u64::from_le_bytes([c, d, e, f, g, h, i, j]);
        Self { slot: u16::from_le_bytes([a, b]), tag: tag.max(CROWD + 1) }
    }

    /// The key of what is of this one and of `part` too: of its calls those to one route, say.
    ///
    /// Mixed without a cryptographic hash, for it is done for each request: whoever finds two parts of
    /// one key has found out how to share a bucket with themselves.
    #[must_use]
    pub fn with(self, part: u64) -> Self {
        let tag = mix(self.tag ^ mix(part));
        let [low, high, ..] = mix(tag ^ u64::from(self.slot)).to_le_bytes();
        Self { slot: u16::from_le_bytes([low, high]), tag: tag.max(CROWD + 1) }
    }

    /// Sixty-four bits by which it is told from others.
    pub(crate) const fn tag(self) -> u64 {
        self.tag
    }

    /// The slot of a table in which it belongs.
    pub(crate) const fn slot(self) -> u16 {
        self.slot
    }

    /// All of it, in hexadecimal digits.
    pub(super) fn digits(self) -> [u8; 20] {
        let [a, b] = self.slot.to_be_bytes();
        let [c, d, e, f, g, h, i, j] = self.tag.to_be_bytes();
        let mut digits = [0; 20];
        for (pair, byte) in digits.as_chunks_mut().0.iter_mut().zip([a, b, c, d, e, f, g, h, i, j])
        {
            *pair = [hex(byte >> 4), hex(byte)];
        }
        digits
    }

    /// The same as the owner of a record in a table of a class.
    pub(super) const fn owner(self, class: Class, table: u8) -> Owner {
        Owner { class, table, key: self }
    }
}

/// Whose record of the shared store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    class: Class,
    table: u8,
    key: BucketKey,
}

impl Owner {
    /// By what it is told from others in its slot.
    pub(super) const fn tag(self) -> u64 {
        self.key.tag
    }

    /// The key of the shared store under which the slot of the record lies.
    pub(super) fn store_key(self) -> StoreKey {
        let (table, [high, low]) = (self.table, self.key.slot.to_be_bytes());
        let class = match self.class {
            Class::Agents => b'a',
            Class::Humans => b'h',
            Class::Keys => b'k',
        };
        let mut key = *b"postern.meter.c00ffff";
        let tail = [
            class,
            hex(table >> 4),
            hex(table),
            hex(high >> 4),
            hex(high),
            hex(low >> 4),
            hex(low),
        ];
        for (place, byte) in key.iter_mut().skip(PREFIX_BYTES).zip(tail) {
            *place = byte;
        }
        key
    }
}

/// A permutation in which each bit depends on each (the finalizer of SplitMix64).
const fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A number for bytes, as [`BucketKey::with`] takes it.
pub fn digest(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let last = rest.iter().fold(0, |word: u64, byte| (word << 8) | u64::from(*byte));
    let words = words.iter().map(|word| u64::from_le_bytes(*word)).chain([last]);
    words.fold(bytes.len() as u64, |state, word| mix(state ^ word).rotate_left(23))
}

/// Text, since some hosts take none but text for a key, and short enough that they keep it inline.
pub(super) type StoreKey = [u8; PREFIX_BYTES + 7];

const PREFIX_BYTES: usize = b"postern.meter.".len();

/// The low four bits as a digit.
const fn hex(bits: u8) -> u8 {
    match bits & 0xf {
        digit @ 0..=9 => b'0' + digit,
        letter => b'a' + letter - 10,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_lists_of_parts_share_a_key() {
        let lists: [&[&str]; 8] =
            [&[], &[""], &["", ""], &["ab"], &["a", "b"], &["b", "a"], &["ab", ""], &["", "ab"]];
        let keys: HashSet<_> = lists.into_iter().map(BucketKey::new).collect();
        assert_eq!(keys.len(), lists.len());
    }

    #[test]
    fn a_principal_always_has_the_same_key() {
        let parts = ["agent", "https://login.crm.example/", "support-bot"];
        assert_eq!(BucketKey::new(&parts), BucketKey::new(&parts));
    }

    #[test]
    fn store_keys_are_text_and_keep_classes_limits_and_slots_apart() {
        let key = BucketKey { slot: 0x01fe, tag: 1 };
        assert_eq!(&key.owner(Class::Agents, 0x2a).store_key(), b"postern.meter.a2a01fe");
        assert_eq!(&key.owner(Class::Humans, 0x2a).store_key(), b"postern.meter.h2a01fe");
        assert_eq!(&key.owner(Class::Keys, 0x2a).store_key(), b"postern.meter.k2a01fe");
        let keys: HashSet<_> = (0..SLOTS)
            .map(|slot| BucketKey { slot: u16::try_from(slot).unwrap(), tag: 1 })
            .flat_map(|key| {
                [key.owner(Class::Agents, 0).store_key(), key.owner(Class::Agents, 1).store_key()]
            })
            .collect();
        assert_eq!(keys.len(), 2 * SLOTS);
    }
}
