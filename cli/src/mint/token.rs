use rand_core::{OsRng, RngCore};
use serde_json::{Map, Value, json};

use super::{Error, PrivateKey, base64url};

/// How long a token lives unless told otherwise, in seconds.
const LIFETIME: i64 = 300;

/// `header` and `claims`, exactly as written, as a token signed by `key` (RFC 7515 §7.1).
///
/// Neither text is looked at: it may name a member twice or be no JSON at all.
///
/// # Errors
///
/// [`Error::Sign`] when the key cannot.
pub fn sign(key: &PrivateKey, header: &str, claims: &str) -> Result<String, Error> {
    let message = signing_input(header, claims);
    let signature = key.sign(message.as_bytes())?;
    Ok(format!("{message}.{}", base64url(&signature)))
}

/// `header` and `claims`, exactly as written, as a token with no signature (RFC 7515 §A.5).
pub fn unsecured(header: &str, claims: &str) -> String {
    format!("{}.", signing_input(header, claims))
}

fn signing_input(header: &str, claims: &str) -> String {
    format!("{}.{}", base64url(header.as_bytes()), base64url(claims.as_bytes()))
}

/// An access token to be (RFC 9068 §2); what is not set is not in it, but for what the profile
/// requires.
#[derive(Clone, Debug)]
pub struct AccessToken {
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl AccessToken {
    /// A token of `issuer` for `audience`, issued at `now` (seconds since the Unix epoch) for five
    /// minutes. Whom it is about is still to be said.
    pub fn new(issuer: &str, audience: &str, now: i64) -> Self {
        let claims = [
            ("iss", issuer.into()),
            ("aud", audience.into()),
            ("iat", now.into()),
            ("exp", now.saturating_add(LIFETIME).into()),
        ];
        Self {
            header: Map::from_iter([("typ".to_owned(), "at+jwt".into())]),
            claims: claims.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }

    /// Whom it speaks for: a user, or the client itself.
    #[must_use]
    pub fn subject(self, subject: &str) -> Self {
        self.claim("sub", subject)
    }

    /// The OAuth client it was issued to.
    #[must_use]
    pub fn client(self, client: &str) -> Self {
        self.claim("client_id", client)
    }

    /// What it may be used for: scopes with spaces between them (RFC 8693 §4.2).
    #[must_use]
    pub fn scope(self, scope: &str) -> Self {
        self.claim("scope", scope)
    }

    /// The roles of the user it speaks for (RFC 9068 §2.2.3.1).
    #[must_use]
    pub fn roles(self, roles: &[&str]) -> Self {
        self.claim("roles", roles)
    }

    /// The key it is bound to, by its thumbprint (RFC 9449 §6.1).
    #[must_use]
    pub fn bound_to_key(self, thumbprint: &str) -> Self {
        self.claim("cnf", json!({ "jkt": thumbprint }))
    }

    /// The client certificate it is bound to, by the SHA-256 of its DER (RFC 8705 §3.1).
    #[must_use]
    pub fn bound_to_certificate(self, digest: &[u8; 32]) -> Self {
        self.claim("cnf", json!({ "x5t#S256": base64url(digest) }))
    }

    /// Who acts with it (RFC 8693 §4.1); the actor named before, if any, becomes this one's own.
    #[must_use]
    pub fn actor(mut self, subject: &str) -> Self {
        let actor = match self.claims.remove("act") {
            Some(earlier) => json!({ "sub": subject, "act": earlier }),
            None => json!({ "sub": subject }),
        };
        self.claim("act", actor)
    }

    /// When it was issued and when it ends, in seconds since the Unix epoch.
    #[must_use]
    pub fn valid(self, issued: i64, expires: i64) -> Self {
        self.claim("iat", issued).claim("exp", expires)
    }

    /// Any claim; an earlier value is replaced.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// The token without this claim.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Any header parameter; wins over what the key says.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// The claims as they will be written; `jti` is added on signing.
    pub const fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// The token, signed by `key`, with a `jti` of its own unless it has one.
    ///
    /// # Errors
    ///
    /// [`Error::Generate`] without randomness, [`Error::Sign`] when the key cannot.
    pub fn sign(&self, key: &PrivateKey) -> Result<String, Error> {
        let mut header = Map::from_iter([
            ("alg".to_owned(), key.algorithm().name().into()),
            ("kid".to_owned(), key.kid().into()),
        ]);
        header.extend(self.header.clone());
        sign(key, &Value::Object(header).to_string(), &self.payload()?)
    }

    /// The token with `alg` `none` and no signature.
    ///
    /// # Errors
    ///
    /// [`Error::Generate`] without randomness.
    pub fn unsecured(&self) -> Result<String, Error> {
        let header = self.clone().header("alg", "none").header;
        Ok(unsecured(&Value::Object(header).to_string(), &self.payload()?))
    }

    fn payload(&self) -> Result<String, Error> {
        let mut claims = self.claims.clone();
        if !claims.contains_key("jti") {
            let mut id = [0; 16];
            OsRng.try_fill_bytes(&mut id).map_err(|_| Error::Generate)?;
            claims.insert("jti".to_owned(), base64url(&id).into());
        }
        Ok(Value::Object(claims).to_string())
    }
}
