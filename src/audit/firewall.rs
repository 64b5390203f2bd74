//! What only the gateway may say is removed from a request.

use std::fmt;

/// The longest prefix that may be reserved.
pub const MAX_PREFIX_BYTES: usize = 64;

/// Less than this is no name of one's own.
const MIN_PREFIX_BYTES: usize = 4;

/// The headers, folded, that pass for the gateway's word in another way than by their prefix: with
/// the first ones many frameworks act on another method or path than the one that was checked, and
/// a transaction token is issued inside and never comes from outside (draft-ietf-oauth-transaction-tokens).
const ALSO_GUARDED: [&[u8]; 6] = [
    b"x-http-method-override",
    b"x-http-method",
    b"x-method-override",
    b"x-original-url",
    b"x-rewrite-url",
    b"txn-token",
];

/// Headers that others rely on, one for each family; a prefix that covers one is not ours to reserve.
const NOT_OURS: [&str; 25] = [
    "accept-encoding",
    "access-control-request-method",
    "cache-control",
    "content-type",
    "grpc-timeout",
    "idempotency-key",
    "if-none-match",
    "last-event-id",
    "mcp-protocol-version",
    "proxy-authorization",
    "sec-fetch-site",
    "signature-input",
    "transfer-encoding",
    "user-agent",
    "x-amzn-trace-id",
    "x-api-key",
    "x-b3-traceid",
    "x-client-ip",
    "x-correlation-id",
    "x-csrf-token",
    "x-envoy-external-address",
    "x-forwarded-for",
    "x-real-ip",
    "x-request-id",
    "x-requested-with",
];

/// Which headers of a request only the gateway may set.
///
/// Names are compared folded: letters without case, and every byte that is no letter or digit as a
/// `-`. CGI, WSGI, Rack and PHP hand a backend `X_Postern_Agent` and `x.postern-agent` under the
/// same name as `x-postern-agent`, so what is guarded is guarded in all these spellings.
///
/// ```
/// use postern::audit::Firewall;
///
/// let firewall = Firewall::default();
/// assert!(firewall.guards(b"X_Postern-Agent"));
/// assert!(firewall.guards(b"X-HTTP-Method-Override"));
/// assert!(!firewall.guards(b"x-request-id"));
/// assert!(Firewall::new("x-forwarded-").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firewall {
    prefix: Box<str>,
}

impl Firewall {
    /// What headers of our own start with unless the policy says otherwise.
    pub const DEFAULT_PREFIX: &str = "x-postern-";

    /// Reserves the headers that start with `prefix`.
    ///
    /// # Errors
    ///
    /// [`PrefixError`] for a prefix that is not of 4 to [`MAX_PREFIX_BYTES`] lower-case letters,
    /// digits and `-`, a letter first and a `-` last, or that covers headers others rely on.
    pub fn new(prefix: &str) -> Result<Self, PrefixError> {
        let is_folded = |byte: u8| fold(byte) == byte;
        if !(MIN_PREFIX_BYTES..=MAX_PREFIX_BYTES).contains(&prefix.len())
            || !prefix.starts_with(|first: char| first.is_ascii_lowercase())
            || !prefix.ends_with('-')
            || !prefix.bytes().all(is_folded)
        {
            return Err(PrefixError::Malformed);
        }
        match NOT_OURS.into_iter().find(|name| name.starts_with(prefix)) {
            Some(name) => Err(PrefixError::NotOurs(name)),
            None => Ok(Self { prefix: prefix.into() }),
        }
    }

    /// What headers of our own start with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether a header of this name must not come from outside, however often it does.
    pub fn guards(&self, name: &[u8]) -> bool {
        let Some(first) = name.first().map(|byte| fold(*byte)) else { return false };
        let prefix = self.prefix.as_bytes();
        (prefix.first() == Some(&first)
            && name.get(..prefix.len()).is_some_and(|start| folds_to(start, prefix)))
            || (matches!(first, b't' | b'x')
                && ALSO_GUARDED
                    .iter()
                    .any(|guarded| guarded.len() == name.len() && folds_to(name, guarded)))
    }
}

impl Default for Firewall {
    fn default() -> Self {
        Self { prefix: Self::DEFAULT_PREFIX.into() }
    }
}

/// Whether a header's name is one that a backend may take for `folded`.
pub(crate) fn folds_to(name: &[u8], folded: &[u8]) -> bool {
    name.len() == folded.len() && name.iter().zip(folded).all(|(&byte, &to)| fold(byte) == to)
}

const fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' }
}

