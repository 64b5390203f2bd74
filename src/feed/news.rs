//! What an operator is told of feeds.

use std::fmt;

/// Something that an operator wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// There are other keys, or revocations, than before.
    Changed {
        /// What they are.
        feed: String,
        /// How many can be used.
        count: usize,
        /// How many cannot.
        skipped: usize,
    },
    /// They could not be fetched; those that were there before stay.
    Failed {
        /// What they are.
        feed: String,
        /// Why.
        failure: Failure,
        /// Milliseconds until it is tried again.
        retry_millis: u64,
    },
    /// They are fetched again after failures.
    Recovered {
        /// What they are.
        feed: String,
    },
}

impl News {
    /// Whether something went wrong.
    pub const fn is_failure(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { feed, count, skipped: 0 } => write!(f, "{feed}: {count} in use"),
            Self::Changed { feed, count, skipped } => {
                write!(f, "{feed}: {count} in use, {skipped} cannot be used")
            }
            Self::Failed { feed, failure, retry_millis } => {
                write!(f, "{feed} not fetched: {failure}; next attempt in {retry_millis} ms")
            }
            Self::Recovered { feed } => write!(f, "{feed}: fetched again"),
        }
    }
}

/// Why a document was not fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The proxy did not hand over all of the answer.
    Broken,
    /// The metadata says that the keys are on another server than itself.
    KeysElsewhere,
    /// Nobody answered, or not in time.
    NoAnswer,
    /// The metadata does not say where the keys are.
    NoKeySetNamed,
    /// Not one key that can be used.
    NoUsableKey,
    /// Not an object with an array `keys` (RFC 7517 §5).
    NotAKeySet,
    /// Not a list of statuses as draft-ietf-oauth-status-list-21 §4.2 has it, or too long a one.
    NotAStatusList,
    /// Not JSON, or JSON that can be read in two ways.
    NotJson,
    /// It is signed, and not of this issuer or place, older than the last one, or past its end.
    NotCurrent,
    /// Not revocations as a policy may have them.
    NotRevocations,
    /// The proxy did not send the request: there may be no such cluster.
    NotSent,
    /// Not signed by whom it has to be, or of another type (`typ`).
    NotSigned,
    /// The metadata is another issuer's (RFC 8414 §3.3).
    OtherIssuer,
    /// The answer has another status than 200.
    Status(u16),
    /// The shared store did not take it.
    Store,
    /// Longer than [`MAX_RESPONSE_BYTES`](super::MAX_RESPONSE_BYTES).
    TooLong,
    /// More than [`MAX_KEYS`](crate::token::MAX_KEYS).
    TooManyKeys,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken => f.write_str("the proxy did not hand over all of the answer"),
            Self::KeysElsewhere => f.write_str("it has its keys on another server"),
            Self::NoKeySetNamed => f.write_str("it does not say where the keys are (`jwks_uri`)"),
            Self::NotCurrent => f.write_str("it is of another issuer, old, or past its end"),
            Self::NotRevocations => f.write_str("it is not revocations as a policy has them"),
            Self::NotSigned => f.write_str("it is not signed by whom it has to be"),
            Self::OtherIssuer => f.write_str("it is the metadata of another issuer"),
            Self::NoAnswer => f.write_str("no answer"),
            Self::NoUsableKey => f.write_str("it has no key that can be used"),
            Self::NotAKeySet => f.write_str("it is not an object with an array `keys`"),
            Self::NotAStatusList => f.write_str("it is not a list of statuses"),
            Self::NotJson => f.write_str("it is not JSON that has one reading"),
            Self::NotSent => f.write_str("the proxy did not ask: is there such a cluster?"),
            Self::Status(status) => write!(f, "the answer has status {status}, expected 200"),
            Self::Store => f.write_str("the shared store did not take it"),
            Self::TooLong => f.write_str("it is too long"),
            Self::TooManyKeys => f.write_str("it has too many keys"),
        }
    }
}

impl std::error::Error for Failure {}
