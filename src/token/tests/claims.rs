//! The claims: their form, the issuer, the audience, what is read from them.

use serde_json::{Value, json};

use super::forge::{
    self, check, check_claims, claims, header, issuer, lenient_issuer, signed, with, without,
};
use crate::token::{Algorithm, Claims, Issuer, Rejected};

fn refused(name: &str, value: Value) -> Rejected {
    check_claims(issuer(), &with(claims(), name, value)).unwrap_err()
}

fn refused_text(payload: &str) -> Rejected {
    let header = header(Algorithm::Es256).to_string();
    check(issuer(), &signed(Algorithm::Es256, &header, payload)).unwrap_err()
}

fn parsed(claims: &Value) -> Claims {
    Claims::parse(claims.to_string().as_bytes()).unwrap()
}

fn scopes(claims: &Value) -> Vec<String> {
    let paths = ["scope", "scp"].map(|name| name.parse().unwrap());
    parsed(claims).scopes(&paths).map(str::to_owned).collect()
}

#[test]
fn rfc7519_4_a_claim_named_twice_is_refused_even_an_unknown_one_at_any_depth() {
    let good = claims().to_string();
    let body = good.strip_suffix('}').unwrap();
    for more in [
        r#","sub":"alice""#,
        r#","\u0073ub":"mallory""#,
        r#","x":1,"x":1"#,
        r#","act":{"sub":"a","sub":"b"}"#,
        r#","x":[{"y":{"z":1,"z":1}}]"#,
    ] {
        assert_eq!(refused_text(&format!("{body}{more}}}")), Rejected::ClaimsMalformed, "{more}");
    }
}

#[test]
fn rfc7519_7_2_a_payload_that_is_no_json_object_is_refused() {
    let good = claims().to_string();
    for payload in ["[]", "null", "{", "x", &format!("{good}{good}"), &format!("[{good}]")] {
        assert_eq!(refused_text(payload), Rejected::ClaimsMalformed, "{payload}");
    }
    assert_eq!(refused_text(&good.replace("alice", "\u{1}")), Rejected::ClaimsMalformed);
}

#[test]
fn a_payload_is_bounded_in_depth_and_in_values() {
    let nested = |depth| (0..depth).fold(json!(0), |inner, _| json!([inner]));
    check_claims(issuer(), &with(claims(), "x", nested(15))).unwrap();
    assert_eq!(refused("x", nested(16)), Rejected::ClaimsMalformed);
    check_claims(issuer(), &with(claims(), "x", json!(vec![0; 200]))).unwrap();
    assert_eq!(refused("x", json!(vec![0; 256])), Rejected::ClaimsMalformed);
}

#[test]
fn rfc7519_4_1_1_iss_is_exact_and_picks_the_issuer() {
    assert_eq!(check_claims(issuer(), &without(claims(), "iss")), Err(Rejected::IssuerMissing));
    for other in ["https://login.example", "HTTPS://LOGIN.EXAMPLE/", "https://login.example//"] {
        assert_eq!(refused("iss", json!(other)), Rejected::IssuerUnknown, "{other}");
    }
    let listed = json!([forge::ISSUER]);
    assert_eq!(refused("iss", listed), Rejected::IdentifierMalformed);
}

#[test]
fn rfc7519_4_1_3_aud_is_a_string_or_a_list_of_strings_that_holds_one_of_ours() {
    for value in [
        json!(forge::AUDIENCE),
        json!("crm"),
        json!([forge::AUDIENCE]),
        json!(["https://other.example", "crm"]),
    ] {
        check_claims(issuer(), &with(claims(), "aud", value)).unwrap();
    }
    for value in [
        json!("https://other.example"),
        json!("HTTPS://API.EXAMPLE"),
        json!("https://api.example/"),
        json!("https://api.exampl"),
        json!("crm https://api.example"),
        json!(""),
        json!([""]),
        json!(["https://other.example", "CRM"]),
    ] {
        assert_eq!(refused("aud", value.clone()), Rejected::AudienceMismatch, "{value}");
    }
    for value in [
        json!([]),
        json!(null),
        json!(1),
        json!({"crm": true}),
        json!([["crm"]]),
        json!(["crm", 1]),
        json!([null, "crm"]),
    ] {
        assert_eq!(refused("aud", value.clone()), Rejected::AudienceMalformed, "{value}");
    }
}

