//! The compact serialization and its header.

use serde_json::{Value, json};

use super::forge::{self, check, check_header, header, issuer, signed, token, with, without};
use crate::token::{Algorithm, Algorithms, Issuer, Keys, MAX_TOKEN_BYTES, Rejected};

fn refused(token: &str) -> Rejected {
    check(issuer(), token).unwrap_err()
}

fn refused_header(member: &str, value: Value) -> Rejected {
    check_header(issuer(), &with(header(Algorithm::Es256), member, value)).unwrap_err()
}

fn refused_header_text(text: &str) -> Rejected {
    refused(&signed(Algorithm::Es256, text, &forge::claims().to_string()))
}

/// The parts of a good token.
fn parts() -> [String; 3] {
    let parts: Vec<_> = token(Algorithm::Es256).split('.').map(str::to_owned).collect();
    parts.try_into().unwrap()
}

#[test]
fn rfc7515_7_1_anything_but_three_parts_is_refused() {
    let [h, p, s] = parts();
    for token in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        h.clone(),
        format!("{h}.{p}"),
        format!("{h}.{p}."),
        format!("{h}..{s}"),
        format!(".{p}.{s}"),
        format!("{h}.{p}.{s}."),
        format!(".{h}.{p}.{s}"),
        format!("{h}.{p}.{s}.{s}"),
        format!("{h}.{p}.{s}.{s}.{s}"),
    ] {
        assert_eq!(refused(&token), Rejected::NotThreeParts, "{token}");
    }
}

#[test]
fn rfc9068_4_an_encrypted_token_is_refused_and_not_decrypted() {
    check(issuer(), &token(Algorithm::Es256)).unwrap();
    let header = r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","typ":"at+jwt","kid":"rsa"}"#;
    let [key, vector, text, tag] = [256, 12, 300, 16].map(|size| forge::base64(&vec![7; size]));
    let token = format!("{}.{key}.{vector}.{text}.{tag}", forge::base64(header.as_bytes()));
    assert_eq!(refused(&token), Rejected::NotThreeParts);
    // Nor does such a header open three parts.
    assert_eq!(refused_header_text(header), Rejected::AlgorithmNotAllowed);
}

#[test]
fn rfc8725bis_3_14_a_character_that_no_token_has_is_refused_first() {
    let good = token(Algorithm::Es256);
    for stray in ["=", " ", "\n", "\t", "+", "/", "~", "%", ",", "\0", "é", "\u{7f}"] {
        for token in [format!("{good}{stray}"), format!("{stray}{good}"), good.replace('.', stray)]
        {
            assert_eq!(refused(&token), Rejected::CharacterForbidden, "{stray:?}");
        }
    }
    let json = r#"{"payload":"e30","protected":"e30","signature":"e30"}"#;
    assert_eq!(refused(json), Rejected::CharacterForbidden);
}

#[test]
fn rfc7515_2_a_token_has_one_spelling_only() {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let good = token(Algorithm::Es256);
    check(issuer(), &good).unwrap();
    // 64 bytes leave four bits of the last character unused: they must be zero.
    let (rest, last) = good.split_at(good.len() - 1);
    let last = ALPHABET.iter().position(|c| *c == last.as_bytes()[0]).unwrap();
    assert_eq!(last % 16, 0);
    for stray in 1..16 {
        let token = format!("{rest}{}", char::from(ALPHABET[last + stray]));
        assert_eq!(refused(&token), Rejected::EncodingInvalid, "{stray}");
    }
    let [h, p, s] = parts();
    assert_eq!(refused(&format!("{h}.{p}.{s}AAA")), Rejected::EncodingInvalid);
    assert_eq!(refused(&format!("A.{p}.{s}")), Rejected::EncodingInvalid);
    assert_eq!(refused(&format!("{h}.A.{s}")), Rejected::EncodingInvalid);
}

#[test]
fn rfc7515_4_a_header_member_named_twice_is_refused_even_an_unknown_one() {
    for text in [
        r#"{"typ":"at+jwt","alg":"ES256","alg":"ES256","kid":"ec"}"#,
        r#"{"typ":"at+jwt","alg":"ES256","\u0061lg":"none","kid":"ec"}"#,
        r#"{"typ":"at+jwt","alg":"ES256","kid":"ec","x":1,"x":1}"#,
        r#"{"typ":"at+jwt","alg":"ES256","kid":"ec","x":{"y":1,"y":2}}"#,
    ] {
        assert_eq!(refused_header_text(text), Rejected::HeaderMalformed, "{text}");
    }
}

