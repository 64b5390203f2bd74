//! Sets of which a few bits are kept.

use crate::limit::BucketKey;

/// Operations: what is in it is found in it, and now and then what is not.
///
/// A Bloom filter of 256 bits with two for each operation: of an agent that has used 20 operations
/// one new one in 45 is taken for known, of one that has used 60 one in 7.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Operations(pub(super) [u64; 4]);

impl Operations {
    fn bits(operation: u64) -> [(usize, u64); 2] {
        let [one, other, ..] = operation.to_le_bytes();
        [one, other].map(|bit| (usize::from(bit >> 6), 1 << (bit & 63)))
    }

    pub(super) fn has(&self, operation: u64) -> bool {
        let is_set = |(word, bit)| self.0.get(word).is_some_and(|word: &u64| word & bit != 0);
        Self::bits(operation).into_iter().all(is_set)
    }

    pub(super) fn insert(&mut self, operation: u64) {
        for (word, bit) in Self::bits(operation) {
            if let Some(word) = self.0.get_mut(word) {
                *word |= bit;
            }
        }
    }
}

/// Networks: about how many there were. Which ones they were cannot be read from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Networks(pub(super) u64);

impl Networks {
    /// The bit of a network; it is another one for another agent.
    pub(super) fn bit(agent: BucketKey, network: u64) -> u64 {
        1 << (agent.with(network).tag() & 63)
    }

    pub(super) const fn has(self, bit: u64) -> bool {
        self.0 & bit != 0
    }

    pub(super) const fn insert(&mut self, bit: u64) {
        self.0 |= bit;
    }

    /// How many it takes on average to set as many bits.
    pub(super) fn count(self) -> u32 {
        let missing = |set: u32| f64::from(u64::BITS) / f64::from(u64::BITS.saturating_sub(set));
        (0..self.0.count_ones()).map(missing).sum::<f64>().round() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_twenty_operations_all_are_known_and_few_others() {
        let key = BucketKey::new(&["agent"]);
        let mut operations = Operations::default();
        (0..20).for_each(|one| operations.insert(key.with(one).tag()));
        assert!((0..20).all(|one| operations.has(key.with(one).tag())));
        let mistaken = (20..10_020).filter(|one| operations.has(key.with(*one).tag())).count();
        assert!((50..500).contains(&mistaken), "{mistaken}");
    }

    #[test]
    fn networks_are_counted_about_right() {
        let key = BucketKey::new(&["agent"]);
        for (networks, about) in [(0, 0..=0), (1, 1..=1), (2, 2..=2), (10, 8..=12), (64, 45..=90)] {
            let mut seen = Networks::default();
            for round in 0..3 * networks {
                seen.insert(Networks::bit(key, round % networks));
            }
            assert!(about.contains(&seen.count()), "{networks}: {}", seen.count());
        }
        assert_eq!(Networks(u64::MAX).count(), 304);
    }
}
