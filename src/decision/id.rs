//! Identifiers of decisions.

use std::cell::Cell;

/// Makes identifiers that no other decision has: 16 hexadecimal digits made of the maker's random
/// seed, and a count.
#[derive(Debug)]
pub struct Ids {
    seed: String,
    count: Cell<u64>,
}

impl Ids {
    /// A maker; two whose seeds are random make the same identifiers by a chance of 2⁻⁶⁴.
    pub fn new(seed: [u8; 16]) -> Self {
        let seed = u128::from_le_bytes(seed);
        let folded = (seed >> 64) ^ (seed & u128::from(u64::MAX));
        Self { seed: format!("{folded:016x}-"), count: Cell::new(0) }
    }

    /// The next identifier.
    pub fn next(&self) -> String {
        let count = self.count.get().wrapping_add(1);
        self.count.set(count);
        let mut id = String::with_capacity(self.seed.len().saturating_add(16));
        id.push_str(&self.seed);
        // As many hexadecimal digits as the count has.
        let digits = (u64::BITS - count.leading_zeros()).div_ceil(4);
        for place in (0..digits).rev() {
            let nibble = u32::try_from(count >> (4 * place) & 0xf).ok();
            id.extend(nibble.and_then(|nibble| char::from_digit(nibble, 16)));
        }
        id
    }
}
