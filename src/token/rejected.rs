//! Every misbehaviour of a token, by name.

use std::fmt;

use crate::denial::Denial;

/// What is wrong with a token.
///
/// The log and the caller are told [`Rejected::denial`] and [`Rejected::reason`], which is fixed
/// text: nothing of the token is repeated. Closed on purpose: a new one must break every `match`
/// that maps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rejected {
    /// `act` is not an object (RFC 8693 §4.1).
    ActorMalformed,
    /// The header has no `alg` (RFC 7515 §4.1.1).
    AlgorithmMissing,
    /// `alg` is not among the issuer's (RFC 8725 §3.1).
    AlgorithmNotAllowed,
    /// `aud` is neither a string nor an array of one or more strings (RFC 7519 §4.1.3).
    AudienceMalformed,
    /// We are not among its audiences (RFC 7519 §4.1.3).
    AudienceMismatch,
    /// No `aud` (RFC 9068 §2.2, RFC 8725 §3.9).
    AudienceMissing,
    /// A character outside `A-Z a-z 0-9 - . _` (RFC 7515 §7.1).
    CharacterForbidden,
    /// The payload is not one strict JSON object (RFC 7519 §4 and §7.2).
    ClaimsMalformed,
    /// Two claims name two clients.
    ClientConflict,
    /// No claim names the client (RFC 9068 §2.2).
    ClientMissing,
    /// Its client is not among those whose tokens are taken.
    ClientNotAccepted,
    /// `cty` says that the payload is not claims: a nested token (RFC 7519 §5.2).
    ContentNotClaims,
    /// `crit` is there, and we understand no extension (RFC 7515 §4.1.11).
    CriticalHeader,
    /// A time that is no number of seconds between 1970 and 2286 (RFC 7519 §2).
    DateMalformed,
    /// A part is not canonical base64url (RFC 7515 §2).
    EncodingInvalid,
    /// `exp` has passed (RFC 7519 §4.1.4).
    Expired,
    /// No `exp` (RFC 9068 §2.2).
    ExpiryMissing,
    /// The header is not one strict JSON object, or `alg` is no string (RFC 7515 §4).
    HeaderMalformed,
    /// It carries what an ID token carries (RFC 8725 §3.12).
    IdToken,
    /// `iss`, `sub`, `jti` or a claim that names the client is empty, too long, or not text.
    IdentifierMalformed,
    /// Its issuer does not say that it is active (RFC 7662 §2.2).
    Inactive,
    /// No `iat` (RFC 9068 §2.2).
    IssuedAtMissing,
    /// `iat` lies ahead (RFC 7519 §4.1.6).
    IssuedInFuture,
    /// No `iss` (RFC 9068 §2.2).
    IssuerMissing,
    /// `iss` is no issuer of the policy (RFC 9068 §4).
    IssuerUnknown,
    /// `kid` is no string or too long (RFC 7515 §4.1.4).
    KeyIdMalformed,
    /// No key of the issuer's fits `kid` and `alg` (RFC 7515 §6, RFC 8725 §3.8).
    KeyUnknown,
    /// The issuer's keys are not here, or are too old to be believed.
    KeysUnavailable,
    /// It lives longer than the issuer's tokens may.
    LifetimeTooLong,
    /// Its issuer does not say that it is an access token: `token_type` is not `Bearer`, nor
    /// `DPoP` with a `cnf` (RFC 7662 §2.2, RFC 6749 §7.1, RFC 9449 §6.2).
    NotBearer,
    /// Not the compact serialization of a JWS: an encrypted token has five parts (RFC 7515 §7.1).
    NotThreeParts,
    /// `nbf` lies ahead (RFC 7519 §4.1.5).
    NotYetValid,
    /// It tells of an event, a logout say (RFC 8417 §2.2).
    SecurityEvent,
    /// The signature is not the key's over these bytes (RFC 7515 §5.2).
    SignatureInvalid,
    /// `status` is not one place in one list (draft-ietf-oauth-status-list-21 §6.2).
    StatusMalformed,
    /// Its status is in a list that the policy does not have, or the list has no such place
    /// (draft-ietf-oauth-status-list-21 §8.3).
    StatusUnknown,
    /// No `sub` (RFC 9068 §2.2).
    SubjectMissing,
    /// No `jti` (RFC 9068 §2.2).
    TokenIdMissing,
    /// The token or its header is over the bound.
    TooLong,
    /// `typ` does not say access token (RFC 9068 §4, RFC 8725 §3.11).
    TypeNotAccessToken,
    /// `b64` is there (RFC 7797 §7).
    UnencodedPayload,
}

