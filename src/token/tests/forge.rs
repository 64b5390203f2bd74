//! Tokens as an issuer, or an attacker, would write them.

use std::num::NonZeroU32;

use base64ct::{Base64UrlUnpadded, Encoding};
use jwt_compact::alg::{Ed25519, Es256, Hs256, Rsa, SigningKey};
use jwt_compact::jwk::JsonWebKey;
use jwt_compact::{Algorithm as Signer, AlgorithmSignature};
use serde_json::{Value, json};

use crate::host::Timestamp;
use crate::token::{
    Algorithm, Algorithms, Issuer, Issuers, KeySet, Keys, Leeway, Native, Profile, Rejected,
    Symmetric, Verified, verify,
};

pub(crate) const ISSUER: &str = "https://login.example/";
pub(crate) const AUDIENCE: &str = "https://api.example";
pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const SECRET: &[u8; 32] = b"a secret of exactly 32 bytes, ok";

/// Where the host has nothing to check signatures with.
pub(crate) const IN_WASM: Native<'_> = &|_| None;

/// An issuer that signs with everything but HMAC, under the standard profile.
pub(crate) fn issuer() -> Issuer {
    let asymmetric = Algorithm::ALL.into_iter().filter(|alg| *alg != Algorithm::Hs256);
    Issuer {
        identifier: ISSUER.to_owned(),
        audiences: vec![AUDIENCE.to_owned(), "crm".to_owned()],
        clients: vec![],
        status_lists: Vec::new(),
        client_claims: vec!["client_id".parse().unwrap(), "azp".parse().unwrap()],
        algorithms: Algorithms::from_iter(asymmetric),
        keys: Keys::Inline(keys(json!([
            public(Algorithm::Es256),
            public(Algorithm::EdDsa),
            public(Algorithm::Rs256)
        ]))),
        profile: Profile::Rfc9068,
        leeway: Leeway::default(),
        max_lifetime: NonZeroU32::new(3600).unwrap(),
    }
}

/// An issuer that signs with HMAC.
pub(crate) fn symmetric_issuer() -> Issuer {
    let listed = json!({"keys": [public(Algorithm::Hs256)]});
    let (keys, _) = KeySet::from_jwks(&listed, Symmetric::AllowedForDevelopment).unwrap();
    Issuer {
        keys: Keys::Inline(keys),
        algorithms: Algorithms::from_iter([Algorithm::Hs256]),
        ..issuer()
    }
}

/// An issuer whose tokens need not be RFC 9068's.
pub(crate) fn lenient_issuer() -> Issuer {
    Issuer { profile: Profile::Jwt, ..issuer() }
}

/// A set of keys of which none is skipped.
pub(crate) fn keys(listed: Value) -> KeySet {
    let (keys, skipped) = KeySet::from_jwks(&json!({"keys": listed}), Symmetric::Refused).unwrap();
    assert_eq!(skipped, []);
    keys
}

/// The public key that checks what [`sign`] signs, under a `kid` of its own.
pub(crate) fn public(algorithm: Algorithm) -> Value {
    let (kid, key) = match algorithm {
        Algorithm::EdDsa => ("ed", json(&SigningKey::<Ed25519>::to_verifying_key(&ed25519()))),
        Algorithm::Es256 => ("ec", json(&SigningKey::<Es256>::to_verifying_key(&p256()))),
        Algorithm::Hs256 => ("hs", json!({"kty": "oct", "k": base64(SECRET)})),
        _ => ("rsa", json!({"kty": "RSA", "n": RSA_N, "e": "AQAB"})),
    };
    with(key, "kid", json!(kid))
}

fn json<'a, K>(key: &'a K) -> Value
where
    JsonWebKey<'a>: From<&'a K>,
{
    serde_json::to_value(JsonWebKey::from(key)).unwrap()
}

/// The same object with one member more, or another value.
pub(crate) fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

/// The same object with one member less.
pub(crate) fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name).unwrap();
    object
}

/// The header of a good token.
pub(crate) fn header(algorithm: Algorithm) -> Value {
    let kid = public(algorithm)["kid"].clone();
    json!({"typ": "at+jwt", "alg": algorithm.name(), "kid": kid})
}

/// The claims of a good token.
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "client_id": "support-bot",
        "jti": "token-1", "iat": NOW - 60, "exp": NOW + 600, "scope": "crm.read crm.write",
    })
}

/// A good token.
pub(crate) fn token(algorithm: Algorithm) -> String {
    signed(algorithm, &header(algorithm).to_string(), &claims().to_string())
}

/// A token of these very texts, signed for real.
pub(crate) fn signed(algorithm: Algorithm, header: &str, payload: &str) -> String {
    let input = format!("{}.{}", base64(header.as_bytes()), base64(payload.as_bytes()));
    let signature = base64(&sign(algorithm, input.as_bytes()));
    format!("{input}.{signature}")
}

