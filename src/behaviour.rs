//! How an agent behaves, beside how it used to: a score from 0 to 1.
//!
//! Of each agent there is one [`Profile`] of fixed size in the store that all workers share. Time is
//! cut into intervals, and what an agent does in one is held against what it did in the past:
//!
//! | part | what it sees | 0 | 1 |
//! | --- | --- | --- | --- |
//! | `rate` | calls in an interval | as many as ever | [`ALARM`] times as many |
//! | `novelty` | operations that it never used | none | [`MANY_NEW`] in an interval |
//! | `failures` | calls beyond its rights, and those that the backend refused | none | all of many |
//! | `sources` | networks that it calls from | as many as ever | [`ALARM`] times as many |
//!
//! An interval is judged while it lasts and during the one after it, so that nothing is forgotten the
//! moment a new one begins. The score is what the parts come to together, as odds that are independent
//! of each other: `1 - (1 - rate)(1 - novelty)(1 - failures)(1 - sources)`.
//!
//! What is usual is the most that there was in an interval of late: of the span of time that is
//! remembered, the present one and the one before. It grows by an eighth an interval at the most once
//! an agent is known, so what is unusual does not pass for usual at once.
//!
//! Nothing here is exact: operations and networks are kept as sketches, workers know of each other
//! what is a second old at the most. What a sketch takes for known it may have never seen; what it
//! takes for new is new.

mod profile;
mod scores;
mod sketch;
mod store;
mod watch;

pub use scores::{Part, Scores};
pub use watch::{Call, Watch};

/// So many times as much as ever counts as 1.
pub const ALARM: u32 = 8;

/// So many operations in an interval that an agent never used count as 1.
pub const MANY_NEW: u32 = 4;

/// Fewer calls than this in an interval are usual for everybody.
pub const FEW_CALLS: u32 = 10;

/// As many networks in an interval are usual for an agent that is not known yet.
pub const FEW_SOURCES: u32 = 8;

/// Agents that are remembered at the most; of those that meet in one place of the store the one is
/// forgotten that was idle for longest.
pub const MAX_PROFILES: usize = store::SLOTS * store::ENTRIES;

/// Into what time is cut, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spans {
    /// What is held against the past. INVARIANT: at least 1.
    pub interval: u32,
    /// How long an agent must have been seen before it is known what is usual of it.
    pub learning: u32,
    /// How long it is remembered what it did, and up to twice as long. INVARIANT: at least 1.
    pub memory: u32,
}
