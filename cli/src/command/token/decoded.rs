//! What a token says, whether that is true or not.

use anyhow::{Context, anyhow, bail};
use base64ct::{Base64UrlUnpadded, Encoding};
use postern::json::{self, Bounds};
use serde_json::Value;

/// How much of a part is read: more than the engine would, so that one can look into what it
/// refuses.
const BOUNDS: Bounds = Bounds { bytes: 1 << 20, depth: 64, items: 65_536 };

/// The header and the claims of a token. Nothing of it has been verified.
pub(in crate::command) struct Decoded {
    pub(in crate::command) header: Value,
    pub(in crate::command) claims: Value,
    /// Why the engine would not read them so.
    pub(super) oddity: Option<String>,
}

impl Decoded {
    /// # Errors
    ///
    /// It is no JSON Web Signature (RFC 7515 §7.1). What it says is not told.
    pub(in crate::command) fn parse(token: &str) -> anyhow::Result<Self> {
        let parts: Vec<_> = token.split('.').collect();
        let [header, claims, _signature] = parts.as_slice() else {
            bail!("not a token: expected three parts joined by dots, found {}", parts.len());
        };
        let mut oddity = None;
        let mut part = |name: &str, text: &str| {
            let bytes = Base64UrlUnpadded::decode_vec(text)
                .map_err(|_| anyhow!("not a token: its {name} is not base64url"))?;
            read(&bytes, &mut oddity).with_context(|| format!("not a token: its {name}"))
        };
        let (header, claims) = (part("header", header)?, part("payload", claims)?);
        Ok(Self { header, claims, oddity })
    }

    /// A text in the header.
    pub(in crate::command) fn parameter(&self, name: &str) -> Option<&str> {
        self.header.get(name).and_then(Value::as_str)
    }

    /// A text among the claims.
    pub(in crate::command) fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    /// A moment among the claims, in whole seconds since the Unix epoch.
    pub(in crate::command) fn date(&self, name: &str) -> Option<i64> {
        let value = self.claims.get(name)?;
        value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64))
    }
}

/// Reads as strictly as the engine does, or says why that would not and reads all the same.
fn read(bytes: &[u8], oddity: &mut Option<String>) -> anyhow::Result<Value> {
    let error = match json::parse(bytes, BOUNDS) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    if bytes.len() > BOUNDS.bytes {
        bail!("is longer than {} bytes", BOUNDS.bytes);
    }
    let value = serde_json::from_slice(bytes).map_err(|_| anyhow!("is not JSON"))?;
    oddity.get_or_insert_with(|| error.to_string());
    Ok(value)
}
