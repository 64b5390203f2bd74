//! What is left to each address.

use std::cell::RefCell;
use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::address::network;
use crate::denial::{Denial, Refusal};
use crate::host::{Host, Timestamp};
use crate::limit::Rate;

/// Budgets of one worker. An address has one of them, by a hash that nobody can foretell; who share
/// one share it, so that all addresses of the world together cost no more than so many do.
pub const ADDRESSES: usize = 1_024;

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// How many tokens of each address may be refused, and how fast.
///
/// By the generic cell rate algorithm, in nanoseconds: a budget is the moment at which it will be
/// whole again, and what it holds at the most is what comes in over the rate's period.
pub struct Budget {
    /// Empty until something is spent.
    places: RefCell<Vec<u64>>,
    /// What one token takes.
    cost: u64,
    /// What there is at the most.
    whole: u64,
    seed: [u8; 16],
}

/// What was taken from a budget, and may be given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Debit(Option<usize>);

impl Debit {
    /// Nothing was taken.
    pub(crate) const NONE: Self = Self(None);
}

impl Budget {
    /// Budgets that all are whole. `seed` is random.
    pub fn new(rate: Rate, seed: [u8; 16]) -> Self {
        let whole = u64::from(rate.period_secs().get()).saturating_mul(SECOND);
        let cost = (whole / u64::from(rate.quota().get())).max(1);
        Self { places: RefCell::default(), cost, whole, seed }
    }

    /// Takes what one token may cost from the budget of whoever sent the request at hand. Where the
    /// host does not tell who that is, there is none.
    ///
    /// # Errors
    ///
    /// Nothing is left.
    pub(crate) fn debit(&self, host: &impl Host, now: Timestamp) -> Result<Debit, Refusal> {
        let Some(address) = host.source() else { return Ok(Debit::NONE) };
        let (place, now) = (self.place(&address), now.as_nanos());
        let mut places = self.places.borrow_mut();
        if places.is_empty() {
            places.resize(ADDRESSES, 0);
        }
        let Some(full_at) = places.get_mut(place) else { return Ok(Debit::NONE) };
        let missing = full_at.saturating_sub(now);
        // So much is never missing: the clock went back.
        let missing = if missing > self.whole { 0 } else { missing };
        let spent = missing.saturating_add(self.cost);
        if spent > self.whole {
            return Err(Refusal::because(
                Denial::RateLimited,
                "too many tokens from this address were refused",
            ));
        }
        *full_at = now.saturating_add(spent);
        Ok(Debit(Some(place)))
    }

    /// Gives back what was taken for a token that is good, or that cost nothing after all.
    pub(crate) fn refund(&self, Debit(place): Debit) {
        let Some(place) = place else { return };
        if let Some(full_at) = self.places.borrow_mut().get_mut(place) {
            *full_at = full_at.saturating_sub(self.cost);
        }
    }

    fn place(&self, address: &[u8]) -> usize {
        let hash = Sha256::new().chain_update(self.seed).chain_update(network(address));
        let [low, high, ..] = <[u8; 32]>::from(hash.finalize());
        usize::from(u16::from_le_bytes([low, high])) % ADDRESSES
    }
}

impl fmt::Debug for Budget {
    /// Shows nothing: who knows the seed can tell who shares a budget.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Budget(..)")
    }
}
