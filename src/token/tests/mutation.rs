//! Tokens bent at random.

use std::sync::LazyLock;

use jwt_compact::alg::Es256;
use jwt_compact::jwk::JsonWebKey;
use jwt_compact::{AlgorithmExt, UntrustedToken};
use proptest::prelude::{ProptestConfig, any, prop};
use proptest::{prop_assert, prop_assert_eq, proptest};
use serde_json::Value;

use super::forge::{self, NOW};
use crate::host::Timestamp;
use crate::token::{Algorithm, Issuers, KeySet, Keys, Symmetric, credential, verify};

/// Cheap to check, so that many can be bent.
static GOOD: LazyLock<String> = LazyLock::new(|| forge::token(Algorithm::EdDsa));
static ISSUERS: LazyLock<Issuers> = LazyLock::new(|| Issuers::new(vec![forge::issuer()]).unwrap());

fn verifies(token: &str) -> bool {
    verify(token, &ISSUERS, Timestamp::from_secs(NOW.cast_unsigned())).is_ok()
}

fn signing_input(token: &str) -> &str {
    token.rsplit_once('.').unwrap().0
}

#[test]
fn no_other_byte_anywhere_in_a_token_verifies() {
    assert!(verifies(&GOOD));
    for at in 0..GOOD.len() {
        for byte in *b"A.-_z9" {
            let mut bent = GOOD.clone().into_bytes();
            if std::mem::replace(&mut bent[at], byte) != byte {
                assert!(!verifies(std::str::from_utf8(&bent).unwrap()), "{at} {byte}");
            }
        }
    }
}

#[test]
fn no_part_of_a_token_verifies_with_a_part_of_another() {
    let other = forge::claims().to_string().replace("alice", "mallory");
    let header = forge::header(Algorithm::EdDsa).to_string();
    let other = forge::signed(Algorithm::EdDsa, &header, &other);
    assert!(verifies(&other));
    let (ours, theirs) = (GOOD.rsplit_once('.').unwrap(), other.rsplit_once('.').unwrap());
    assert!(!verifies(&format!("{}.{}", ours.0, theirs.1)));
    assert!(!verifies(&format!("{}.{}", theirs.0, ours.1)));
}

/// jwt-compact reads tokens more loosely than we do; what we take, it must take.
#[test]
fn what_we_verify_jwt_compact_verifies_as_well() {
    let token = forge::token(Algorithm::Es256);
    assert!(verifies(&token));
    let jwk = forge::public(Algorithm::Es256).to_string();
    let jwk: JsonWebKey<'_> = serde_json::from_str(&jwk).unwrap();
    let key = (&jwk).try_into().unwrap();
    let parsed = UntrustedToken::new(&token).unwrap();
    let theirs = Es256.validator::<Value>(&key).validate(&parsed).unwrap();
    assert_eq!(theirs.claims().custom["sub"], "alice");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_verifies_and_never_panics(text in any::<String>()) {
        prop_assert!(!verifies(&text));
    }

    #[test]
    fn arbitrary_header_and_payload_under_a_real_signature_never_panic(
        header in any::<Vec<u8>>(),
        payload in any::<Vec<u8>>(),
    ) {
        let input = format!("{}.{}", forge::base64(&header), forge::base64(&payload));
        let signature = forge::base64(&forge::sign(Algorithm::EdDsa, input.as_bytes()));
        let token = format!("{input}.{signature}");
        prop_assert!(!verifies(&token));
    }

    #[test]
    fn a_bent_token_verifies_only_if_its_signing_input_is_untouched(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..4),
    ) {
        let mut bytes = GOOD.clone().into_bytes();
        for (at, byte, edit) in edits {
            let at = at.index(bytes.len());
            match edit {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        let bent = String::from_utf8_lossy(&bytes);
        if verifies(&bent) {
            prop_assert_eq!(signing_input(&bent), signing_input(&GOOD));
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_signature(
        signature in any::<Vec<u8>>(),
        length in prop::sample::select(vec![0, 31, 32, 33, 63, 64, 65, 255, 256, 257]),
        fill in any::<u8>(),
    ) {
        let symmetric = forge::symmetric_issuer().keys;
        let asymmetric = forge::issuer().keys;
        for algorithm in Algorithm::ALL {
            let keys = if algorithm == Algorithm::Hs256 { &symmetric } else { &asymmetric };
            let Keys::Inline(keys) = keys else { panic!("{keys:?}") };
            let key = keys.find(None, algorithm).unwrap();
            prop_assert!(!key.verify_signature(algorithm, b"input", &signature, forge::IN_WASM));
            prop_assert!(!key.verify_signature(algorithm, b"input", &vec![fill; length], forge::IN_WASM));
        }
    }

    #[test]
    fn arbitrary_members_of_a_key_never_panic(
        kty in prop::sample::select(vec!["EC", "OKP", "RSA", "oct"]),
        crv in prop::sample::select(vec!["P-256", "Ed25519"]),
        x in any::<Vec<u8>>(),
        point in any::<[u8; 32]>(),
    ) {
        let (x, point) = (forge::base64(&x), forge::base64(&point));
        let jwk = serde_json::json!({
            "kty": kty, "crv": crv, "x": point, "y": point, "n": x, "e": x, "k": x,
        });
        let set = serde_json::json!({"keys": [jwk]});
        let _ = KeySet::from_jwks(&set, Symmetric::AllowedForDevelopment);
    }

    #[test]
    fn an_arbitrary_authorization_header_never_panics(
        value in any::<Vec<u8>>(),
        query in any::<Vec<u8>>(),
    ) {
        let value = [b"Bearer ", value.as_slice()].concat();
        if let Ok(token) = credential::find(&[(b"authorization", &value)], Some(&query)).and_then(|found| credential::read(found.token)) {
            prop_assert!(token.bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
}
