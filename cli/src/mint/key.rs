use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, Mac};
use p256::pkcs8::{EncodePublicKey, LineEnding};
use rand_core::{OsRng, RngCore};
use rsa::RsaPrivateKey;
use rsa::pkcs1v15;
use rsa::signature::{SignatureEncoding, Signer};
use rsa::traits::PublicKeyParts;
use sha2::Sha256;

use super::Error;

/// The size of a new RSA key, in bits: the least that RFC 7518 §3.3 allows.
const RSA_BITS: usize = 2048;
/// The size of a new HMAC key, in bytes: the least that RFC 7518 §3.2 allows.
const HMAC_BYTES: usize = 32;

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Edwards curve 25519.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// HMAC with SHA-256: whoever can check a token can forge one.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl Algorithm {
    /// The name in a token's header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::EdDsa, Self::Es256, Self::Hs256, Self::Rs256]
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| Error::Algorithm(text.to_owned()))
    }
}

/// How the public half of a key is written as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `SubjectPublicKeyInfo` in DER.
    Der,
    /// The RSA modulus alone, big-endian.
    Modulus,
    /// `SubjectPublicKeyInfo` in PEM.
    Pem,
}

/// A key that signs tokens. Its secret part shows in [`PrivateKey::to_jwk`] and nowhere else.
pub struct PrivateKey {
    pub(super) kid: String,
    pub(super) secret: Secret,
}

pub(super) enum Secret {
    EdDsa(ed25519_dalek::SigningKey),
    Es256(p256::ecdsa::SigningKey),
    Hs256(Vec<u8>),
    Rs256(Box<RsaPrivateKey>),
}

impl PrivateKey {
    /// A new key, called by its thumbprint (RFC 7638).
    ///
    /// # Errors
    ///
    /// [`Error::Generate`] when the operating system gives no randomness.
    pub fn generate(algorithm: Algorithm) -> Result<Self, Error> {
        let mut bytes = [0; HMAC_BYTES];
        OsRng.try_fill_bytes(&mut bytes).map_err(|_| Error::Generate)?;
        Ok(Self::named_by_thumbprint(match algorithm {
            Algorithm::EdDsa => Secret::EdDsa(ed25519_dalek::SigningKey::from_bytes(&bytes)),
            Algorithm::Es256 => Secret::Es256(p256::ecdsa::SigningKey::random(&mut OsRng)),
            Algorithm::Hs256 => Secret::Hs256(bytes.to_vec()),
            Algorithm::Rs256 => Secret::Rs256(Box::new(
                RsaPrivateKey::new(&mut OsRng, RSA_BITS).map_err(|_| Error::Generate)?,
            )),
        }))
    }

    /// An HMAC key of any bytes: also those of somebody's public key, to try whether a reader
    /// takes the algorithm's word for what the key is.
    pub fn symmetric(secret: impl Into<Vec<u8>>) -> Self {
        Self::named_by_thumbprint(Secret::Hs256(secret.into()))
    }

    pub(super) fn named_by_thumbprint(secret: Secret) -> Self {
        let mut key = Self { kid: String::new(), secret };
        key.kid = key.thumbprint();
        key
    }

    /// The same key under another name.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = kid.into();
        self
    }

    /// The key's name in token headers and key sets.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What it signs with.
    pub const fn algorithm(&self) -> Algorithm {
        match self.secret {
            Secret::EdDsa(_) => Algorithm::EdDsa,
            Secret::Es256(_) => Algorithm::Es256,
            Secret::Hs256(_) => Algorithm::Hs256,
            Secret::Rs256(_) => Algorithm::Rs256,
        }
    }

    /// The public half; nothing for an HMAC key, which has none, and no modulus but for RSA.
    pub fn public_bytes(&self, encoding: Encoding) -> Option<Vec<u8>> {
        match (&self.secret, encoding) {
            (Secret::Rs256(key), Encoding::Modulus) => Some(key.n().to_bytes_be()),
            (_, Encoding::Modulus) => None,
            (Secret::EdDsa(_) | Secret::Hs256(_), _) => None,
            (Secret::Es256(key), _) => public_key_info(key.verifying_key(), encoding),
            (Secret::Rs256(key), _) => public_key_info(&key.to_public_key(), encoding),
        }
    }

    /// The signature over `message`, as a token carries it (RFC 7518 §3, RFC 8037 §3.1).
    ///
    /// # Errors
    ///
    /// [`Error::Sign`] when the key cannot.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        match &self.secret {
            Secret::EdDsa(key) => Ok(key.sign(message).to_bytes().to_vec()),
            Secret::Es256(key) => {
                let signature: p256::ecdsa::Signature =
                    key.try_sign(message).map_err(|_| Error::Sign)?;
                Ok(signature.to_bytes().to_vec())
            }
            Secret::Hs256(secret) => {
                let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| Error::Sign)?;
                mac.update(message);
                Ok(mac.finalize().into_bytes().to_vec())
            }
            Secret::Rs256(key) => {
                let key = pkcs1v15::SigningKey::<Sha256>::new(RsaPrivateKey::clone(key));
                key.try_sign(message).map(|signature| signature.to_vec()).map_err(|_| Error::Sign)
            }
        }
    }
}

fn public_key_info(key: &impl EncodePublicKey, encoding: Encoding) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Der => Some(key.to_public_key_der().ok()?.into_vec()),
        Encoding::Pem => Some(key.to_public_key_pem(LineEnding::LF).ok()?.into_bytes()),
        Encoding::Modulus => None,
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey")
            .field("algorithm", &self.algorithm())
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}
