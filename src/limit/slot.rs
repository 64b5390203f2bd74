//! One value of the table in the shared store: the buckets of the principals that hash to it.
//!
//! It says itself which limits its buckets are of: the number of them, then a [`Column`] for each; then for
//! each principal its tag, and the state of its bucket in each of these limits. So a policy that adds a
//! limit, or takes one away, leaves the others as they are, and several policies that share a store do not
//! lose each other's counts: a column goes only when nothing is owed in it.

use super::group::{Column, Group, Member};
use super::key::CROWD;
use super::meter::Idle;

/// Principals in a slot.
pub(super) const ENTRIES: usize = 8;

/// The most limits that are kept in one slot: those of some policies, and some that are gone.
pub(super) const MAX_COLUMNS: usize = 32;

const WORD: usize = size_of::<u64>();

/// Of a column: the member, the kind of its states, and nanoseconds.
const COLUMN: usize = size_of::<Member>() + 1 + WORD;

/// At most [`ENTRIES`] principals whose buckets are in use, by tag.
///
/// What is owed must be found again: a principal that lost its buckets, or found other ones, would
/// start afresh. So the rules when more principals are active than there are entries:
///
/// - Only idle entries are dropped; one equals an entry that was never there.
/// - A newcomer to a full slot shares the entry that owes least, and that entry becomes the
///   [`CROWD`]'s: from then on its buckets are those of everybody who has no entry of their own, of the
///   one who had it before as well. What they owe is what each of them owes, or more.
/// - Whoever is given an entry again leaves the crowd with all that the crowd owes.
///
/// So an entry never owes less than any of those it stands for: to share is stricter, never looser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// As the store has it. INVARIANT: whole, and with at most [`ENTRIES`] entries.
    bytes: Vec<u8>,
    /// The number of columns.
    columns: usize,
}

/// The place of a principal in a slot, which is that of its first byte.
pub(super) type Seat = usize;

/// Which entry of a full slot serves a newcomer, the best first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Vacant,
    Crowd,
    Others,
}

impl Slot {
    /// Without anybody.
    pub(super) fn new(columns: &[Column]) -> Self {
        let mut bytes =
            Vec::with_capacity(header(columns.len()).saturating_add(entry(columns.len())));
        bytes.push(columns.len() as u8);
        columns.iter().for_each(|column| bytes.extend(column.to_bytes()));
        Self { bytes, columns: columns.len() }
    }

    /// Reads what was written here; `None` for anything else.
    pub(super) fn read(bytes: Vec<u8>) -> Option<Self> {
        let columns = usize::from(*bytes.first()?);
        let entries = bytes.len().checked_sub(header(columns))?;
        let is_whole = entries > 0 && entries.is_multiple_of(entry(columns));
        let is_right = is_whole
            && (1..=MAX_COLUMNS).contains(&columns)
            && entries <= ENTRIES.saturating_mul(entry(columns));
        let slot = is_right.then_some(Self { bytes, columns })?;
        (0..columns).all(|place| slot.column(place).is_some()).then_some(slot)
    }

    /// The same with all limits of `group`: those of which it says nothing are as if never used, and what
    /// it says of others is kept where anything is owed. `None` where these are too many.
    pub(super) fn with(self, group: &Group, now: u64) -> Option<Self> {
        let is_there = |(hint, own): (usize, &Column)| {
            let place = self.place_of(own.member, hint);
            place.and_then(|place| self.column(place)).as_ref() == Some(own)
        };
        if group.columns.iter().enumerate().all(is_there) {
            return Some(self);
        }
        let is_of_group =
            |column: &Column| group.columns.iter().any(|own| own.member == column.member);
        let is_owed = |place: &usize| self.seats().any(|seat| !self.is_idle_at(seat, *place, now));
        let others = (0..self.columns).filter(is_owed).filter_map(|place| self.column(place));
        let others = others.filter(|column| !is_of_group(column));
        let columns: Vec<Column> = group.columns.iter().copied().chain(others).collect();
        if columns.len() > MAX_COLUMNS {
            return None;
        }
        let mut other = Self::new(&columns);
        for seat in self.seats() {
            other.bytes.extend(self.tag(seat).to_le_bytes());
            for (hint, column) in columns.iter().enumerate() {
                let state = self.place_of(column.member, hint).map(|place| self.state(seat, place));
                other.bytes.extend(state.unwrap_or_default().to_le_bytes());
            }
        }
        Some(other)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where the states of a limit are kept: probably at `hint`.
    pub(super) fn place_of(&self, member: Member, hint: usize) -> Option<usize> {
        let is_it =
            |place: &usize| self.column(*place).is_some_and(|column| column.member == member);
        Some(hint).filter(is_it).or_else(|| (0..self.columns).find(is_it))
    }

    fn column(&self, place: usize) -> Option<Column> {
        let at = place.saturating_mul(COLUMN).saturating_add(1);
        Column::of_bytes(self.bytes.get(at..)?.first_chunk()?)
    }

    fn word(&self, at: usize) -> u64 {
        let eight = self.bytes.get(at..).and_then(<[u8]>::first_chunk);
        eight.map_or(0, |eight| u64::from_le_bytes(*eight))
    }

    fn set_word(&mut self, at: usize, word: u64) {
        if let Some(place) = self.bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            *place = word.to_le_bytes();
        }
    }