#[test]
fn rfc7515_4_a_header_that_is_no_json_object_is_refused() {
    for text in ["{", "[]", "null", "\"ES256\"", "{} {}", "\u{feff}{}", "{'alg':'ES256'}", " "] {
        assert_eq!(refused_header_text(text), Rejected::HeaderMalformed, "{text}");
    }
}

#[test]
fn rfc7515_5_2_a_header_that_is_not_utf8_is_refused() {
    let [_, p, s] = parts();
    let h = forge::base64(b"{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"x\":\"\xff\"}");
    assert_eq!(refused(&format!("{h}.{p}.{s}")), Rejected::HeaderMalformed);
}

#[test]
fn rfc7515_5_2_the_signature_covers_the_bytes_as_received() {
    // The same header in two spellings: both verify under their own signature only.
    let text = r#" { "kid" : "ec" , "alg" : "ES256" , "typ" : "at+jwt" } "#;
    let spaced = signed(Algorithm::Es256, text, &forge::claims().to_string());
    check(issuer(), &spaced).unwrap();
    let [_, p, s] = parts();
    let spliced = format!("{}.{p}.{s}", spaced.split('.').next().unwrap());
    assert_eq!(refused(&spliced), Rejected::SignatureInvalid);
}

#[test]
fn rfc7515_4_1_11_crit_is_refused_whatever_it_says() {
    for value in [
        json!([]),
        json!(["exp"]),
        json!(["b64"]),
        json!(["alg"]),
        json!(["absent"]),
        json!("exp"),
        json!({}),
        json!(null),
        json!(true),
    ] {
        assert_eq!(refused_header("crit", value.clone()), Rejected::CriticalHeader, "{value}");
    }
}

#[test]
fn rfc7797_7_b64_is_refused_whatever_it_says() {
    for value in [json!(false), json!(true), json!(null)] {
        assert_eq!(refused_header("b64", value), Rejected::UnencodedPayload);
    }
}

#[test]
fn rfc7515_4_1_1_alg_is_required_and_is_a_string() {
    let without = without(header(Algorithm::Es256), "alg");
    assert_eq!(check_header(issuer(), &without), Err(Rejected::AlgorithmMissing));
    for value in [json!(null), json!(1), json!(["ES256"]), json!({})] {
        assert_eq!(refused_header("alg", value), Rejected::HeaderMalformed);
    }
}

#[test]
fn rfc8725_3_1_alg_is_one_of_the_issuers_and_never_none() {
    for name in ["none", "None", "noNE", "NONE", "", "es256", "ES256 ", "ES384", "HS256", "RSA1_5"]
    {
        assert_eq!(refused_header("alg", json!(name)), Rejected::AlgorithmNotAllowed, "{name}");
    }
    let only_rsa = Issuer { algorithms: Algorithms::from_iter([Algorithm::Rs256]), ..issuer() };
    let rejected = check(only_rsa, &token(Algorithm::Es256)).unwrap_err();
    assert_eq!(rejected, Rejected::AlgorithmNotAllowed);
}

#[test]
fn rfc8725_2_1_an_rsa_key_is_no_hmac_secret() {
    let confused = Issuer { algorithms: Algorithms::from_iter(Algorithm::ALL), ..issuer() };
    let header = json!({"typ": "at+jwt", "alg": "HS256", "kid": "rsa"});
    let token = signed(Algorithm::Hs256, &header.to_string(), &forge::claims().to_string());
    assert_eq!(check(confused, &token), Err(Rejected::KeyUnknown));
}

#[test]
fn rfc8725_3_1_a_key_verifies_only_the_algorithm_it_is_pinned_to() {
    let rsa = with(forge::public(Algorithm::Rs256), "alg", json!("PS256"));
    let pinned = || Issuer { keys: Keys::Inline(forge::keys(json!([rsa.clone()]))), ..issuer() };
    check(pinned(), &token(Algorithm::Ps256)).unwrap();
    for other in [Algorithm::Rs256, Algorithm::Rs512, Algorithm::Ps384] {
        assert_eq!(check(pinned(), &token(other)), Err(Rejected::KeyUnknown), "{other}");
    }
}