/// A signature by the key that [`public`] publishes.
pub(crate) fn sign(algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    fn by<A: Signer>(signer: &A, key: &A::SigningKey, message: &[u8]) -> Vec<u8> {
        signer.sign(key, message).as_bytes().into_owned()
    }
    match algorithm {
        Algorithm::EdDsa => by(&Ed25519, &ed25519(), message),
        Algorithm::Es256 => by(&Es256, &p256(), message),
        Algorithm::Hs256 => by(&Hs256, &SECRET.as_slice().into(), message),
        rsa => by(&rsa.name().parse::<Rsa>().unwrap(), &rsa_key(), message),
    }
}

/// Verifies at [`NOW`] with one issuer, and tells of the claims.
pub(crate) fn check(issuer: Issuer, token: &str) -> Result<Value, Rejected> {
    check_at(issuer, token, NOW)
}

/// Verifies at a second of one's choice.
pub(crate) fn check_at(issuer: Issuer, token: &str, now: i64) -> Result<Value, Rejected> {
    let issuers = Issuers::new(vec![issuer]).unwrap();
    let now = Timestamp::from_secs(u64::try_from(now).unwrap());
    verify(token, &issuers, now).map(|Verified { subject, client, not_before, expires, .. }| {
        json!({"sub": subject, "client": client, "from": not_before, "until": expires})
    })
}

/// What becomes of a token with this header and good claims.
pub(crate) fn check_header(issuer: Issuer, header: &Value) -> Result<Value, Rejected> {
    check(issuer, &signed(Algorithm::Es256, &header.to_string(), &claims().to_string()))
}

/// What becomes of a token with these claims and a good header.
pub(crate) fn check_claims(issuer: Issuer, claims: &Value) -> Result<Value, Rejected> {
    let header = header(Algorithm::Es256);
    check(issuer, &signed(Algorithm::Es256, &header.to_string(), &claims.to_string()))
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

fn ed25519() -> <Ed25519 as Signer>::SigningKey {
    SigningKey::<Ed25519>::from_slice(&[7; 32]).unwrap()
}

fn p256() -> <Es256 as Signer>::SigningKey {
    SigningKey::<Es256>::from_slice(&[7; 32]).unwrap()
}

fn rsa_key() -> <Rsa as Signer>::SigningKey {
    let jwk = json!({
        "kty": "RSA", "n": RSA_N, "e": "AQAB", "d": RSA_D, "p": RSA_P, "q": RSA_Q,
    });
    let jwk: JsonWebKey<'_> = serde_json::from_value(jwk).unwrap();
    (&jwk).try_into().unwrap()
}

// A key made for these tests, known to everybody.
const RSA_N: &str = "\
    pHXf68uXmrDRh06Hwcs7oNDIKg_xPqqHRJ0kZ9Oo4H2ahabSkwoeQByTEhEPoDYNgx6haEN10YUzdEHet3V0P2\
    XUUICwaVbGqq0LxiSH2WA8VpeKjYL5vywalu9B-LwFmCG1i5oC7hMDPmKf9gVuT6TbBEM_55CAUsiPNu-x8F7r\
    R0vedvxLEa9GlJW8ryBV-xQ8Ph8ytiIYTVhI3Ke2h5VC1sBWH4O51RSeOkEz1KzthkdbQWbd4Fibi-DfqLZdQ_\
    3Y2yDShie4Kuobuptt-XmNZdQMH-T3yXRRhxqH2750gLIdh8IQnClnO-xYsLSvWMXaULuR2yH1pLNOcDYciQ";
const RSA_D: &str = "\
    Bq-NEBipe94q0nGYlsIElUvPi1g1Ejtb_ufVgkwKPkAU71CCGHytkKUovHAJntV7tKQi4yp06HTeC-CepX4moO\
    oqmLA2m72tm2QoCaDUDfv5z_pepVSZAxLPrOmimLJKFu5t4zQ6YMPQmrFnN9juLFozFigGucr30IW7Prw9U1xz\
    sgInnSLmFFJi8ocShR_cZAuRQUpAi8yNpq5ADb-QRAtifyXlg4EtqLmRVctii9qqfZ0829fvhn61yhJe9iHxJa\
    XbgC2y9S_4b98Byd3Zz4nXS9UzPpBF5cIdsl6E6brR2hNfObafkgCHeR3Lk0TUqaglk7McRGqWpEm4O6upNQ";
const RSA_P: &str = "\
    5XwGhPB2Vb55IfDgzP3Z3Kjwa9c8d3eN_5eixpNdGtqVaHmGiYZy9d03yXYu7Hh0WJt12awGTaL0oJ2yBGRUCr\
    MEl1FTVMBd32BZSzFfG2ttXOxYN88fGTjNx-OgskPrNcW6FhOMsyxJE2fjonfRBZlnXRS8J_oOBsznfpBL7nU";
const RSA_Q: &str = "\
    t3Z9C2Dzt5FiE7yE9dK5m9li8D6TkkhMOmn0LugpABOO05xjp1NcIU1VlTGKnnz9hu8GNmlddAVZYh_2-osKl5\
    ii3ATSsOC5SK0GN7jC5kBYvRTPDq_lwAGfpdFJ6Gb3cCEQW7bPs511xO7K4qgF5pJlBlE9LT7lkLzPGdkmm0U";
