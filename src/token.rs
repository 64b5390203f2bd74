//! Bytes on the wire -> verified claims.
//!
//! The room trusts nothing that the caller sends. What a token claims of itself picks among what
//! the policy already holds and never adds to it: `iss` picks an issuer, `kid` and `alg` pick a
//! key of that issuer's own set, and `jku`, `jwk`, `x5u` and `x5c` are not read at all.
//!
//! | file | what is there |
//! | --- | --- |
//! | [`credential`] | the request's headers -> the one bearer token |
//! | `jws` | the compact serialization and the header's rules (RFC 7515) |
//! | `claims` | the payload, read once and strictly (RFC 7519), and paths into it |
//! | `issuer` | whom the policy trusts, and with what |
//! | `key` | JSON Web Keys (RFC 7517), each pinned to what it may verify |
//! | `validity` | `exp`, `nbf`, `iat`, leeway and lifetime |
//! | `profile` | what makes a JWT an access token (RFC 9068) |
//! | `rejected` | every misbehaviour of a token, by name |
//!
//! Known attacks and where they end: `alg` confusion and `none` at the issuer's list and again at
//! the key's; a key of another issuer at the look-up, which knows one set only; an ID token, a
//! logout token or a `DPoP` proof at `typ` and the profile; a token bound to a key at `cnf`; two
//! readings of one JSON text at [`crate::json`]; a nested or huge text at the bounds.
//!
//! Signatures are `jwt-compact`'s. Its reader of headers and claims is not used: it ignores
//! `crit` and lets an unknown member be named twice, and one reader cannot disagree with itself.

mod algorithm;
mod claims;
pub mod credential;
mod issuer;
mod jws;
mod key;
mod profile;
mod rejected;
#[cfg(test)]
mod tests;
mod validity;

pub use algorithm::{Algorithm, Algorithms, UnknownAlgorithm};
pub use claims::{ClaimPath, Claims, InvalidClaimPath, is_identifier};
pub use issuer::{Issuer, IssuerId, Issuers, IssuersError, Leeway};
pub use jws::MAX_TOKEN_BYTES;
pub use key::{KeySet, KeySetError, MAX_KEYS, Skipped, Symmetric, Unusable};
pub use profile::Profile;
pub use rejected::Rejected;

use crate::host::Timestamp;
use jws::Jws;
use validity::Validity;

/// A token that its issuer signed, for us, as an access token, valid now.
#[derive(Debug)]
pub struct Verified<'p> {
    /// Who signed it.
    pub issuer_id: IssuerId,
    /// The same, with all that the policy says of it.
    pub issuer: &'p Issuer,
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
}

/// Verifies a token in the compact serialization: cheap checks first, the signature late.
///
/// # Errors
///
/// The first misbehaviour met. Until the signature is checked that is what anybody may have
/// written: good for telling the caller, not evidence against the issuer or the subject.
pub fn verify<'p>(
    token: &str,
    issuers: &'p Issuers,
    now: Timestamp,
) -> Result<Verified<'p>, Rejected> {
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

    let key = issuer.keys.find(jws.key_id.as_deref(), jws.algorithm).ok_or(Rejected::KeyUnknown)?;
    if !key.verify_signature(jws.algorithm, jws.signing_input, &jws.signature) {
        return Err(Rejected::SignatureInvalid);
    }

    issuer.profile.check_claims(&claims)?;
    let subject = claims.subject().ok_or(Rejected::SubjectMissing)?.to_owned();
    let Validity { not_before, expires } = validity;
    Ok(Verified { issuer_id, issuer, subject, client, claims, not_before, expires })
}
