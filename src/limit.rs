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
mod group;
mod in_flight;
mod key;
mod lease;
mod meter;
mod quota;
mod rate;
mod receipt;
mod record;
pub mod shared;
mod slot;
mod take;
#[cfg(test)]
mod tests;
mod trip;
mod window;

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

pub use fields::{RateLimit, write_policy, write_usage};
pub use key::{BucketKey, SLOTS, digest};
pub use lease::{Leases, MAX_LEASES};
pub use quota::{InvalidQuota, Quota};
pub use rate::{InvalidRate, MAX_PERIOD_SECS, Rate};
pub use receipt::Receipt;
pub use shared::{Ledger, OnFailure, Service, Share};
pub use take::{Charge, Refused, Usage, Usages, check, credit, take};
pub use window::Period;

use gcra::{Gcra, NANOS_PER_SEC};
use group::Group;
use in_flight::{InFlight, MAX_AT_ONCE};
use meter::Meter;
use trip::Trip;
use window::Window;

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

/// What a limit counts, which is what callers are told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Calls, over a while.
    Rate,
    /// Calls, or what they cost, in a window of the calendar.
    Quota,
    /// The same call over and over.
    Loop,
    /// Calls that are under way at once.
    Concurrent,
    /// Calls that were denied.
    Denials,
    /// Calls that change something, less those that read.
    Writes,
}

/// A bucket for each of many principals, all of one kind and size.
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
    kind: Kind,
    /// As a policy writes it.
    written: String,
    /// Units that are told as the quota, and over how many seconds, where these are always as many.
    told: (u32, Option<u32>),
    /// Units in a full bucket.
    size: u32,
    meter: Meter,
    share: Option<Share>,
    /// Those that it is kept with, and its place among them.
    group: Arc<Group>,
    place: usize,
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
        let gcra = Gcra::new(rate, burst).ok_or(InvalidLimit::Burst { rate, burst })?;
        Ok(Self {
            name: checked(name)?,
            class,
            index,
            kind: Kind::Rate,
            written: rate.to_string(),
            told: (rate.quota().get(), Some(rate.period_secs().get())),
            size: burst.get(),
            meter: Meter::Rate(gcra),
            share: None,
            group: Arc::default(),
            place: 0,
        }
        .alone())
    }

    /// A limit of so many units in each hour, day or month.
    ///
    /// # Errors
    ///
    /// [`InvalidLimit`] for the name, as of [`Limit::new`].
    pub fn quota(
        name: &str,
        class: Class,
        index: u8,
        Quota { units, period }: Quota,
    ) -> Result<Self, InvalidLimit> {
        let units = units.get();
        Ok(Self {
            name: checked(name)?,
            class,
            index,
            kind: Kind::Quota,
            written: format!("{units}/{}", period.name()),
            told: (units, period.seconds()),
            size: units,
            meter: Meter::Quota(Window { units, period, offset: 0 }),
            share: None,
            group: Arc::default(),
            place: 0,
        }
        .alone())
    }

    /// A limit of so many calls under way at once; one of which no end is heard counts for `longest`
    /// seconds.
    ///
    /// # Errors
    ///
    /// [`InvalidLimit`] for the name, as of [`Limit::new`], and for more calls than can be counted.
    pub fn concurrent(
        name: &str,
        class: Class,
        index: u8,
        most: NonZeroU32,
        longest: u32,
    ) -> Result<Self, InvalidLimit> {
        let most = most.get();
        if most > MAX_AT_ONCE {
            return Err(InvalidLimit::Concurrent);
        }
        let longest = u64::from(longest).saturating_mul(NANOS_PER_SEC);
        Ok(Self {
            name: checked(name)?,
            class,
            index,
            kind: Kind::Concurrent,
            written: format!("{most} at once"),
            told: (most, None),
            size: most,
            meter: Meter::InFlight(InFlight::new(most, longest)),
            share: None,
            group: Arc::default(),
            place: 0,
        }
        .alone())
    }

    /// The same, closed for so many seconds once it is exceeded, and twice as long each time after.
    ///
    /// # Errors
    ///
    /// [`InvalidLimit::Pause`] where it is no rate, or one of more than a thousand a second.
    pub fn pausing(self, seconds: u32) -> Result<Self, InvalidLimit> {
        let pause = u64::from(seconds).saturating_mul(NANOS_PER_SEC);
        match self.meter {
            Meter::Rate(gcra) if gcra.is_slow() => {
                let gcra = gcra.in_millis();
                Ok(Self { meter: Meter::Trip(Trip { gcra, pause }), ..self }.alone())
            }
            _ => Err(InvalidLimit::Pause),
        }
    }

    /// Whether callers are told of it in the `RateLimit` fields: it counts what they ask for.
    pub const fn is_told(&self) -> bool {
        !matches!(self.kind, Kind::Denials | Kind::Writes)
    }

    /// The same, of what is counted as something else.
    #[must_use]
    pub fn of_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }.alone()
    }

    /// The same, shared by replicas.
    ///
    /// # Errors
    ///
    /// [`InvalidLimit::Unit`] where it is counted by other spans of time than the service knows.
    pub fn shared(self, share: Share) -> Result<Self, InvalidLimit> {
        if shared::is_countable(&self) {
            Ok(Self { share: Some(share), ..self })
        } else {
            Err(InvalidLimit::Unit)
        }
    }

    /// What there is in a second, a minute, an hour, a day or a month, as it is written.
    pub const fn quota_units(&self) -> u32 {
        self.told.0
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

    /// What it counts.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// How fast a bucket fills, or how much there is in a window: as a policy writes it.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// Units in a full bucket.
    pub const fn size(&self) -> u32 {
        self.size
    }

    /// Whether a full bucket holds `cost` units; if not, such a request can never be admitted, and
    /// the policy that asks for it is mistaken.
    pub fn admits(&self, cost: u32) -> bool {
        self.meter.admits(cost)
    }
}

fn checked(name: &str) -> Result<String, InvalidLimit> {
    let in_name = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(in_name) {
        return Err(InvalidLimit::Name(name.to_owned()));
    }
    Ok(name.to_owned())
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
    /// More calls at once than can be counted.
    Concurrent,
    /// It is to pause, and is no rate, or too fast a one.
    Pause,
    /// It is shared, and of a span of time that no service counts by.
    Unit,
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
            Self::Concurrent => write!(f, "expected at most {MAX_AT_ONCE} at once"),
            Self::Pause => f.write_str(
                "only a `rate` can be exceeded and pause, of at most 1000 calls a second",
            ),
            Self::Unit => f.write_str(
                "limits that replicas share are counted by seconds, minutes, hours, days or months: \
                 expected a `rate` of one of these, such as `600/min`, or a `quota`",
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
