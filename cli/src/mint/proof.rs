//! `DPoP` proofs (RFC 9449 §4.2).

use rand_core::{OsRng, RngCore};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Error, PrivateKey, base64url, sign};

/// A `DPoP` proof to be; what is not set is not in it, but for what every proof has.
#[derive(Clone, Debug)]
pub struct Proof {
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Proof {
    /// A proof for one request, made at `now` (seconds since the Unix epoch). `url` is the
    /// request's without query and fragment.
    pub fn new(method: &str, url: &str, now: i64) -> Self {
        let claims = [("htm", method.into()), ("htu", url.into()), ("iat", now.into())];
        Self {
            header: Map::from_iter([("typ".to_owned(), "dpop+jwt".into())]),
            claims: claims.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }

    /// The access token that comes with it.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.claim("ath", base64url(&Sha256::digest(token)))
    }

    /// The nonce that the server gave.
    #[must_use]
    pub fn nonce(self, nonce: &str) -> Self {
        self.claim("nonce", nonce)
    }

    /// Any claim; an earlier value is replaced.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// The proof without this claim.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Any header parameter; wins over what the key says.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// The proof, signed by `key`, its public half in it, with a `jti` of its own unless it has
    /// one.
    ///
    /// # Errors
    ///
    /// [`Error::Generate`] without randomness, [`Error::Sign`] when the key cannot.
    pub fn sign(&self, key: &PrivateKey) -> Result<String, Error> {
        let mut header = Map::from_iter([
            ("alg".to_owned(), key.algorithm().name().into()),
            ("jwk".to_owned(), key.thumbprint_members()),
        ]);
        header.extend(self.header.clone());
        let mut claims = self.claims.clone();
        if !claims.contains_key("jti") {
            let mut id = [0; 16];
            OsRng.try_fill_bytes(&mut id).map_err(|_| Error::Generate)?;
            claims.insert("jti".to_owned(), base64url(&id).into());
        }
        sign(key, &Value::Object(header).to_string(), &Value::Object(claims).to_string())
    }
}
