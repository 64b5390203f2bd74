//! Key sets, good and bad.

use base64ct::{Base64UrlUnpadded, Encoding};
use jwt_compact::alg::Ed25519;
use jwt_compact::jwk::JsonWebKey;
use jwt_compact::{Algorithm as _, AlgorithmSignature};
use serde_json::{Value, json};

use super::forge::{IN_WASM, SECRET, base64, keys, public, sign, with, without};
use crate::token::key::{KeySet, KeySetError, MAX_KEYS, Symmetric, Unusable};
use crate::token::{Algorithm, Algorithms};

const ES: Algorithm = Algorithm::Es256;
const ED: Algorithm = Algorithm::EdDsa;
const RS: Algorithm = Algorithm::Rs256;

/// Why this key is skipped, beside a good one that is not.
fn skipped(key: Value) -> Unusable {
    let good = with(public(ED), "kid", json!("good"));
    let set = json!({"keys": [key, good]});
    let (keys, skipped) = KeySet::from_jwks(&set, Symmetric::Refused).unwrap();
    assert!(keys.find(Some("good"), ED).is_some());
    assert_eq!((skipped.len(), skipped[0].index), (1, 0));
    skipped[0].reason
}

fn skipped_secret(key: Value, symmetric: Symmetric) -> Unusable {
    match KeySet::from_jwks(&json!({"keys": [key]}), symmetric) {
        Err(KeySetError::NoUsableKey(skipped)) => skipped[0].reason,
        other => panic!("{other:?}"),
    }
}

fn refused(set: Value) -> KeySetError {
    KeySet::from_jwks(&set, Symmetric::AllowedForDevelopment).unwrap_err()
}

#[test]
fn rfc7517_5_a_key_we_do_not_know_is_skipped_and_never_voids_the_set() {
    for kty in [json!("AKP"), json!("ec"), json!(""), json!(null), json!(1)] {
        assert_eq!(skipped(with(public(ES), "kty", kty)), Unusable::KeyTypeUnknown);
    }
    assert_eq!(skipped(without(public(ES), "kty")), Unusable::KeyTypeUnknown);
    for junk in [json!(null), json!("key"), json!([]), json!(7)] {
        assert_eq!(skipped(junk), Unusable::KeyTypeUnknown);
    }
}

#[test]
fn rfc7517_5_a_key_with_a_member_missing_or_malformed_is_skipped() {
    for (algorithm, name) in [(ES, "x"), (ES, "y"), (ED, "x"), (RS, "n"), (RS, "e")] {
        assert_eq!(skipped(without(public(algorithm), name)), Unusable::Malformed, "{name}");
        for value in [json!(null), json!(1), json!("A"), json!("AA=="), json!("+/"), json!("A A")] {
            let key = with(public(algorithm), name, value);
            assert_eq!(skipped(key), Unusable::Malformed, "{name}");
        }
    }
}

#[test]
fn rfc7517_4_2_a_key_for_another_use_is_skipped() {
    for value in
        [json!("enc"), json!("SIG"), json!("x509-svid"), json!(""), json!(null), json!(["sig"])]
    {
        assert_eq!(skipped(with(public(ES), "use", value)), Unusable::KeyNotForSignatures);
    }
    for value in ["sig", "jwt-svid"] {
        keys(json!([with(public(ES), "use", json!(value))]));
    }
}

#[test]
fn rfc7517_4_3_a_key_not_meant_to_verify_is_skipped() {
    for value in
        [json!([]), json!(["sign"]), json!(["encrypt", "Verify"]), json!("verify"), json!(null)]
    {
        assert_eq!(skipped(with(public(ES), "key_ops", value)), Unusable::KeyNotForVerifying);
    }
    keys(json!([with(public(ES), "key_ops", json!(["sign", "verify"]))]));
}

#[test]
fn rfc7517_4_4_alg_pins_a_key_and_must_fit_its_type() {
    for value in [json!("RS256"), json!("ES384"), json!("ECDH-ES"), json!("none"), json!(null)] {
        assert_eq!(skipped(with(public(ES), "alg", value)), Unusable::AlgorithmUnsupported);
    }
    assert_eq!(skipped(with(public(RS), "alg", json!("RSA-OAEP"))), Unusable::AlgorithmUnsupported);
    assert_eq!(skipped(with(public(RS), "alg", json!("HS256"))), Unusable::AlgorithmUnsupported);
    for name in ["EdDSA", "Ed25519"] {
        assert!(keys(json!([with(public(ED), "alg", json!(name))])).find(Some("ed"), ED).is_some());
    }
}

