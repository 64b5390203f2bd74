//! A clock that stands still and a store in memory.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use postern::host::{Expected, Host, HostError, Stored, Swap, Timestamp};

use super::NOW;

/// Clock and store; a clone is the same ones.
#[derive(Clone, Debug, Default)]
pub struct World(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    now: Cell<Timestamp>,
    broken: Cell<bool>,
    writes: Cell<u32>,
    values: RefCell<HashMap<Vec<u8>, Stored>>,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            now: Cell::new(Timestamp::from_secs(NOW)),
            broken: Cell::default(),
            writes: Cell::default(),
            values: RefCell::default(),
        }
    }
}

impl World {
    /// Sets the clock, in seconds from [`NOW`] on.
    pub fn set(&self, offset: i64) {
        self.0.now.set(Timestamp::from_secs(NOW.saturating_add_signed(offset)));
    }

    /// Breaks the store, or mends it.
    pub fn break_store(&self, broken: bool) {
        self.0.broken.set(broken);
    }

    /// How often the store was written.
    pub fn writes(&self) -> u32 {
        self.0.writes.get()
    }
}

impl Host for World {
    fn now(&self) -> Timestamp {
        self.0.now.get()
    }

    fn load(&self, key: &[u8]) -> Result<Option<Stored>, HostError> {
        if self.0.broken.get() {
            return Err(HostError);
        }
        Ok(self.0.values.borrow().get(key).cloned())
    }

    fn swap(&self, key: &[u8], value: &[u8], expected: Expected) -> Result<Swap, HostError> {
        if self.0.broken.get() {
            return Err(HostError);
        }
        let mut values = self.0.values.borrow_mut();
        let there = values.get(key).map(|stored| stored.version);
        let wanted = match expected {
            Expected::Absent => None,
            Expected::Version(version) => Some(version),
        };
        if there != wanted {
            return Ok(Swap::Conflict);
        }
        let version = self.0.writes.get().wrapping_add(1);
        self.0.writes.set(version);
        values.insert(key.to_vec(), Stored { value: value.to_vec(), version });
        Ok(Swap::Done)
    }
}
