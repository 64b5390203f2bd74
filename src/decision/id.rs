//! Identifiers of decisions.

use std::cell::Cell;
use std::rc::Rc;

/// Makes identifiers that no other decision has: 16 hexadecimal digits made of the maker's random
/// seed, and a count.
#[derive(Debug)]
pub struct Ids {
    seed: u64,
    count: Cell<u64>,
}

impl Ids {
    /// A maker; two whose seeds are random make the same identifiers by a chance of 2⁻⁶⁴.
    pub fn new(seed: [u8; 16]) -> Self {
        let seed = u128::from_le_bytes(seed);
        let folded = (seed >> 64) ^ (seed & u128::from(u64::MAX));
        Self { seed: u64::try_from(folded).unwrap_or_default(), count: Cell::new(0) }
    }

    /// The next identifier.
    pub fn next(&self) -> Rc<str> {
        let count = self.count.get().wrapping_add(1);
        self.count.set(count);
        format!("{:016x}-{count:x}", self.seed).into()
    }
}