/// Why a prefix cannot be reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixError {
    /// Not of the form that every host and backend leaves as it is.
    Malformed,
    /// Covers this header, which others rely on.
    NotOurs(&'static str),
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => write!(
                f,
                "expected a prefix of {MIN_PREFIX_BYTES} to {MAX_PREFIX_BYTES} lower-case letters, \
                 digits and `-`, a letter first and a `-` last, such as `{}`",
                Firewall::DEFAULT_PREFIX
            ),
            Self::NotOurs(name) => {
                write!(f, "expected a prefix of one's own, this one covers `{name}`")
            }
        }
    }
}

impl std::error::Error for PrefixError {}

#[cfg(test)]
mod tests {
    use super::{ALSO_GUARDED, Firewall, MAX_PREFIX_BYTES, NOT_OURS, PrefixError, fold};

    fn guards(name: impl AsRef<[u8]>) -> bool {
        Firewall::default().guards(name.as_ref())
    }

    #[test]
    fn a_header_of_ours_is_guarded_in_every_spelling() {
        for name in [
            "x-postern-agent",
            "X-Postern-Agent",
            "X-POSTERN-AGENT",
            "x_postern_agent",
            "X_Postern-Agent",
            "x-postern_agent",
            "x.postern.agent",
            "x-postern.agent",
            "x postern agent",
            "x!postern~agent",
            "x-postern-",
            "x-postern--agent",
            "x-postern-anything-we-never-set",
        ] {
            assert!(guards(name), "{name}");
        }
    }

    #[test]
    fn the_answer_is_the_same_for_every_copy() {
        let firewall = Firewall::default();
        let names = [&b"x-postern-agent"[..], b"host", b"X_POSTERN_AGENT", b"x-postern-agent"];
        assert_eq!(names.map(|name| firewall.guards(name)), [true, false, true, true]);
    }

    #[test]
    fn bytes_that_are_not_utf8_fold_like_any_other() {
        assert!(guards(b"x\xffpostern\x00agent"));
        assert!(guards(b"x-postern-\xff\xfe"));
        assert!(guards(b"txn\xfftoken"));
        assert!(!guards(b"\xff-postern-agent"));
        assert!(!guards(b"x-poster\xee-agent"));
    }

    #[test]
    fn what_lets_a_caller_speak_for_the_gateway_is_guarded() {
        for name in ALSO_GUARDED {
            assert!(guards(name));
            assert!(guards(name.to_ascii_uppercase()));
            let underscored: Vec<_> =
                name.iter().map(|&byte| if byte == b'-' { b'_' } else { byte }).collect();
            assert!(guards(underscored));
        }
    }

    #[test]
    fn other_headers_are_let_through() {
        for name in NOT_OURS {
            assert!(!guards(name), "{name}");
        }
        for name in [
            "",
            "x",
            "x-postern",
            "x-posternagent",
            "xpostern-agent",
            "my-x-postern-agent",
            "-x-postern-agent",
            "x--postern-agent",
            "authorization",
            "host",
            ":path",
            ":method",
            "x-http-methods",
            "x-original-url-2",
            "my-txn-token",
        ] {
            assert!(!guards(name), "{name}");
        }
    }

    #[test]
    fn the_names_we_compare_with_are_folded_and_begin_as_we_look_for_them() {
        assert!(ALSO_GUARDED.iter().all(|name| matches!(name.first(), Some(b't' | b'x'))));
        assert!(ALSO_GUARDED.concat().into_iter().all(|byte| fold(byte) == byte));
        assert_eq!(Firewall::new(Firewall::DEFAULT_PREFIX), Ok(Firewall::default()));
    }

    #[test]
    fn another_prefix_guards_its_own_and_not_the_default() {
        let firewall = Firewall::new("acme-agent-").unwrap();
        assert_eq!(firewall.prefix(), "acme-agent-");
        assert!(firewall.guards(b"Acme_Agent_Id") && firewall.guards(b"X-Rewrite-Url"));
        assert!(!firewall.guards(b"x-postern-agent"));
    }

    #[test]
    fn a_prefix_that_could_be_read_in_two_ways_is_refused() {
        let long = format!("{}-", "x".repeat(MAX_PREFIX_BYTES));
        for prefix in [
            "",
            "x-",
            "ab-",
            "x-postern",
            "X-Postern-",
            "x_postern-",
            "-abc-",
            "1abc-",
            "x é-",
            &long,
        ] {
            assert_eq!(Firewall::new(prefix), Err(PrefixError::Malformed), "{prefix}");
        }
    }

    #[test]
    fn a_prefix_of_headers_that_others_rely_on_is_refused() {
        for prefix in ["x-forwarded-", "content-", "accept-", "x-envoy-", "x-request-", "mcp-"] {
            let error = Firewall::new(prefix).unwrap_err();
            assert!(matches!(error, PrefixError::NotOurs(name) if name.starts_with(prefix)));
        }
    }
}
