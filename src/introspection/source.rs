//! Where an issuer is asked about tokens, and as whom.

use std::fmt;

use base64ct::{Base64, Encoding};
use serde::{Deserialize, Deserializer};

use super::SECOND;
use crate::feed::Url;

/// Where an issuer is asked about its opaque tokens, and what its answers are good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The introspection endpoint.
    pub url: Url,
    /// Through which upstream of the proxy's: a cluster in Envoy, `host:port` in nginx.
    pub cluster: String,
    /// As whom, where that is not the proxy's business.
    pub client: Option<Client>,
    /// What its opaque tokens begin with; where it is not said, all that are opaque may be its.
    pub token_prefix: Option<String>,
    /// Whether it calls nothing active but access tokens.
    pub access_tokens_only: bool,
    /// For how long an answer is good, in seconds: for no longer than the token in any case.
    pub cache: u32,
    /// How long the issuer has to answer, in seconds.
    pub timeout: u32,
    /// How long a request waits for the answer, in seconds.
    pub hold: u32,
}

impl Source {
    /// The most a token may be good for without asking again, in seconds: an hour.
    pub const MAX_CACHE_SECS: u32 = 3_600;

    /// Whether a token that is opaque may be the issuer's.
    pub fn may_be_of(&self, token: &str) -> bool {
        self.token_prefix.as_ref().is_none_or(|prefix| token.starts_with(prefix.as_str()))
    }

    /// The fields that ask about `token` (RFC 7662 §2.1).
    pub(super) fn fields(&self, token: &str) -> String {
        let mut fields = "token=".to_owned();
        encode(token, &mut fields);
        fields.push_str("&token_type_hint=access_token");
        if let Some(Client { id, secret: None }) = &self.client {
            fields.push_str("&client_id=");
            encode(id, &mut fields);
        }
        fields
    }

    /// The value of `authorization` that says who asks (RFC 6749 §2.3.1).
    pub(super) fn authorization(&self) -> Option<String> {
        let Client { id, secret } = self.client.as_ref()?;
        let mut pair = String::new();
        encode(id, &mut pair);
        pair.push(':');
        encode(&secret.as_ref()?.0, &mut pair);
        let mut value = "Basic ".to_owned();
        value.push_str(&Base64::encode_string(pair.as_bytes()));
        Some(value)
    }

    pub(super) fn timeout_nanos(&self) -> u64 {
        u64::from(self.timeout) * SECOND
    }
}

/// As whom the issuer is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The client's identifier at the issuer.
    pub id: String,
    /// What proves that; none where the proxy adds the proof.
    pub secret: Option<Secret>,
}

/// A secret, which shows nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Whether it can be used: 1 to 1,024 characters, none of them a control character.
    pub fn is_sound(&self) -> bool {
        (1..=MAX_SECRET_BYTES).contains(&self.0.len()) && !self.0.chars().any(char::is_control)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    /// Not derived: what is found in a text's place is not repeated.
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(reader)? {
            serde_json::Value::String(text) => Ok(Self(text)),
            _ => Err(serde::de::Error::custom("expected a string, in quotes")),
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}

/// The longest secret, in bytes.
const MAX_SECRET_BYTES: usize = 1_024;

/// Adds `text` as a form writes it, so that nothing in it ends a field.
fn encode(text: &str, form: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            form.push(byte.into());
            continue;
        }
        form.push('%');
        for nibble in [byte >> 4, byte & 0xf] {
            let digit = char::from_digit(nibble.into(), 16);
            form.extend(digit.map(|digit| digit.to_ascii_uppercase()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(client: Option<Client>) -> Source {
        Source {
            url: "https://login.example/introspect".parse().unwrap(),
            cluster: "login".to_owned(),
            client,
            token_prefix: None,
            access_tokens_only: false,
            cache: 60,
            timeout: 5,
            hold: 2,
        }
    }

    fn client(secret: Option<&str>) -> Option<Client> {
        let secret = secret.map(|text| Secret(text.to_owned()));
        Some(Client { id: "the gateway".to_owned(), secret })
    }

    #[test]
    fn rfc7662_2_1_nothing_in_a_token_ends_its_field() {
        let fields = source(None).fields("a+b/c=&token_type_hint=refresh_token");
        let expected = "token=a%2Bb%2Fc%3D%26token_type_hint%3Drefresh_token\
                        &token_type_hint=access_token";
        assert_eq!(fields, expected);
    }

    #[test]
    fn rfc6749_2_3_1_identifier_and_secret_are_encoded_before_they_are_joined() {
        let source = source(client(Some("p:w%")));
        let value = source.authorization().unwrap();
        let (scheme, pair) = value.split_once(' ').unwrap();
        assert_eq!(scheme, "Basic");
        assert_eq!(Base64::decode_vec(pair).unwrap(), b"the%20gateway:p%3Aw%25");
        assert!(!source.fields("t").contains("client_id"), "who asks is said once");
    }

    #[test]
    fn without_a_secret_the_form_says_who_asks_and_without_a_client_nobody_does() {
        let public = source(client(None));
        assert_eq!(public.authorization(), None);
        assert!(public.fields("t").ends_with("&client_id=the%20gateway"));
        assert_eq!(source(None).authorization(), None);
        assert!(!source(None).fields("t").contains("client_id"));
    }

    #[test]
    fn a_secret_shows_nowhere() {
        let shown = format!("{:?}", source(client(Some("hunter2"))));
        assert!(!shown.contains("hunter2"), "{shown}");
        let wrong = serde_json::from_str::<Secret>("13371337").unwrap_err().to_string();
        assert!(!wrong.contains("1337"), "{wrong}");
    }
}
