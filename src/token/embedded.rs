//! A JWT that brings the key it is signed with (RFC 7515 §4.1.3).
//!
//! Its signature says nothing of who wrote it, only that whoever did has the key. An access token
//! is never read so: there `jwk` is ignored.

use serde_json::Value;

use super::jws::{Jws, is_media_type};
use super::key::{self, Key, Symmetric, Unusable};
use super::{Algorithm, Claims, Native, Rejected};

/// A JWT with a key in it. Nothing in it is true.
pub(crate) struct Embedded<'t> {
    jws: Jws<'t>,
    jwk: Value,
    claims: Claims,
}

impl<'t> Embedded<'t> {
    /// Takes it apart.
    ///
    /// # Errors
    ///
    /// Whatever makes a token unreadable.
    pub(crate) fn parse(text: &'t str) -> Result<Self, Rejected> {
        let mut jws = Jws::parse(text)?;
        let jwk = jws.key.take().filter(Value::is_object).ok_or(Rejected::HeaderMalformed)?;
        let claims = Claims::parse(&jws.payload)?;
        Ok(Self { jws, jwk, claims })
    }

    /// Whether `typ` names the media type `application/{name}`.
    pub(crate) fn is_of_type(&self, name: &str) -> bool {
        self.jws.token_type.as_deref().is_some_and(|written| is_media_type(written, name))
    }

    pub(crate) const fn algorithm(&self) -> Algorithm {
        self.jws.algorithm
    }

    pub(crate) const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Whether the key is more than a public one.
    pub(crate) fn has_private_key(&self) -> bool {
        key::is_private(&self.jwk)
    }

    /// The key's thumbprint (RFC 7638), if it is of a kind that we verify with.
    pub(crate) fn thumbprint(&self) -> Option<[u8; 32]> {
        key::thumbprint(&self.jwk)
    }

    /// Whether the signature is the key's.
    ///
    /// # Errors
    ///
    /// Why the key is none that we verify with.
    pub(crate) fn verify(&self, native: Native<'_>) -> Result<bool, Unusable> {
        let key = Key::from_jwk(&self.jwk, Symmetric::Refused)?;
        let Jws { algorithm, signing_input, signature, .. } = &self.jws;
        Ok(key.verify_signature(*algorithm, signing_input, signature, native))
    }
}
