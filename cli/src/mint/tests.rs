use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};

use super::{AccessToken, Algorithm, Encoding, Error, PrivateKey, key_set, sign, unsecured};

const ALL: [Algorithm; 4] =
    [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Hs256, Algorithm::Rs256];

fn part(token: &str, index: usize) -> Value {
    let text = token.split('.').nth(index).expect("three parts");
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(text).expect("base64url")).expect("JSON")
}

#[test]
fn a_key_survives_its_jwk() {
    for algorithm in ALL {
        let key = PrivateKey::generate(algorithm).unwrap();
        let again = PrivateKey::from_jwk(&key.to_jwk()).unwrap();
        assert_eq!(again.to_jwk(), key.to_jwk());
        assert_eq!(again.kid(), key.thumbprint());
    }
}

#[test]
fn a_thumbprint_is_that_of_rfc_8037_appendix_a_3() {
    let key = PrivateKey::from_jwk(&json!({
        "kty": "OKP", "crv": "Ed25519",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }))
    .unwrap();
    assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn an_eddsa_token_is_that_of_rfc_8037_appendix_a_4() {
    let key = PrivateKey::from_jwk(&json!({
        "kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    }))
    .unwrap();
    let token = sign(&key, r#"{"alg":"EdDSA"}"#, "Example of Ed25519 signing").unwrap();
    assert_eq!(
        token,
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
}

#[test]
fn the_published_set_holds_no_secret() {
    let keys = ALL.map(|algorithm| PrivateKey::generate(algorithm).unwrap());
    let published = key_set(&keys);
    let keys = published["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 3, "an HMAC key has no public half");
    for member in ["d", "k", "p", "q"] {
        assert!(keys.iter().all(|key| key.get(member).is_none()), "{member} was published");
    }
}

#[test]
fn debug_output_shows_the_name_of_a_key_and_not_the_key() {
    for algorithm in ALL {
        let key = PrivateKey::generate(algorithm).unwrap().with_kid("first");
        assert_eq!(
            format!("{key:?}"),
            format!("PrivateKey {{ algorithm: {algorithm:?}, kid: \"first\", .. }}")
        );
    }
}

#[test]
fn an_access_token_has_all_that_rfc_9068_requires() {
    let key = PrivateKey::generate(Algorithm::Es256).unwrap();
    let token = AccessToken::new("https://login.example/", "https://api.example", 1000)
        .subject("ada")
        .client("support-bot")
        .sign(&key)
        .unwrap();
    assert_eq!(part(&token, 0), json!({ "alg": "ES256", "kid": key.kid(), "typ": "at+jwt" }));
    let claims = part(&token, 1);
    for name in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
        assert!(claims.get(name).is_some(), "{name} is missing");
    }
    assert_eq!(claims["exp"], 1300);
}

#[test]
fn a_second_actor_holds_the_first() {
    let token = AccessToken::new("i", "a", 0).actor("inner").actor("outer");
    assert_eq!(token.claims()["act"], json!({ "sub": "outer", "act": { "sub": "inner" } }));
}

#[test]
fn raw_text_goes_into_a_token_as_it_is() {
    let text = r#"{"sub":"ada","sub":"mallory"}"#;
    let token = unsecured(r#"{"alg":"none"}"#, text);
    let parts: Vec<_> = token.split('.').collect();
    assert_eq!(Base64UrlUnpadded::decode_vec(parts[1]).unwrap(), text.as_bytes());
    assert_eq!(parts[2], "");
}

#[test]
fn a_public_key_can_be_abused_as_a_secret() {
    let honest = PrivateKey::generate(Algorithm::Rs256).unwrap();
    for encoding in [Encoding::Der, Encoding::Modulus, Encoding::Pem] {
        let public = honest.public_bytes(encoding).unwrap();
        let token = AccessToken::new("i", "a", 0).sign(&PrivateKey::symmetric(public)).unwrap();
        assert_eq!(part(&token, 0)["alg"], "HS256");
    }
}

#[test]
fn what_is_no_private_key_is_refused_with_a_reason() {
    let key = PrivateKey::generate(Algorithm::Es256).unwrap();
    let public = key.public_jwk().unwrap();
    assert_eq!(PrivateKey::from_jwk(&public).unwrap_err(), Error::Jwk("`d` is missing"));
    assert!(PrivateKey::from_jwk(&json!({ "kty": "EC", "crv": "P-521" })).is_err());
    assert!(PrivateKey::from_jwk(&json!("key")).is_err());
}

#[test]
fn an_algorithm_is_read_by_its_name() {
    assert_eq!("eddsa".parse(), Ok(Algorithm::EdDsa));
    assert_eq!(
        "none".parse::<Algorithm>().unwrap_err().to_string(),
        "unknown algorithm `none`: expected EdDSA, ES256, HS256 or RS256"
    );
}