impl Rejected {
    /// What the caller is told.
    pub const fn denial(self) -> Denial {
        match self {
            Self::AudienceMismatch | Self::ClientNotAccepted => Denial::WrongAudience,
            Self::Expired => Denial::ExpiredToken,
            Self::KeyUnknown => Denial::UnknownKey,
            Self::KeysUnavailable => Denial::NotReady,
            Self::ActorMalformed
            | Self::AlgorithmMissing
            | Self::AlgorithmNotAllowed
            | Self::AudienceMalformed
            | Self::AudienceMissing
            | Self::CharacterForbidden
            | Self::ClaimsMalformed
            | Self::ClientConflict
            | Self::ClientMissing
            | Self::ContentNotClaims
            | Self::CriticalHeader
            | Self::DateMalformed
            | Self::EncodingInvalid
            | Self::ExpiryMissing
            | Self::HeaderMalformed
            | Self::IdToken
            | Self::IdentifierMalformed
            | Self::Inactive
            | Self::IssuedAtMissing
            | Self::IssuedInFuture
            | Self::IssuerMissing
            | Self::IssuerUnknown
            | Self::KeyIdMalformed
            | Self::LifetimeTooLong
            | Self::NotBearer
            | Self::NotThreeParts
            | Self::NotYetValid
            | Self::SecurityEvent
            | Self::SignatureInvalid
            | Self::StatusMalformed
            | Self::StatusUnknown
            | Self::SubjectMissing
            | Self::TokenIdMissing
            | Self::TooLong
            | Self::TypeNotAccessToken
            | Self::UnencodedPayload => Denial::InvalidToken,
        }
    }

    /// What is wrong, for humans; no part of the token is in it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::ActorMalformed => "`act` is not an object",
            Self::AlgorithmMissing => "the header has no `alg`",
            Self::AlgorithmNotAllowed => "`alg` is not among the issuer's algorithms",
            Self::AudienceMalformed => "`aud` is neither a string nor a list of strings",
            Self::AudienceMismatch => "`aud` holds none of the issuer's audiences",
            Self::AudienceMissing => "`aud` is missing",
            Self::CharacterForbidden => "a character that no token has",
            Self::ClaimsMalformed => "the payload is not a JSON object read strictly",
            Self::ClientConflict => "two claims name two clients",
            Self::ClientMissing => "no claim names the client",
            Self::ClientNotAccepted => "its client is not among the issuer's `clients`",
            Self::ContentNotClaims => "`cty` says that the payload is not claims",
            Self::CriticalHeader => "`crit` is present and no extension is understood",
            Self::DateMalformed => "a time is not a number of seconds since 1970",
            Self::EncodingInvalid => "a part is not canonical base64url",
            Self::Expired => "`exp` has passed",
            Self::ExpiryMissing => "`exp` is missing",
            Self::HeaderMalformed => "the header is not a JSON object read strictly",
            Self::IdToken => "the claims are an ID token's",
            Self::IdentifierMalformed => "`iss`, `sub`, `jti` or the client is malformed",
            Self::Inactive => "its issuer does not say that the token is active",
            Self::IssuedAtMissing => "`iat` is missing",
            Self::IssuedInFuture => "`iat` lies in the future",
            Self::IssuerMissing => "`iss` is missing",
            Self::IssuerUnknown => "`iss` is no issuer of the policy",
            Self::KeyIdMalformed => "`kid` is not a string of at most 256 bytes",
            Self::KeyUnknown => "no key of the issuer fits `kid` and `alg`",
            Self::KeysUnavailable => "the issuer's keys are not there yet, or too old",
            Self::LifetimeTooLong => "the lifetime is longer than the issuer's tokens may have",
            Self::NotBearer => "its issuer does not say by `token_type` that it is an access token",
            Self::NotThreeParts => "not three parts joined by two dots",
            Self::NotYetValid => "`nbf` lies in the future",
            Self::SecurityEvent => "the claims are a security event's",
            Self::SignatureInvalid => "the signature does not verify",
            Self::StatusMalformed => "`status` is not a place in a list",
            Self::StatusUnknown => "its status is in none of the issuer's `status_lists`",
            Self::SubjectMissing => "`sub` is missing",
            Self::TokenIdMissing => "`jti` is missing",
            Self::TooLong => "the token or its header is too long",
            Self::TypeNotAccessToken => "`typ` does not say access token",
            Self::UnencodedPayload => "`b64` is present",
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for Rejected {}
