//! Permissions as small integers, and sets of them as bits.

use hashbrown::HashMap;

/// A permission of the policy that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PermissionId(u16);

/// The permissions of a policy and their names; at most 65,535.
#[derive(Debug, Default)]
pub struct Permissions {
    names: Vec<String>,
    ids: HashMap<String, PermissionId>,
}

impl Permissions {
    /// The permission called `name`, made if need be; none when there are too many.
    pub(super) fn intern(&mut self, name: &str) -> Option<PermissionId> {
        if let Some(id) = self.ids.get(name) {
            return Some(*id);
        }
        let id = PermissionId(u16::try_from(self.names.len()).ok().filter(|id| *id < u16::MAX)?);
        self.names.push(name.to_owned());
        self.ids.insert(name.to_owned(), id);
        Some(id)
    }

    /// The permission called `name`.
    pub fn find(&self, name: &str) -> Option<PermissionId> {
        self.ids.get(name).copied()
    }

    /// What `id` is called.
    pub fn name(&self, id: PermissionId) -> &str {
        self.names.get(usize::from(id.0)).map_or("", String::as_str)
    }

    /// All names, in the order in which the policy first mentions them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

/// A set of permissions of one policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionSet {
    words: Vec<u64>,
}

impl PermissionSet {
    /// The set of none.
    pub const fn empty() -> Self {
        Self { words: Vec::new() }
    }

    fn place(id: PermissionId) -> (usize, u64) {
        (usize::from(id.0 / 64), 1 << (id.0 % 64))
    }

    /// Whether `id` is in the set.
    pub fn contains(&self, id: PermissionId) -> bool {
        let (word, bit) = Self::place(id);
        self.words.get(word).is_some_and(|bits| bits & bit != 0)
    }

    /// Puts `id` into the set.
    pub fn insert(&mut self, id: PermissionId) {
        let (word, bit) = Self::place(id);
        if word >= self.words.len() {
            self.words.resize(word.saturating_add(1), 0);
        }
        if let Some(bits) = self.words.get_mut(word) {
            *bits |= bit;
        }
    }

    /// Takes `id` out of the set.
    pub fn remove(&mut self, id: PermissionId) {
        let (word, bit) = Self::place(id);
        if let Some(bits) = self.words.get_mut(word) {
            *bits &= !bit;
        }
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: &Self) {
        if other.words.len() > self.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (bits, more) in self.words.iter_mut().zip(&other.words) {
            *bits |= more;
        }
    }

    /// Keeps only what is in `other` too.
    pub fn retain(&mut self, other: &Self) {
        self.words.truncate(other.words.len());
        for (bits, keep) in self.words.iter_mut().zip(&other.words) {
            *bits &= keep;
        }
    }

    /// What is in the set, in order.
    pub fn iter(&self) -> impl Iterator<Item = PermissionId> {
        self.words.iter().zip(0u16..).flat_map(|(bits, word)| {
            let (mut bits, base) = (*bits, word.saturating_mul(64));
            std::iter::from_fn(move || {
                let lowest = u16::try_from(bits.trailing_zeros()).ok().filter(|_| bits != 0)?;
                bits &= bits.wrapping_sub(1);
                Some(PermissionId(base.saturating_add(lowest)))
            })
        })
    }

    /// How many there are.
    pub fn len(&self) -> u32 {
        self.words.iter().map(|bits| bits.count_ones()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|bits| *bits == 0)
    }

    /// Whether all are in `other` too.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|id| other.contains(id))
    }

    /// Whether any is in `other` too.
    pub fn meets(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).any(|(ours, theirs)| ours & theirs != 0)
    }
}

impl FromIterator<PermissionId> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = PermissionId>>(ids: I) -> Self {
        let mut set = Self::default();
        for id in ids {
            set.insert(id);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: &[u16]) -> PermissionSet {
        ids.iter().map(|id| PermissionId(*id)).collect()
    }

    #[test]
    fn sets_of_different_lengths_meet_where_they_should() {
        let mut wide = set(&[1, 70, 200]);
        wide.retain(&set(&[1, 2, 70]));
        assert!(wide.contains(PermissionId(1)) && wide.contains(PermissionId(70)));
        assert!(!wide.contains(PermissionId(200)) && !wide.contains(PermissionId(2)));
        let mut narrow = set(&[1]);
        narrow.retain(&set(&[200]));
        assert!(narrow.is_empty() && !narrow.contains(PermissionId(1)));
        narrow.extend(&set(&[300]));
        assert_eq!(narrow.len(), 1);
        assert_eq!(narrow.iter().collect::<Vec<_>>(), [PermissionId(300)]);
        narrow.remove(PermissionId(300));
        assert!(narrow.is_empty() && !narrow.meets(&wide));
    }

    #[test]
    fn a_name_is_given_one_id_and_ids_run_out_before_they_wrap() {
        let mut permissions = Permissions::default();
        assert_eq!(permissions.intern("a"), permissions.intern("a"));
        for number in 1..u32::from(u16::MAX) {
            assert!(permissions.intern(&number.to_string()).is_some());
        }
        assert_eq!(permissions.intern("one too many"), None);
    }
}
