//! The numbers of a key, and the signatures they verify.

use jwt_compact::alg::{Ed25519, Hs256, Rsa};
use jwt_compact::{Algorithm as Verifier, AlgorithmSignature as Signature};

use super::der;
use crate::host::SignatureCheck;
use crate::token::{Algorithm, Native};

type VerifyingKey<A> = <A as Verifier>::VerifyingKey;

/// What a key verifies with. No private key is ever loaded.
#[derive(Clone)]
pub(super) enum Material {
    /// Not of small order.
    Ed25519(VerifyingKey<Ed25519>),
    /// On the curve; and as hosts read it.
    P256 { key: Box<es256::VerifyingKey>, der: Vec<u8> },
    /// Of 2048 to 4096 bits; the modulus once more in bytes, big-endian, no leading zero; and as
    /// hosts read it.
    Rsa { key: Box<VerifyingKey<Rsa>>, modulus: Vec<u8>, der: Vec<u8> },
    /// Of 32 bytes or more.
    Secret(VerifyingKey<Hs256>),
}

impl Material {
    /// Whether `signature` is the key's over `message`: by `native` means where there are any.
    ///
    /// The verdict is the same by both: what the one might read otherwise than the other, such as
    /// the length of a signature, is settled before.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
        native: Native<'_>,
    ) -> bool {
        match (self, algorithm) {
            // `verify_strict` refuses points of small order, with which one signature fits many
            // messages; the crate's own `verify_signature` does not.
            (Self::Ed25519(key), Algorithm::EdDsa) => read::<Ed25519>(signature)
                .is_some_and(|signature| key.verify_strict(message, &signature).is_ok()),
            (Self::P256 { key, der: public_key }, Algorithm::Es256) => {
                let Ok(raw) = signature.try_into() else { return false };
                let der = der::ecdsa_signature(raw);
                let check = SignatureCheck { hash: "sha256", public_key, message, signature: &der };
                native(&check).unwrap_or_else(|| key.verify(message, raw))
            }
            (Self::Secret(key), Algorithm::Hs256) => verify(&Hs256, key, message, signature),
            (Self::Rsa { key, modulus, der: public_key }, algorithm) => {
                // RFC 8017 §5.2.2 step 1: the signature is a number below the modulus.
                if signature.len() != modulus.len() || signature >= modulus.as_slice() {
                    return false;
                }
                // Hosts know PKCS #1 v1.5 only.
                let check = pkcs1(algorithm).map(|hash| SignatureCheck {
                    hash,
                    public_key,
                    message,
                    signature,
                });
                check.and_then(|check| native(&check)).unwrap_or_else(|| {
                    rsa(algorithm).is_some_and(|rsa| verify(&rsa, key, message, signature))
                })
            }
            _ => false,
        }
    }

    /// The key's type (RFC 7518 §6.1).
    pub(super) fn kty(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "OKP",
            Self::P256 { .. } => "EC",
            Self::Rsa { .. } => "RSA",
            Self::Secret(_) => "oct",
        }
    }
}

impl PartialEq for Material {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ed25519(a), Self::Ed25519(b)) => a == b,
            (Self::P256 { der: a, .. }, Self::P256 { der: b, .. }) => a == b,
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

/// The hash of an algorithm with the padding of PKCS #1 v1.5 (RFC 7518 §3.3).
const fn pkcs1(algorithm: Algorithm) -> Option<&'static str> {
    match algorithm {
        Algorithm::Rs256 => Some("sha256"),
        Algorithm::Rs384 => Some("sha384"),
        Algorithm::Rs512 => Some("sha512"),
        _ => None,
    }
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
