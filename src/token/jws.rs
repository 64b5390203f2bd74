//! The compact serialization of a JSON Web Signature, and the rules of its header.

use serde_json::{Map, Value};

use super::base64url::{self, decode};
use super::{Algorithm, Rejected};
use crate::json;

/// The longest token we read, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The longest `kid`, in bytes.
pub(super) const MAX_KEY_ID_BYTES: usize = 256;

const HEADER: json::Bounds = json::Bounds { bytes: 2 * 1024, depth: 16, items: 256 };

/// A token in its parts. Nothing in it is true until its signature is checked. No `Debug`: it is
/// a credential.
pub(super) struct Jws<'a> {
    /// `alg`.
    pub(super) algorithm: Algorithm,
    /// `typ`, as written.
    pub(super) token_type: Option<String>,
    /// `kid`: at most [`MAX_KEY_ID_BYTES`], otherwise whatever the caller likes.
    pub(super) key_id: Option<String>,
    /// `jwk`: a key that the caller likes. Not read in an access token.
    pub(super) key: Option<Value>,
    /// The decoded payload.
    pub(super) payload: Vec<u8>,
    /// The received bytes that the signature covers: never re-encoded (RFC 7515 §5.2).
    pub(super) signing_input: &'a [u8],
    /// The decoded signature.
    pub(super) signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    ///
    /// Anything but three parts of canonical base64url within the bounds, and every header we
    /// cannot follow to the letter.
    pub(super) fn parse(token: &'a str) -> Result<Self, Rejected> {
        Self::parse_within(token, MAX_TOKEN_BYTES)
    }

    /// The same with another bound than that of tokens.
    ///
    /// # Errors
    ///
    /// Likewise.
    pub(super) fn parse_within(token: &'a str, bytes: usize) -> Result<Self, Rejected> {
        if token.len() > bytes {
            return Err(Rejected::TooLong);
        }
        // What has a character that no token has can be neither split nor decoded; and that is what
        // is wrong with it, whatever else is.
        let has_stray = || token.split('.').any(|part| !base64url::is_alphabet(part));
        Self::take_apart(token).map_err(|rejected| match rejected {
            _ if has_stray() => Rejected::CharacterForbidden,
            rejected => rejected,
        })
    }

    fn take_apart(token: &'a str) -> Result<Self, Rejected> {
        let (signing_input, signature) = token.rsplit_once('.').ok_or(Rejected::NotThreeParts)?;
        let (header, payload) = signing_input.split_once('.').ok_or(Rejected::NotThreeParts)?;
        if [header, payload, signature].into_iter().any(|part| part.is_empty())
            || payload.contains('.')
        {
            return Err(Rejected::NotThreeParts);
        }

        let decode = |part| decode(part).ok_or(Rejected::EncodingInvalid);
        let header = Header::parse(&decode(header)?)?;
        Ok(Self {
            algorithm: header.algorithm,
            token_type: header.token_type,
            key_id: header.key_id,
            key: header.key,
            payload: decode(payload)?,
            signing_input: signing_input.as_bytes(),
            signature: decode(signature)?,
        })
    }
}

/// Whether nobody but its issuer can read a token: it is not three parts of base64url of which the
/// first is the header of a JWS, an object.
pub fn is_opaque(token: &str) -> bool {
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return true;
    };
    let is_part = |part: &str| !part.is_empty() && base64url::is_alphabet(part);
    let is_object = |text: Vec<u8>| text.trim_ascii_start().first() == Some(&b'{');
    !is_part(payload) || !is_part(signature) || !decode(header).is_some_and(is_object)
}

struct Header {
    algorithm: Algorithm,
    token_type: Option<String>,
    key_id: Option<String>,
    key: Option<Value>,
}

impl Header {
    fn parse(text: &[u8]) -> Result<Self, Rejected> {
        if text.len() > HEADER.bytes {
            return Err(Rejected::TooLong);
        }
        let Ok(Value::Object(mut members)) = json::parse(text, HEADER) else {
            return Err(Rejected::HeaderMalformed);
        };
        // We understand no extension, so whatever is critical is not understood (§4.1.11).
        if members.contains_key("crit") {
            return Err(Rejected::CriticalHeader);
        }
        if members.contains_key("b64") {
            return Err(Rejected::UnencodedPayload);
        }
        if string(&mut members, "cty", Rejected::ContentNotClaims)?
            .is_some_and(|content| !is_media_type(&content, "json"))
        {
            return Err(Rejected::ContentNotClaims);
        }
        let algorithm = string(&mut members, "alg", Rejected::HeaderMalformed)?
            .ok_or(Rejected::AlgorithmMissing)?
            .parse()
            .map_err(|_| Rejected::AlgorithmNotAllowed)?;
        let key_id = string(&mut members, "kid", Rejected::KeyIdMalformed)?;
        if key_id.as_ref().is_some_and(|kid| kid.len() > MAX_KEY_ID_BYTES) {
            return Err(Rejected::KeyIdMalformed);
        }
        let token_type = string(&mut members, "typ", Rejected::TypeNotAccessToken)?;
        Ok(Self { algorithm, token_type, key_id, key: members.remove("jwk") })
    }
}

/// Whether `written` names the media type `application/{name}`, which a header may abbreviate to
/// `name` (RFC 7515 §4.1.9). Case does not matter.
pub(super) fn is_media_type(written: &str, name: &str) -> bool {
    const PREFIX: &str = "application/";
    let short = match written.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
        _ => written,
    };
    short.eq_ignore_ascii_case(name)
}

/// Takes a member that must be a string where it is present.
fn string(
    members: &mut Map<String, Value>,
    name: &str,
    otherwise: Rejected,
) -> Result<Option<String>, Rejected> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(otherwise),
    }
}
