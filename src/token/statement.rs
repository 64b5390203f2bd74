//! What an issuer signs that is about tokens and is none.

use super::jws::{Jws, is_media_type};
use super::{KeySet, Native};

/// A JWT of another type than an access token's. Nothing in it is true until it is
/// [somebody's](Self::is_by).
pub(crate) struct Statement<'t>(Jws<'t>);

impl<'t> Statement<'t> {
    /// Takes a text of at most `bytes` apart, if it is a JWT of the media type `application/{name}`.
    pub(crate) fn read(text: &'t str, name: &str, bytes: usize) -> Option<Self> {
        let jws = Jws::parse_within(text, bytes).ok()?;
        let fits = jws.token_type.as_deref().is_some_and(|written| is_media_type(written, name));
        fits.then_some(Self(jws))
    }

    /// Whether it is signed by one of these keys, the one that it names.
    pub(crate) fn is_by(&self, keys: &KeySet, native: Native<'_>) -> bool {
        let Self(Jws { algorithm, key_id, signing_input, signature, .. }) = self;
        keys.find(key_id.as_deref(), *algorithm)
            .is_some_and(|key| key.verify_signature(*algorithm, signing_input, signature, native))
    }

    /// Its claims, as they are written.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.0.payload
    }
}
