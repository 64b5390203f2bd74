//! What an operator is told of shared limits.

use std::fmt;

/// Something that an operator wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The service did not say whether there are units.
    Failed {
        /// Why.
        failure: Failure,
        /// Milliseconds for which it is not asked; 0 while it still is.
        pause_millis: u64,
    },
    /// The service answers again.
    Recovered,
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
            Self::Failed { failure, pause_millis } => {
                write!(f, "the service that counts shared limits failed: {failure}")?;
                match pause_millis {
                    0 => Ok(()),
                    pause => write!(f, "; it is not asked for {pause} ms"),
                }
            }
            Self::Recovered => f.write_str("the service that counts shared limits answers again"),
        }
    }
}

/// Why it is not known whether there are units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The call ended with another status of gRPC than 0.
    Grpc(u32),
    /// Nobody answered, or not in time.
    NoAnswer,
    /// The answer is not one of gRPC.
    NotGrpc,
    /// The proxy did not ask: there may be no such cluster.
    NotSent,
    /// The message is no `RateLimitResponse` that says yes or no.
    NotUnderstood,
    /// The answer has another status of HTTP than 200.
    Status(u16),
    /// The answer is too long, or not there as a whole.
    TooLong,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grpc(status) => write!(f, "the answer has gRPC status {status}, expected 0"),
            Self::NoAnswer => f.write_str("no answer"),
            Self::NotGrpc => f.write_str("the answer is not gRPC: does the cluster speak HTTP/2?"),
            Self::NotSent => f.write_str("the proxy did not ask: is there such a cluster?"),
            Self::NotUnderstood => f.write_str("the answer says neither yes nor no"),
            Self::Status(status) => write!(f, "the answer has status {status}, expected 200"),
            Self::TooLong => f.write_str("the answer is too long, or not whole"),
        }
    }
}

impl std::error::Error for Failure {}
