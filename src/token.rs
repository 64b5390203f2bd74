//! Bytes on the wire -> verified claims.
//!
//! The room trusts nothing that the caller sends. What a token claims of itself picks among what
//! the policy already holds and never adds to it: `iss` picks an issuer, `kid` and `alg` pick a
//! key of that issuer's own set, and `jku`, `jwk`, `x5u` and `x5c` are not read at all.
//!
//! | file | what is there |
//! | --- | --- |
//! | [`credential`] | the request's headers -> the one bearer token |
//! | `embedded` | a JWT that brings its own key, as a `DPoP` proof does |
//! | `jws` | the compact serialization and the header's rules (RFC 7515) |
//! | `claims` | the payload, read once and strictly (RFC 7519), and paths into it |
//! | `issuer` | whom the policy trusts, and with what |
//! | `key` | JSON Web Keys (RFC 7517), each pinned to what it may verify |
//! | `validity` | `exp`, `nbf`, `iat`, leeway and lifetime |
//! | `profile` | what makes a JWT an access token (RFC 9068) |
//! | `introspected` | what an issuer says of an opaque token, under the same rules (RFC 7662) |
//! | `rejected` | every misbehaviour of a token, by name |
//!
//! Known attacks and where they end: `alg` confusion and `none` at the issuer's list and again at
//! the key's; a key of another issuer at the look-up, which knows one set only; an ID token, a
//! logout token or a `DPoP` proof at `typ` and the profile; two readings of one JSON text at
//! [`crate::json`]; a nested or huge text at the bounds. A token that is bound to a key (`cnf`) is
//! verified like any other: that its bearer has the key is for [`crate::binding`].
//!
//! Signatures are `jwt-compact`'s. Its reader of headers and claims is not used: it ignores
//! `crit` and lets an unknown member be named twice, and one reader cannot disagree with itself.

mod algorithm;
mod base64url;
mod claims;
pub mod credential;
mod embedded;
mod introspected;
mod issuer;
mod jws;
mod key;
mod profile;
mod rejected;
mod statement;
mod status;
#[cfg(test)]
mod tests;
mod validity;

pub use algorithm::{Algorithm, Algorithms, UnknownAlgorithm};
pub use claims::{ClaimPath, Claims, InvalidClaimPath, is_identifier};
pub(crate) use embedded::Embedded;
pub use introspected::Expected;
pub use issuer::{Issuer, IssuerId, Issuers, IssuersError, Keys, Leeway};
pub use jws::{MAX_TOKEN_BYTES, is_opaque};
pub(crate) use key::essence;
pub use key::{KeySet, KeySetError, MAX_KEYS, Signer, Skipped, Symmetric, Unusable};
pub use profile::Profile;
pub use rejected::Rejected;
pub(crate) use statement::Statement;
pub(crate) use status::StatusReference;

use crate::feed::TokenStatus;
use crate::host::{SignatureCheck, Timestamp};
use jws::Jws;
use validity::Validity;

/// A token that its issuer signed, for us, as an access token, valid now.
#[derive(Debug)]
pub struct Verified<'p> {
    /// Who signed it.
    pub issuer_id: IssuerId,
    /// The same, with all that the policy says of it.
    pub issuer: &'p Issuer,
    /// The key it is signed with; none where the issuer was asked about it.
    pub signer: Option<Signer>,
    /// `sub`: never empty; unique within the issuer only.
    pub subject: String,
    /// `client_id`, or whatever the issuer calls it: never empty.
    pub client: String,
    /// Everything the issuer asserts.
    pub claims: Claims,
    /// The first second at which the token is valid, leeway included.
    pub not_before: i64,
    /// The first second at which the token is no longer valid, leeway included.
    pub expires: i64,
    /// What became of it, where it says that this can be known.
    pub(crate) status: Option<TokenStatus>,
    /// For how many seconds it is valid in all, leeway apart; without `iat`, from now on.
    pub lifetime: i64,
}

