//! What makes a key what it is, as one number (RFC 7638).

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The SHA-256 of the members that a public key of its kind must have, in their lexical order and
/// without white space (RFC 7638 §3, RFC 8037 §2).
///
/// `None` for a key of another kind, and for a value that JSON might write in more than one way:
/// no number of a key is such a text.
pub(crate) fn thumbprint(jwk: &Value) -> Option<[u8; 32]> {
    let members: &[&str] = match jwk.get("kty").and_then(Value::as_str)? {
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        "RSA" => &["e", "kty", "n"],
        _ => return None,
    };
    let mut hash = Sha256::new();
    let mut before = "{\"";
    for name in members {
        let value = jwk.get(*name).and_then(Value::as_str)?;
        if !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            return None;
        }
        for part in [before, name, "\":\"", value] {
            hash.update(part);
        }
        before = "\",\"";
    }
    hash.update("\"}");
    Some(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64UrlUnpadded, Encoding};
    use serde_json::json;

    use super::*;

    fn text(jwk: &Value) -> Option<String> {
        thumbprint(jwk).map(|digest| Base64UrlUnpadded::encode_string(&digest))
    }

    #[test]
    fn rfc7638_3_1_the_example_key_has_the_example_thumbprint() {
        let jwk = json!({
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
            "e": "AQAB",
            "alg": "RS256",
            "kid": "2011-04-29",
        });
        assert_eq!(text(&jwk).as_deref(), Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"));
    }

    #[test]
    fn rfc8037_a_3_the_example_key_has_the_example_thumbprint() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": "any" });
        assert_eq!(text(&jwk).as_deref(), Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
    }

    #[test]
    fn rfc9449_6_1_the_example_key_has_the_example_thumbprint() {
        let jwk = json!({
            "kty": "EC",
            "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
            "crv": "P-256",
        });
        assert_eq!(text(&jwk).as_deref(), Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"));
    }

    #[test]
    fn what_is_no_public_key_has_no_thumbprint() {
        for jwk in [
            json!({}),
            json!({ "kty": "oct", "k": "AA" }),
            json!({ "kty": "EC", "crv": "P-256", "x": "AA" }),
            json!({ "kty": "OKP", "crv": "Ed25519", "x": 1 }),
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "A\",\"y\":\"A" }),
        ] {
            assert_eq!(thumbprint(&jwk), None, "{jwk}");
        }
    }
}