#[test]
fn rfc7517_4_4_without_alg_a_key_may_verify_what_its_type_can() {
    let set = keys(json!([public(ES), public(ED), public(RS)]));
    let fits = |kid| {
        Algorithms::from_iter(
            Algorithm::ALL.into_iter().filter(|alg| set.find(Some(kid), *alg).is_some()),
        )
    };
    assert_eq!(fits("ec"), Algorithms::from_iter([ES]));
    assert_eq!(fits("ed"), Algorithms::from_iter([ED]));
    assert_eq!(
        fits("rsa"),
        Algorithms::from_iter([
            Algorithm::Ps256,
            Algorithm::Ps384,
            Algorithm::Ps512,
            Algorithm::Rs256,
            Algorithm::Rs384,
            Algorithm::Rs512,
        ])
    );
}

#[test]
fn rfc7517_4_5_a_kid_that_is_no_short_text_has_its_key_skipped() {
    for value in [json!(null), json!(1), json!("k".repeat(257))] {
        assert_eq!(skipped(with(public(ES), "kid", value)), Unusable::KeyIdMalformed);
    }
}

#[test]
fn rfc7517_4_5_two_different_keys_under_one_kid_void_the_set() {
    let set = json!({"keys": [public(ES), with(public(ED), "kid", json!("ec"))]});
    assert_eq!(refused(set), KeySetError::AmbiguousKeyId("ec".to_owned()));
}

#[test]
fn one_key_under_one_kid_may_be_listed_for_two_algorithms_or_twice() {
    let [rs, ps] = ["RS256", "PS256"].map(|alg| with(public(RS), "alg", json!(alg)));
    let set = keys(json!([rs, ps, rs]));
    assert!(set.find(Some("rsa"), Algorithm::Rs256).is_some());
    assert!(set.find(None, Algorithm::Rs256).is_some());
    assert!(set.find(Some("rsa"), Algorithm::Ps256).is_some());
    assert!(set.find(Some("rsa"), Algorithm::Rs512).is_none());
}

#[test]
fn a_key_without_kid_serves_only_tokens_without_one() {
    let set = keys(json!([without(public(ES), "kid")]));
    assert!(set.find(None, ES).is_some());
    assert!(set.find(Some("ec"), ES).is_none());
    assert!(set.find(Some(""), ES).is_none());
}

#[test]
fn rfc7518_3_3_rsa_keys_have_2048_to_4096_bits() {
    let modulus = |bits: usize| {
        let mut bytes = vec![0xff; bits.div_ceil(8)];
        bytes[0] >>= (8 - bits % 8) % 8;
        with(public(RS), "n", json!(base64(&bytes)))
    };
    for bits in [0, 8, 512, 1024, 2047, 4097, 8192] {
        let key = if bits == 0 { with(public(RS), "n", json!("")) } else { modulus(bits) };
        assert_eq!(skipped(key), Unusable::ModulusUnsupported, "{bits}");
    }
    for bits in [2048, 2049, 2056, 3072, 4096] {
        keys(json!([modulus(bits)]));
    }
    let mut even = vec![0xff; 256];
    even[255] = 0xfe;
    assert_eq!(skipped(with(public(RS), "n", json!(base64(&even)))), Unusable::ModulusUnsupported);
}

#[test]
fn rfc7518_6_3_1_leading_zeros_of_a_number_are_read_over() {
    let padded = with(public(RS), "e", json!(base64(&[0, 0, 1, 0, 1])));
    assert!(keys(json!([padded])).find(Some("rsa"), RS).is_some());
    // Nor do they make a short key long.
    let mut short = vec![0xff; 256];
    short[..128].fill(0);
    assert_eq!(skipped(with(public(RS), "n", json!(base64(&short)))), Unusable::ModulusUnsupported);
}

#[test]
fn rfc8017_5_2_2_a_signature_is_a_number_below_the_modulus() {
    let jwk = public(RS);
    let modulus = Base64UrlUnpadded::decode_vec(jwk["n"].as_str().unwrap()).unwrap();
    let set = keys(json!([jwk]));
    // Signature and modulus together are the same number modulo the modulus. PSS is random, so
    // soon there is a sum that still fits 2048 bits.
    let plus_modulus = |algorithm| {
        std::iter::repeat_with(|| sign(algorithm, b"input")).take(64).find_map(|signature| {
            assert!(
                set.find(None, algorithm)?
                    .verify_signature(algorithm, b"input", &signature, IN_WASM)
            );
            sum(&signature, &modulus)
        })
    };
    let shifted = plus_modulus(Algorithm::Ps256).unwrap();
    let key = set.find(None, Algorithm::Ps256).unwrap();
    assert!(!key.verify_signature(Algorithm::Ps256, b"input", &shifted, IN_WASM));
}

