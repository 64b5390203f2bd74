//! What the API is called in OAuth, and where that is written down (RFC 9728).

use serde_json::json;

use super::problem::{Path, Problem, Problems};
use super::{DetailTypes, wire};
use crate::binding::Checks;
use crate::route::{Pattern, Segment};
use crate::token::Algorithm;

/// The path under which protected resource metadata is served (RFC 9728 §3).
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The API as an OAuth protected resource.
#[derive(Debug)]
pub struct Resource {
    /// The resource identifier (RFC 8707 §2).
    pub identifier: String,
    /// Where its metadata is: the value of `resource_metadata` in challenges.
    pub metadata_url: String,
    /// The path of that URL.
    pub metadata_path: Pattern,
    /// The metadata, as JSON.
    pub metadata: String,
}

impl Resource {
    /// Reads the resource; what is wrong goes to `problems`.
    #[inline(never)]
    pub(super) fn compile<'a>(
        written: wire::Resource,
        issuers: impl Iterator<Item = &'a str>,
        scopes: impl Iterator<Item = &'a str>,
        details: &DetailTypes,
        (checks, is_dpop_required): (&Checks, bool),
        problems: &mut Problems,
    ) -> Option<Self> {
        let wire::Resource { identifier, name, documentation } = written;
        let Some((origin, path)) = split(&identifier) else {
            let message = "expected an `https` URL without query or fragment (RFC 8707 §2)";
            problems
                .add(Problem::new(message).at(Path::root().join("resource").join("identifier")));
            return None;
        };
        let metadata_url = format!("{origin}{WELL_KNOWN}{path}");
        let one_path = |path: &Pattern| {
            path.segments().iter().all(|segment| matches!(segment, Segment::Literal(_)))
        };
        let Some(metadata_path) = format!("{WELL_KNOWN}{path}").parse().ok().filter(one_path)
        else {
            let message = "expected a path that can be read in one way only, without `*` or braces";
            problems
                .add(Problem::new(message).at(Path::root().join("resource").join("identifier")));
            return None;
        };
        let mut metadata = json!({
            "resource": identifier,
            "authorization_servers": issuers.collect::<Vec<_>>(),
            "scopes_supported": scopes.collect::<Vec<_>>(),
            "bearer_methods_supported": ["header"],
        });
        if let Some(members) = metadata.as_object_mut() {
            let optional = [("resource_name", name), ("resource_documentation", documentation)];
            for (member, value) in optional {
                members.extend(value.map(|value| (member.to_owned(), value.into())));
            }
            if let Some(dpop) = &checks.dpop {
                let names: Vec<_> = dpop.algorithms.iter().map(Algorithm::name).collect();
                members.insert("dpop_signing_alg_values_supported".to_owned(), names.into());
            }
            if !details.is_empty() {
                let names: Vec<_> = details.keys().map(String::as_str).collect();
                members.insert("authorization_details_types_supported".to_owned(), names.into());
            }
            let flags = [
                ("dpop_bound_access_tokens_required", is_dpop_required),
                ("tls_client_certificate_bound_access_tokens", checks.mtls.is_some()),
            ];
            let flags = flags.into_iter().filter(|(_, holds)| *holds);
            members.extend(flags.map(|(member, holds)| (member.to_owned(), holds.into())));
        }
        Some(Self { identifier, metadata_url, metadata_path, metadata: metadata.to_string() })
    }
}

/// The origin of a resource identifier.
pub(super) fn origin(identifier: &str) -> Option<&str> {
    split(identifier).map(|(origin, _)| origin)
}

/// Origin and path of an `https` URL (of an `http` one on loopback, for development) that is fit
/// to stand in a header; the path without a lone or trailing slash.
fn split(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("https://").or_else(|| {
        let rest = url.strip_prefix("http://")?;
        let ends = |after: &str| after.is_empty() || after.starts_with([':', '/']);
        let mut hosts = ["localhost", "127.0.0.1", "[::1]"].into_iter();
        hosts.any(|host| rest.strip_prefix(host).is_some_and(ends)).then_some(rest)
    })?;
    let plain = |byte: u8| byte.is_ascii_graphic() && !br#""\?#@<>{}|^`"#.contains(&byte);
    if rest.is_empty() || rest.starts_with('/') || !rest.bytes().all(plain) {
        return None;
    }
    let host = rest.find('/').unwrap_or(rest.len());
    let (origin, path) =
        url.split_at_checked(url.len().checked_sub(rest.len().checked_sub(host)?)?)?;
    Some((origin, path.strip_suffix('/').unwrap_or(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_path_stands_between_host_and_path() {
        assert_eq!(split("https://api.example/crm/"), Some(("https://api.example", "/crm")));
        assert_eq!(split("https://api.example"), Some(("https://api.example", "")));
        assert_eq!(split("http://127.0.0.1:8080/"), Some(("http://127.0.0.1:8080", "")));
    }

    #[test]
    fn what_is_no_resource_identifier_is_refused() {
        for url in [
            "http://api.example/",
            "https://",
            "https:///a",
            "https://a/?b",
            "https://a#b",
            "https://a b",
            "https://u@a/",
            "https://a\"",
            "api",
            "http://localhost.evil.example/",
            "http://127.0.0.10/",
        ] {
            assert_eq!(split(url), None, "{url}");
        }
    }
}
