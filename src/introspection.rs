//! Opaque tokens: what nobody but their issuer can read, the issuer is asked about (RFC 7662).
//!
//! The room decides and the host acts. A request whose token is not known says so, and waits or is
//! denied; the question is sent from the root of the plugin, so that the answer comes whatever
//! became of the request, and serves all requests with that token. What an active token is good for
//! is remembered as a [`Session`](crate::session::Session), like any other's; that a token is not
//! accepted is remembered here.
//!
//! | file | what is there |
//! | --- | --- |
//! | [`source`](Source) | where an issuer is asked, and as whom |
//! | `desk` | what one worker has asked, and how it goes on |
//! | `answer` | what an issuer's answer means |
//! | `news` | what an operator is told |
//!
//! Nothing of this is shared by workers: a token that two of them meet is asked about twice.

mod answer;
mod desk;
mod news;
mod source;

pub use answer::MAX_ANSWER_BYTES;
pub(crate) use desk::Word;
pub use desk::{Introspection, MAX_QUESTIONS};
pub use news::{Failure, News};
pub use source::{Client, Secret, Source};

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;
