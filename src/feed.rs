//! Documents that are fetched: key sets, lists of what is taken back, and of what became of tokens. Found when needed, renewed
//! before they are old, shared by all workers.
//!
//! The room decides and the host acts: it keeps time, stores, and fetches when told to. What all
//! workers must agree on is one record for each source in the shared store, changed by
//! compare-and-swap only: the document, when it is to be renewed, who is at it (a lease that
//! expires), and which unknown `kid`s were asked for. What a worker makes of the documents is in its
//! [`Feeds`].
//!
//! | file | what is there |
//! | --- | --- |
//! | [`source`](Source) | where a document is, and how old it may get |
//! | `response` | an answer, as the host hands it over |
//! | `signed` | a document that has to be signed |
//! | `metadata` | an issuer's metadata, and where it says that the keys are (RFC 8414) |
//! | `keys` | a key set, as its issuer publishes it |
//! | `revocations` | a list of what is taken back, signed or not |
//! | `statuses` | a list of what became of an issuer's tokens |
//! | `record` | what all workers know of a source, and the rules of changing it |
//! | `seat` | one document: what it is of, and the edition at hand |
//! | `feeds` | what one worker knows: verifies, renews, takes answers |
//! | `news` | what an operator is told |
//!
//! Documents are asked for from the tick, never for a request: a request that needs keys which are
//! not there says so in the record, and waits or is denied.

mod feeds;
mod keys;
mod metadata;
mod news;
mod record;
mod response;
mod revocations;
mod seat;
mod signed;
mod source;
mod statuses;

pub(crate) use feeds::TokenStatus;
pub use feeds::{Feed, Feeds, Status};
pub use keys::read;
pub use news::{Failure, News};
pub use response::{MAX_RESPONSE_BYTES, Response};
pub use revocations::Subscription;
pub(crate) use seat::SignedBy;
pub use source::{InvalidUrl, Source, Url};
pub use statuses::MAX_STATUS_LISTS;

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;
