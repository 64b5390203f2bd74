//! `exp`, `nbf`, `iat`: every edge to the second.

use std::num::NonZeroU32;

use serde_json::{Value, json};

use super::forge::{
    self, NOW, check_at, check_claims, claims, header, issuer, lenient_issuer, signed, with,
    without,
};
use crate::token::{Algorithm, Issuer, Leeway, Rejected};

fn refused(name: &str, value: Value) -> Rejected {
    check_claims(issuer(), &with(claims(), name, value)).unwrap_err()
}

fn token(claims: &Value) -> String {
    signed(Algorithm::Es256, &header(Algorithm::Es256).to_string(), &claims.to_string())
}

#[test]
fn rfc7519_4_1_4_a_token_is_valid_until_the_second_of_exp_and_the_leeway() {
    let good = token(&claims());
    let end = NOW + 600 + 30;
    assert_eq!(check_at(issuer(), &good, end - 1).unwrap()["until"], end);
    assert_eq!(check_at(issuer(), &good, end), Err(Rejected::Expired));
    let strict = Issuer { leeway: Leeway::from_secs(0).unwrap(), ..issuer() };
    assert_eq!(check_at(strict, &good, NOW + 600), Err(Rejected::Expired));
}

#[test]
fn rfc9068_2_2_exp_is_required_whatever_the_profile() {
    for issuer in [issuer(), lenient_issuer()] {
        let rejected = check_claims(issuer, &without(claims(), "exp")).unwrap_err();
        assert_eq!(rejected, Rejected::ExpiryMissing);
    }
}

#[test]
fn rfc7519_4_1_5_nbf_may_lie_ahead_by_the_leeway_and_not_more() {
    let verified = check_claims(issuer(), &with(claims(), "nbf", json!(NOW + 30))).unwrap();
    assert_eq!(verified["from"], NOW);
    assert_eq!(refused("nbf", json!(NOW + 31)), Rejected::NotYetValid);
    assert_eq!(refused("nbf", json!(NOW as f64 + 30.5)), Rejected::NotYetValid);
}

#[test]
fn rfc7519_4_1_6_iat_may_lie_ahead_by_the_leeway_and_not_more() {
    let verified = check_claims(issuer(), &with(claims(), "iat", json!(NOW + 30))).unwrap();
    assert_eq!(verified["from"], NOW);
    assert_eq!(refused("iat", json!(NOW + 31)), Rejected::IssuedInFuture);
}

#[test]
fn rfc7519_2_a_date_may_have_a_fraction_or_an_exponent() {
    let text = claims().to_string();
    let exp = format!("\"exp\":{}", NOW + 600);
    assert!(text.contains(&exp));
    for (spelling, until) in [
        ("18000006e2", 1_800_000_630),
        ("1.8000006e9", 1_800_000_630),
        ("1800000600.0", 1_800_000_630),
        ("1800000600.9", 1_800_000_630),
    ] {
        let payload = text.replace(&exp, &format!("\"exp\":{spelling}"));
        let token = signed(Algorithm::Es256, &header(Algorithm::Es256).to_string(), &payload);
        assert_eq!(check_at(issuer(), &token, NOW).unwrap()["until"], until, "{spelling}");
    }
}

#[test]
fn rfc7519_2_a_date_that_is_no_sensible_number_is_refused() {
    for name in ["exp", "nbf", "iat"] {
        for value in [
            json!("1800000600"),
            json!(null),
            json!(true),
            json!([NOW]),
            json!({}),
            json!(-1),
            json!(-0.5),
            json!(NOW * 1000),
            json!(10_000_000_000_u64),
            json!(u64::MAX),
            json!(i64::MIN),
            json!(1e300),
        ] {
            assert_eq!(refused(name, value.clone()), Rejected::DateMalformed, "{name} {value}");
        }
        let payload = with(claims(), name, json!("@")).to_string().replace("\"@\"", "1e999");
        let token = signed(Algorithm::Es256, &header(Algorithm::Es256).to_string(), &payload);
        assert_eq!(check_at(issuer(), &token, NOW), Err(Rejected::ClaimsMalformed), "{name}");
    }
}

#[test]
fn the_ends_of_time_overflow_nothing() {
    let until_2286 = with(claims(), "exp", json!(9_999_999_999_u64));
    let patient = Issuer { max_lifetime: NonZeroU32::MAX, ..issuer() };
    let rejected = check_claims(patient, &until_2286).unwrap_err();
    assert_eq!(rejected, Rejected::LifetimeTooLong);
    let good = token(&claims());
    assert_eq!(check_at(issuer(), &good, 0), Err(Rejected::IssuedInFuture));
    assert_eq!(check_at(issuer(), &good, i64::MAX), Err(Rejected::Expired));
    let ancient = with(with(claims(), "iat", json!(0)), "exp", json!(0));
    assert_eq!(check_claims(issuer(), &ancient), Err(Rejected::Expired));
}

#[test]
fn a_token_lives_no_longer_than_the_issuers_may() {
    let issued = with(claims(), "iat", json!(NOW));
    check_claims(issuer(), &with(issued.clone(), "exp", json!(NOW + 3600))).unwrap();
    let longer = with(issued, "exp", json!(NOW + 3601));
    assert_eq!(check_claims(issuer(), &longer), Err(Rejected::LifetimeTooLong));
}

#[test]
fn without_iat_a_lifetime_counts_from_now_on_the_slower_clock() {
    let unissued = |exp: i64| with(without(claims(), "iat"), "exp", json!(exp));
    check_claims(lenient_issuer(), &unissued(NOW + 3630)).unwrap();
    let rejected = check_claims(lenient_issuer(), &unissued(NOW + 3631)).unwrap_err();
    assert_eq!(rejected, Rejected::LifetimeTooLong);
}

#[test]
fn the_span_that_is_told_is_the_span_in_which_the_token_verifies() {
    let token = token(&with(claims(), "nbf", json!(NOW + 100)));
    let verified = check_at(issuer(), &token, NOW + 200).unwrap();
    let (from, until) = (verified["from"].as_i64().unwrap(), verified["until"].as_i64().unwrap());
    assert_eq!((from, until), (NOW + 70, NOW + 630));
    assert_eq!(check_at(issuer(), &token, from - 1), Err(Rejected::NotYetValid));
    assert!(check_at(issuer(), &token, from).is_ok());
    assert!(check_at(issuer(), &token, until - 1).is_ok());
    assert!(check_at(issuer(), &token, until).is_err());
    assert_eq!(check_at(issuer(), &forge::token(Algorithm::Es256), NOW).unwrap()["until"], until);
}
