//! Keys as JSON (RFC 7517, RFC 7518 §6, RFC 8037 §2) and their thumbprints (RFC 7638).

use std::collections::BTreeMap;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BigUint, RsaPrivateKey};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::key::{PrivateKey, Secret};
use super::{Error, base64url};

/// The JWK Set to publish for `keys`: public halves only, so HMAC keys are left out.
pub fn key_set<'a>(keys: impl IntoIterator<Item = &'a PrivateKey>) -> Value {
    json!({ "keys": keys.into_iter().filter_map(PrivateKey::public_jwk).collect::<Vec<_>>() })
}

impl PrivateKey {
    /// The key as a JWK, secret part and all. For an HMAC key this is also what checks its tokens.
    pub fn to_jwk(&self) -> Value {
        let mut jwk = self.public_members();
        let secret = match &self.secret {
            Secret::EdDsa(key) => vec![("d", base64url(key.as_bytes()))],
            Secret::Es256(key) => vec![("d", base64url(&key.to_bytes()))],
            Secret::Hs256(bytes) => vec![("k", base64url(bytes))],
            Secret::Rs256(key) => rsa_secret(key),
        };
        jwk.extend(secret.into_iter().map(|(name, value)| (name.to_owned(), value.into())));
        self.describe(jwk)
    }

    /// The public half as a JWK; nothing for an HMAC key, which has none.
    pub fn public_jwk(&self) -> Option<Value> {
        match self.secret {
            Secret::Hs256(_) => None,
            _ => Some(self.describe(self.public_members())),
        }
    }

    /// Reads what [`PrivateKey::to_jwk`] writes. A key without a `kid` gets its thumbprint for one.
    ///
    /// # Errors
    ///
    /// [`Error::Jwk`] says which member is missing or wrong.
    pub fn from_jwk(jwk: &Value) -> Result<Self, Error> {
        let secret = match (text(jwk, "kty"), text(jwk, "crv")) {
            (Some("EC"), Some("P-256")) => Secret::Es256(
                p256::ecdsa::SigningKey::from_slice(&bytes(jwk, "d")?)
                    .map_err(|_| Error::Jwk("`d` is no private key of P-256"))?,
            ),
            (Some("OKP"), Some("Ed25519")) => {
                let seed = bytes(jwk, "d")?
                    .try_into()
                    .map_err(|_| Error::Jwk("`d` is no private key of Ed25519"))?;
                Secret::EdDsa(ed25519_dalek::SigningKey::from_bytes(&seed))
            }
            (Some("RSA"), _) => Secret::Rs256(Box::new(rsa_key(jwk)?)),
            (Some("oct"), _) => Secret::Hs256(bytes(jwk, "k")?),
            _ => {
                return Err(Error::Jwk(
                    "expected `kty` EC with P-256, OKP with Ed25519, RSA or oct",
                ));
            }
        };
        let key = Self::named_by_thumbprint(secret);
        Ok(match text(jwk, "kid") {
            Some(kid) => key.with_kid(kid),
            None => key,
        })
    }

    /// The key's thumbprint (RFC 7638 §3).
    pub fn thumbprint(&self) -> String {
        let mut members = self.public_members();
        if let Secret::Hs256(bytes) = &self.secret {
            members.insert("k".to_owned(), base64url(bytes).into());
        }
        // In lexical order and without white space: §3.3's canonical form.
        let members: BTreeMap<_, _> = members.into_iter().collect();
        base64url(&Sha256::digest(serde_json::to_string(&members).unwrap_or_default()))
    }

    /// The public half as a JWK of the members that make it what it is, and no others.
    pub fn thumbprint_members(&self) -> Value {
        Value::Object(self.public_members())
    }

    /// The members that make the key what it is (RFC 7638 §3.2).
    fn public_members(&self) -> Map<String, Value> {
        let members = match &self.secret {
            Secret::EdDsa(key) => vec![
                ("crv", "Ed25519".to_owned()),
                ("kty", "OKP".to_owned()),
                ("x", base64url(key.verifying_key().as_bytes())),
            ],
            Secret::Es256(key) => {
                let point = key.verifying_key().to_encoded_point(false);
                let coordinate = |c: Option<&p256::FieldBytes>| c.map(|c| base64url(c));
                vec![
                    ("crv", "P-256".to_owned()),
                    ("kty", "EC".to_owned()),
                    ("x", coordinate(point.x()).unwrap_or_default()),
                    ("y", coordinate(point.y()).unwrap_or_default()),
                ]
            }
            Secret::Hs256(_) => vec![("kty", "oct".to_owned())],
            Secret::Rs256(key) => vec![
                ("e", base64url(&key.e().to_bytes_be())),
                ("kty", "RSA".to_owned()),
                ("n", base64url(&key.n().to_bytes_be())),
            ],
        };
        members.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
    }

    fn describe(&self, mut jwk: Map<String, Value>) -> Value {
        jwk.insert("alg".to_owned(), self.algorithm().name().into());
        jwk.insert("kid".to_owned(), self.kid.clone().into());
        jwk.insert("use".to_owned(), "sig".into());
        Value::Object(jwk)
    }
}

fn rsa_secret(key: &RsaPrivateKey) -> Vec<(&'static str, String)> {
    let mut members = vec![("d", base64url(&key.d().to_bytes_be()))];
    for (name, prime) in ["p", "q"].into_iter().zip(key.primes()) {
        members.push((name, base64url(&prime.to_bytes_be())));
    }
    members
}

fn rsa_key(jwk: &Value) -> Result<RsaPrivateKey, Error> {
    let number = |name| bytes(jwk, name).map(|bytes| BigUint::from_bytes_be(&bytes));
    let primes = vec![number("p")?, number("q")?];
    RsaPrivateKey::from_components(number("n")?, number("e")?, number("d")?, primes)
        .map_err(|_| Error::Jwk("the numbers are no RSA key"))
}

fn text<'a>(jwk: &'a Value, name: &str) -> Option<&'a str> {
    jwk.get(name).and_then(Value::as_str)
}

fn bytes(jwk: &Value, name: &'static str) -> Result<Vec<u8>, Error> {
    let text = text(jwk, name).ok_or(Error::Jwk(match name {
        "d" => "`d` is missing",
        "k" => "`k` is missing",
        _ => "one of `n`, `e`, `p`, `q` is missing",
    }))?;
    Base64UrlUnpadded::decode_vec(text)
        .map_err(|_| Error::Jwk("a member is not base64url without padding"))
}
