//! Every reason to say no, and what a caller is told of it.

mod reply;

pub use reply::{Reply, Told};

use crate::limit::{Kind, Refused};
use crate::token::Rejected;

/// Why a request was denied.
///
/// Closed on purpose: a new reason must break every `match` that maps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Denial {
    /// The policy has stopped the agent, or one that the token went through.
    AgentBlocked,
    /// The agent's ceiling does not hold the permission.
    AgentCeiling,
    /// The permission is among the agent's `never`.
    AgentForbidden,
    /// The agent is not registered and the policy turns such agents away.
    AgentUnknown,
    /// What is said of the agent is not of the type that the policy says it is.
    AttributeInvalid,
    /// A quota of the hour, the day or the month is used up.
    BudgetExhausted,
    /// The policy turns the client away, or one that the token went through.
    ClientBlocked,
    /// A condition of the route or of the agent asks about what is not there, or is not what it
    /// should be.
    ConditionError,
    /// A `require` of the route or of the agent does not hold.
    ConditionFailed,
    /// What the user is said to have said is no answer to this.
    ConsentInvalid,
    /// The agent has to ask its user, and has not.
    ConsentRequired,
    /// What the user said was used.
    ConsentSpent,
    /// The chain of actors is longer than the policy allows, or leads back, or through a pair of them
    /// that the policy does not have.
    DelegationForbidden,
    /// The token's `exp` has passed.
    ExpiredToken,
    /// The grant by which the agent might was used as often as it may be.
    GrantExhausted,
    /// The token's scopes do not hold the permission.
    InsufficientScope,
    /// The user has not logged in as the permission asks (RFC 9470 §3).
    InsufficientUserAuthentication,
    /// The proof that the caller has the key of its token is no good (RFC 9449 §4.3).
    InvalidDpopProof,
    /// Two credentials, a token in the query, an ambiguous path, a malformed request.
    InvalidRequest,
    /// The token is malformed, not signed by its issuer, or not an access token for an API.
    InvalidToken,
    /// The same request came too often.
    LoopDetected,
    /// No credential came with the request.
    MissingToken,
    /// No route of the policy matches.
    NoRoute,
    /// The policy, the keys or the shared store are not there.
    NotReady,
    /// A rate limit is used up.
    RateLimited,
    /// The token, its subject or its issuer is revoked, or what was issued when it was.
    RevokedToken,
    /// The scope that would do is worth nothing in this organization, or in this agent's hands.
    ScopeBlocked,
    /// As many calls as may be are under way.
    TooManyConcurrent,
    /// Too many calls were denied.
    TooManyDenials,
    /// Too much is changed for what is read.
    TooManyWrites,
    /// The token is bound (`cnf`) and the request does not prove possession of what it is bound to;
    /// or it is not bound, and has to be.
    UnboundToken,
    /// The issuer is known, and none of its keys fits the token.
    UnknownKey,
    /// The proof lacks a nonce of ours (RFC 9449 §9).
    UseDpopNonce,
    /// The user the agent acts for does not hold the permission.
    UserLacksRole,
    /// The permission asks for a user who has logged in, and the caller acts for nobody.
    UserRequired,
    /// The token is for another API.
    WrongAudience,
}

impl Denial {
    /// Whether it is for what the caller may not do, whenever it comes.
    pub const fn is_forbidden(self) -> bool {
        self.status() == 403
    }

    /// Whether it is for what the caller has no right to, whatever else is so: no condition, no login
    /// and nobody's word would have changed it.
    pub const fn is_overreach(self) -> bool {
        matches!(
            self,
            Self::AgentCeiling
                | Self::AgentForbidden
                | Self::InsufficientScope
                | Self::ScopeBlocked
                | Self::UserLacksRole
        )
    }