/// The sum of two big-endian numbers, if it is no longer than they are.
fn sum(a: &[u8], b: &[u8]) -> Option<Vec<u8>> {
    let mut carry = 0;
    let mut sum: Vec<u8> = std::iter::zip(a, b)
        .rev()
        .map(|(a, b)| {
            let sum = u16::from(*a) + u16::from(*b) + carry;
            carry = sum >> 8;
            sum.to_le_bytes()[0]
        })
        .collect();
    sum.reverse();
    (carry == 0).then_some(sum)
}

#[test]
fn an_rsa_exponent_is_odd_and_neither_small_nor_huge() {
    for exponent in [
        &[][..],
        &[0],
        &[1],
        &[3],
        &[0xff, 0xff],
        &[1, 0, 0],
        &[1, 0, 2],
        &[2, 0, 0, 0, 1],
        &[1; 8],
        &[1; 9],
        &[1; 256],
    ] {
        let key = with(public(RS), "e", json!(base64(exponent)));
        assert_eq!(skipped(key), Unusable::ExponentUnsupported, "{exponent:?}");
    }
}

#[test]
fn rfc7518_6_2_1_coordinates_have_their_full_length() {
    for length in [0, 31, 33, 64] {
        let short = json!(base64(&vec![1; length]));
        for (algorithm, name) in [(ES, "x"), (ES, "y"), (ED, "x")] {
            let key = with(public(algorithm), name, short.clone());
            assert_eq!(skipped(key), Unusable::Malformed, "{name} {length}");
        }
    }
}

#[test]
fn rfc8725_3_4_a_point_off_the_curve_is_skipped() {
    for coordinate in [[0; 32], [1; 32], [0xff; 32]] {
        let key = with(public(ES), "y", json!(base64(&coordinate)));
        assert_eq!(skipped(key), Unusable::PointInvalid);
    }
    let origin = with(public(ES), "x", json!(base64(&[0; 32])));
    assert_eq!(skipped(with(origin, "y", json!(base64(&[0; 32])))), Unusable::PointInvalid);
    let mut not_a_square = [0; 32];
    not_a_square[0] = 2;
    let key = with(public(ED), "x", json!(base64(&not_a_square)));
    assert_eq!(skipped(key), Unusable::PointInvalid);
}

#[test]
fn rfc8037_2_a_point_of_small_order_is_skipped() {
    let mut one = [0; 32];
    one[0] = 1;
    let mut minus_one = [0xff; 32];
    minus_one[0] = 0xec;
    minus_one[31] = 0x7f;
    for point in [[0; 32], one, minus_one] {
        let key = with(public(ED), "x", json!(base64(&point)));
        assert_eq!(skipped(key), Unusable::SmallOrder, "{point:?}");
    }
}

#[test]
fn rfc8032_5_1_7_a_signature_whose_point_has_small_order_is_refused() {
    // Made with the private key: the commitment is the neutral element, the equation holds, and
    // a verifier that only checks the equation takes it.
    let signature = "\
        AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADfns_3-TliIMRmgVkTcIJLmTVt9eOvlNPw_0bkAyUMCQ";
    let signature = Base64UrlUnpadded::decode_vec(signature).unwrap();
    let set = keys(json!([public(ED)]));
    assert!(!set.find(None, ED).unwrap().verify_signature(ED, b"input", &signature, IN_WASM));

    let jwk: JsonWebKey<'_> = serde_json::from_value(without(public(ED), "kid")).unwrap();
    let key = (&jwk).try_into().unwrap();
    let signature = AlgorithmSignature::try_from_slice(&signature).unwrap();
    assert!(Ed25519.verify_signature(&signature, &key, b"input"));
}

#[test]
fn rfc7518_3_4_a_signature_has_64_octets_and_no_other_number() {
    let set = keys(json!([public(ES)]));
    let key = set.find(None, ES).unwrap();
    let verifies = |signature: &[u8]| key.verify_signature(ES, b"input", signature, IN_WASM);
    let good = sign(ES, b"input");
    assert!(good.len() == 64 && verifies(&good));
    for length in [0, 1, 32, 63] {
        assert!(!verifies(&good[..length]), "{length}");
    }
    for stray in [&[0][..], &[0; 32], &[7; 64]] {
        assert!(!verifies(&[&good, stray].concat()) && !verifies(&[stray, &good].concat()));
    }
}

