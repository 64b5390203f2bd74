//! What an operator is told of keys.

use std::fmt;

/// Something that an operator wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// An issuer has other keys than before.
    Changed {
        /// Whose keys.
        issuer: String,
        /// How many can be used.
        keys: usize,
        /// How many cannot.
        skipped: usize,
    },
    /// An issuer's keys could not be fetched; those that were there before stay.
    Failed {
        /// Whose keys.
        issuer: String,
        /// Why.
        failure: Failure,
        /// Milliseconds until it is tried again.
        retry_millis: u64,
    },
    /// Keys are fetched again after failures.
    Recovered {
        /// Whose keys.
        issuer: String,
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
            Self::Changed { issuer, keys, skipped: 0 } => {
                write!(f, "keys of `{}`: {keys} in use", issuer.escape_debug())
            }
            Self::Changed { issuer, keys, skipped } => {
                let issuer = issuer.escape_debug();
                write!(f, "keys of `{issuer}`: {keys} in use, {skipped} cannot be used")
            }
            Self::Failed { issuer, failure, retry_millis } => {
                let issuer = issuer.escape_debug();
                write!(
                    f,
                    "keys of `{issuer}` not fetched: {failure}; next attempt in {retry_millis} ms"
                )
            }
            Self::Recovered { issuer } => {
                write!(f, "keys of `{}`: fetched again", issuer.escape_debug())
            }
        }
    }
}

/// Why keys were not fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The proxy did not hand over all of the answer.
    Broken,
    /// Nobody answered, or not in time.
    NoAnswer,
    /// Not one key that can be used.
    NoUsableKey,
    /// Not an object with an array `keys` (RFC 7517 §5).
    NotAKeySet,
    /// Not JSON, or JSON that can be read in two ways.
    NotJson,
    /// The proxy did not send the request: there may be no such cluster.
    NotSent,
    /// The answer has another status than 200.
    Status(u16),
    /// The shared store did not take the keys.
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
            Self::NoAnswer => f.write_str("no answer"),
            Self::NoUsableKey => f.write_str("it has no key that can be used"),
            Self::NotAKeySet => f.write_str("it is not an object with an array `keys`"),
            Self::NotJson => f.write_str("it is not JSON that has one reading"),
            Self::NotSent => f.write_str("the proxy did not ask: is there such a cluster?"),
            Self::Status(status) => write!(f, "the answer has status {status}, expected 200"),
            Self::Store => f.write_str("the shared store did not take the keys"),
            Self::TooLong => f.write_str("it is too long"),
            Self::TooManyKeys => f.write_str("it has too many keys"),
        }
    }
}

impl std::error::Error for Failure {}