    /// All of them.
    pub const ALL: [Self; 36] = [
        Self::AgentBlocked,
        Self::AgentCeiling,
        Self::AgentForbidden,
        Self::AgentUnknown,
        Self::AttributeInvalid,
        Self::BudgetExhausted,
        Self::ClientBlocked,
        Self::ConditionError,
        Self::ConditionFailed,
        Self::ConsentInvalid,
        Self::ConsentRequired,
        Self::ConsentSpent,
        Self::DelegationForbidden,
        Self::ExpiredToken,
        Self::GrantExhausted,
        Self::InsufficientScope,
        Self::InsufficientUserAuthentication,
        Self::InvalidDpopProof,
        Self::InvalidRequest,
        Self::InvalidToken,
        Self::LoopDetected,
        Self::MissingToken,
        Self::NoRoute,
        Self::NotReady,
        Self::RateLimited,
        Self::RevokedToken,
        Self::ScopeBlocked,
        Self::TooManyConcurrent,
        Self::TooManyDenials,
        Self::TooManyWrites,
        Self::UnboundToken,
        Self::UnknownKey,
        Self::UseDpopNonce,
        Self::UserLacksRole,
        Self::UserRequired,
        Self::WrongAudience,
    ];

    /// The stable name that programs act on.
    pub const fn code(self) -> &'static str {
        match self {
            Self::AgentBlocked => "agent_blocked",
            Self::AgentCeiling => "agent_ceiling",
            Self::AgentForbidden => "agent_forbidden",
            Self::AgentUnknown => "agent_unknown",
            Self::AttributeInvalid => "attribute_invalid",
            Self::BudgetExhausted => "budget_exhausted",
            Self::ClientBlocked => "client_blocked",
            Self::ConditionError => "condition_error",
            Self::ConditionFailed => "condition_failed",
            Self::ConsentInvalid => "consent_invalid",
            Self::ConsentRequired => "consent_required",
            Self::ConsentSpent => "consent_spent",
            Self::DelegationForbidden => "delegation_forbidden",
            Self::ExpiredToken => "expired_token",
            Self::GrantExhausted => "grant_exhausted",
            Self::InsufficientScope => "insufficient_scope",
            Self::InsufficientUserAuthentication => "insufficient_user_authentication",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidToken => "invalid_token",
            Self::LoopDetected => "loop_detected",
            Self::TooManyConcurrent => "too_many_concurrent",
            Self::TooManyDenials => "too_many_denials",
            Self::TooManyWrites => "too_many_writes",
            Self::MissingToken => "missing_token",
            Self::NoRoute => "no_route",
            Self::NotReady => "not_ready",
            Self::RateLimited => "rate_limited",
            Self::RevokedToken => "revoked_token",
            Self::ScopeBlocked => "scope_blocked",
            Self::UnboundToken => "unbound_token",
            Self::UnknownKey => "unknown_key",
            Self::UseDpopNonce => "use_dpop_nonce",
            Self::UserLacksRole => "user_lacks_role",
            Self::UserRequired => "user_required",
            Self::WrongAudience => "wrong_audience",
        }
    }

    /// What it means and what would help, where nothing more particular is known.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::AgentBlocked => "the operator has stopped this agent",
            Self::AgentCeiling => "the operation lies beyond what this agent may ever do",
            Self::AgentForbidden => "this agent never gets the permission the operation needs",
            Self::AgentUnknown => "this agent is not registered with the API",
            Self::AttributeInvalid => "what is said of this agent is not of the type it should be",
            Self::BudgetExhausted => "the budget is used up: wait until there is a new one",
            Self::ClientBlocked => "the operator has blocked this client",
            Self::ConditionError => {
                "a condition asks about what is not there or not as it should be"
            }
            Self::ConditionFailed => "the request does not fulfil a condition",
            Self::ConsentInvalid => "what the user said is no answer to this: ask again",
            Self::ConsentRequired => "the user has to be asked about this each time",
            Self::ConsentSpent => "what the user said was used already: ask again",
            Self::DelegationForbidden => "authority must not come to this agent in this way",
            Self::ExpiredToken => "the token has expired: get a new one",
            Self::GrantExhausted => "the grant for this was used as often as it may be",
            Self::InsufficientScope => "the token lacks a scope that the operation needs",
            Self::InsufficientUserAuthentication => {
                "the operation needs a newer login of the user or one of another kind"
            }
            Self::InvalidDpopProof => "the DPoP proof is not one for this request and this token",
            Self::InvalidRequest => "the request can be read in more than one way",
            Self::InvalidToken => "the token is not a valid access token for this API",
            Self::TooManyConcurrent => "as many calls as may be are under way: wait for one to end",
            Self::TooManyDenials => "too many calls were denied: find out why before the next one",
            Self::TooManyWrites => "too much is changed for how little is read: read first",
            Self::LoopDetected => "the same request comes over and over: do something else",
            Self::MissingToken => "the operation needs an access token",
            Self::NoRoute => "the API has no such operation",
            Self::NotReady => "the request cannot be decided now: try again later",
            Self::RateLimited => "too many requests: try again later",
            Self::RevokedToken => "the token is no longer accepted: get a new one",
            Self::ScopeBlocked => {
                "the organization has decided that the scope is not to be used here"
            }
            Self::UnboundToken => {
                "the caller does not prove that it has what the token is or has to be bound to"
            }
            Self::UnknownKey => "the token is signed with a key that its issuer does not have",
            Self::UseDpopNonce => "the DPoP proof needs the nonce in `DPoP-Nonce`",
            Self::UserLacksRole => "the user the agent acts for may not do this",
            Self::UserRequired => {
                "the operation needs a login of a user: the caller acts for nobody"
            }
            Self::WrongAudience => "the token is for another API",
        }
    }

    /// The HTTP status it is answered with.
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::ExpiredToken
            | Self::InsufficientUserAuthentication
            | Self::InvalidDpopProof
            | Self::InvalidToken
            | Self::MissingToken
            | Self::RevokedToken
            | Self::UnboundToken
            | Self::UnknownKey
            | Self::UseDpopNonce
            | Self::WrongAudience => 401,
            Self::AgentBlocked
            | Self::AgentCeiling
            | Self::AgentForbidden
            | Self::AgentUnknown
            | Self::AttributeInvalid
            | Self::ClientBlocked
            | Self::ConditionError
            | Self::ConditionFailed
            | Self::ConsentInvalid
            | Self::ConsentRequired
            | Self::ConsentSpent
            | Self::DelegationForbidden
            | Self::GrantExhausted
            | Self::InsufficientScope
            | Self::NoRoute
            | Self::ScopeBlocked
            | Self::UserLacksRole
            | Self::UserRequired => 403,
            Self::BudgetExhausted
            | Self::LoopDetected
            | Self::RateLimited
            | Self::TooManyConcurrent
            | Self::TooManyDenials
            | Self::TooManyWrites => 429,
            Self::NotReady => 503,
        }
    }
}

