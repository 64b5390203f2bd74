//! Every way to fail to prove the possession of what a token is bound to, by name.

use std::fmt;

use crate::denial::{Denial, Refusal};

/// What is wrong with a binding or its proof.
///
/// The caller is told [`Unproven::denial`] and [`Unproven::reason`], which is fixed text: nothing
/// of token, proof or certificate is repeated. Closed on purpose: a new one must break every
/// `match` that maps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unproven {
    /// `alg` of the proof is not among those that the policy takes (RFC 9449 §4.3, check 5).
    AlgorithmNotAllowed,
    /// The token is bound in a way that the policy does not have checked.
    BindingUnchecked,
    /// The header that brings the certificate says more than one thing, or nothing we can read.
    CertificateMalformed,
    /// The connection's certificate is another one (RFC 8705 §3).
    CertificateMismatch,
    /// No certificate of the client's is known (RFC 8705 §3).
    CertificateMissing,
    /// `jti`, `htm`, `htu`, `iat` or `ath` is missing or no such thing (check 3).
    ClaimMissing,
    /// `cnf` is not one member that we can check (RFC 7800 §3.1).
    ConfirmationUnknown,
    /// `iat` lies ahead (check 11).
    CreatedInFuture,
    /// `iat` lies too far back (check 11).
    CreatedTooEarly,
    /// The proof's key is not the token's (check 12).
    KeyMismatch,
    /// `jwk` has private members (check 7).
    KeyPrivate,
    /// `jwk` is no public key that we verify with (check 6).
    KeyUnusable,
    /// `htm` is another method (check 8).
    MethodMismatch,
    /// The proof has no nonce, and the policy wants one (check 10).
    NonceMissing,
    /// The proof's nonce is not one of ours, or no longer (check 10).
    NonceStale,
    /// The token is not bound in the way that issuer, scope or route want.
    NotBoundAsRequired,
    /// The token came as bound to a key, and is not (RFC 9449 §7.1).
    NotBoundToKey,
    /// The proof is no single well-formed JWT (check 2).
    ProofMalformed,
    /// There is no proof (RFC 9449 §7.1).
    ProofMissing,
    /// There is more than one proof (check 1).
    ProofRepeated,
    /// The proof was used before (RFC 9449 §11.1).
    Replayed,
    /// More proofs are in use than can be told apart.
    ReplaysFull,
    /// A token that is bound to a key came as a bearer token (RFC 9449 §7.2).
    SchemeMismatch,
    /// The signature is not the key's (check 6).
    SignatureInvalid,
    /// The shared store failed, or holds what it should not.
    StoreUnavailable,
    /// `htu` is another URI (check 9).
    TargetMismatch,
    /// `ath` is not the hash of the token (check 12).
    TokenHashMismatch,
    /// `typ` does not say `dpop+jwt` (check 4).
    TypeNotProof,
}

impl Unproven {
    /// What the caller is told.
    pub const fn denial(self) -> Denial {
        match self {
            Self::BindingUnchecked
            | Self::CertificateMalformed
            | Self::CertificateMismatch
            | Self::CertificateMissing
            | Self::ConfirmationUnknown
            | Self::KeyMismatch
            | Self::NotBoundAsRequired
            | Self::NotBoundToKey
            | Self::ProofMissing
            | Self::SchemeMismatch => Denial::UnboundToken,
            Self::AlgorithmNotAllowed
            | Self::ClaimMissing
            | Self::CreatedInFuture
            | Self::CreatedTooEarly
            | Self::KeyPrivate
            | Self::KeyUnusable
            | Self::MethodMismatch
            | Self::ProofMalformed
            | Self::ProofRepeated
            | Self::Replayed
            | Self::SignatureInvalid
            | Self::TargetMismatch
            | Self::TokenHashMismatch
            | Self::TypeNotProof => Denial::InvalidDpopProof,
            Self::NonceMissing | Self::NonceStale => Denial::UseDpopNonce,
            Self::ReplaysFull | Self::StoreUnavailable => Denial::NotReady,
        }
    }

    /// What is wrong, for humans; no part of token, proof or certificate is in it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::AlgorithmNotAllowed => "`alg` of the proof is not one that is accepted",
            Self::BindingUnchecked => "`cnf` binds the token, and no proof of that is checked",
            Self::CertificateMalformed => {
                "the header with the client certificate is not of one certificate"
            }
            Self::CertificateMismatch => "the token is bound to another client certificate",
            Self::CertificateMissing => "the connection has no client certificate",
            Self::ClaimMissing => {
                "`jti`, `htm`, `htu`, `iat` or `ath` of the proof is missing or malformed"
            }
            Self::ConfirmationUnknown => "`cnf` is not one member that can be checked",
            Self::CreatedInFuture => "`iat` of the proof lies in the future",
            Self::CreatedTooEarly => "`iat` of the proof lies too far back",
            Self::KeyMismatch => "the token is bound to another key than the proof's",
            Self::KeyPrivate => "`jwk` of the proof has private members",
            Self::KeyUnusable => "`jwk` of the proof is not a public key that is supported",
            Self::MethodMismatch => "`htm` of the proof is not the method",
            Self::NonceMissing => "the proof has no `nonce`: use the one in `DPoP-Nonce`",
            Self::NonceStale => "`nonce` of the proof is too old: use the one in `DPoP-Nonce`",
            Self::NotBoundAsRequired => "the token is not bound in the way that is required",
            Self::NotBoundToKey => "the scheme is `DPoP`, and the token is not bound to a key",
            Self::ProofMalformed => "the header `DPoP` is not one well-formed proof",
            Self::ProofMissing => "the token is bound to a key, and the header `DPoP` is missing",
            Self::ProofRepeated => "the request has more than one header `DPoP`",
            Self::Replayed => "the proof was used before",
            Self::ReplaysFull => "too many proofs are in use to tell whether this one is new",
            Self::SchemeMismatch => {
                "the token is bound to a key: expected the scheme `DPoP`, not `Bearer`"
            }
            Self::SignatureInvalid => "the signature of the proof does not verify",
            Self::StoreUnavailable => "whether the proof is new cannot be told now",
            Self::TargetMismatch => "`htu` of the proof is not the URI of the request",
            Self::TokenHashMismatch => "`ath` of the proof is not the hash of the token",
            Self::TypeNotProof => "`typ` of the proof is not `dpop+jwt`",
        }
    }
}

impl From<Unproven> for Refusal {
    fn from(unproven: Unproven) -> Self {
        Self::because(unproven.denial(), unproven.reason())
    }
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for Unproven {}