    /// The state of the bucket of the limit at `place`.
    pub(super) fn state(&self, seat: Seat, place: usize) -> u64 {
        self.word(state(seat, place))
    }

    pub(super) fn set_state(&mut self, seat: Seat, place: usize, to: u64) {
        self.set_word(state(seat, place), to);
    }

    fn tag(&self, seat: Seat) -> u64 {
        self.word(seat)
    }

    fn seats(&self) -> impl Iterator<Item = Seat> + use<> {
        (header(self.columns)..self.bytes.len()).step_by(entry(self.columns))
    }

    /// The seat of whoever has been seated before.
    pub(super) fn find(&self, tag: u64) -> Option<Seat> {
        let of = |tag: u64| self.seats().find(|seat| self.tag(*seat) == tag);
        // INVARIANT: at most one entry is the crowd's.
        of(tag).or_else(|| of(CROWD))
    }

    /// The seat of `tag`, by the rules above.
    pub(super) fn seat(&mut self, tag: u64, now: u64) -> Seat {
        let own = self.seats().find(|seat| self.tag(*seat) == tag);
        own.unwrap_or_else(|| self.admit(tag, now))
    }

    /// The seat of a newcomer.
    fn admit(&mut self, tag: u64, now: u64) -> Seat {
        let crowd = self.seats().find(|seat| self.tag(*seat) == CROWD);
        if self.seats().count() < ENTRIES {
            let seat = self.bytes.len();
            self.bytes.resize(seat.saturating_add(entry(self.columns)), 0);
            self.take(seat, tag, crowd);
            return seat;
        }
        // What is owed of the first limit stands for all: to share is strict in any case.
        let rank = |seat: &Seat| {
            let rank = match *seat {
                seat if self.is_idle(seat, now) => Rank::Vacant,
                seat if self.tag(seat) == CROWD => Rank::Crowd,
                _ => Rank::Others,
            };
            (rank, self.state(*seat, 0))
        };
        let best = self.seats().map(|seat| (rank(&seat), seat)).min();
        let Some(((rank, _), seat)) = best else { return self.bytes.len() };
        match rank {
            Rank::Vacant => self.take(seat, tag, crowd),
            Rank::Crowd => {}
            Rank::Others => self.set_word(seat, CROWD),
        }
        seat
    }

    /// Makes an entry that of `tag`, who leaves the crowd.
    fn take(&mut self, seat: Seat, tag: u64, crowd: Option<Seat>) {
        for place in 0..self.columns {
            let owed = crowd.map_or(0, |crowd| self.state(crowd, place));
            self.set_state(seat, place, owed);
        }
        self.set_word(seat, tag);
    }

    fn is_idle(&self, seat: Seat, now: u64) -> bool {
        (0..self.columns).all(|place| self.is_idle_at(seat, place, now))
    }

    fn is_idle_at(&self, seat: Seat, place: usize, now: u64) -> bool {
        self.column(place).is_none_or(|column| column.idle.is(self.state(seat, place), now))
    }

    /// Drops the entries that are idle, but for one.
    pub(super) fn prune(&mut self, keep: Seat, now: u64) {
        let mut seats = self.seats();
        if !seats.any(|seat| seat != keep && self.is_idle(seat, now)) {
            return;
        }
        let mut bytes = self.bytes.get(..header(self.columns)).unwrap_or_default().to_vec();
        for seat in self.seats().filter(|seat| *seat == keep || !self.is_idle(*seat, now)) {
            let entry = self.bytes.get(seat..).and_then(|rest| rest.get(..entry(self.columns)));
            bytes.extend(entry.unwrap_or_default());
        }
        self.bytes = bytes;
    }
}

impl Column {
    fn to_bytes(self) -> [u8; COLUMN] {
        let [a, b, c, d] = self.member.to_le_bytes();
        let (kind, nanos) = self.idle.to_parts();
        let [e, f, g, h, i, j, k, l] = nanos.to_le_bytes();
        [a, b, c, d, kind, e, f, g, h, i, j, k, l]
    }