/// A denial, and what else is known of why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub denial: Denial,
    /// What exactly is wrong, for people; never a part of what the caller sent.
    pub reason: &'static str,
    /// The limit that is used up.
    pub limit: Option<Refused>,
    /// What is worth waiting for, for the answer may soon be another.
    pub wait: Option<Wait>,
}

/// What a request may be held for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// For how long at most.
    pub seconds: u32,
    /// The answer to this question of
    /// [`Introspection`](crate::introspection::Introspection)'s; without one, news of
    /// [`Feeds`](crate::feed::Feeds)'s.
    pub question: Option<u32>,
}

impl Refusal {
    /// A denial for a particular reason.
    pub const fn because(denial: Denial, reason: &'static str) -> Self {
        Self { denial, reason, limit: None, wait: None }
    }

    /// The same, and so many seconds are worth waiting for keys.
    pub(crate) fn worth_waiting(self, seconds: Option<u32>) -> Self {
        Self { wait: seconds.map(|seconds| Wait { seconds, question: None }), ..self }
    }
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self::because(denial, denial.advice())
    }
}

impl From<Rejected> for Refusal {
    fn from(rejected: Rejected) -> Self {
        Self::because(rejected.denial(), rejected.reason())
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let denial = match refused {
            Refused::Exceeded { usage, .. } => match usage.kind {
                Kind::Concurrent => Denial::TooManyConcurrent,
                Kind::Denials => Denial::TooManyDenials,
                Kind::Loop => Denial::LoopDetected,
                Kind::Quota => Denial::BudgetExhausted,
                Kind::Rate => Denial::RateLimited,
                Kind::Writes => Denial::TooManyWrites,
            },
            Refused::Unavailable => Denial::NotReady,
        };
        let reason = match refused {
            Refused::Exceeded { .. } => denial.advice(),
            Refused::Unavailable => "the limits cannot be counted now",
        };
        Self { limit: Some(refused), ..Self::because(denial, reason) }
    }
}
