//! One JSON Web Key (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2) -> a key we can verify with.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use jwt_compact::jwk::JsonWebKey;
use serde_json::Value;

use super::{Key, Material, Symmetric, der};
use crate::token::jws::MAX_KEY_ID_BYTES;
use crate::token::{Algorithm, Algorithms};

/// Lengths of an RSA modulus, in bits: RFC 7518 §3.3 asks for 2048, time forbids more than 4096.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// An RSA exponent is above 2^16 (FIPS 186-5 §5.4), in bits.
const MIN_RSA_EXPONENT_BITS: usize = 17;

/// The shortest secret for HS256, in bytes (RFC 7518 §3.2).
const MIN_SECRET_BYTES: usize = 32;

/// Members that a private key has and a public one does not (RFC 7518 §6.2.2 and §6.3.2).
const PRIVATE_MEMBERS: [&str; 7] = ["d", "dp", "dq", "oth", "p", "q", "qi"];

/// Members that are read of a key that is used.
pub(super) const PUBLIC_MEMBERS: [&str; 10] =
    ["alg", "crv", "e", "key_ops", "kid", "kty", "n", "use", "x", "y"];

/// Why a key of a set is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unusable {
    /// `alg` names something we do not verify, or that this type of key cannot sign.
    AlgorithmUnsupported,
    /// `crv` is not `P-256` for `EC`, or not `Ed25519` for `OKP`.
    CurveUnsupported,
    /// RSA: the exponent is even, below 65537 or above 2^33.
    ExponentUnsupported,
    /// Another key of the set has the same `kid` (RFC 7517 §4.5).
    KeyIdAmbiguous,
    /// `kid` is no string or longer than 256 bytes.
    KeyIdMalformed,
    /// `key_ops` is there without `verify` (RFC 7517 §4.3).
    KeyNotForVerifying,
    /// `use` is there and is not `sig` (RFC 7517 §4.2).
    KeyNotForSignatures,
    /// `kty` is missing or unknown to us.
    KeyTypeUnknown,
    /// A member is missing, no string, no base64url, or of the wrong length.
    Malformed,
    /// RSA: the modulus is shorter than 2048 bits, longer than 4096, or even.
    ModulusUnsupported,
    /// The coordinates are of no point on the curve (RFC 8725 §3.4).
    PointInvalid,
    /// It is a private key; whoever published it has lost it.
    PrivateKey,
    /// The secret is shorter than 32 bytes.
    SecretTooShort,
    /// Ed25519: a point of small order, under which anybody can sign.
    SmallOrder,
    /// A symmetric key, and those are for development only.
    SymmetricRefused,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlgorithmUnsupported => "`alg` is not one that this key can verify here",
            Self::CurveUnsupported => "`crv` is not supported, expected `P-256` or `Ed25519`",
            Self::ExponentUnsupported => "`e` is not supported, expected an odd number from 65537",
            Self::KeyIdAmbiguous => "another key has the same `kid`",
            Self::KeyIdMalformed => "`kid` is not a string of at most 256 bytes",
            Self::KeyNotForVerifying => "`key_ops` does not hold `verify`",
            Self::KeyNotForSignatures => "`use` is not `sig`",
            Self::KeyTypeUnknown => "`kty` is not supported, expected `EC`, `OKP` or `RSA`",
            Self::Malformed => "a member is missing, not base64url or of the wrong length",
            Self::ModulusUnsupported => "`n` is not an odd number of 2048 to 4096 bits",
            Self::PointInvalid => "the point is not on the curve",
            Self::PrivateKey => "private members are present, expected a public key",
            Self::SecretTooShort => "the secret is shorter than 32 bytes",
            Self::SmallOrder => "the point has small order",
            Self::SymmetricRefused => "symmetric keys are for development only",
        })
    }
}

/// The key's `kid`, where it is fit to be shown.
pub(super) fn kid(jwk: &Value) -> Option<String> {
    let kid = jwk.get("kid").and_then(Value::as_str)?;
    (kid.len() <= MAX_KEY_ID_BYTES).then(|| kid.to_owned())
}

/// Whether a key has members that only its owner may know.
pub(crate) fn is_private(jwk: &Value) -> bool {
    PRIVATE_MEMBERS.iter().any(|name| jwk.get(name).is_some())
}

impl Key {
    pub(in crate::token) fn from_jwk(jwk: &Value, symmetric: Symmetric) -> Result<Self, Unusable> {
        let kid = kid(jwk);
        if jwk.get("kid").is_some() && kid.is_none() {
            return Err(Unusable::KeyIdMalformed);
        }
        // SPIFFE has a word of its own (JWT-SVID §6.1).
        if jwk.get("use").is_some_and(|purpose| purpose != "sig" && purpose != "jwt-svid") {
            return Err(Unusable::KeyNotForSignatures);
        }
        if jwk.get("key_ops").is_some_and(|operations| !lists_verify(operations)) {
            return Err(Unusable::KeyNotForVerifying);
        }
        if is_private(jwk) {
            return Err(Unusable::PrivateKey);
        }
        let (material, able): (Material, &[Algorithm]) =
            match jwk.get("kty").and_then(Value::as_str) {
                Some("EC") => (p256(jwk)?, &[Algorithm::Es256]),
                Some("OKP") => (ed25519(jwk)?, &[Algorithm::EdDsa]),
                Some("RSA") => (rsa(jwk)?, &RSA_ALGORITHMS),
                Some("oct") => (secret(jwk, symmetric)?, &[Algorithm::Hs256]),
                _ => return Err(Unusable::KeyTypeUnknown),
            };
        let able = Algorithms::from_iter(able.iter().copied());
        let algorithms = pinned(jwk, able).ok_or(Unusable::AlgorithmUnsupported)?;
        Ok(Self { kid, algorithms, material })
    }
}

