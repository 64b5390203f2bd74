//! Stores to test against.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::host::{Expected, Host, HostError, Stored, Swap, Timestamp};

/// A store with one version counter for all keys, as Envoy's has.
#[derive(Default)]
pub(super) struct Memory {
    values: HashMap<Vec<u8>, Stored>,
    version: u32,
}

impl Memory {
    pub(super) fn load(&self, key: &[u8]) -> Option<Stored> {
        self.values.get(key).cloned()
    }

    pub(super) fn swap(&mut self, key: &[u8], value: &[u8], expected: Expected) -> Swap {
        let there = self.values.get(key).map(|stored| stored.version);
        let wanted = match expected {
            Expected::Absent => None,
            Expected::Version(version) => Some(version),
        };
        if there != wanted {
            return Swap::Conflict;
        }
        self.version += 1;
        let stored = Stored { value: value.to_vec(), version: self.version };
        self.values.insert(key.to_vec(), stored);
        Swap::Done
    }
}

/// One store for many threads, which counts its calls.
#[derive(Default)]
pub(in crate::limit) struct Shared {
    memory: Mutex<Memory>,
    loads: AtomicU32,
    swaps: AtomicU32,
}

impl From<Memory> for Shared {
    fn from(memory: Memory) -> Self {
        Self { memory: Mutex::new(memory), ..Self::default() }
    }
}

impl Shared {
    pub(in crate::limit) fn calls(&self) -> (u32, u32) {
        (self.loads.load(Ordering::Relaxed), self.swaps.load(Ordering::Relaxed))
    }

    pub(super) fn keys(&self) -> usize {
        self.memory.lock().unwrap().values.len()
    }
}

impl Host for Shared {
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }

    fn load(&self, key: &[u8]) -> Result<Option<Stored>, HostError> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        Ok(self.memory.lock().unwrap().load(key))
    }

    fn swap(&self, key: &[u8], value: &[u8], expected: Expected) -> Result<Swap, HostError> {
        self.swaps.fetch_add(1, Ordering::Relaxed);
        Ok(self.memory.lock().unwrap().swap(key, value, expected))
    }
}

/// A store where something else happens right before one of the calls.
pub(super) struct Interrupted<'a, F> {
    store: &'a Shared,
    until: Cell<u32>,
    rival: F,
}

impl<'a, F: Fn()> Interrupted<'a, F> {
    /// Runs `rival` before the `nth` call, counted from 1.
    pub(super) fn new(store: &'a Shared, nth: u32, rival: F) -> Self {
        Self { store, until: Cell::new(nth), rival }
    }

    fn count(&self) {
        self.until.set(self.until.get().wrapping_sub(1));
        if self.until.get() == 0 {
            (self.rival)();
        }
    }
}

impl<F: Fn()> Host for Interrupted<'_, F> {
    fn now(&self) -> Timestamp {
        self.store.now()
    }

    fn load(&self, key: &[u8]) -> Result<Option<Stored>, HostError> {
        self.count();
        self.store.load(key)
    }

    fn swap(&self, key: &[u8], value: &[u8], expected: Expected) -> Result<Swap, HostError> {
        self.count();
        self.store.swap(key, value, expected)
    }
}

/// A store that does not work.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    Contended,
    Load,
    Swap,
}

impl Host for Broken {
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }

    fn load(&self, _: &[u8]) -> Result<Option<Stored>, HostError> {
        if *self == Self::Load { Err(HostError) } else { Ok(None) }
    }

    fn swap(&self, _: &[u8], _: &[u8], _: Expected) -> Result<Swap, HostError> {
        if *self == Self::Swap { Err(HostError) } else { Ok(Swap::Conflict) }
    }
}
