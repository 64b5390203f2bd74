//! What an operator is told of introspection.

use std::fmt;

/// Something that an operator wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// An issuer did not say what it thinks of a token, after it had of others.
    Failed {
        /// Who.
        issuer: String,
        /// Why.
        failure: Failure,
        /// Milliseconds for which it is not asked; 0 while it still is.
        pause_millis: u64,
    },
    /// An issuer that was left alone answers again.
    Recovered {
        /// Who.
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
            Self::Failed { issuer, failure, pause_millis } => {
                let issuer = issuer.escape_debug();
                write!(f, "introspection at `{issuer}` failed: {failure}")?;
                match pause_millis {
                    0 => Ok(()),
                    pause => write!(f, "; it is not asked for {pause} ms"),
                }
            }
            Self::Recovered { issuer } => {
                write!(f, "introspection at `{}`: it answers again", issuer.escape_debug())
            }
        }
    }
}

/// Why it is not known what an issuer thinks of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The proxy did not hand over all of the answer.
    Broken,
    /// Nobody answered, or not in time.
    NoAnswer,
    /// Not a JSON object, or one that can be read in two ways.
    NotAnObject,
    /// The proxy did not send the question: there may be no such cluster.
    NotSent,
    /// The answer has another status than 200.
    Status(u16),
    /// Longer than [`MAX_ANSWER_BYTES`](super::MAX_ANSWER_BYTES).
    TooLong,
}

impl Failure {
    /// Whether it says something of the issuer, and not of one token: too long a question is
    /// the doing of whoever sent the token.
    pub(super) const fn is_the_issuers(self) -> bool {
        !matches!(self, Self::Status(413 | 414 | 431))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken => f.write_str("the proxy did not hand over all of the answer"),
            Self::NoAnswer => f.write_str("no answer"),
            Self::NotAnObject => f.write_str("the answer is not a JSON object with one reading"),
            Self::NotSent => f.write_str("the proxy did not ask: is there such a cluster?"),
            Self::Status(status) => write!(f, "the answer has status {status}, expected 200"),
            Self::TooLong => f.write_str("the answer is too long"),
        }
    }
}

impl std::error::Error for Failure {}
