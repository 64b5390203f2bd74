//! Proofs that were used, remembered until they are too old to be used again (RFC 9449 §11.1).
//!
//! In the shared store, so that a proof is good once and not once on each worker. The store frees
//! nothing, so proofs share a fixed number of slots, by their hash; a slot holds as many as it
//! can, and where all of them may still be used, one more is refused: what cannot be remembered
//! is not let through.

use sha2::{Digest as _, Sha256};

use super::{Digest, Unproven};
use crate::host::{Expected, Host, HostError, Swap, Timestamp};

/// Slots in the shared store; at their fullest they take about 25 MB of the host's memory.
const SLOTS: u16 = 1 << 14;

/// The most proofs that a slot holds.
const MAX_ENTRIES: usize = 64;

/// Swaps that are tried before the store counts as too contended: each one lost is another
/// worker's success.
const MAX_ATTEMPTS: usize = 16;

/// On the wire: tag, then the second until which it counts, little endian.
const ENTRY_BYTES: usize = TAG_BYTES + 4;
const TAG_BYTES: usize = 16;

const PREFIX: &[u8; 18] = b"postern.dpop.used.";

/// A proof, as it is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    slot: u16,
    tag: [u8; TAG_BYTES],
    /// The first second at which the proof is too old anyway.
    until: u32,
}

impl Mark {
    /// The mark of the proof `id` (`jti`) by the key of this thumbprint; different keys may use
    /// the same identifiers.
    pub(crate) fn new(thumbprint: &Digest, id: &str, until: i64) -> Self {
        let mut hash = Sha256::new();
        hash.update(thumbprint);
        hash.update(id);
        let digest: Digest = hash.finalize().into();
        let [a, b, rest @ ..] = digest;
        let mut tag = [0; TAG_BYTES];
        tag.iter_mut().zip(rest).for_each(|(place, byte)| *place = byte);
        let until = u32::try_from(until.max(0)).unwrap_or(u32::MAX);
        Self { slot: u16::from_be_bytes([a, b]) % SLOTS, tag, until }
    }

    /// The key of its slot in the shared store: text, since some hosts take none but text.
    fn store_key(&self) -> [u8; PREFIX.len() + 4] {
        let mut key = [0; PREFIX.len() + 4];
        let digit = |nibble: u16| {
            let digit = char::from_digit(u32::from(nibble & 15), 16);
            digit.and_then(|digit| u8::try_from(digit).ok()).unwrap_or(b'0')
        };
        let digits = [self.slot >> 12, self.slot >> 8, self.slot >> 4, self.slot].map(digit);
        let all = PREFIX.iter().chain(&digits);
        key.iter_mut().zip(all).for_each(|(place, byte)| *place = *byte);
        key
    }
}

/// Remembers a proof that is good in all else.
///
/// # Errors
///
/// [`Unproven::Replayed`] when it was used before; [`Unproven::ReplaysFull`] and
/// [`Unproven::StoreUnavailable`] when that cannot be told, or not be remembered.
pub(crate) fn record(mark: &Mark, host: &impl Host, now: Timestamp) -> Result<(), Unproven> {
    let key = mark.store_key();
    for _ in 0..MAX_ATTEMPTS {
        let stored = host.load(&key).map_err(unavailable)?;
        let (value, expected) = match &stored {
            None => (&[][..], Expected::Absent),
            Some(stored) => (stored.value.as_slice(), Expected::Version(stored.version)),
        };
        let value = admit(value, mark, now)?;
        if host.swap(&key, &value, expected).map_err(unavailable)? == Swap::Done {
            return Ok(());
        }
    }
    Err(Unproven::StoreUnavailable)
}

/// Whether a mark is remembered and not too old.
///
/// # Errors
///
/// [`Unproven::StoreUnavailable`] where that cannot be told.
pub(crate) fn is_marked(mark: &Mark, host: &impl Host, now: Timestamp) -> Result<bool, Unproven> {
    let stored = host.load(&mark.store_key()).map_err(unavailable)?;
    let value = stored.as_ref().map_or(&[][..], |stored| stored.value.as_slice());
    let (entries, rest) = value.as_chunks::<ENTRY_BYTES>();
    if !rest.is_empty() || entries.len() > MAX_ENTRIES {
        return Err(Unproven::StoreUnavailable);
    }
    Ok(entries.iter().filter_map(|entry| entry.split_first_chunk::<TAG_BYTES>()).any(
        |(tag, until)| {
            let until = until.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
            *tag == mark.tag && i64::from(until) > now.as_secs()
        },
    ))
}

