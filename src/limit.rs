//! How often: rate limits in the store that all workers share.
//!
//! A [`Limit`] gives every principal a bucket that fills at a steady [`Rate`] up to a burst (GCRA,
//! in whole nanoseconds). [`take`] charges a request to several of them, all or none: one load and
//! one compare-and-swap each, right across workers and under contention.
//!
//! What cannot be counted is not admitted: a store that fails, or holds bytes that were never
//! written by this room, ends in [`Refused::Unavailable`]. A bucket that is absent is a full one; a
//! store that evicts under pressure must have room for the tables (see [`SLOTS`]).

mod fields;
mod gcra;
mod key;
mod lease;
mod rate;
mod slot;
mod table;
mod take;
#[cfg(test)]
mod tests;

use std::fmt;
use std::num::NonZeroU32;

pub use fields::{RateLimit, write_policy, write_usage};
pub use key::{BucketKey, SLOTS};
pub use lease::{Leases, MAX_LEASES};
pub use rate::{InvalidRate, MAX_PERIOD_SECS, Rate};
pub use take::{Charge, Refused, Usage, Usages, take};

use gcra::Gcra;

/// The most limits that a request may be charged to.
pub const MAX_LIMITS: usize = 8;

/// The longest name of a limit, in bytes.
pub const MAX_NAME_BYTES: usize = 64;

/// Whose limits; agents, humans and API keys never share a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Callers that are agents, whoever they act for.
    Agents,
    /// Callers that are humans.
    Humans,
    /// Callers that are organizations, by an API key.
    Keys,
}

/// A bucket for each of many principals, all of one rate and one burst.
///
/// ```
/// use postern::limit::{Class, Limit};
///
/// let burst = 20.try_into()?;
/// let limit = Limit::new("agent", Class::Agents, 0, "60/min".parse()?, burst)?;
/// assert!(limit.admits(20) && !limit.admits(21));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    name: String,
    class: Class,
    index: u8,
    rate: Rate,
    burst: NonZeroU32,
    gcra: Gcra,
}

impl Limit {
    /// A limit called `name` in the `RateLimit` fields, the `index`th of its class.
    ///
    /// # Errors
    ///
    /// [`InvalidLimit`] when the name is not 1 to [`MAX_NAME_BYTES`] of `a-z`, `0-9`, `_` and `-`,
    /// or a bucket would take more than 366 days to fill.
    pub fn new(
        name: &str,
        class: Class,
        index: u8,
        rate: Rate,
        burst: NonZeroU32,
    ) -> Result<Self, InvalidLimit> {
        let in_name = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(in_name) {
            return Err(InvalidLimit::Name(name.to_owned()));
        }
        let gcra = Gcra::new(rate, burst).ok_or(InvalidLimit::Burst { rate, burst })?;
        Ok(Self { name: name.to_owned(), class, index, rate, burst, gcra })
    }

    /// What the limit is called in the `RateLimit` fields.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose limit it is.
    pub const fn class(&self) -> Class {
        self.class
    }

    /// Which of its class it is.
    pub const fn index(&self) -> u8 {
        self.index
    }

    /// How fast a bucket fills.
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// Units in a full bucket.
    pub const fn burst(&self) -> NonZeroU32 {
        self.burst
    }

    /// Whether a full bucket holds `cost` units; if not, such a request can never be admitted, and
    /// the policy that asks for it is mistaken.
    pub fn admits(&self, cost: u32) -> bool {
        self.gcra.admits(cost)
    }
}

/// Why there can be no such [`Limit`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidLimit {
    /// A bucket of this rate and burst would take more than 366 days to fill.
    Burst {
        /// The rate.
        rate: Rate,
        /// The burst, too large for it.
        burst: NonZeroU32,
    },
    /// The name is not one that a field can carry.
    Name(String),
}

impl fmt::Display for InvalidLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Burst { rate, burst } => write!(
                f,
                "a burst of `{burst}` at `{rate}` takes more than 366 days to fill: \
                 expected at most `{}`",
                Gcra::max_burst(*rate)
            ),
            Self::Name(name) => write!(
                f,
                "`{name}` is not a limit's name: \
                 expected 1 to {MAX_NAME_BYTES} of a-z, 0-9, `_` and `-`"
            ),
        }
    }
}

impl std::error::Error for InvalidLimit {}
