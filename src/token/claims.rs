//! The claims of a token (RFC 7519 §4).

mod path;

use std::fmt;

use serde_json::{Map, Value};

pub use path::{ClaimPath, InvalidClaimPath};

use super::{MAX_TOKEN_BYTES, Rejected};
use crate::json;

/// How large a payload may be.
const PAYLOAD: json::Bounds = json::Bounds { bytes: MAX_TOKEN_BYTES, depth: 16, items: 256 };

/// The longest issuer, subject, client or token id, in bytes.
const MAX_IDENTIFIER_BYTES: usize = 512;

/// The latest `NumericDate` we believe, in 2286. A moment in milliseconds lies beyond it.
const LAST_DATE: f64 = 9_999_999_999.0;

/// The claims of one token, each member named once.
///
/// Identifiers (`iss`, `sub`, `client_id`, `azp`, `jti`) are well-formed where they are present:
/// strings of 1 to 512 bytes without control characters.
#[derive(Clone, Default, PartialEq)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// Reads a payload.
    pub(crate) fn parse(payload: &[u8]) -> Result<Self, Rejected> {
        match json::parse(payload, PAYLOAD) {
            Ok(Value::Object(members)) => Self::from_members(members),
            _ => Err(Rejected::ClaimsMalformed),
        }
    }

    /// Takes members that were read strictly for claims.
    pub(super) fn from_members(members: Map<String, Value>) -> Result<Self, Rejected> {
        if ["iss", "sub", "client_id", "azp", "jti"]
            .into_iter()
            .filter_map(|name| members.get(name))
            .any(|value| !value.as_str().is_some_and(is_identifier))
        {
            return Err(Rejected::IdentifierMalformed);
        }
        if members.get("act").is_some_and(|actor| !actor.is_object()) {
            return Err(Rejected::ActorMalformed);
        }
        let claims = Self(members);
        match (claims.text("client_id"), claims.text("azp")) {
            (Some(client), Some(party)) if client != party => Err(Rejected::ClientConflict),
            _ => Ok(claims),
        }
    }

    /// `iss` (RFC 7519 §4.1.1).
    pub fn issuer(&self) -> Option<&str> {
        self.text("iss")
    }

    /// `sub` (RFC 7519 §4.1.2): unique within the issuer only.
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// The client, by those of the claims at `paths` that are present: they must agree.
    pub(super) fn client(&self, paths: &[ClaimPath]) -> Result<&str, Rejected> {
        let mut client = None;
        for value in paths.iter().filter_map(|path| self.get(path)) {
            let name = value.as_str().filter(|name| is_identifier(name));
            let name = name.ok_or(Rejected::IdentifierMalformed)?;
            if *client.get_or_insert(name) != name {
                return Err(Rejected::ClientConflict);
            }
        }
        client.ok_or(Rejected::ClientMissing)
    }

    /// `jti` (RFC 7519 §4.1.7).
    pub fn token_id(&self) -> Option<&str> {
        self.text("jti")
    }

    /// `iat` (RFC 7519 §4.1.6), in whole seconds since the epoch: a fraction counts as earlier.
    pub fn issued_at(&self) -> Option<i64> {
        self.date("iat").ok().flatten().map(|seconds| seconds.floor() as i64)
    }

    /// `act`, the current actor (RFC 8693 §4.1). Actors nested in it have no say.
    pub fn actor(&self) -> Option<&Map<String, Value>> {
        self.0.get("act").and_then(Value::as_object)
    }

    /// `status`, where it is an object (draft-ietf-oauth-status-list-21 §6.1).
    pub(super) fn status(&self) -> Option<&Map<String, Value>> {
        self.0.get("status").and_then(Value::as_object)
    }

    /// `cnf`, what the token is bound to (RFC 7800 §3.1), be it `null`.
    pub fn confirmation(&self) -> Option<&Value> {
        self.0.get("cnf")
    }

    /// The scopes at `paths` (RFC 8693 §4.2). At each a list parted by spaces or an array of
    /// strings; what is neither grants nothing.
    pub fn scopes<'a>(&'a self, paths: &'a [ClaimPath]) -> impl Iterator<Item = &'a str> {
        paths.iter().filter_map(|path| self.get(path)).flat_map(scopes_of)
    }

    /// All of them, by name.
    pub const fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The value at `path`.
    pub fn get(&self, path: &ClaimPath) -> Option<&Value> {
        path.find(&self.0)
    }

    /// Refuses the claims unless one of `ours` is among their audiences (RFC 7519 §4.1.3). Who
    /// has no name takes only what is addressed to nobody.
    pub(super) fn check_audience(&self, ours: &[String]) -> Result<(), Rejected> {
        if ours.is_empty() && !self.has("aud") {
            return Ok(());
        }
        let is_ours = |audience: &str| ours.iter().any(|name| name == audience);
        let found = match self.0.get("aud").ok_or(Rejected::AudienceMissing)? {
            Value::String(audience) => is_ours(audience),
            Value::Array(list) if !list.is_empty() && list.iter().all(Value::is_string) => {
                list.iter().filter_map(Value::as_str).any(is_ours)
            }
            _ => return Err(Rejected::AudienceMalformed),
        };
        if found { Ok(()) } else { Err(Rejected::AudienceMismatch) }
    }

    /// Whether a claim of this name is present, be it `null`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The `NumericDate` under `name`, in seconds since the epoch, fractions and all.
    pub(crate) fn date(&self, name: &str) -> Result<Option<f64>, Rejected> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        value
            .as_f64()
            .filter(|seconds| (0.0..=LAST_DATE).contains(seconds))
            .map(Some)
            .ok_or(Rejected::DateMalformed)
    }

    /// The text under `name`, if it is one.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }
}

impl fmt::Debug for Claims {
    /// Shows which claims there are and not what they say: they are somebody's personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Whether an issuer, a subject, a client or a token may be called so.
pub fn is_identifier(text: &str) -> bool {
    (1..=MAX_IDENTIFIER_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn scopes_of(value: &Value) -> impl Iterator<Item = &str> {
    let text = value.as_str().unwrap_or_default().split(' ').filter(|scope| !scope.is_empty());
    let list = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    text.chain(list)
}
