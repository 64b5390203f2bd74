//! The profiles in the shared store: a few to a slot, changed by compare-and-swap.

use super::profile::{Profile, WORDS};
use crate::host::{Expected, Host, HostError, Swap};
use crate::limit::BucketKey;

/// Values in the store, at the most: nothing is ever freed there, so keys come from a fixed set.
pub(super) const SLOTS: usize = 1 << 14;

/// Profiles in each. At its fullest a table takes about 10 MB of the host's memory.
pub(super) const ENTRIES: usize = 4;

/// The tag, then the profile, in little endian.
const ENTRY_WORDS: usize = WORDS + 1;

const WORD_BYTES: usize = size_of::<u64>();

/// How often a swap is tried before the store counts as too contended.
const MAX_ATTEMPTS: u32 = 16;

/// Changes the profile of `agent`, or that of one who was never seen; what it is then.
///
/// # Errors
///
/// The store fails, holds what was never written here, or is too contended.
pub(super) fn update(
    host: &impl Host,
    agent: BucketKey,
    unseen: Profile,
    change: impl Fn(&mut Profile),
) -> Result<Profile, HostError> {
    let key = key(agent);
    for _ in 0..MAX_ATTEMPTS {
        let (mut entries, expected) = match host.load(key.as_bytes())? {
            None => (Vec::new(), Expected::Absent),
            Some(stored) => {
                (decode(&stored.value).ok_or(HostError)?, Expected::Version(stored.version))
            }
        };
        let own = entries.iter().position(|(tag, _)| *tag == agent.tag());
        let place = own.unwrap_or_else(|| seat(&mut entries, (agent.tag(), unseen)));
        let Some((_, profile)) = entries.get_mut(place) else { return Err(HostError) };
        change(profile);
        let changed = *profile;
        match host.swap(key.as_bytes(), &encode(&entries), expected)? {
            Swap::Done => return Ok(changed),
            Swap::Conflict => {}
        }
    }
    Err(HostError)
}

/// Where a newcomer is put: in the place of whoever was idle for longest, where there is no other.
fn seat(entries: &mut Vec<(u64, Profile)>, newcomer: (u64, Profile)) -> usize {
    if entries.len() < ENTRIES {
        entries.push(newcomer);
        return entries.len().saturating_sub(1);
    }
    let idle = entries.iter_mut().enumerate().min_by_key(|(_, (_, profile))| profile.interval);
    let Some((place, entry)) = idle else { return ENTRIES };
    *entry = newcomer;
    place
}

fn decode(value: &[u8]) -> Option<Vec<(u64, Profile)>> {
    let (words, rest) = value.as_chunks::<WORD_BYTES>();
    let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
    let (entries, few) = words.as_chunks::<ENTRY_WORDS>();
    let is_whole = rest.is_empty() && few.is_empty() && (1..=ENTRIES).contains(&entries.len());
    let read = |entry: &[u64; ENTRY_WORDS]| {
        let (tag, words) = entry.split_first()?;
        Some((*tag, Profile::from_words(words.try_into().ok()?)))
    };
    is_whole.then(|| entries.iter().map(read).collect()).flatten()
}

fn encode(entries: &[(u64, Profile)]) -> Vec<u8> {
    let mut value = Vec::with_capacity(entries.len() * ENTRY_WORDS * WORD_BYTES);
    for (tag, profile) in entries {
        value.extend(tag.to_le_bytes());
        profile.to_words().iter().for_each(|word| value.extend(word.to_le_bytes()));
    }
    value
}

/// Text, since some hosts take none but text for a key, and short enough that they keep it inline.
fn key(agent: BucketKey) -> String {
    let slot = usize::from(agent.slot()) % SLOTS;
    format!("postern.behaviour.{slot:04x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behaviour::Spans;

    const SPANS: Spans = Spans { interval: 60, learning: 600, memory: 86_400 };

    fn profile(minute: u32) -> Profile {
        Profile::new(SPANS, 60 * minute)
    }

    #[test]
    fn what_was_never_written_here_is_no_profile() {
        let whole = encode(&[(1, profile(1)), (2, profile(2))]);
        assert_eq!(decode(&whole).unwrap(), [(1, profile(1)), (2, profile(2))]);
        for length in [0, 1, 8, 135, 137, 200, 271] {
            assert_eq!(decode(&whole[..length]), None, "{length}");
        }
        assert_eq!(decode(&[0; 136 * (ENTRIES + 1)]), None);
    }

    #[test]
    fn a_newcomer_takes_the_place_of_whoever_was_idle_for_longest() {
        let mut entries = Vec::new();
        for (tag, minute) in [(1, 9), (2, 7), (3, 8), (4, 6)] {
            seat(&mut entries, (tag, profile(minute)));
        }
        assert_eq!(seat(&mut entries, (5, profile(10))), 3);
        let tags: Vec<_> = entries.iter().map(|(tag, _)| *tag).collect();
        assert_eq!(tags, [1, 2, 3, 5]);
    }

    #[test]
    fn keys_are_as_many_as_there_are_slots() {
        let keys: std::collections::HashSet<_> =
            (0..100_000).map(|n| key(BucketKey::new(&[&n.to_string()]))).collect();
        assert!(keys.len() <= SLOTS && keys.iter().all(|key| key.len() == 22));
    }
}
