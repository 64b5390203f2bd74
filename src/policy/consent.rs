//! How users say that an agent may do what it has to ask for.

use super::issuers::Trusted;
use super::problem::{Path, Problem, Problems};
use super::wire;
use crate::audit::Firewall;
use crate::token::IssuerId;

/// The longest time that what a user says may be valid, in seconds, and that it is when nothing is
/// written.
const MAX_LIFETIME_SECS: u32 = 3_600;
const DEFAULT_LIFETIME_SECS: u32 = 300;

/// The longest time that it is remembered, in seconds.
pub(super) const MAX_REMEMBERED_SECS: u32 = 86_400;

/// The longest address to send users to, in bytes.
const MAX_URL_BYTES: usize = 2_048;

/// What the header is called unless the policy says otherwise.
const HEADER: &str = "x-agent-consent";

/// How users say that an agent may.
#[derive(Debug)]
pub struct Consent {
    /// Who signs it.
    pub issuer: IssuerId,
    /// Who that is.
    pub issuer_name: String,
    /// Where users are asked. Visible ASCII.
    pub url: String,
    /// Whom it is for.
    pub audience: String,
    /// The header that it comes in, in lower case.
    pub header: String,
    /// The longest time it may be valid, in seconds.
    pub max_lifetime: u32,
}

impl Consent {
    /// Reads it; what is wrong goes to `problems`.
    #[inline(never)]
    pub(super) fn compile(
        written: wire::Consent,
        trusted: &Trusted,
        resource: Option<&str>,
        firewall: &Firewall,
        problems: &mut Problems,
    ) -> Option<Self> {
        let here = Path::root().join("consent");
        let wire::Consent { issuer: issuer_name, url, audience, header, max_lifetime } = written;
        let issuer = trusted.resolve(&issuer_name, || here.join("issuer"), problems);
        let is_url = url.starts_with("https://") || url.starts_with("http://127.0.0.1");
        let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_url || !is_plain || url.len() > MAX_URL_BYTES {
            let message = "expected an `https` URL in visible ASCII";
            problems.add(Problem::new(message).at(here.join("url")));
        }
        let audience = audience.or_else(|| resource.map(str::to_owned));
        if audience.as_ref().is_none_or(String::is_empty) {
            let message = "expected `audience`, or a `resource` whose identifier it is";
            problems.add(Problem::new(message).at(here.clone()));
        }
        let header = header.map_or_else(|| HEADER.to_owned(), |name| name.to_ascii_lowercase());
        let is_name = |byte: u8| byte == b'-' || byte == b'_' || byte.is_ascii_alphanumeric();
        if header.is_empty() || !header.bytes().all(is_name) || firewall.guards(header.as_bytes()) {
            let message = "expected a header's name that callers can send";
            problems.add(Problem::new(message).at(here.join("header")));
        }
        let max_lifetime = max_lifetime.map_or(DEFAULT_LIFETIME_SECS, |seconds| seconds.get());
        if max_lifetime > MAX_LIFETIME_SECS {
            let message = format!("expected at most {MAX_LIFETIME_SECS} s");
            problems.add(Problem::new(message).at(here.join("max_lifetime")));
        }
        let (issuer, audience) = (issuer?, audience?);
        Some(Self { issuer, issuer_name, url, audience, header, max_lifetime })
    }
}
