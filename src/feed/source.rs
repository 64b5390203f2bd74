//! Where a document is, and how old it may get.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::SECOND;
use crate::host::{Content, Fetch};

/// The longest URL, in bytes.
const MAX_URL_BYTES: usize = 2_048;

/// Where a document is fetched, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The document; or the issuer's metadata, which says where its keys are (RFC 8414).
    pub url: Url,
    /// Whether it is the metadata.
    pub is_metadata: bool,
    /// Through which upstream of the proxy's: a cluster in Envoy, `host:port` in nginx.
    pub cluster: String,
    /// How often it is fetched anew, in seconds.
    pub refresh: u32,
    /// How old a document may be that is still believed, in seconds; at least `refresh`.
    pub max_staleness: u32,
    /// How long the provider has to answer, in seconds.
    pub timeout: u32,
    /// How long a request waits for it, in seconds.
    pub hold: u32,
}

impl Source {
    /// Longest `refresh`, in seconds: a day.
    pub const MAX_REFRESH_SECS: u32 = 86_400;
    /// Shortest `refresh`, in seconds: no provider is to be flooded by a slip of the pen.
    pub const MIN_REFRESH_SECS: u32 = 5;
    /// Longest `max_staleness`, in seconds: past a week, who can tell what became of a key.
    pub const MAX_STALENESS_SECS: u32 = 7 * 86_400;
    /// Longest `timeout`, in seconds.
    pub const MAX_TIMEOUT_SECS: u32 = 30;
    /// Longest `hold`, in seconds.
    pub const MAX_HOLD_SECS: u32 = 10;

    /// The key of the shared store under which its record lies: another one for another place, and
    /// where the document has to be of another kind.
    pub(super) fn store_key(&self, kind: &str) -> String {
        let mut hash = Sha256::new();
        for part in [&self.cluster, self.url.as_str(), kind] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let mut key = "postern.feed.".to_owned();
        let nibbles = digest.iter().take(16).flat_map(|byte| [byte >> 4, byte & 0xf]);
        key.extend(nibbles.filter_map(|nibble| char::from_digit(nibble.into(), 16)));
        key
    }

    /// What to ask for `url`, on its server; not for the edition that is `known`.
    pub(super) fn fetch<'a>(&'a self, url: &'a Url, known: &'a str) -> Fetch<'a> {
        Fetch {
            upstream: &self.cluster,
            scheme: url.scheme(),
            authority: url.authority(),
            path: url.path(),
            timeout_millis: self.timeout.saturating_mul(1_000),
            known_etag: Some(known).filter(|known| !known.is_empty()),
            content: Content::Nothing,
        }
    }

    pub(super) fn refresh_nanos(&self) -> u64 {
        u64::from(self.refresh) * SECOND
    }

    pub(super) fn staleness_nanos(&self) -> u64 {
        u64::from(self.max_staleness) * SECOND
    }

    pub(super) fn timeout_nanos(&self) -> u64 {
        u64::from(self.timeout) * SECOND
    }

    /// How long the server has for all that is asked of it: first the metadata, then the keys.
    pub(super) fn patience_nanos(&self) -> u64 {
        self.timeout_nanos().saturating_mul(if self.is_metadata { 2 } else { 1 })
    }

    pub(super) fn hold_nanos(&self) -> u64 {
        u64::from(self.hold) * SECOND
    }
}

/// An absolute `http` or `https` URL without user and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    text: String,
    /// Where the authority begins, and where the path.
    authority: usize,
    path: usize,
    port: u16,
}

impl Url {
    /// The URL as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &str {
        if self.is_secure() { "https" } else { "http" }
    }

    /// Whether it is an `https` URL.
    pub fn is_secure(&self) -> bool {
        self.text.starts_with("https:")
    }

    /// Host and, where it is written, port.
    pub fn authority(&self) -> &str {
        self.text.get(self.authority..self.path).unwrap_or_default()
    }

    /// The host: a name, or an address without brackets.
    pub fn host(&self) -> &str {
        let authority = self.authority();
        match authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        }
    }

    /// The port, that of the scheme where none is written.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Path and query; `/` where there is none.
    pub fn path(&self) -> &str {
        match self.text.get(self.path..) {
            None | Some("") => "/",
            Some(path) => path,
        }
    }

    /// Whether it leads to this machine.
    pub fn is_loopback(&self) -> bool {
        matches!(self.host(), "localhost" | "127.0.0.1" | "::1")
    }
}

