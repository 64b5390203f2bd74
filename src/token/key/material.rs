//! The numbers of a key, and the signatures they verify.

use jwt_compact::alg::{Ed25519, Es256, Hs256, Rsa};
use jwt_compact::{Algorithm as Verifier, AlgorithmSignature as Signature};

use crate::token::Algorithm;

type VerifyingKey<A> = <A as Verifier>::VerifyingKey;

/// What a key verifies with. No private key is ever loaded.
#[derive(Clone)]
pub(super) enum Material {
    /// Not of small order.
    Ed25519(VerifyingKey<Ed25519>),
    /// On the curve.
    P256(VerifyingKey<Es256>),
    /// Of 2048 to 4096 bits; the modulus once more in bytes, big-endian, no leading zero.
    Rsa { key: Box<VerifyingKey<Rsa>>, modulus: Vec<u8> },
    /// Of 32 bytes or more.
    Secret(VerifyingKey<Hs256>),
}

impl Material {
    /// Whether `signature` is the key's over `message`.
    pub(super) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm) {
            // `verify_strict` refuses points of small order, with which one signature fits many
            // messages; the crate's own `verify_signature` does not.
            (Self::Ed25519(key), Algorithm::EdDsa) => read::<Ed25519>(signature)
                .is_some_and(|signature| key.verify_strict(message, &signature).is_ok()),
            (Self::P256(key), Algorithm::Es256) => verify(&Es256, key, message, signature),
            (Self::Secret(key), Algorithm::Hs256) => verify(&Hs256, key, message, signature),
            (Self::Rsa { key, modulus }, algorithm) => {
                // RFC 8017 §5.2.2 step 1: the signature is a number below the modulus.
                let in_range = signature.len() == modulus.len() && signature < modulus.as_slice();
                in_range && rsa(algorithm).is_some_and(|rsa| verify(&rsa, key, message, signature))
            }
            _ => false,
        }
    }

    /// The key's type (RFC 7518 §6.1).
    pub(super) fn kty(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "OKP",
            Self::P256(_) => "EC",
            Self::Rsa { .. } => "RSA",
            Self::Secret(_) => "oct",
        }
    }
}

impl PartialEq for Material {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ed25519(a), Self::Ed25519(b)) => a == b,
            (Self::P256(a), Self::P256(b)) => a == b,
            (Self::Rsa { key: a, .. }, Self::Rsa { key: b, .. }) => a == b,
            (Self::Secret(a), Self::Secret(b)) => a.as_ref() == b.as_ref(),
            _ => false,
        }
    }
}

fn verify<A: Verifier>(
    verifier: &A,
    key: &A::VerifyingKey,
    message: &[u8],
    signature: &[u8],
) -> bool {
    read::<A>(signature)
        .is_some_and(|signature| verifier.verify_signature(&signature, key, message))
}

/// A signature of exactly the algorithm's length: the crate reads some of them on that condition.
fn read<A: Verifier>(signature: &[u8]) -> Option<A::Signature> {
    if A::Signature::LENGTH.is_some_and(|length| length.get() != signature.len()) {
        return None;
    }
    A::Signature::try_from_slice(signature).ok()
}

fn rsa(algorithm: Algorithm) -> Option<Rsa> {
    match algorithm {
        Algorithm::Ps256 => Some(Rsa::ps256()),
        Algorithm::Ps384 => Some(Rsa::ps384()),
        Algorithm::Ps512 => Some(Rsa::ps512()),
        Algorithm::Rs256 => Some(Rsa::rs256()),
        Algorithm::Rs384 => Some(Rsa::rs384()),
        Algorithm::Rs512 => Some(Rsa::rs512()),
        Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Hs256 => None,
    }
}
