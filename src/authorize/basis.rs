//! What a caller may do it by.

use super::elevation::Used;

/// By what a caller may do what it asks for.
#[derive(Clone, Debug, Default)]
pub enum Basis {
    /// The scopes of its token, or of its API key.
    #[default]
    Scopes,
    /// Details of its token, of this type (RFC 9396).
    Details(String),
    /// A grant.
    Grant(Used),
}

impl Basis {
    /// The grant that is used, if it is one.
    pub const fn grant(&self) -> Option<&Used> {
        match self {
            Self::Grant(used) => Some(used),
            Self::Details(_) | Self::Scopes => None,
        }
    }

    /// The type of the details that grant it, if any do.
    pub fn details(&self) -> Option<&str> {
        match self {
            Self::Details(name) => Some(name),
            Self::Grant(_) | Self::Scopes => None,
        }
    }
}
