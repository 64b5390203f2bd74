//! What makes a JWT an access token, and not one of its look-alikes.

use super::jws::is_media_type;
use super::{Claims, Rejected};

/// What an issuer's access tokens look like.
///
/// Under both, `iss`, `exp`, `aud`, `sub` and the client are required.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// The standard profile (RFC 9068): `typ` says access token, `iat` and `jti` are there.
    #[default]
    Rfc9068,
    /// For providers that are not there yet: `typ` may be absent, `JWT` or `JOSE`. What an ID token or a
    /// security event carries and an access token does not is refused.
    Jwt,
}

impl Profile {
    /// Refuses whatever says it is something else (RFC 9068 §4, RFC 8725 §3.11).
    pub(super) fn check_type(self, token_type: Option<&str>) -> Result<(), Rejected> {
        let fits = match (self, token_type) {
            (Self::Rfc9068, None) => false,
            (Self::Jwt, None) => true,
            (Self::Rfc9068, Some(written)) => is_media_type(written, "at+jwt"),
            (Self::Jwt, Some(written)) => {
                ["at+jwt", "jwt", "jose"].iter().any(|kind| is_media_type(written, kind))
            }
        };
        if fits { Ok(()) } else { Err(Rejected::TypeNotAccessToken) }
    }

    /// Refuses claims that are not an access token's.
    pub(super) fn check_claims(self, claims: &Claims) -> Result<(), Rejected> {
        match self {
            Self::Rfc9068 if !claims.has("iat") => Err(Rejected::IssuedAtMissing),
            Self::Rfc9068 if claims.token_id().is_none() => Err(Rejected::TokenIdMissing),
            Self::Rfc9068 if !claims.has("client_id") => Err(Rejected::ClientMissing),
            // OpenID Connect Core §2 and §3.3.2.11.
            Self::Jwt if ["nonce", "at_hash", "c_hash"].iter().any(|name| claims.has(name)) => {
                Err(Rejected::IdToken)
            }
            // RFC 8417 §2.2; a logout token is one.
            Self::Jwt if claims.has("events") => Err(Rejected::SecurityEvent),
            Self::Jwt | Self::Rfc9068 => Ok(()),
        }
    }
}
