//! Every reason to say no, and what a caller is told of it.

/// Why a request was denied.
///
/// Closed on purpose: a new reason must break every `match` that maps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Denial {
    /// The agent's ceiling does not hold the permission.
    AgentCeiling,
    /// The permission is among the agent's `never`.
    AgentForbidden,
    /// The agent is not registered and the policy turns such agents away.
    AgentUnknown,
    /// A `require` of the route or of the agent does not hold.
    ConditionFailed,
    /// The token's `exp` has passed.
    ExpiredToken,
    /// The token's scopes do not hold the permission.
    InsufficientScope,
    /// Two credentials, a token in the query, an ambiguous path, a malformed request.
    InvalidRequest,
    /// The token is malformed, not signed by its issuer, or not an access token for an API.
    InvalidToken,
    /// No credential came with the request.
    MissingToken,
    /// No route of the policy matches.
    NoRoute,
    /// The policy, the keys or the shared store are not there.
    NotReady,
    /// A rate limit is used up.
    RateLimited,
    /// The token is bound to a key (`cnf`) and the request does not prove possession of it.
    UnboundToken,
    /// The issuer is known, and none of its keys fits the token.
    UnknownKey,
    /// The user the agent acts for does not hold the permission.
    UserLacksRole,
    /// The token is for another API.
    WrongAudience,
}

impl Denial {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::AgentCeiling,
        Self::AgentForbidden,
        Self::AgentUnknown,
        Self::ConditionFailed,
        Self::ExpiredToken,
        Self::InsufficientScope,
        Self::InvalidRequest,
        Self::InvalidToken,
        Self::MissingToken,
        Self::NoRoute,
        Self::NotReady,
        Self::RateLimited,
        Self::UnboundToken,
        Self::UnknownKey,
        Self::UserLacksRole,
        Self::WrongAudience,
    ];

    /// The stable name that programs act on.
    pub const fn code(self) -> &'static str {
        match self {
            Self::AgentCeiling => "agent_ceiling",
            Self::AgentForbidden => "agent_forbidden",
            Self::AgentUnknown => "agent_unknown",
            Self::ConditionFailed => "condition_failed",
            Self::ExpiredToken => "expired_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidToken => "invalid_token",
            Self::MissingToken => "missing_token",
            Self::NoRoute => "no_route",
            Self::NotReady => "not_ready",
            Self::RateLimited => "rate_limited",
            Self::UnboundToken => "unbound_token",
            Self::UnknownKey => "unknown_key",
            Self::UserLacksRole => "user_lacks_role",
            Self::WrongAudience => "wrong_audience",
        }
    }

    /// The HTTP status it is answered with.
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::ExpiredToken
            | Self::InvalidToken
            | Self::MissingToken
            | Self::UnboundToken
            | Self::UnknownKey
            | Self::WrongAudience => 401,
            Self::AgentCeiling
            | Self::AgentForbidden
            | Self::AgentUnknown
            | Self::ConditionFailed
            | Self::InsufficientScope
            | Self::NoRoute
            | Self::UserLacksRole => 403,
            Self::RateLimited => 429,
            Self::NotReady => 503,
        }
    }
}
