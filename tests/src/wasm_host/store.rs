//! The store that all workers share.

use std::collections::{BTreeMap, VecDeque};

use super::Profile;

/// ABI statuses.
pub(super) const OK: u32 = 0;
pub(super) const NOT_FOUND: u32 = 1;
const CAS_MISMATCH: u32 = 8;
const INTERNAL_FAILURE: u32 = 10;

/// A key-value store with a version for each key, which means something else on each host.
#[derive(Debug)]
pub struct Store {
    profile: Profile,
    /// Least recently used first.
    entries: VecDeque<Entry>,
    next_version: u32,
    /// Keys it holds: when full, nginx forgets the oldest, others refuse.
    pub capacity: usize,
    /// Keys that another worker writes, with these values, just before they are next set.
    pub races: BTreeMap<Vec<u8>, Vec<u8>>,
}

#[derive(Debug)]
struct Entry {
    key: Vec<u8>,
    value: Vec<u8>,
    version: u32,
}

impl Store {
    pub(super) fn new(profile: Profile) -> Self {
        let capacity = match profile {
            Profile::Envoy | Profile::TrafficServer => usize::MAX,
            Profile::Nginx => 7_296,
            Profile::ProxyWasmHost => 4_096,
        };
        Self {
            profile,
            entries: VecDeque::new(),
            next_version: 1,
            capacity,
            races: BTreeMap::new(),
        }
    }

    /// The value and the version of a key.
    pub fn get(&mut self, key: &[u8]) -> Option<(Vec<u8>, u32)> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        let entry = self.entries.remove(at)?;
        let found = (entry.value.clone(), entry.version);
        self.entries.push_back(entry);
        Some(found)
    }

    /// Sets a key as the ABI says, and says how that went.
    pub fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> u32 {
        if let Some(rival) = self.races.remove(key) {
            let version = self.get(key).map_or(0, |(_, version)| version);
            self.set(key, &rival, version);
        }
        let at = self.entries.iter().position(|entry| entry.key == key);
        let present = at.and_then(|at| self.entries.get(at)).map(|entry| entry.version);
        let only_if_absent = cas == 0 && self.profile == Profile::Nginx;
        match present {
            Some(_) if only_if_absent => return CAS_MISMATCH,
            Some(version) if cas != 0 && cas != version => return CAS_MISMATCH,
            None if cas != 0 && self.profile == Profile::Nginx => return CAS_MISMATCH,
            _ => {}
        }
        if self.profile == Profile::ProxyWasmHost && value.len() > 64 * 1024 {
            return INTERNAL_FAILURE;
        }
        if present.is_none() && self.entries.len() >= self.capacity {
            if self.profile != Profile::Nginx {
                return INTERNAL_FAILURE;
            }
            self.entries.pop_front();
        }
        if let Some(at) = at {
            self.entries.remove(at);
        }
        let version = self.next_version;
        self.next_version = version.wrapping_add(1).max(1);
        self.entries.push_back(Entry { key: key.to_vec(), value: value.to_vec(), version });
        OK
    }

    /// The keys, least recently used first.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.entries.iter().map(|entry| entry.key.as_slice())
    }

    /// Forgets everything, as a host under pressure may.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}
