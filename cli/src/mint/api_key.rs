use std::fmt;

use postern::api_key::{HASH_SCHEME, hash};
use rand_core::{OsRng, RngCore};

use super::{Error, base64url};

/// An API key: a prefix and 256 random bits.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// A new key that begins with `prefix`.
    ///
    /// # Errors
    ///
    /// [`Error::Generate`] without randomness.
    pub fn generate(prefix: &str) -> Result<Self, Error> {
        let mut bits = [0; 32];
        OsRng.try_fill_bytes(&mut bits).map_err(|_| Error::Generate)?;
        Ok(Self(format!("{prefix}{}", base64url(&bits))))
    }

    /// The key itself.
    pub fn secret(&self) -> &str {
        &self.0
    }

    /// What a policy has in its stead.
    pub fn hash(&self) -> String {
        format!("{HASH_SCHEME}{}", base64url(&hash(self.0.as_bytes())))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(..)")
    }
}
