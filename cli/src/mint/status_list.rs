//! Lists of what became of tokens (draft-ietf-oauth-status-list-21).

use miniz_oxide::deflate::compress_to_vec_zlib;
use serde_json::{Map, Value, json};

use super::{Error, PrivateKey, base64url, sign};

/// How hard it is tried to make a list small.
const LEVEL: u8 = 9;

/// A status list to be: all tokens in it are valid until told otherwise.
#[derive(Clone, Debug)]
pub struct StatusList {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    bits: u8,
    statuses: Vec<u8>,
}

impl StatusList {
    /// A list at `uri` with a place for at least so many tokens, made at `now` (seconds since the
    /// Unix epoch), with 1, 2, 4 or 8 bits for each.
    pub fn new(uri: &str, bits: u8, tokens: usize, now: i64) -> Self {
        let claims = [("sub", uri.into()), ("iat", now.into())];
        Self {
            header: Map::from_iter([("typ".to_owned(), "statuslist+jwt".into())]),
            claims: claims.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            bits,
            statuses: vec![0; tokens.div_ceil(usize::from(8 / bits.clamp(1, 8)))],
        }
    }

    /// The token at a place has this status: 0 is valid, 1 invalid, 2 suspended (§7.1).
    #[must_use]
    pub fn set(mut self, index: usize, status: u8) -> Self {
        let (bits, each) = (usize::from(self.bits), usize::from(8 / self.bits.clamp(1, 8)));
        if let Some(byte) = self.statuses.get_mut(index / each) {
            let shift = index % each * bits;
            *byte &= !(u8::MAX >> (8 - bits) << shift);
            *byte |= status << shift;
        }
        self
    }

    /// Any claim; an earlier value is replaced.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Any header parameter; wins over what the key says.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// The list, signed by `key`.
    ///
    /// # Errors
    ///
    /// [`Error::Sign`] when the key cannot.
    pub fn sign(&self, key: &PrivateKey) -> Result<String, Error> {
        let mut header = Map::from_iter([
            ("alg".to_owned(), key.algorithm().name().into()),
            ("kid".to_owned(), key.kid().into()),
        ]);
        header.extend(self.header.clone());
        let mut claims = self.claims.clone();
        let packed = base64url(&compress_to_vec_zlib(&self.statuses, LEVEL));
        claims.entry("status_list").or_insert_with(|| json!({ "bits": self.bits, "lst": packed }));
        sign(key, &Value::Object(header).to_string(), &Value::Object(claims).to_string())
    }
}