#[test]
fn rfc8725_3_9_aud_is_required_whatever_the_profile() {
    for issuer in [issuer(), lenient_issuer()] {
        let rejected = check_claims(issuer, &without(claims(), "aud")).unwrap_err();
        assert_eq!(rejected, Rejected::AudienceMissing);
    }
}

#[test]
fn rfc8725_3_10_identifiers_are_short_text_without_control_characters() {
    for name in ["iss", "sub", "client_id", "azp", "jti"] {
        for value in [
            json!(""),
            json!(1),
            json!(null),
            json!(["a"]),
            json!({}),
            json!("a\r\nx-role: admin"),
            json!("a\0"),
            json!("a\u{7f}"),
            json!("a\u{85}"),
            json!("a".repeat(513)),
        ] {
            assert_eq!(
                refused(name, value.clone()),
                Rejected::IdentifierMalformed,
                "{name} {value}"
            );
        }
    }
    let long = "é".repeat(256);
    let verified = check_claims(issuer(), &with(claims(), "sub", json!(long))).unwrap();
    assert_eq!(verified["sub"], long);
}

#[test]
fn client_id_and_azp_must_agree_where_both_are_present() {
    let both = with(claims(), "azp", json!("support-bot"));
    check_claims(issuer(), &both).unwrap();
    assert_eq!(refused("azp", json!("Support-Bot")), Rejected::ClientConflict);
    let azp = with(without(claims(), "client_id"), "azp", json!("other-bot"));
    assert_eq!(check_claims(lenient_issuer(), &azp).unwrap()["client"], "other-bot");
    assert_eq!(check_claims(issuer(), &azp), Err(Rejected::ClientMissing), "RFC 9068 §2.2");
}

#[test]
fn rfc8693_4_1_act_is_an_object_or_the_token_is_refused() {
    for value in [json!("bot"), json!(["bot"]), json!(null), json!(1), json!(true)] {
        assert_eq!(refused("act", value), Rejected::ActorMalformed);
    }
    let acted = parsed(&with(claims(), "act", json!({"sub": "bot", "act": {"sub": "other"}})));
    assert_eq!(acted.actor().unwrap()["sub"], "bot");
    assert!(parsed(&claims()).actor().is_none());
}

#[test]
fn rfc8693_4_4_may_act_is_no_actor() {
    assert!(parsed(&with(claims(), "may_act", json!({"sub": "bot"}))).actor().is_none());
}

#[test]
fn rfc9068_2_2_3_scopes_are_read_from_scope_and_scp() {
    assert_eq!(scopes(&claims()), ["crm.read", "crm.write"]);
    assert_eq!(scopes(&json!({"scope": "  a   b "})), ["a", "b"]);
    assert_eq!(scopes(&json!({"scp": "a b"})), ["a", "b"]);
    assert_eq!(scopes(&json!({"scp": ["a", "b"]})), ["a", "b"]);
    assert_eq!(scopes(&json!({"scope": "a", "scp": ["b"]})), ["a", "b"]);
}

#[test]
fn scopes_that_are_no_text_grant_nothing() {
    for value in [json!(null), json!(1), json!({"a": true}), json!([]), json!(""), json!([["a"]])] {
        assert_eq!(scopes(&json!({"scope": value})), [""; 0], "{value}");
    }
    assert_eq!(scopes(&json!({"scope": "a\tb"})), ["a\tb"]);
}

#[test]
fn a_token_of_an_unknown_issuer_is_refused_before_any_key_is_looked_at() {
    let other = Issuer { identifier: "https://other.example/".to_owned(), ..issuer() };
    assert_eq!(check_claims(other, &claims()), Err(Rejected::IssuerUnknown));
}