const RSA_ALGORITHMS: [Algorithm; 6] = [
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
];

/// The one algorithm that the key's `alg` names, else all it is able to (RFC 7517 §4.4).
fn pinned(jwk: &Value, able: Algorithms) -> Option<Algorithms> {
    let Some(named) = jwk.get("alg") else { return Some(able) };
    let named = named.as_str()?.parse().ok()?;
    able.contains(named).then(|| Algorithms::from_iter([named]))
}

fn lists_verify(operations: &Value) -> bool {
    operations.as_array().is_some_and(|list| list.iter().any(|operation| operation == "verify"))
}

fn p256(jwk: &Value) -> Result<Material, Unusable> {
    if jwk.get("crv").is_none_or(|curve| curve != "P-256") {
        return Err(Unusable::CurveUnsupported);
    }
    let (x, y) = (coordinate(jwk, "x")?, coordinate(jwk, "y")?);
    let [x, y] = [&x, &y].map(|number| <&[u8; 32]>::try_from(number.as_slice()));
    let (Ok(x), Ok(y)) = (x, y) else { return Err(Unusable::Malformed) };
    let key = es256::VerifyingKey::new(x, y).ok_or(Unusable::PointInvalid)?;
    Ok(Material::P256 { key: Box::new(key), der: der::p256_public_key(x, y) })
}

fn ed25519(jwk: &Value) -> Result<Material, Unusable> {
    if jwk.get("crv").is_none_or(|curve| curve != "Ed25519") {
        return Err(Unusable::CurveUnsupported);
    }
    let x = coordinate(jwk, "x")?;
    let point = JsonWebKey::KeyPair { curve: "Ed25519".into(), x: x.into(), secret: None };
    let Ok(Material::Ed25519(key)) = (&point).try_into().map(Material::Ed25519) else {
        return Err(Unusable::PointInvalid);
    };
    if key.is_weak() { Err(Unusable::SmallOrder) } else { Ok(Material::Ed25519(key)) }
}

fn rsa(jwk: &Value) -> Result<Material, Unusable> {
    let (modulus, exponent) = (number(jwk, "n")?, number(jwk, "e")?);
    let is_odd = modulus.last().is_some_and(|byte| byte % 2 == 1);
    if !is_odd || !RSA_BITS.contains(&bits(&modulus)) {
        return Err(Unusable::ModulusUnsupported);
    }
    if bits(&exponent) < MIN_RSA_EXPONENT_BITS {
        return Err(Unusable::ExponentUnsupported);
    }
    let der = der::rsa_public_key(&modulus, &exponent);
    let public = JsonWebKey::Rsa {
        modulus: modulus.clone().into(),
        public_exponent: exponent.into(),
        private_parts: None,
    };
    // The crate refuses an even exponent and one above 2^33.
    let key = (&public).try_into().map_err(|_| Unusable::ExponentUnsupported)?;
    Ok(Material::Rsa { key: Box::new(key), modulus, der })
}

fn secret(jwk: &Value, symmetric: Symmetric) -> Result<Material, Unusable> {
    if symmetric == Symmetric::Refused {
        return Err(Unusable::SymmetricRefused);
    }
    let secret = bytes(jwk, "k")?;
    if secret.len() < MIN_SECRET_BYTES {
        return Err(Unusable::SecretTooShort);
    }
    Ok(Material::Secret(secret.as_slice().into()))
}

/// A coordinate of either curve: 32 bytes, leading zeros included (RFC 7518 §6.2.1.2).
fn coordinate(jwk: &Value, name: &str) -> Result<Vec<u8>, Unusable> {
    bytes(jwk, name).and_then(|x| if x.len() == 32 { Ok(x) } else { Err(Unusable::Malformed) })
}

/// A big-endian number without its leading zeros: who writes must leave them out, who reads
/// need not mind (RFC 7518 §2).
fn number(jwk: &Value, name: &str) -> Result<Vec<u8>, Unusable> {
    Ok(bytes(jwk, name)?.into_iter().skip_while(|byte| *byte == 0).collect())
}

fn bytes(jwk: &Value, name: &str) -> Result<Vec<u8>, Unusable> {
    let text = jwk.get(name).and_then(Value::as_str).ok_or(Unusable::Malformed)?;
    Base64UrlUnpadded::decode_vec(text).map_err(|_| Unusable::Malformed)
}

/// How many bits a number without leading zeros has.
fn bits(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |byte| byte.leading_zeros() as usize);
    number.len().saturating_mul(8).saturating_sub(unused)
}