    fn of_bytes([a, b, c, d, kind, nanos @ ..]: &[u8; COLUMN]) -> Option<Self> {
        let idle = Idle::of_parts(*kind, u64::from_le_bytes(*nanos))?;
        Some(Self { member: Member::from_le_bytes([*a, *b, *c, *d]), idle })
    }
}

/// How many bytes come before the entries.
const fn header(columns: usize) -> usize {
    columns.saturating_mul(COLUMN).saturating_add(1)
}

/// How many bytes an entry has.
const fn entry(columns: usize) -> usize {
    columns.saturating_add(1).saturating_mul(WORD)
}

const fn state(seat: Seat, place: usize) -> usize {
    seat.saturating_add(place.saturating_add(1).saturating_mul(WORD))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;
    use crate::limit::gcra::Gcra;
    use crate::limit::gcra::NANOS_PER_SEC;
    use crate::limit::tests::assert_within;

    const NOW: u64 = 1_800_000_000 * NANOS_PER_SEC;

    fn group(members: &[Member]) -> Group {
        let column = |member: &Member| Column { member: *member, idle: Idle::Rate };
        Group { table: 1, columns: members.iter().map(column).collect() }
    }

    /// Of one limit.
    fn one() -> Group {
        group(&[7])
    }

    fn slot(group: &Group, entries: &[(u64, &[u64])]) -> Slot {
        let mut slot = Slot::new(&group.columns);
        for (tag, states) in entries {
            let words = [tag].into_iter().chain(*states);
            slot.bytes.extend(words.flat_map(|word| word.to_le_bytes()));
        }
        slot
    }

    fn full() -> Slot {
        let entries: Vec<_> = (1..=8).map(|tag| (tag, [NOW + 10 * tag])).collect();
        let entries: Vec<_> = entries.iter().map(|(tag, states)| (*tag, &states[..])).collect();
        slot(&one(), &entries)
    }

    fn owed(slot: &mut Slot, tag: u64, now: u64) -> u64 {
        let seat = slot.seat(tag, now);
        slot.state(seat, 0)
    }

    #[test]
    fn what_is_written_is_read_back_and_idle_entries_are_dropped() {
        let before = slot(&one(), &[(7, &[NOW + 5]), (8, &[3]), (9, &[NOW + 6])]);
        let mut read = Slot::read(before.as_bytes().to_vec()).unwrap().with(&one(), NOW).unwrap();
        assert_eq!(read, before);
        let seat = read.find(9).unwrap();
        read.prune(seat, NOW);
        assert_eq!(read, slot(&one(), &[(7, &[NOW + 5]), (9, &[NOW + 6])]));
        // What is about to be written stays, idle or not.
        let mut alone = slot(&one(), &[(8, &[3])]);
        let seat = alone.find(8).unwrap();
        alone.prune(seat, NOW);
        assert_eq!(alone, slot(&one(), &[(8, &[3])]));
    }

    #[test]
    fn an_entry_is_kept_while_a_worker_behind_may_still_need_it() {
        let mut both = slot(
            &one(),
            &[(7, &[NOW - NANOS_PER_SEC + 1]), (8, &[NOW - NANOS_PER_SEC]), (9, &[NOW])],
        );
        let seat = both.find(9).unwrap();
        both.prune(seat, NOW);
        assert_eq!(both, slot(&one(), &[(7, &[NOW - NANOS_PER_SEC + 1]), (9, &[NOW])]));
    }

    #[test]
    fn values_that_were_never_written_are_no_slots() {
        let whole = full();
        for length in 1..whole.as_bytes().len() {
            let is_whole = length > 14 && (length - 14) % 16 == 0;
            let read = Slot::read(whole.as_bytes()[..length].to_vec());
            assert_eq!(read.is_some(), is_whole, "{length}");
        }
        assert_eq!(Slot::read(Vec::new()), None);
        assert_eq!(Slot::read(vec![0; 16]), None);
        let ninth = [whole.as_bytes(), &[0; 16]].concat();
        assert_eq!(Slot::read(ninth), None);
    }

    #[test]
    fn a_newcomer_to_a_full_slot_shares_the_entry_that_owes_least_with_its_owner() {
        let mut slot = full();
        let seat = slot.seat(99, NOW);
        slot.set_state(seat, 0, NOW + 1_010);
        assert_eq!(owed(&mut slot, 98, NOW), NOW + 1_010);
        assert_eq!(owed(&mut slot, 1, NOW), NOW + 1_010);
        assert_eq!(owed(&mut slot, 2, NOW), NOW + 20);
    }

    #[test]
    fn who_leaves_the_crowd_takes_along_what_the_crowd_owes() {
        let mut slot = full();
        let seat = slot.seat(99, NOW);
        slot.set_state(seat, 0, NOW + 5 * NANOS_PER_SEC);
        let later = NOW + 2 * NANOS_PER_SEC;
        assert_eq!(owed(&mut slot, 99, later), NOW + 5 * NANOS_PER_SEC);
        assert_eq!(slot.seats().filter(|seat| slot.tag(*seat) == 99).count(), 1);
    }

    #[test]
    fn a_bucket_just_filled_is_shared_not_replaced_so_that_a_worker_behind_still_finds_it() {
        let mut slot = full();
        slot.seat(99, NOW + 15);
        assert_eq!(owed(&mut slot, 1, NOW + 5), NOW + 10);
    }

    #[test]
    fn limits_that_come_and_go_leave_the_others_as_they_are() {
        let before = slot(&group(&[7, 8]), &[(1, &[3, NOW + 2]), (2, &[4, NOW + 4])]);
        let after = before.clone().with(&group(&[9, 8]), NOW).unwrap();
        assert_eq!(after, slot(&group(&[9, 8]), &[(1, &[0, NOW + 2]), (2, &[0, NOW + 4])]));
        assert_eq!((after.place_of(8, 0), after.place_of(7, 0)), (Some(1), None));
        assert_eq!(Slot::read(after.as_bytes().to_vec()), Some(after));
    }

    #[test]
    fn another_policy_of_the_same_store_loses_nothing() {
        let other = slot(&group(&[7]), &[(1, &[NOW + 5]), (2, &[4])]);
        let both = other.with(&group(&[9]), NOW).unwrap();
        assert_eq!(both, slot(&group(&[9, 7]), &[(1, &[0, NOW + 5]), (2, &[0, 4])]));
        // It does not write it anew each time.
        assert_eq!(both.clone().with(&group(&[7]), NOW), Some(both.clone()));
        assert_eq!(both.clone().with(&group(&[9]), NOW), Some(both.clone()));
        // Nor is an entry idle where the other still owes.
        let mut pruned = both.clone();
        pruned.prune(pruned.find(2).unwrap(), NOW);
        assert_eq!(pruned, both);
        let many: Vec<_> = (100..132).collect();
        let slot = slot(&group(&many), &[(1, &[NOW + 5; 32])]);
        assert_eq!(slot.with(&group(&[7]), NOW), None, "too many that are owed");
    }

    #[test]
    fn an_entry_is_idle_only_if_all_its_buckets_are_and_a_newcomer_shares_them_all() {
        let two = group(&[7, 8]);
        let entries: Vec<_> = (1..=8).map(|tag| (tag, [3, NOW + 10 * tag])).collect();
        let entries: Vec<_> = entries.iter().map(|(tag, states)| (*tag, &states[..])).collect();
        let mut busy = slot(&two, &entries);
        let own = busy.find(8).unwrap();
        let before = busy.clone();
        busy.prune(own, NOW);
        assert_eq!(busy, before);
        let seat = busy.seat(99, NOW);
        assert_eq!((busy.state(seat, 0), busy.state(seat, 1)), (3, NOW + 10));
        assert_eq!(busy.find(1), Some(seat));
    }

    proptest! {
        #[test]
        fn more_tags_than_fit_never_get_more_than_a_bucket_each(
            burst in 1_u32..6,
            arrivals in prop::collection::vec((1_u64..24, 0_u64..150, 0_u64..900, 1_u32..3), 1..400),
        ) {
            let rate = "5/s".parse().unwrap();
            let gcra = Gcra::new(rate, NonZeroU32::new(burst).unwrap()).unwrap();
            // Beside another limit, of which nothing is taken.
            let group = group(&[7, 8]);
            let (mut stored, mut clock) = (None::<Vec<u8>>, NOW);
            let mut admitted = vec![Vec::new(); 24];
            for (tag, pause, behind, cost) in arrivals {
                clock += pause * 1_000_000;
                let now = clock - behind * 1_000_000;
                let read = |bytes| Slot::read(bytes).unwrap().with(&group, now).unwrap();
                let mut slot = stored.clone().map_or_else(|| Slot::new(&group.columns), read);
                let seat = slot.seat(tag, now);
                let tat = gcra.settle(slot.state(seat, 1), now);
                if let Ok(next) = gcra.take(tat, now, cost) {
                    slot.set_state(seat, 1, next);
                    slot.prune(seat, now);
                    stored = Some(slot.as_bytes().to_vec());
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
