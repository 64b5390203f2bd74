//! Signatures that BoringSSL checks for the filter: Envoy's verdict is the one that the filter would
//! come to by itself, also where a library might well be of two minds.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use postern_cli::mint::{Algorithm, PrivateKey, key_set};
use postern_demo::cast::{ADA, human};
use postern_demo::client::Request;
use postern_demo::{Lab, Settings};
use rsa::traits::PublicKeyParts as _;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha384};

/// The order of P-256 (SEC 2 §2.4.2).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// `DigestInfo` of SHA-256 up to the digest (RFC 8017 §9.2), with the NULL that DER asks for.
const SHA256: [u8; 19] = [48, 49, 48, 13, 6, 9, 96, 134, 72, 1, 101, 3, 4, 2, 1, 5, 0, 4, 32];

/// The same without it.
const SHA256_WITHOUT_NULL: [u8; 17] =
    [48, 47, 48, 11, 6, 9, 96, 134, 72, 1, 101, 3, 4, 2, 1, 4, 32];

fn base64(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

fn input(algorithm: &str, kid: &str) -> String {
    let claims = human(ADA, "crm.read").claim("jti", "t-1");
    let claims = Value::Object(claims.claims().clone());
    let header = json!({ "alg": algorithm, "kid": kid, "typ": "at+jwt" });
    format!("{}.{}", base64(header.to_string().as_bytes()), base64(claims.to_string().as_bytes()))
}

/// `a - b`, or what is left of it below zero.
fn difference(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut digits: Vec<u8> = a
        .iter()
        .zip(b)
        .rev()
        .map(|(a, b)| {
            let digit = i16::from(*a) - i16::from(*b) - borrow;
            borrow = i16::from(digit < 0);
            digit.rem_euclid(256).to_le_bytes()[0]
        })
        .collect();
    digits.reverse();
    digits
}

#[test]
fn envoy_says_of_each_signature_what_the_filter_would_and_nothing_else() {
    let ec = PrivateKey::generate(Algorithm::Es256).unwrap().with_kid("ec");
    let rsa = RsaPrivateKey::new(&mut rand_core::OsRng, 2048).unwrap();
    let mut keys = key_set([&ec]);
    keys["keys"].as_array_mut().unwrap().push(json!({
        "kty": "RSA", "kid": "rsa",
        "n": base64(&rsa.n().to_bytes_be()), "e": base64(&rsa.e().to_bytes_be()),
    }));
    let mut settings = Settings::from_env().unwrap();
    settings.policy["issuers"][0]["jwks"] = keys;
    settings.policy["issuers"][0]["algorithms"] = json!(["ES256", "PS256", "RS256", "RS384"]);
    settings.policy["limits"] = json!({});
    let lab = Lab::start_as_written(settings).unwrap();
    let decided = |input: &str, signature: &[u8]| {
        let token = format!("{input}.{}", base64(signature));
        let request = Request::get("/v1/contacts").bearer(&token);
        request.send(lab.address()).unwrap().code().unwrap_or("allow".to_owned())
    };

    let input_ec = input("ES256", "ec");
    let good = ec.sign(input_ec.as_bytes()).unwrap();
    let (r, s) = good.split_at(32);
    let zero = [0; 32];
    let one = [&[0; 31][..], &[1]].concat();
    let join = |r: &[u8], s: &[u8]| [r, s].concat();
    // Both halves of the range are signatures (RFC 7518 §3.4 asks for no low one).
    assert_eq!(decided(&input_ec, &good), "allow");
    assert_eq!(decided(&input_ec, &join(r, &difference(&ORDER, s))), "allow");
    for bad in [
        join(&difference(&ORDER, r), s),
        join(s, r),
        join(&zero, s),
        join(r, &zero),
        join(&zero, &zero),
        join(&one, &one),
        join(&ORDER, s),
        join(r, &ORDER),
        join(&ORDER, &ORDER),
        join(r, &[0xff; 32]),
        join(&[0xff; 32], &[0xff; 32]),
        good[..63].to_vec(),
        [&good[..], &[0]].concat(),
        [&[0], &good[..]].concat(),
        // The DER that others write.
        [&[0x30, 0x44, 0x02, 0x20], r, &[0x02, 0x20], s].concat(),
    ] {
        assert_eq!(decided(&input_ec, &bad), "invalid_token", "{bad:02x?}");
    }
    let other = PrivateKey::generate(Algorithm::Es256).unwrap();
    assert_eq!(decided(&input_ec, &other.sign(input_ec.as_bytes()).unwrap()), "invalid_token");

    let input_rsa = input("RS256", "rsa");
    let digest = Sha256::digest(&input_rsa);
    let raw = |info: &[u8]| rsa.sign(Pkcs1v15Sign::new_unprefixed(), info).unwrap();
    let good = raw(&[&SHA256[..], &digest].concat());
    let modulus = rsa.n().to_bytes_be();
    assert_eq!(good, rsa.sign(Pkcs1v15Sign::new::<Sha256>(), &digest).unwrap());
    assert_eq!(decided(&input_rsa, &good), "allow");
    for bad in [
        raw(&[&SHA256_WITHOUT_NULL[..], &digest].concat()),
        raw(&[&SHA256[..], &digest, &[0]].concat()),
        raw(&[&SHA256[..], &Sha256::digest("other")].concat()),
        raw(&digest),
        rsa.sign(Pkcs1v15Sign::new::<Sha384>(), &Sha384::digest(&input_rsa)).unwrap(),
        vec![0; 256],
        [&[0; 255][..], &[1]].concat(),
        vec![0xff; 256],
        modulus.clone(),
        difference(&modulus, &[&[0; 255][..], &[1]].concat()),
        difference(&modulus, &good),
        good[1..].to_vec(),
        [&[0], &good[..]].concat(),
        vec![],
    ] {
        assert_eq!(decided(&input_rsa, &bad), "invalid_token", "{bad:02x?}");
    }
    // A signature of one algorithm is none of another, by the same key.
    assert_eq!(decided(&input("RS384", "rsa"), &good), "invalid_token");
    assert_eq!(decided(&input("PS256", "rsa"), &good), "invalid_token");

    let said = "signatures of ES256 and RSA are checked by the proxy";
    assert!(lab.envoy.has_logged(said).unwrap(), "{}", lab.envoy.log_tail());
}
