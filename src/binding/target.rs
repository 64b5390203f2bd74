//! The URI that a proof is for, against that of the request.
//!
//! What the request says of its scheme and host is the caller's, or some proxy's, word. So they
//! come from the policy, and only the path comes from the request.

use std::borrow::Cow;

use crate::route::NormalPath;

/// The longest origin, in bytes.
const MAX_ORIGIN_BYTES: usize = 512;

/// Scheme, host and port under which callers know the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    secure: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// Reads an `https` or `http` URL of which nothing follows host and port.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_ORIGIN_BYTES || text.contains(['?', '#']) {
            return None;
        }
        let Target { secure, host, port, path } = Target::parse(text)?;
        let name = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        (path == "/" && host.bytes().all(name)).then(|| Self {
            secure,
            host: host.to_owned(),
            port,
        })
    }

    /// Whether `uri` is `path` at this origin: compared after the normalization of RFC 3986 §6.2.2
    /// and §6.2.3, without query and fragment (RFC 9449 §4.3, check 9). A path that servers may
    /// read in two ways is no request's.
    pub fn has(&self, uri: &str, path: &NormalPath<'_>) -> bool {
        let Some(target) = Target::parse(uri) else { return false };
        self.secure == target.secure
            && self.port == target.port
            && self.host.eq_ignore_ascii_case(target.host)
            && NormalPath::parse(target.path.as_bytes())
                .is_ok_and(|theirs| theirs.as_str() == path.as_str())
    }

    /// Whether callers come by TLS.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether they come from this machine.
    pub fn is_loopback(&self) -> bool {
        matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "[::1]")
    }

    /// The origin as text, without a port that goes without saying.
    pub fn text(&self) -> Cow<'_, str> {
        let scheme = if self.secure { "https" } else { "http" };
        if self.port == default_port(self.secure) {
            return format!("{scheme}://{}", self.host).into();
        }
        format!("{scheme}://{}:{}", self.host, self.port).into()
    }
}

/// An absolute URI in its parts, without query and fragment.
struct Target<'a> {
    secure: bool,
    /// An address of version 6 in its brackets.
    host: &'a str,
    port: u16,
    path: &'a str,
}

impl<'a> Target<'a> {
    fn parse(uri: &'a str) -> Option<Self> {
        if !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let uri = uri.split(['?', '#']).next()?;
        let (scheme, rest) = uri.split_once("://")?;
        let secure = match scheme {
            scheme if scheme.eq_ignore_ascii_case("https") => true,
            scheme if scheme.eq_ignore_ascii_case("http") => false,
            _ => return None,
        };
        let (authority, path) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len()))?;
        let after_host = authority.rfind(']').map_or(0, |end| end.saturating_add(1));
        let (host, port) = match authority.get(after_host..)?.rfind(':') {
            Some(colon) => {
                let (host, port) = authority.split_at_checked(after_host.checked_add(colon)?)?;
                (host, port.strip_prefix(':')?)
            }
            None => (authority, ""),
        };
        let port = match port {
            "" => default_port(secure),
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
            _ => return None,
        };
        if host.is_empty() || host.contains('@') {
            return None;
        }
        Some(Self { secure, host, port, path: if path.is_empty() { "/" } else { path } })
    }
}

const fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is(origin: &str, uri: &str, path: &str) -> bool {
        let path = NormalPath::parse(path.as_bytes()).unwrap();
        Origin::parse(origin).unwrap().has(uri, &path)
    }

    #[test]
    fn rfc9449_4_3_check_9_the_target_is_the_uri_of_the_request() {
        let is = |uri| is("https://server.example.com", uri, "/resource");
        assert!(is("https://server.example.com/resource"));
        for other in [
            "https://server.example.com/resource/",
            "https://server.example.com/Resource",
            "https://server.example.com/",
            "https://server.example.com",
            "http://server.example.com/resource",
            "https://server.example.com:444/resource",
            "https://server.example.com:80/resource",
            "https://server.example.com:/x/resource",
            "https://server.example.com.evil.example/resource",
            "https://evil.example/https://server.example.com/resource",
            "https://server.example.com@evil.example/resource",
            "https://u@server.example.com/resource",
            "https://server.example.com:+443/resource",
            "https://server.example.com:0443x/resource",
            "//server.example.com/resource",
            "/resource",
            "https:/server.example.com/resource",
            "https:///resource",
            "ftp://server.example.com/resource",
            " https://server.example.com/resource",
            "https://server.example.com/resource\n",
            "",
        ] {
            assert!(!is(other), "{other}");
        }
    }

    #[test]
    fn rfc9449_4_3_check_9_query_and_fragment_are_ignored() {
        for tail in ["?", "?a=b", "#", "#f", "?a#b", "#b?a", "?https://other.example/"] {
            let uri = format!("https://a.example/resource{tail}");
            assert!(is("https://a.example", &uri, "/resource?c=d"), "{uri}");
        }
        assert!(is("https://a.example", "https://a.example?x", "/"));
    }

    #[test]
    fn rfc3986_6_2_2_case_of_scheme_and_host_and_needless_encoding_do_not_matter() {
        assert!(is("https://a.example", "HTTPS://A.Example/%72esource", "/resource"));
        assert!(is("https://A.EXAMPLE", "https://a.example/caf%c3%a9", "/caf%C3%A9"));
        assert!(!is("https://a.example", "https://a.example/RESOURCE", "/resource"));
    }

    #[test]
    fn rfc3986_6_2_3_the_default_port_and_the_empty_path_may_be_written_or_not() {
        for uri in ["https://a.example", "https://a.example/", "https://a.example:/"] {
            assert!(is("https://a.example:443", uri, "/"), "{uri}");
        }
        assert!(is("https://a.example", "https://a.example:443/", "/"));
        assert!(is("http://127.0.0.1:8080", "http://127.0.0.1:8080/x", "/x"));
        assert!(is("https://[::1]:8443", "https://[::1]:8443/x", "/x"));
        assert!(is("https://[::1]", "https://[::1]:443/x", "/x"));
        assert!(!is("https://[::1]", "https://[::1]:444/x", "/x"));
    }

    #[test]
    fn a_target_that_can_be_read_in_two_ways_is_no_request_s() {
        for uri in ["/a/../resource", "/./resource", "//resource", "/resource%2f", "/resource;v=1"]
        {
            let uri = format!("https://a.example{uri}");
            assert!(!is("https://a.example", &uri, "/resource"), "{uri}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port_and_nothing_else() {
        let text = |origin| Origin::parse(origin).map(|origin| origin.text().into_owned());
        assert_eq!(text("https://a.example/").as_deref(), Some("https://a.example"));
        assert_eq!(text("http://a.example:443").as_deref(), Some("http://a.example:443"));
        for origin in [
            "",
            "a.example",
            "https://",
            "https://a/b",
            "https://a?b",
            "https://a#",
            "https://a@b",
            "https://a b",
            "https://a\"",
            "https://a%41",
            "https://a:b",
            "https://a:99999",
        ] {
            assert_eq!(text(origin), None, "{origin}");
        }
    }

    proptest! {
        #[test]
        fn any_target_is_compared_or_refused(uri in any::<String>(), rest in "[ -~]{0,40}") {
            let path = NormalPath::parse(b"/resource").unwrap();
            let origin = Origin::parse("https://a.example").unwrap();
            for uri in [uri, format!("https://{rest}"), format!("https://a.example{rest}")] {
                if origin.has(&uri, &path) {
                    let plain = uri.to_ascii_lowercase();
                    prop_assert!(plain.starts_with("https://a.example"), "{uri}");
                }
            }
        }

        #[test]
        fn no_other_host_is_ours(host in "[a-z@:/.%#?\\\\]{1,20}") {
            let path = NormalPath::parse(b"/").unwrap();
            let origin = Origin::parse("https://a.example").unwrap();
            let uri = format!("https://{host}a.example/");
            prop_assert!(!origin.has(&uri, &path), "{uri}");
            let uri = format!("https://a.example{host}");
            let rest = uri.strip_prefix("https://a.example").unwrap_or_default();
            let is_end = rest.starts_with(['/', '?', '#', ':']);
            prop_assert!(is_end || !origin.has(&uri, &path), "{uri}");
        }
    }
}