/// What a host checks signatures with, if it can; see [`Host::verify_signature`](crate::host::Host::verify_signature).
pub(crate) type Native<'a> = &'a dyn Fn(&SignatureCheck<'_>) -> Option<bool>;

/// A token whose signature is still to be checked, and all else is as it should be.
///
/// Anybody may have written it.
pub struct Candidate<'t, 'p> {
    issuer_id: IssuerId,
    issuer: &'p Issuer,
    jws: Jws<'t>,
    claims: Claims,
    client: String,
    validity: Validity,
}

impl<'t, 'p> Candidate<'t, 'p> {
    /// Makes all the checks of a token in the compact serialization that need no key.
    ///
    /// # Errors
    ///
    /// The first misbehaviour met: good for telling the caller, not evidence against the issuer
    /// or the subject.
    pub fn read(token: &'t str, issuers: &'p Issuers, now: Timestamp) -> Result<Self, Rejected> {
        let jws = Jws::parse(token)?;
        let claims = Claims::parse(&jws.payload)?;

        let identifier = claims.issuer().ok_or(Rejected::IssuerMissing)?;
        let (issuer_id, issuer) = issuers.find(identifier).ok_or(Rejected::IssuerUnknown)?;
        issuer.profile.check_type(jws.token_type.as_deref())?;
        if !issuer.algorithms.contains(jws.algorithm) {
            return Err(Rejected::AlgorithmNotAllowed);
        }

        let validity = Validity::of(&claims, issuer, now)?;
        let client = issuer.check_recipients(&claims)?.to_owned();
        Ok(Self { issuer_id, issuer, jws, claims, client, validity })
    }

    /// Who is said to have signed it.
    pub const fn issuer_id(&self) -> IssuerId {
        self.issuer_id
    }

    /// The same, with all that the policy says of it.
    pub const fn issuer(&self) -> &'p Issuer {
        self.issuer
    }

    /// The key that it names, if it names one.
    pub fn key_id(&self) -> Option<&str> {
        self.jws.key_id.as_deref()
    }

    /// Whether there is a key for it in `keys`.
    pub fn has_key_in(&self, keys: &KeySet) -> bool {
        keys.find(self.key_id(), self.jws.algorithm).is_some()
    }

    /// Checks the signature with one of the issuer's `keys`, and then what only an issuer's word
    /// is good for.
    ///
    /// # Errors
    ///
    /// The first misbehaviour met.
    pub(crate) fn verify(
        self,
        keys: &KeySet,
        native: Native<'_>,
    ) -> Result<Verified<'p>, Rejected> {
        let Self { issuer_id, issuer, jws, claims, client, validity } = self;
        let key = keys.find(jws.key_id.as_deref(), jws.algorithm).ok_or(Rejected::KeyUnknown)?;
        if !key.verify_signature(jws.algorithm, jws.signing_input, &jws.signature, native) {
            return Err(Rejected::SignatureInvalid);
        }
        let signer = Some(Signer::new(key));

        issuer.profile.check_claims(&claims)?;
        let subject = claims.subject().ok_or(Rejected::SubjectMissing)?.to_owned();
        let Validity { not_before, expires, lifetime } = validity;
        Ok(Verified {
            issuer_id,
            issuer,
            signer,
            subject,
            client,
            claims,
            not_before,
            expires,
            lifetime,
            status: None,
        })
    }
}

/// Verifies a token in the compact serialization by the keys that stand in the policy: cheap
/// checks first, the signature late.
///
/// # Errors
///
/// The first misbehaviour met, and [`Rejected::KeysUnavailable`] where the issuer's keys are not
/// in the policy.
pub fn verify<'p>(
    token: &str,
    issuers: &'p Issuers,
    now: Timestamp,
) -> Result<Verified<'p>, Rejected> {
    let candidate = Candidate::read(token, issuers, now)?;
    match &candidate.issuer().keys {
        Keys::Inline(keys) => candidate.verify(keys, &|_| None),
        Keys::Remote(_) => Err(Rejected::KeysUnavailable),
    }
}
