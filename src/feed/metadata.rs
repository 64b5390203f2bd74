//! An issuer's metadata (RFC 8414, OpenID Connect Discovery 1.0), of which we want one thing: where
//! its keys are.

use serde_json::Value;

use super::{Failure, MAX_RESPONSE_BYTES, Url};
use crate::json::{self, Bounds};

/// As deep and as many as no metadata is.
const BOUNDS: Bounds = Bounds { bytes: MAX_RESPONSE_BYTES, depth: 8, items: 4_096 };

/// Where the keys of `issuer` are, by its metadata that came from `from`.
///
/// # Errors
///
/// It is not the metadata of this issuer, or names no place that we would fetch keys from: the
/// proxy would take the request to the server of the metadata anyway, so that has to be the one.
pub(super) fn keys_of(issuer: &str, from: &Url, body: &[u8]) -> Result<Url, Failure> {
    let Ok(Value::Object(members)) = json::parse(body, BOUNDS) else {
        return Err(Failure::NotJson);
    };
    let text = |name| members.get(name).and_then(Value::as_str);
    // RFC 8414 §3.3: anybody can publish metadata that names us another's keys.
    if text("issuer") != Some(issuer) {
        return Err(Failure::OtherIssuer);
    }
    let url = text("jwks_uri").ok_or(Failure::NoKeySetNamed)?;
    let url: Url = url.parse().map_err(|_| Failure::NoKeySetNamed)?;
    if url.is_secure() != from.is_secure() || url.authority() != from.authority() {
        return Err(Failure::KeysElsewhere);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://login.example/tenant";

    fn read(metadata: &Value) -> Result<String, Failure> {
        let from = "https://login.example/.well-known/x".parse().unwrap();
        let url = keys_of(ISSUER, &from, metadata.to_string().as_bytes());
        url.map(|url| url.as_str().to_owned())
    }

    #[test]
    fn rfc8414_3_3_metadata_is_its_issuers_own_or_none() {
        let keys = "https://login.example/jwks";
        assert_eq!(read(&json!({ "issuer": ISSUER, "jwks_uri": keys })), Ok(keys.to_owned()));
        for issuer in [
            json!("https://login.example/tenant/"),
            json!("https://login.example"),
            json!("https://other.example/tenant"),
            json!([ISSUER]),
            json!(null),
        ] {
            let metadata = json!({ "issuer": issuer, "jwks_uri": keys });
            assert_eq!(read(&metadata), Err(Failure::OtherIssuer), "{issuer}");
        }
        assert_eq!(read(&json!({ "jwks_uri": keys })), Err(Failure::OtherIssuer));
        assert_eq!(read(&json!([ISSUER])), Err(Failure::NotJson));
    }

    #[test]
    fn keys_are_on_the_server_of_the_metadata_or_not_fetched() {
        for (keys, failure) in [
            (json!("https://other.example/jwks"), Failure::KeysElsewhere),
            (json!("https://login.example:8443/jwks"), Failure::KeysElsewhere),
            (json!("http://login.example/jwks"), Failure::KeysElsewhere),
            (json!("https://169.254.169.254/latest"), Failure::KeysElsewhere),
            (json!("https://login.example@other.example/"), Failure::NoKeySetNamed),
            (json!("/jwks"), Failure::NoKeySetNamed),
            (json!(7), Failure::NoKeySetNamed),
            (json!(null), Failure::NoKeySetNamed),
        ] {
            let metadata = json!({ "issuer": ISSUER, "jwks_uri": keys });
            assert_eq!(read(&metadata), Err(failure), "{keys}");
        }
    }
}
