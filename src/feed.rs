//! Key sets that are fetched: found when needed, renewed before they are old, shared by all
//! workers.
//!
//! The room decides and the host acts: it keeps time, stores, and fetches when told to. What all
//! workers must agree on is one record for each source in the shared store, changed by
//! compare-and-swap only: the keys, when they are to be renewed, who is at it (a lease that
//! expires), and which unknown `kid`s were asked for. What a worker makes of the keys is in its
//! [`Feeds`].
//!
//! | file | what is there |
//! | --- | --- |
//! | [`source`](Source) | where an issuer's keys are, and how old they may get |
//! | `response` | what an answer of the provider means |
//! | `record` | what all workers know of a source, and the rules of changing it |
//! | `feeds` | what one worker knows: verifies, renews, takes answers |
//! | `news` | what an operator is told |
//!
//! Keys are asked for from the tick, never for a request: a request that needs keys which are
//! not there says so in the record, and waits or is denied.

mod feeds;
mod news;
mod record;
mod response;
mod source;

pub use feeds::{Feeds, Status};
pub use news::{Failure, News};
pub use response::{MAX_RESPONSE_BYTES, Response, read};
pub use source::{InvalidUrl, Source, Url};

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;
