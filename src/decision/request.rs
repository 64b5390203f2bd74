//! A request as the proxy sees it.

use crate::binding::Checks;
use crate::denial::{Denial, Refusal};
use crate::policy::Policy;
use crate::token::credential;

/// The most headers a request may have.
pub const MAX_HEADERS: usize = 256;

/// A request as the proxy sees it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a [u8],
    /// The path, with its query.
    pub path: &'a [u8],
    /// Every header, as often as it came, pseudo-headers among them.
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// Whether a header that is removed here is kept from the backend. Where it is not, a request
    /// that brings one that only Postern may set is refused.
    pub strips_headers: bool,
}

/// The headers that a decision looks at, found in one pass.
#[derive(Debug, Default)]
pub(super) struct Sifted<'a> {
    /// The places of those that only Postern may set, ascending.
    pub guarded: Vec<usize>,
    /// The places of the credentials, ascending.
    credentials: Vec<usize>,
    /// The API key; of several the last.
    key: Option<&'a [u8]>,
    /// The proxy's identifier of the request.
    pub request_id: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    pub(super) fn sift(&self, policy: &Policy) -> Sifted<'a> {
        let mut sifted = Sifted::default();
        for (place, (name, value)) in self.headers.iter().enumerate().take(MAX_HEADERS) {
            if policy.firewall.guards(name) {
                sifted.guarded.push(place);
            } else if name.eq_ignore_ascii_case(b"authorization") {
                sifted.credentials.push(place);
            } else if name.eq_ignore_ascii_case(b"x-request-id") {
                sifted.request_id = Some(value);
            } else if policy.api_keys.as_ref().is_some_and(|keys| keys.is_header(name)) {
                sifted.credentials.push(place);
                sifted.key = Some(value);
            }
        }
        sifted
    }
}

impl<'a> Sifted<'a> {
    /// Whether the request can go on, as far as its headers go.
    ///
    /// # Errors
    ///
    /// [`Denial::InvalidRequest`] when there are too many, or one that only Postern may set and
    /// that cannot be kept from the backend.
    pub(super) fn check(&self, request: &Request<'_>) -> Result<(), Refusal> {
        let invalid = |reason| Err(Refusal::because(Denial::InvalidRequest, reason));
        if request.headers.len() > MAX_HEADERS {
            return invalid("the request has too many headers");
        }
        if !request.strips_headers && !self.guarded.is_empty() {
            return invalid("the request has a header that only the gateway may set");
        }
        Ok(())
    }

    /// The API key, where one came, and no other credential beside it.
    ///
    /// # Errors
    ///
    /// [`Denial::InvalidRequest`] for two credentials, be it in one header or in two.
    pub(super) fn key(&self, query: Option<&[u8]>) -> Result<Option<&'a [u8]>, Refusal> {
        let Some(key) = self.key else { return Ok(None) };
        if self.credentials.len() > 1 || query.is_some_and(credential::has_token) {
            return Err(Refusal::because(
                Denial::InvalidRequest,
                "the request has an API key and another credential",
            ));
        }
        Ok(Some(credential::trim(key)))
    }

    /// The places of all headers that the backend must not see, ascending.
    pub(super) fn drop(
        self,
        checks: &Checks,
        request: &Request<'_>,
        keep_credential: bool,
    ) -> Vec<usize> {
        let mut drop = self.guarded;
        if !keep_credential {
            let mut add = |place| drop.insert(drop.partition_point(|other| *other < place), place);
            self.credentials.into_iter().for_each(&mut add);
            if checks.any() {
                checks.evidence(request.headers).for_each(add);
            }
        }
        drop
    }
}
