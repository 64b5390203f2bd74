//! One value of the table in the shared store: the buckets of the principals that hash to it.

use super::key::CROWD;
use super::meter::Meter;

/// Buckets in a slot.
pub(super) const ENTRIES: usize = 8;

/// At most [`ENTRIES`] buckets that are in use, by tag.
///
/// What is owed must be found again: a principal that lost its bucket, or found another one, would
/// start afresh. So the rules when more principals are active than there are entries:
///
/// - Only idle entries are dropped; one equals an entry that was never there.
/// - A newcomer to a full slot shares the entry that owes least, and that entry becomes the
///   [`CROWD`]'s: from then on it is the bucket of everybody who has no entry of their own, of the
///   one who had it before as well. What it owes is what each of them owes, or more.
/// - Whoever is given an entry again leaves the crowd with all that the crowd owes.
///
/// So an entry never owes less than any of those it stands for: to share is stricter, never looser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slot {
    entries: [Entry; ENTRIES],
    /// How many of them, from the first, are taken. INVARIANT: at most [`ENTRIES`].
    taken: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Entry {
    tag: u64,
    /// See [`Meter`].
    state: u64,
}

/// On the wire: tag, then state, both little endian.
const ENTRY_BYTES: usize = 16;

/// Which entry of a full slot serves a newcomer, the best first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Seat {
    Vacant,
    Crowd,
    Others,
}

impl Slot {
    /// Reads what [`Slot::encode`] wrote; `None` for anything else.
    pub(super) fn decode(value: &[u8]) -> Option<Self> {
        let (entries, rest) = value.as_chunks::<ENTRY_BYTES>();
        if entries.is_empty() || entries.len() > ENTRIES || !rest.is_empty() {
            return None;
        }
        let mut slot = Self { taken: entries.len(), ..Self::default() };
        for (place, [a, b, c, d, e, f, g, h, state @ ..]) in slot.entries.iter_mut().zip(entries) {
            place.tag = u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
            place.state = u64::from_le_bytes(*state);
        }
        Some(slot)
    }

    /// Writes the entries that are not idle; of such as are all idle, the first: no entry would be no value.
    pub(super) fn encode(&self, meter: Meter, now: u64) -> Encoded {
        let mut encoded = Encoded { bytes: [0; ENTRIES * ENTRY_BYTES], len: 0 };
        let is_busy = |entry: &&Entry| !meter.is_idle(entry.state, now);
        let busy = self.taken().iter().filter(is_busy);
        let none_is = self.taken().iter().find(is_busy).is_none();
        let busy = busy.chain(self.taken().iter().take(none_is.into()));
        let places = encoded.bytes.as_chunks_mut::<ENTRY_BYTES>().0;
        for (place, entry) in places.iter_mut().zip(busy) {
            let (tag, state) = place.split_at_mut(ENTRY_BYTES / 2);
            tag.copy_from_slice(&entry.tag.to_le_bytes());
            state.copy_from_slice(&entry.state.to_le_bytes());
            encoded.len += ENTRY_BYTES;
        }
        encoded
    }

    /// Puts right what no clock of now can have written; whether there was such a thing.
    pub(super) fn settle(&mut self, meter: Meter, now: u64) -> bool {
        let mut changed = false;
        for entry in self.taken_mut() {
            let state = meter.settle(entry.state, now);
            changed |= state != entry.state;
            entry.state = state;
        }
        changed
    }

    /// The state of the bucket that `tag` draws on, seated by the rules above.
    pub(super) fn seat(&mut self, tag: u64, meter: Meter, now: u64) -> Option<&mut u64> {
        let place = match self.taken().iter().position(|entry| entry.tag == tag) {
            Some(own) => own,
            None => self.admit(tag, meter, now)?,
        };
        self.taken_mut().get_mut(place).map(|entry| &mut entry.state)
    }

    /// The place where a newcomer is seated.
    fn admit(&mut self, tag: u64, meter: Meter, now: u64) -> Option<usize> {
        let crowd = self.taken().iter().filter(|entry| entry.tag == CROWD).map(|entry| entry.state);
        let newcomer = Entry { tag, state: crowd.max().unwrap_or_default() };
        if let Some(free) = self.entries.get_mut(self.taken) {
            *free = newcomer;
            self.taken += 1;
            return Some(self.taken - 1);
        }
        let rank = |entry: &Entry| match entry {
            entry if meter.is_idle(entry.state, now) => Seat::Vacant,
            entry if entry.tag == CROWD => Seat::Crowd,
            _ => Seat::Others,
        };
        let all = self.entries.iter_mut().enumerate();
        let (place, entry) = all.min_by_key(|(_, entry)| (rank(entry), entry.state))?;
        match rank(entry) {
            Seat::Vacant => *entry = newcomer,
            Seat::Crowd => {}
            Seat::Others => entry.tag = CROWD,
        }
        Some(place)
    }

    /// The state of the bucket that `tag` draws on, if it has been seated before.
    pub(super) fn seated(&mut self, tag: u64) -> Option<&mut u64> {
        let serves =
            self.taken_mut().iter_mut().filter(|entry| entry.tag == tag || entry.tag == CROWD);
        serves.max_by_key(|entry| (entry.tag == tag, entry.state)).map(|entry| &mut entry.state)
    }