impl FromStr for Url {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        if text.len() > MAX_URL_BYTES {
            return Err(InvalidUrl::TooLong);
        }
        let plain = |byte: u8| byte.is_ascii_graphic() && !br#""\<>{}|^`"#.contains(&byte);
        if !text.bytes().all(plain) {
            return Err(InvalidUrl::Character);
        }
        let (rest, default) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (rest, 443),
            (None, Some(rest)) => (rest, 80),
            (None, None) => return Err(InvalidUrl::NotAbsolute),
        };
        if text.contains('#') {
            return Err(InvalidUrl::Fragment);
        }
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(InvalidUrl::UserInfo);
        }
        let (host, port) = match authority.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
            // An address, as far as its characters go; the proxy takes it or not.
            Some((address, port)) => {
                let digit = |byte: u8| byte.is_ascii_hexdigit() || b":.".contains(&byte);
                if !address.contains(':') || !address.bytes().all(digit) {
                    return Err(InvalidUrl::Host);
                }
                (address, port)
            }
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        let name = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
        if host.is_empty() || !host.bytes().all(name) {
            return Err(InvalidUrl::Host);
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => default,
            None => return Err(InvalidUrl::Host),
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or(InvalidUrl::Port)?,
        };
        let start = text.len().saturating_sub(rest.len());
        let path = start.saturating_add(authority.len());
        if text.get(path..).is_some_and(|path| path.starts_with('?')) {
            return Err(InvalidUrl::NoPath);
        }
        Ok(Self { text: text.to_owned(), authority: start, path, port })
    }
}

/// Why a text is no URL that keys are fetched from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidUrl {
    /// A character that belongs into no URL.
    Character,
    /// `#` is for browsers.
    Fragment,
    /// The host is neither a name nor an address.
    Host,
    /// A query right behind the host.
    NoPath,
    /// It begins with neither `http://` nor `https://`.
    NotAbsolute,
    /// The port is no number from 1 to 65535.
    Port,
    /// Longer than 2,048 bytes.
    TooLong,
    /// It has a user, or a password: that would be a secret in the policy.
    UserInfo,
}

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Character => "a character that belongs into no URL",
            Self::Fragment => "expected a URL without a fragment (`#`)",
            Self::Host => "expected a host's name or address",
            Self::NoPath => "expected a path before the query",
            Self::NotAbsolute => "expected an absolute URL: `https://` or `http://`",
            Self::Port => "expected a port from 1 to 65535",
            Self::TooLong => "expected at most 2048 bytes",
            Self::UserInfo => "expected a URL without a user or a password",
        })
    }
}

impl std::error::Error for InvalidUrl {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_as_the_proxy_needs_it() {
        let parts = |text: &str| {
            let url: Url = text.parse().unwrap();
            (url.authority().to_owned(), url.host().to_owned(), url.port(), url.path().to_owned())
        };
        let own =
            |a: &str, h: &str, port, p: &str| (a.to_owned(), h.to_owned(), port, p.to_owned());
        assert_eq!(parts("https://a.example/k?v=1"), own("a.example", "a.example", 443, "/k?v=1"));
        assert_eq!(parts("http://a:81"), own("a:81", "a", 81, "/"));
        assert_eq!(parts("https://[::1]:8443/k"), own("[::1]:8443", "::1", 8443, "/k"));
    }

    #[test]
    fn what_is_no_url_to_fetch_keys_from_is_refused_with_the_reason() {
        for (text, error) in [
            ("", InvalidUrl::NotAbsolute),
            ("/jwks.json", InvalidUrl::NotAbsolute),
            ("file:///etc/passwd", InvalidUrl::NotAbsolute),
            ("HTTPS://a/", InvalidUrl::NotAbsolute),
            ("https://", InvalidUrl::Host),
            ("https:///k", InvalidUrl::Host),
            ("https://:80/", InvalidUrl::Host),
            ("https://[a]/", InvalidUrl::Host),
            ("https://[::1]x/", InvalidUrl::Host),
            ("https://a:b:1/", InvalidUrl::Port),
            ("https://a:0/", InvalidUrl::Port),
            ("https://a:65536/", InvalidUrl::Port),
            ("https://user@a/", InvalidUrl::UserInfo),
            ("https://user:pass@a/", InvalidUrl::UserInfo),
            ("https://a/k#f", InvalidUrl::Fragment),
            ("https://a?k", InvalidUrl::NoPath),
            ("https://a/ k", InvalidUrl::Character),
            ("https://a/k\r\nx: y", InvalidUrl::Character),
            ("https://ä/", InvalidUrl::Character),
        ] {
            assert_eq!(text.parse::<Url>(), Err(error), "{text}");
        }
        let long = format!("https://a/{}", "k".repeat(MAX_URL_BYTES));
        assert_eq!(long.parse::<Url>(), Err(InvalidUrl::TooLong));
    }

    #[test]
    fn two_places_never_share_a_record() {
        let source = |url: &str, cluster: &str| {
            let url = url.parse().unwrap();
            let cluster = cluster.to_owned();
            let (refresh, max_staleness, timeout, hold) = (600, 600, 5, 2);
            Source { url, is_metadata: false, cluster, refresh, max_staleness, timeout, hold }
        };
        let key = source("https://a/k", "login").store_key("keys");
        assert_eq!(key.len(), "postern.feed.".len() + 32);
        assert_ne!(key, source("https://a/k2", "login").store_key("keys"));
        assert_ne!(key, source("https://a/k", "other").store_key("keys"));
        assert_ne!(key, source("https://a/k", "login").store_key("revocations"));
    }
}
