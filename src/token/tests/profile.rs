//! What makes a JWT an access token.

use serde_json::{Value, json};

use super::forge::{
    check_claims, check_header, claims, header, issuer, lenient_issuer, with, without,
};
use crate::token::{Algorithm, Issuer, Rejected};

/// Types of tokens that are not access tokens, and no types at all.
const IMPOSTORS: [&str; 13] = [
    "dpop+jwt",
    "logout+jwt",
    "secevent+jwt",
    "txntoken+jwt",
    "wit+jwt",
    "wpt+jwt",
    "statuslist+jwt",
    "application/dpop+jwt",
    "",
    "at+jwt ",
    "at+jwt; charset=utf-8",
    "text/at+jwt",
    "application/application/at+jwt",
];

fn with_type(issuer: Issuer, value: Value) -> Result<Value, Rejected> {
    check_header(issuer, &with(header(Algorithm::Es256), "typ", value))
}

fn untyped(issuer: Issuer) -> Result<Value, Rejected> {
    check_header(issuer, &without(header(Algorithm::Es256), "typ"))
}

#[test]
fn rfc9068_4_typ_is_at_jwt_in_any_case_and_nothing_else() {
    for name in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        with_type(issuer(), json!(name)).unwrap();
    }
    for name in IMPOSTORS.into_iter().chain(["JWT", "jwt", "application/jwt", "JOSE"]) {
        assert_eq!(with_type(issuer(), json!(name)), Err(Rejected::TypeNotAccessToken), "{name}");
    }
    assert_eq!(untyped(issuer()), Err(Rejected::TypeNotAccessToken));
}

#[test]
fn rfc8725_3_11_outside_the_profile_typ_may_be_absent_or_say_no_more_than_jwt() {
    for name in ["JWT", "jwt", "application/jwt", "JOSE", "at+jwt", "application/at+jwt"] {
        with_type(lenient_issuer(), json!(name)).unwrap();
    }
    untyped(lenient_issuer()).unwrap();
    for name in IMPOSTORS {
        let rejected = with_type(lenient_issuer(), json!(name)).unwrap_err();
        assert_eq!(rejected, Rejected::TypeNotAccessToken, "{name}");
    }
}

#[test]
fn rfc7519_5_1_typ_is_a_string() {
    for value in [json!(null), json!(1), json!(["at+jwt"])] {
        for issuer in [issuer(), lenient_issuer()] {
            assert_eq!(with_type(issuer, value.clone()), Err(Rejected::TypeNotAccessToken));
        }
    }
}

#[test]
fn rfc9068_2_2_a_token_without_a_required_claim_is_refused() {
    for (name, rejected) in [
        ("iss", Rejected::IssuerMissing),
        ("exp", Rejected::ExpiryMissing),
        ("aud", Rejected::AudienceMissing),
        ("sub", Rejected::SubjectMissing),
        ("client_id", Rejected::ClientMissing),
        ("iat", Rejected::IssuedAtMissing),
        ("jti", Rejected::TokenIdMissing),
    ] {
        assert_eq!(check_claims(issuer(), &without(claims(), name)), Err(rejected), "{name}");
    }
}

#[test]
fn outside_the_profile_iat_and_jti_may_be_absent_and_the_rest_may_not() {
    check_claims(lenient_issuer(), &without(without(claims(), "iat"), "jti")).unwrap();
    for (name, rejected) in [
        ("iss", Rejected::IssuerMissing),
        ("exp", Rejected::ExpiryMissing),
        ("aud", Rejected::AudienceMissing),
        ("sub", Rejected::SubjectMissing),
        ("client_id", Rejected::ClientMissing),
    ] {
        let refused = check_claims(lenient_issuer(), &without(claims(), name)).unwrap_err();
        assert_eq!(refused, rejected, "{name}");
    }
}

#[test]
fn rfc8725_3_12_an_id_token_is_no_access_token() {
    for name in ["nonce", "at_hash", "c_hash"] {
        for value in [json!("n-0S6"), json!(null)] {
            let rejected =
                check_claims(lenient_issuer(), &with(claims(), name, value)).unwrap_err();
            assert_eq!(rejected, Rejected::IdToken, "{name}");
        }
    }
}

#[test]
fn rfc8725_3_12_a_logout_token_is_no_access_token_though_it_is_called_jwt() {
    check_claims(lenient_issuer(), &claims()).unwrap();
    let logout = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    for value in [logout, json!({}), json!(null)] {
        let rejected = check_claims(lenient_issuer(), &with(claims(), "events", value));
        assert_eq!(rejected, Err(Rejected::SecurityEvent));
    }
}
