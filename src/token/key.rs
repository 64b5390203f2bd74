//! Key sets (RFC 7517): which keys an issuer signs with, and what each may verify.

mod der;
mod jwk;
mod material;
mod thumbprint;

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value, json};

pub use jwk::Unusable;
pub(super) use jwk::is_private;
pub(crate) use thumbprint::thumbprint;

use super::{Algorithm, Algorithms, Native};
use material::Material;

/// The most keys that a set may list.
pub const MAX_KEYS: usize = 64;

/// Whether symmetric keys may be loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Symmetric {
    /// They are skipped: whoever can verify with one can sign with it.
    #[default]
    Refused,
    /// They are loaded, for development.
    AllowedForDevelopment,
}

/// The keys of one issuer, at most [`MAX_KEYS`].
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    // INVARIANT: keys that share a `kid` are one key, for different algorithms.
    keys: Vec<Arc<Key>>,
}

impl KeySet {
    /// Reads a JWK Set (RFC 7517 §5). A key that we cannot use is skipped and reported; it
    /// never voids the set.
    ///
    /// ```
    /// use postern::token::{KeySet, Symmetric, Unusable};
    ///
    /// let jwks = serde_json::json!({"keys": [
    ///     {"kty": "OKP", "crv": "Ed25519", "kid": "a",
    ///      "x": "6kps8g_TMlRnrmCpKlUUCL3TmNM7yNL4A6CVlHrSgiw"},
    ///     {"kty": "RSA", "kid": "b", "use": "enc", "n": "AQ", "e": "AQAB"},
    /// ]});
    /// let (_keys, skipped) = KeySet::from_jwks(&jwks, Symmetric::Refused)?;
    /// assert_eq!(skipped[0].reason, Unusable::KeyNotForSignatures);
    /// # Ok::<(), postern::token::KeySetError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`KeySetError`] when the set as a whole cannot be trusted to name one key for a token.
    pub fn from_jwks(
        jwks: &Value,
        symmetric: Symmetric,
    ) -> Result<(Self, Vec<Skipped>), KeySetError> {
        let listed = jwks.get("keys").and_then(Value::as_array).ok_or(KeySetError::NotAKeySet)?;
        if listed.len() > MAX_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        let lists = |kinds: &[&str]| {
            listed.iter().any(|jwk| {
                jwk.get("kty").and_then(Value::as_str).is_some_and(|kty| kinds.contains(&kty))
            })
        };
        if lists(&["oct"]) && lists(&["EC", "OKP", "RSA"]) {
            return Err(KeySetError::Mixed);
        }

        let mut keys: Vec<Arc<Key>> = Vec::with_capacity(listed.len());
        let mut skipped = Vec::new();
        for (index, jwk) in listed.iter().enumerate() {
            match Key::from_jwk(jwk, symmetric) {
                Ok(key) if keys.iter().any(|other| **other == key) => {}
                Ok(key) if keys.iter().any(|other| other.is_mistaken_for(&key)) => {
                    return Err(KeySetError::AmbiguousKeyId(key.kid.unwrap_or_default()));
                }
                Ok(key) => keys.push(Arc::new(key)),
                Err(reason) => skipped.push(Skipped { index, kid: jwk::kid(jwk), reason }),
            }
        }
        if keys.is_empty() {
            return Err(KeySetError::NoUsableKey(skipped));
        }
        Ok((Self { keys }, skipped))
    }

    /// Reads a JWK Set that was fetched, as nobody here has written it: no key of it voids the
    /// others. Symmetric keys are never used, and of keys that share a `kid` none is.
    ///
    /// # Errors
    ///
    /// [`KeySetError`] when it is no key set, is too long, or has no key that can be used.
    pub fn from_fetched(jwks: &Value) -> Result<(Self, Vec<Skipped>), KeySetError> {
        let listed = jwks.get("keys").and_then(Value::as_array).ok_or(KeySetError::NotAKeySet)?;
        if listed.len() > MAX_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        let mut read: Vec<(usize, Arc<Key>)> = Vec::with_capacity(listed.len());
        let mut skipped = Vec::new();
        for (index, jwk) in listed.iter().enumerate() {
            match Key::from_jwk(jwk, Symmetric::Refused) {
                Ok(key) if read.iter().any(|(_, other)| **other == key) => {}
                Ok(key) => read.push((index, Arc::new(key))),
                Err(reason) => skipped.push(Skipped { index, kid: jwk::kid(jwk), reason }),
            }
        }
        let mistaken = |key: &Key| read.iter().any(|(_, other)| key.is_mistaken_for(other));
        let (ambiguous, keys): (Vec<_>, Vec<_>) =
            read.iter().cloned().partition(|(_, key)| mistaken(key));
        skipped.extend(ambiguous.into_iter().map(|(index, key)| Skipped {
            index,
            kid: key.kid.clone(),
            reason: Unusable::KeyIdAmbiguous,
        }));
        if keys.is_empty() {
            return Err(KeySetError::NoUsableKey(skipped));
        }
        Ok((Self { keys: keys.into_iter().map(|(_, key)| key).collect() }, skipped))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none: no key set that is read is so.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether a key has this `kid`.
    pub fn names(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid.as_deref() == Some(kid))
    }