#[test]
fn rfc8725_3_1_a_key_checks_its_algorithm_again_when_it_verifies() {
    let set = keys(json!([with(public(RS), "alg", json!("PS256"))]));
    let key = set.find(None, Algorithm::Ps256).unwrap();
    let signature = sign(RS, b"input");
    assert!(!key.verify_signature(RS, b"input", &signature, IN_WASM));
    assert!(!key.verify_signature(Algorithm::Ps256, b"input", &signature, IN_WASM));
    assert!(!key.verify_signature(ES, b"input", &sign(ES, b"input"), IN_WASM));
}

#[test]
fn rfc7518_6_2_1_1_another_curve_is_skipped() {
    for curve in [json!("P-384"), json!("secp256k1"), json!("p-256"), json!(null)] {
        assert_eq!(skipped(with(public(ES), "crv", curve)), Unusable::CurveUnsupported);
    }
    for curve in [json!("X25519"), json!("Ed448"), json!("P-256")] {
        assert_eq!(skipped(with(public(ED), "crv", curve)), Unusable::CurveUnsupported);
    }
}

#[test]
fn a_private_key_in_a_public_set_is_skipped() {
    for (algorithm, name) in [(ES, "d"), (ED, "d"), (RS, "d"), (RS, "p"), (RS, "qi"), (RS, "oth")] {
        let key = with(public(algorithm), name, json!("AAAA"));
        assert_eq!(skipped(key), Unusable::PrivateKey, "{name}");
    }
}

#[test]
fn rfc7518_3_2_a_secret_has_32_bytes_and_is_for_development_only() {
    let secret = public(Algorithm::Hs256);
    let development = Symmetric::AllowedForDevelopment;
    let reason = skipped_secret(secret.clone(), Symmetric::Refused);
    assert_eq!(reason, Unusable::SymmetricRefused);
    let short = with(secret.clone(), "k", json!(base64(&[1; 31])));
    assert_eq!(skipped_secret(short, development), Unusable::SecretTooShort);
    let other = with(secret.clone(), "alg", json!("HS512"));
    assert_eq!(skipped_secret(other, development), Unusable::AlgorithmUnsupported);
    let (set, _) = KeySet::from_jwks(&json!({"keys": [secret]}), development).unwrap();
    assert!(set.find(Some("hs"), Algorithm::Hs256).is_some());
    assert!(set.find(Some("hs"), ES).is_none());
}

#[test]
fn rfc8725_3_1_symmetric_and_asymmetric_keys_in_one_set_void_it() {
    for symmetric in [Symmetric::Refused, Symmetric::AllowedForDevelopment] {
        let set = json!({"keys": [public(ES), public(Algorithm::Hs256)]});
        assert_eq!(KeySet::from_jwks(&set, symmetric).unwrap_err(), KeySetError::Mixed);
    }
}

#[test]
fn what_is_no_key_set_is_refused() {
    for set in
        [json!(null), json!([public(ES)]), public(ES), json!({"keys": {}}), json!({"Keys": []})]
    {
        assert_eq!(refused(set), KeySetError::NotAKeySet);
    }
    assert_eq!(refused(json!({"keys": []})), KeySetError::NoUsableKey(vec![]));
    let many = vec![public(ES); MAX_KEYS + 1];
    assert_eq!(refused(json!({"keys": many})), KeySetError::TooManyKeys);
    keys(json!(many[1..]));
}

#[test]
fn debug_and_errors_show_no_secret() {
    let development = Symmetric::AllowedForDevelopment;
    let secret = public(Algorithm::Hs256);
    let (set, _) = KeySet::from_jwks(&json!({"keys": [secret]}), development).unwrap();
    let short = with(secret, "k", json!(base64(&SECRET[..31])));
    let error = KeySet::from_jwks(&json!({"keys": [short]}), development).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no usable key; key 0 (`hs`): the secret is shorter than 32 bytes"
    );

    let shown = format!("{set:?} {set:#?} {error:?}");
    assert!(shown.contains("hs") && shown.contains("oct"), "{shown}");
    let bytes = format!("{:?}", &SECRET[..4]);
    for trace in ["a secret", &base64(&SECRET[..6]), bytes.trim_matches(['[', ']']), "61207365"] {
        assert!(!shown.contains(trace), "{shown}");
    }
}