/// The slot with `mark` in it, and without what is too old.
fn admit(value: &[u8], mark: &Mark, now: Timestamp) -> Result<Vec<u8>, Unproven> {
    let (entries, rest) = value.as_chunks::<ENTRY_BYTES>();
    // To take anything else for an empty slot would be to forget.
    if !rest.is_empty() || entries.len() > MAX_ENTRIES {
        return Err(Unproven::StoreUnavailable);
    }
    let mut slot = Vec::with_capacity(value.len().saturating_add(ENTRY_BYTES));
    for entry in entries {
        let Some((tag, until)) = entry.split_first_chunk::<TAG_BYTES>() else { continue };
        let until = until.first_chunk().map_or(u32::MAX, |bytes| u32::from_le_bytes(*bytes));
        // Of what is too old nobody asks whether it was used: its time is looked at first.
        if *tag == mark.tag && i64::from(until) > now.as_secs() {
            return Err(Unproven::Replayed);
        }
        if i64::from(until) > now.as_secs() {
            slot.extend_from_slice(entry);
        }
    }
    if slot.len() >= MAX_ENTRIES * ENTRY_BYTES {
        return Err(Unproven::ReplaysFull);
    }
    slot.extend_from_slice(&mark.tag);
    slot.extend_from_slice(&mark.until.to_le_bytes());
    Ok(slot)
}

const fn unavailable(_: HostError) -> Unproven {
    Unproven::StoreUnavailable
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u32 = 1_800_000_000;

    fn now() -> Timestamp {
        Timestamp::from_secs(NOW.into())
    }

    fn mark(number: u8, until: u32) -> Mark {
        Mark { slot: 0, tag: [number; TAG_BYTES], until }
    }

    fn full(until: u32) -> Vec<u8> {
        (0..64).fold(Vec::new(), |slot, n| admit(&slot, &mark(n, until), now()).unwrap())
    }

    #[test]
    fn a_proof_is_remembered_until_it_is_too_old() {
        let slot = admit(&[], &mark(1, NOW + 60), now()).unwrap();
        assert_eq!(admit(&slot, &mark(1, NOW + 60), now()), Err(Unproven::Replayed));
        let later = |secs| Timestamp::from_secs(u64::from(NOW) + secs);
        let kept = admit(&slot, &mark(2, NOW + 119), later(59)).unwrap();
        assert_eq!(kept.len(), 2 * ENTRY_BYTES);
        let dropped = admit(&slot, &mark(2, NOW + 120), later(60)).unwrap();
        assert_eq!(dropped.len(), ENTRY_BYTES);
    }

    #[test]
    fn a_full_slot_refuses_what_it_cannot_remember_and_takes_it_once_there_is_room() {
        let slot = full(NOW + 60);
        assert_eq!(slot.len(), MAX_ENTRIES * ENTRY_BYTES);
        assert_eq!(admit(&slot, &mark(99, NOW + 60), now()), Err(Unproven::ReplaysFull));
        assert_eq!(admit(&slot, &mark(63, NOW + 60), now()), Err(Unproven::Replayed));
        let later = Timestamp::from_secs(u64::from(NOW) + 60);
        assert!(admit(&slot, &mark(99, NOW + 120), later).is_ok());
    }

    #[test]
    fn bytes_that_are_no_slot_are_not_an_empty_one() {
        for length in [1, 19, 21, MAX_ENTRIES * ENTRY_BYTES + ENTRY_BYTES] {
            let spoilt = admit(&vec![0; length], &mark(1, NOW + 60), now());
            assert_eq!(spoilt, Err(Unproven::StoreUnavailable), "{length}");
        }
    }

    #[test]
    fn proofs_of_two_keys_or_two_names_are_two_proofs_in_a_fixed_set_of_slots() {
        let one = Mark::new(&[1; 32], "id", 7);
        assert_eq!(one, Mark::new(&[1; 32], "id", 7));
        assert_ne!(one.tag, Mark::new(&[2; 32], "id", 7).tag);
        assert_ne!(one.tag, Mark::new(&[1; 32], "id2", 7).tag);
        let slots = (0..2_000).map(|n| Mark::new(&[1; 32], &n.to_string(), 7));
        for mark in slots {
            assert!(mark.slot < SLOTS);
            let key = mark.store_key();
            assert!(key.starts_with(PREFIX) && key.is_ascii(), "{key:?}");
        }
        assert_eq!(&Mark { slot: 0x1a2f, ..one }.store_key(), b"postern.dpop.used.1a2f");
    }
}