    /// Whether it holds the key that signed something.
    pub fn holds(&self, signer: &Signer) -> bool {
        self.keys.contains(&signer.0)
    }

    /// The key that a token names by `kid`, if it may verify `algorithm`; for a token that names
    /// none, the only key that may (RFC 7515 §6).
    pub(super) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&Arc<Key>> {
        let mut fitting = self.keys.iter().filter(|key| {
            key.algorithms.contains(algorithm) && (kid.is_none() || key.kid.as_deref() == kid)
        });
        let key = fitting.next()?;
        (kid.is_some() || fitting.next().is_none()).then_some(key)
    }
}

/// What a key set says to us, and nothing else: the keys that [`KeySet::from_fetched`] uses, with
/// the members that it reads.
pub(crate) fn essence(jwks: &Value, skipped: &[Skipped]) -> Value {
    let listed = jwks.get("keys").and_then(Value::as_array);
    let used = listed.into_iter().flatten().enumerate();
    let used = used.filter(|(index, _)| skipped.iter().all(|one| one.index != *index));
    let keys = used.map(|(_, jwk)| {
        let members = jwk::PUBLIC_MEMBERS.into_iter();
        let members = members.filter_map(|name| Some((name.to_owned(), jwk.get(name)?.clone())));
        Value::Object(members.collect::<Map<_, _>>())
    });
    json!({ "keys": keys.collect::<Vec<_>>() })
}

/// The key that signed something.
#[derive(Clone, Debug)]
pub struct Signer(Arc<Key>);

impl Signer {
    pub(super) fn new(key: &Arc<Key>) -> Self {
        Self(Arc::clone(key))
    }
}

/// One key, pinned to the algorithms it may verify (RFC 8725 §3.1).
#[derive(Clone, PartialEq)]
pub(super) struct Key {
    kid: Option<String>,
    algorithms: Algorithms,
    material: Material,
}

impl Key {
    /// Whether `signature` is this key's over `signing_input`. False, too, for an algorithm that
    /// the key is not pinned to and for bytes that are no signature at all.
    pub(super) fn verify_signature(
        &self,
        algorithm: Algorithm,
        signing_input: &[u8],
        signature: &[u8],
        native: Native<'_>,
    ) -> bool {
        self.algorithms.contains(algorithm)
            && self.material.verify(algorithm, signing_input, signature, native)
    }

    fn is_mistaken_for(&self, other: &Self) -> bool {
        self.kid.is_some() && self.kid == other.kid && self.material != other.material
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("kty", &self.material.kty())
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}

/// A key of a set that we do not use, for a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Where in the set, from 0.
    pub index: usize,
    /// Its `kid`, where that is fit to be shown.
    pub kid: Option<String>,
    /// Why.
    pub reason: Unusable,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, kid, reason } = self;
        match kid {
            Some(kid) => write!(f, "key {index} (`{}`): {reason}", kid.escape_debug()),
            None => write!(f, "key {index}: {reason}"),
        }
    }
}

/// Why a key set is refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySetError {
    /// Two different keys share this `kid` (RFC 7517 §4.5).
    AmbiguousKeyId(String),
    /// Symmetric and asymmetric keys in one set: one of them has no business there.
    Mixed,
    /// Not one key that we can use, and why.
    NoUsableKey(Vec<Skipped>),
    /// Not an object with an array `keys` (RFC 7517 §5).
    NotAKeySet,
    /// More than [`MAX_KEYS`].
    TooManyKeys,
}

impl fmt::Display for KeySetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AmbiguousKeyId(kid) => {
                write!(f, "two different keys have the kid `{}`", kid.escape_debug())
            }
            Self::Mixed => f.write_str("symmetric and asymmetric keys in one set"),
            Self::NoUsableKey(skipped) => {
                f.write_str("no usable key")?;
                skipped.iter().try_for_each(|skipped| write!(f, "; {skipped}"))
            }
            Self::NotAKeySet => f.write_str("expected an object with an array `keys`"),
            Self::TooManyKeys => write!(f, "expected at most {MAX_KEYS} keys"),
        }
    }
}

impl std::error::Error for KeySetError {}
