//! A host of one process and one moment.

use std::cell::RefCell;
use std::collections::HashMap;

use postern::host::{Expected, Fetch, Host, HostError, Stored, Swap, Timestamp};

/// The number of whatever is sent: one answer at most is given on the command line.
pub(in crate::command) const CALL: u32 = 1;

/// A store in memory, a clock that stands, and one connection.
pub(in crate::command) struct Memory {
    now: Timestamp,
    certificate: Option<[u8; 32]>,
    store: RefCell<HashMap<Vec<u8>, Stored>>,
}

impl Memory {
    pub(in crate::command) fn new(now: Timestamp, certificate: Option<[u8; 32]>) -> Self {
        Self { now, certificate, store: RefCell::default() }
    }
}

impl Host for Memory {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn load(&self, key: &[u8]) -> Result<Option<Stored>, HostError> {
        Ok(self.store.borrow().get(key).cloned())
    }

    fn swap(&self, key: &[u8], value: &[u8], expected: Expected) -> Result<Swap, HostError> {
        let mut store = self.store.borrow_mut();
        let there = store.get(key).map(|stored| stored.version);
        let version = match (expected, there) {
            (Expected::Absent, None) => 1,
            (Expected::Version(wanted), Some(version)) if wanted == version => {
                version.checked_add(1).ok_or(HostError)?
            }
            _ => return Ok(Swap::Conflict),
        };
        store.insert(key.to_vec(), Stored { value: value.to_vec(), version });
        Ok(Swap::Done)
    }

    /// Nothing goes anywhere.
    fn fetch(&self, _: &Fetch<'_>) -> Result<u32, HostError> {
        Ok(CALL)
    }

    fn peer_certificate(&self) -> Option<[u8; 32]> {
        self.certificate
    }

    /// Nonces live as long as this process, so nobody needs to guess them.
    fn random(&self) -> Result<[u8; 16], HostError> {
        Ok([0; 16])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_replaced_only_by_whoever_saw_it() {
        let host = Memory::new(Timestamp::from_secs(1), None);
        assert_eq!(host.swap(b"k", b"a", Expected::Version(1)), Ok(Swap::Conflict));
        assert_eq!(host.swap(b"k", b"a", Expected::Absent), Ok(Swap::Done));
        assert_eq!(host.swap(b"k", b"b", Expected::Absent), Ok(Swap::Conflict));
        let version = host.load(b"k").unwrap().unwrap().version;
        assert_eq!(host.swap(b"k", b"b", Expected::Version(version)), Ok(Swap::Done));
        assert_eq!(host.swap(b"k", b"c", Expected::Version(version)), Ok(Swap::Conflict));
        assert_eq!(host.load(b"k").unwrap().unwrap().value, b"b");
    }
}
