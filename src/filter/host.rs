//! The engine's [`Host`]: the proxy's clock and shared store.

use super::abi::{self, Status};
use super::capability::Capability;
use crate::host::{Expected, Host, HostError, Stored, Swap, Timestamp};

/// The proxy, while it handles one request, the moment of which is `now`.
pub(super) struct Proxy {
    now: Timestamp,
    capability: Capability,
}

impl Proxy {
    /// Reads the clock, once for the request.
    ///
    /// # Errors
    ///
    /// The proxy has no clock: no token's lifetime could be checked.
    pub(super) fn new(capability: Capability) -> Result<Self, Status> {
        Ok(Self { now: Timestamp::from_nanos(abi::now()?), capability })
    }
}

impl Host for Proxy {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn load(&self, key: &[u8]) -> Result<Option<Stored>, HostError> {
        match abi::shared_data(key) {
            // A key that was removed stays, with a version and without a value.
            Ok((value, _)) if value.is_empty() => Ok(None),
            Ok((value, version)) => Ok(Some(Stored { value, version })),
            Err(Status::NotFound) => Ok(None),
            Err(_) => Err(HostError),
        }
    }

    fn swap(&self, key: &[u8], value: &[u8], expected: Expected) -> Result<Swap, HostError> {
        let cas = match expected {
            Expected::Absent => self.capability.cas_if_absent,
            // On most hosts 0 means *whatever is there*.
            Expected::Version(0) => return Err(HostError),
            Expected::Version(version) => version,
        };
        match abi::set_shared_data(key, value, cas) {
            Err(Status::CasMismatch) if expected == Expected::Absent => fill(key, value),
            outcome => swapped(outcome),
        }
    }
}

/// Gives a value to a key that is there and has none.
fn fill(key: &[u8], value: &[u8]) -> Result<Swap, HostError> {
    match abi::shared_data(key) {
        Ok((present, version)) if present.is_empty() && version != 0 => {
            swapped(abi::set_shared_data(key, value, version))
        }
        Ok(_) | Err(Status::NotFound) => Ok(Swap::Conflict),
        Err(_) => Err(HostError),
    }
}

fn swapped(outcome: Result<(), Status>) -> Result<Swap, HostError> {
    match outcome {
        Ok(()) => Ok(Swap::Done),
        Err(Status::CasMismatch) => Ok(Swap::Conflict),
        Err(_) => Err(HostError),
    }
}
