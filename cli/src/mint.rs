//! Keys and tokens for development: what an identity provider would issue, and what an attacker
//! would write.
//!
//! [`PrivateKey`] makes and holds a key, [`AccessToken`] writes an RFC 9068 token with it,
//! [`Proof`] proves that its sender has the key a token is bound to,
//! [`StatusList`] says what became of tokens,
//! [`ApiKey`] is a key of an organization, for production too, and
//! [`sign`] and [`unsecured`] write any text at all as a token, for tests of whoever reads it.
//!
//! Time is a parameter. Randomness comes from the operating system.
//!
//! ```
//! use postern_cli::mint::{AccessToken, Algorithm, PrivateKey};
//!
//! let key = PrivateKey::generate(Algorithm::Es256)?;
//! let token = AccessToken::new("https://login.example/", "https://api.example", 1_700_000_000)
//!     .subject("ada")
//!     .client("support-bot")
//!     .scope("crm.read")
//!     .actor("support-bot")
//!     .sign(&key)?;
//! assert_eq!(token.split('.').count(), 3);
//! # Ok::<(), postern_cli::mint::Error>(())
//! ```

mod api_key;
mod jwk;
mod key;
mod proof;
mod status_list;
mod token;

#[cfg(test)]
mod tests;

use std::fmt;

pub use api_key::ApiKey;
pub use jwk::key_set;
pub use key::{Algorithm, Encoding, PrivateKey};
pub use proof::Proof;
pub use status_list::StatusList;
pub use token::{AccessToken, sign, unsecured};

/// Why there is no key or no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The text names no algorithm that keys can be made for.
    Algorithm(String),
    /// The operating system gave no randomness, or the key generator failed.
    Generate,
    /// The document is no private JWK that we read, for this reason.
    Jwk(&'static str),
    /// The key could not sign.
    Sign,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Algorithm(name) => {
                write!(f, "unknown algorithm `{name}`: expected EdDSA, ES256, HS256 or RS256")
            }
            Self::Generate => f.write_str("the key generator failed"),
            Self::Jwk(reason) => write!(f, "not a private JWK: {reason}"),
            Self::Sign => f.write_str("the key could not sign"),
        }
    }
}

impl std::error::Error for Error {}

/// The text that stands for `bytes` in a token or a JWK (RFC 7515 §2).
fn base64url(bytes: &[u8]) -> String {
    use base64ct::{Base64UrlUnpadded, Encoding};
    Base64UrlUnpadded::encode_string(bytes)
}