    fn taken(&self) -> &[Entry] {
        self.entries.get(..self.taken).unwrap_or_default()
    }

    fn taken_mut(&mut self) -> &mut [Entry] {
        self.entries.get_mut(..self.taken).unwrap_or_default()
    }
}

/// A slot as the store keeps it.
pub(super) struct Encoded {
    bytes: [u8; ENTRIES * ENTRY_BYTES],
    len: usize,
}

impl Encoded {
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;
    use crate::limit::Rate;
    use crate::limit::gcra::Gcra;
    use crate::limit::gcra::NANOS_PER_SEC;
    use crate::limit::tests::assert_within;

    const NOW: u64 = 1_800_000_000 * NANOS_PER_SEC;

    /// What becomes idle does not depend on its size.
    fn meter() -> Meter {
        Meter::Rate(Gcra::new(Rate::ONE_A_SECOND, NonZeroU32::MIN).unwrap())
    }

    fn bytes(entries: &[(u64, u64)]) -> Vec<u8> {
        entries
            .iter()
            .flat_map(|(tag, tat)| [tag.to_le_bytes(), tat.to_le_bytes()].concat())
            .collect()
    }

    fn full() -> Slot {
        let entries: Vec<_> = (1..=8).map(|tag| (tag, NOW + 10 * tag)).collect();
        Slot::decode(&bytes(&entries)).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back_without_the_idle_entries() {
        let stored = bytes(&[(7, NOW + 5), (8, 3), (9, NOW + 6)]);
        let encoded = Slot::decode(&stored).unwrap().encode(meter(), NOW);
        assert_eq!(encoded.as_bytes(), bytes(&[(7, NOW + 5), (9, NOW + 6)]));
    }

    #[test]
    fn an_entry_is_kept_while_a_worker_behind_may_still_need_it() {
        let stored = bytes(&[(7, NOW - NANOS_PER_SEC + 1), (8, NOW - NANOS_PER_SEC)]);
        let encoded = Slot::decode(&stored).unwrap().encode(meter(), NOW);
        assert_eq!(encoded.as_bytes(), bytes(&[(7, NOW - NANOS_PER_SEC + 1)]));
    }

    #[test]
    fn values_that_were_never_written_are_no_slots() {
        for length in (0..=15).chain(17..=31).chain([127, 129, 144, 4_096]) {
            assert_eq!(Slot::decode(&vec![0; length]), None, "{length}");
        }
        assert!(Slot::decode(&[0; 128]).is_some());
    }

    #[test]
    fn a_newcomer_to_a_full_slot_shares_the_entry_that_owes_least_with_its_owner() {
        let mut slot = full();
        *slot.seat(99, meter(), NOW).unwrap() += 1_000;
        assert_eq!(slot.seat(98, meter(), NOW), Some(&mut (NOW + 1_010)));
        assert_eq!(slot.seat(1, meter(), NOW), Some(&mut (NOW + 1_010)));
        assert_eq!(slot.seat(2, meter(), NOW), Some(&mut (NOW + 20)));
    }

    #[test]
    fn who_leaves_the_crowd_takes_along_what_the_crowd_owes() {
        let mut slot = full();
        *slot.seat(99, meter(), NOW).unwrap() = NOW + 5 * NANOS_PER_SEC;
        let later = NOW + 2 * NANOS_PER_SEC;
        assert_eq!(slot.seat(99, meter(), later), Some(&mut (NOW + 5 * NANOS_PER_SEC)));
        assert_eq!(slot.taken().iter().filter(|entry| entry.tag == 99).count(), 1);
    }

    #[test]
    fn a_bucket_just_filled_is_shared_not_replaced_so_that_a_worker_behind_still_finds_it() {
        let mut slot = full();
        assert!(slot.seat(99, meter(), NOW + 15).is_some());
        assert_eq!(slot.seat(1, meter(), NOW + 5), Some(&mut (NOW + 10)));
    }

    proptest! {
        #[test]
        fn more_tags_than_fit_never_get_more_than_a_bucket_each(
            burst in 1_u32..6,
            arrivals in prop::collection::vec((1_u64..24, 0_u64..150, 0_u64..900, 1_u32..3), 1..400),
        ) {
            let rate = "5/s".parse().unwrap();
            let gcra = Gcra::new(rate, NonZeroU32::new(burst).unwrap()).unwrap();
            let meter = Meter::Rate(gcra);
            let (mut stored, mut clock) = (None::<Vec<u8>>, NOW);
            let mut admitted = vec![Vec::new(); 24];
            for (tag, pause, behind, cost) in arrivals {
                clock += pause * 1_000_000;
                let now = clock - behind * 1_000_000;
                let mut slot = stored.as_deref().map_or_else(Slot::default, |s| Slot::decode(s).unwrap());
                slot.settle(meter, now);
                let tat = slot.seat(tag, meter, now).unwrap();
                if let Ok(next) = gcra.take(*tat, now, cost) {
                    *tat = next;
                    stored = Some(slot.encode(meter, now).as_bytes().to_vec());
                    admitted[usize::try_from(tag).unwrap()].push((now, cost));
                }
            }
            for mut of_one in admitted {
                of_one.sort_unstable();
                assert_within(rate, burst, &of_one);
            }
        }
    }
}
