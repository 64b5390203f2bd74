//! One value of the table in the shared store: the buckets of the principals that hash to it.
//!
//! It says itself which limits its buckets are of: the number of them, then each by its
//! [`Member`]; then for each principal its tag, and the state of its bucket in each of these limits. So a
//! policy that adds a limit, or takes one away, leaves the others as they are.

use super::group::{Group, Member};
use super::key::CROWD;
use super::meter::Meter;

/// Principals in a slot.
pub(super) const ENTRIES: usize = 8;

const WORD: usize = size_of::<u64>();

const MEMBER: usize = size_of::<Member>();

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
    /// The number of limits.
    members: usize,
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
    pub(super) fn new(group: &Group) -> Self {
        let members = group.members.len();
        let mut bytes = Vec::with_capacity(header(members).saturating_add(entry(members)));
        bytes.push(members as u8);
        group.members.iter().for_each(|(member, _)| bytes.extend(member.to_le_bytes()));
        Self { bytes, members }
    }

    /// Reads what was written here; `None` for anything else.
    pub(super) fn read(bytes: Vec<u8>) -> Option<Self> {
        let members = usize::from(*bytes.first()?);
        let entries = bytes.len().checked_sub(header(members))?;
        let is_whole = entries > 0 && members > 0 && entries.is_multiple_of(entry(members));
        let is_right = is_whole && entries <= ENTRIES.saturating_mul(entry(members));
        is_right.then_some(Self { bytes, members })
    }

    /// The same, of the limits of `group`: what it says of others is forgotten, and what it does not say
    /// of is as if never used.
    pub(super) fn of(self, group: &Group) -> Self {
        let is_it = |(place, (member, _)): (usize, &(Member, Meter))| self.member(place) == *member;
        if self.members == group.members.len() && group.members.iter().enumerate().all(is_it) {
            return self;
        }
        let mut other = Self::new(group);
        for seat in self.seats() {
            other.bytes.extend(self.tag(seat).to_le_bytes());
            for (member, _) in &group.members {
                let state = self.place_of(*member).map(|place| self.state(seat, place));
                other.bytes.extend(state.unwrap_or_default().to_le_bytes());
            }
        }
        other
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where the states of a limit are kept.
    pub(super) fn place_of(&self, member: Member) -> Option<usize> {
        (0..self.members).find(|place| self.member(*place) == member)
    }

    fn member(&self, place: usize) -> Member {
        let at = place.saturating_mul(MEMBER).saturating_add(1);
        self.bytes
            .get(at..)
            .and_then(<[u8]>::first_chunk)
            .map_or(0, |four| Member::from_le_bytes(*four))
    }

    fn word(&self, at: usize) -> u64 {
        self.bytes
            .get(at..)
            .and_then(<[u8]>::first_chunk)
            .map_or(0, |eight| u64::from_le_bytes(*eight))
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
        (header(self.members)..self.bytes.len()).step_by(entry(self.members))
    }

    /// The seat of whoever has been seated before.
    pub(super) fn find(&self, tag: u64) -> Option<Seat> {
        let of = |tag: u64| self.seats().find(|seat| self.tag(*seat) == tag);
        // INVARIANT: at most one entry is the crowd's.
        of(tag).or_else(|| of(CROWD))
    }

    /// The seat of `tag`, by the rules above.
    pub(super) fn seat(&mut self, tag: u64, group: &Group, now: u64) -> Seat {
        let own = self.seats().find(|seat| self.tag(*seat) == tag);
        own.unwrap_or_else(|| self.admit(tag, group, now))
    }

    /// The seat of a newcomer.
    fn admit(&mut self, tag: u64, group: &Group, now: u64) -> Seat {
        let crowd = self.seats().find(|seat| self.tag(*seat) == CROWD);
        if self.seats().count() < ENTRIES {
            let seat = self.bytes.len();
            self.bytes.resize(seat.saturating_add(entry(self.members)), 0);
            self.take(seat, tag, crowd);
            return seat;
        }
        let rank = |seat: &Seat| {
            let rank = match *seat {
                seat if self.is_idle(seat, group, now) => Rank::Vacant,
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
        for place in 0..self.members {
            let owed = crowd.map_or(0, |crowd| self.state(crowd, place));
            self.set_state(seat, place, owed);
        }
        self.set_word(seat, tag);
    }

    fn is_idle(&self, seat: Seat, group: &Group, now: u64) -> bool {
        let mut meters = group.members.iter().enumerate();
        meters.all(|(place, (_, meter))| meter.is_idle(self.state(seat, place), now))
    }

    /// Drops the entries that are idle, but for one.
    pub(super) fn prune(&mut self, keep: Seat, group: &Group, now: u64) {
        let mut seats = self.seats();
        if !seats.any(|seat| seat != keep && self.is_idle(seat, group, now)) {
            return;
        }
        let mut bytes = self.bytes.get(..header(self.members)).unwrap_or_default().to_vec();
        for seat in self.seats().filter(|seat| *seat == keep || !self.is_idle(*seat, group, now)) {
            let entry = self.bytes.get(seat..).and_then(|rest| rest.get(..entry(self.members)));
            bytes.extend(entry.unwrap_or_default());
        }
        self.bytes = bytes;
    }
}

/// How many bytes come before the entries.
const fn header(members: usize) -> usize {
    members.saturating_mul(MEMBER).saturating_add(1)
}

/// How many bytes an entry has.
const fn entry(members: usize) -> usize {
    members.saturating_add(1).saturating_mul(WORD)
}

const fn state(seat: Seat, place: usize) -> usize {
    seat.saturating_add(place.saturating_add(1).saturating_mul(WORD))
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
    fn group(members: &[Member]) -> Group {
        let meter = Meter::Rate(Gcra::new(Rate::ONE_A_SECOND, NonZeroU32::MIN).unwrap());
        Group { table: 1, members: members.iter().map(|member| (*member, meter)).collect() }
    }

    /// Of one limit.
    fn one() -> Group {
        group(&[7])
    }

    fn slot(group: &Group, entries: &[(u64, &[u64])]) -> Slot {
        let mut slot = Slot::new(group);
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
        let seat = slot.seat(tag, &one(), now);
        slot.state(seat, 0)
    }

    #[test]
    fn what_is_written_is_read_back_and_idle_entries_are_dropped() {
        let before = slot(&one(), &[(7, &[NOW + 5]), (8, &[3]), (9, &[NOW + 6])]);
        let mut read = Slot::read(before.as_bytes().to_vec()).unwrap().of(&one());
        assert_eq!(read, before);
        let seat = read.find(9).unwrap();
        read.prune(seat, &one(), NOW);
        assert_eq!(read, slot(&one(), &[(7, &[NOW + 5]), (9, &[NOW + 6])]));
        // What is about to be written stays, idle or not.
        let mut alone = slot(&one(), &[(8, &[3])]);
        let seat = alone.find(8).unwrap();
        alone.prune(seat, &one(), NOW);
        assert_eq!(alone, slot(&one(), &[(8, &[3])]));
    }

    #[test]
    fn an_entry_is_kept_while_a_worker_behind_may_still_need_it() {
        let mut both = slot(
            &one(),
            &[(7, &[NOW - NANOS_PER_SEC + 1]), (8, &[NOW - NANOS_PER_SEC]), (9, &[NOW])],
        );
        let seat = both.find(9).unwrap();
        both.prune(seat, &one(), NOW);
        assert_eq!(both, slot(&one(), &[(7, &[NOW - NANOS_PER_SEC + 1]), (9, &[NOW])]));
    }

    #[test]
    fn values_that_were_never_written_are_no_slots() {
        let whole = full();
        for length in 1..whole.as_bytes().len() {
            let is_whole = length > 5 && (length - 5) % 16 == 0;
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
        let seat = slot.seat(99, &one(), NOW);
        slot.set_state(seat, 0, NOW + 1_010);
        assert_eq!(owed(&mut slot, 98, NOW), NOW + 1_010);
        assert_eq!(owed(&mut slot, 1, NOW), NOW + 1_010);
        assert_eq!(owed(&mut slot, 2, NOW), NOW + 20);
    }

    #[test]
    fn who_leaves_the_crowd_takes_along_what_the_crowd_owes() {
        let mut slot = full();
        let seat = slot.seat(99, &one(), NOW);
        slot.set_state(seat, 0, NOW + 5 * NANOS_PER_SEC);
        let later = NOW + 2 * NANOS_PER_SEC;
        assert_eq!(owed(&mut slot, 99, later), NOW + 5 * NANOS_PER_SEC);
        assert_eq!(slot.seats().filter(|seat| slot.tag(*seat) == 99).count(), 1);
    }

    #[test]
    fn a_bucket_just_filled_is_shared_not_replaced_so_that_a_worker_behind_still_finds_it() {
        let mut slot = full();
        slot.seat(99, &one(), NOW + 15);
        assert_eq!(owed(&mut slot, 1, NOW + 5), NOW + 10);
    }

    #[test]
    fn limits_that_come_and_go_leave_the_others_as_they_are() {
        let before = slot(&group(&[7, 8]), &[(1, &[NOW + 1, NOW + 2]), (2, &[NOW + 3, NOW + 4])]);
        let after = before.clone().of(&group(&[9, 8]));
        assert_eq!(after, slot(&group(&[9, 8]), &[(1, &[0, NOW + 2]), (2, &[0, NOW + 4])]));
        assert_eq!(after.place_of(8), Some(1));
        assert_eq!(after.place_of(7), None);
        assert_eq!(Slot::read(after.as_bytes().to_vec()), Some(after));
    }

    #[test]
    fn an_entry_is_idle_only_if_all_its_buckets_are_and_a_newcomer_shares_them_all() {
        let two = group(&[7, 8]);
        let entries: Vec<_> = (1..=8).map(|tag| (tag, [3, NOW + 10 * tag])).collect();
        let entries: Vec<_> = entries.iter().map(|(tag, states)| (*tag, &states[..])).collect();
        let mut busy = slot(&two, &entries);
        let own = busy.find(8).unwrap();
        let before = busy.clone();
        busy.prune(own, &two, NOW);
        assert_eq!(busy, before);
        let seat = busy.seat(99, &two, NOW);
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
            let group = Group { table: 1, members: vec![(7, Meter::Rate(gcra)), (8, Meter::Rate(gcra))] };
            let (mut stored, mut clock) = (None::<Vec<u8>>, NOW);
            let mut admitted = vec![Vec::new(); 24];
            for (tag, pause, behind, cost) in arrivals {
                clock += pause * 1_000_000;
                let now = clock - behind * 1_000_000;
                let read = |bytes| Slot::read(bytes).unwrap().of(&group);
                let mut slot = stored.clone().map_or_else(|| Slot::new(&group), read);
                let seat = slot.seat(tag, &group, now);
                let tat = gcra.settle(slot.state(seat, 1), now);
                if let Ok(next) = gcra.take(tat, now, cost) {
                    slot.set_state(seat, 1, next);
                    slot.prune(seat, &group, now);
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