#[test]
fn rfc9864_2_2_a_header_may_say_ed25519_or_eddsa() {
    for name in ["Ed25519", "EdDSA"] {
        let header = with(header(Algorithm::EdDsa), "alg", json!(name));
        let token = signed(Algorithm::EdDsa, &header.to_string(), &forge::claims().to_string());
        check(issuer(), &token).unwrap();
    }
}

#[test]
fn rfc7519_5_2_a_nested_token_is_refused() {
    for name in ["JWT", "jwt", "application/jwt", "text/plain", ""] {
        assert_eq!(refused_header("cty", json!(name)), Rejected::ContentNotClaims, "{name}");
    }
    assert_eq!(refused_header("cty", json!(null)), Rejected::ContentNotClaims);
    check_header(issuer(), &with(header(Algorithm::Es256), "cty", json!("json"))).unwrap();
}

#[test]
fn rfc7515_4_1_keys_that_a_token_brings_along_are_never_read() {
    let mut brought = header(Algorithm::Es256);
    for (name, value) in [
        ("jku", json!("https://evil.example/jwks")),
        ("jwk", forge::public(Algorithm::EdDsa)),
        ("x5u", json!(17)),
        ("x5c", json!(["AAAA"])),
        ("x5t", json!("short")),
        ("x5t#S256", json!(null)),
    ] {
        brought = with(brought, name, value);
    }
    check_header(issuer(), &brought).unwrap();

    // A key in the token does not stand in for one that the issuer does not have.
    let brought = with(brought, "kid", json!("evil"));
    assert_eq!(check_header(issuer(), &brought), Err(Rejected::KeyUnknown));
}

#[test]
fn rfc7515_4_1_4_kid_is_a_string_of_bounded_length() {
    for value in [json!(null), json!(1), json!(["ec"]), json!("k".repeat(257))] {
        assert_eq!(refused_header("kid", value), Rejected::KeyIdMalformed);
    }
    let long = "k".repeat(256);
    assert_eq!(refused_header("kid", json!(long)), Rejected::KeyUnknown);
    let key = with(forge::public(Algorithm::Es256), "kid", json!(long));
    let issuer = Issuer { keys: Keys::Inline(forge::keys(json!([key]))), ..issuer() };
    check_header(issuer, &with(header(Algorithm::Es256), "kid", json!(long))).unwrap();
}

#[test]
fn rfc7515_6_kid_is_exact_and_names_a_key_of_the_right_type() {
    for kid in ["EC", "ec ", "", "ed", "rsa", "../ec", "ec\r\nx: y"] {
        assert_eq!(refused_header("kid", json!(kid)), Rejected::KeyUnknown, "{kid:?}");
    }
}

#[test]
fn rfc7515_6_without_kid_exactly_one_key_must_fit() {
    let anonymous = without(header(Algorithm::Es256), "kid");
    check_header(issuer(), &anonymous).unwrap();

    let [a, b] = ["a", "b"].map(|kid| with(forge::public(Algorithm::Rs256), "kid", json!(kid)));
    let issuer = || Issuer { keys: Keys::Inline(forge::keys(json!([a, b]))), ..issuer() };
    let header = without(header(Algorithm::Rs256), "kid");
    let token = signed(Algorithm::Rs256, &header.to_string(), &forge::claims().to_string());
    assert_eq!(check(issuer(), &token), Err(Rejected::KeyUnknown));
}

#[test]
fn a_token_a_header_and_its_nesting_are_bounded() {
    let long = "a".repeat(MAX_TOKEN_BYTES + 1);
    assert_eq!(refused(&long), Rejected::TooLong);
    assert_eq!(refused(&"a".repeat(MAX_TOKEN_BYTES)), Rejected::NotThreeParts);
    assert_eq!(refused_header("x", json!("x".repeat(2048))), Rejected::TooLong);

    let deep = |depth: usize| {
        format!(
            r#"{{"typ":"at+jwt","alg":"ES256","kid":"ec","x":{}{}}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    check(issuer(), &signed(Algorithm::Es256, &deep(15), &forge::claims().to_string())).unwrap();
    assert_eq!(refused_header_text(&deep(16)), Rejected::HeaderMalformed);
    assert_eq!(refused_header("x", json!(vec![0; 256])), Rejected::HeaderMalformed);
}
