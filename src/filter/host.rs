//! The engine's [`Host`]: the proxy's clock, shared store and upstreams.

use super::abi::{self, Status};
use super::capability::Capability;
use super::native;
use super::pairs::{self, Pair};
use crate::binding::parse_digest;
use std::borrow::Cow;

use crate::host::{
    Content, Expected, Fetch, Host, HostError, SignatureCheck, Stored, Swap, Timestamp, key_aside,
};

/// Envoy's property with the SHA-256 of the client's certificate, in hexadecimal digits.
const CERTIFICATE_DIGEST: &[u8] = b"connection\0sha256_peer_certificate_digest";

/// The address of the client, as far as the proxy believes it.
const SOURCE: &[u8] = b"source\0address";

/// The proxy, while it handles one request, the moment of which is `now`.
pub(super) struct Proxy {
    now: Timestamp,
    capability: Capability,
    is_aside: bool,
}

impl Proxy {
    /// Reads the clock, once for the request.
    ///
    /// # Errors
    ///
    /// The proxy has no clock: no token's lifetime could be checked.
    pub(super) fn new(capability: Capability) -> Result<Self, Status> {
        Ok(Self { now: Timestamp::from_nanos(abi::now()?), capability, is_aside: false })
    }

    fn key<'k>(&self, key: &'k [u8]) -> Cow<'k, [u8]> {
        if self.is_aside { key_aside(key).into() } else { key.into() }
    }
}

impl Host for Proxy {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn load(&self, key: &[u8]) -> Result<Option<Stored>, HostError> {
        match abi::shared_data(&self.key(key)) {
            // A key that was removed stays, with a version and without a value.
            Ok((value, _)) if value.is_empty() => Ok(None),
            Ok((value, version)) => Ok(Some(Stored { value, version })),
            Err(Status::NotFound) => Ok(None),
            Err(_) => Err(HostError),
        }
    }

    fn swap(&self, key: &[u8], value: &[u8], expected: Expected) -> Result<Swap, HostError> {
        let key = &*self.key(key);
        let cas = match expected {
            Expected::Absent => self.capability.cas_if_absent,
            // On most hosts 0 means *whatever is there*.
            Expected::Version(0) => return Err(HostError),
            Expected::Version(version) => version,
        };
        match abi::set_shared_data(key, value, cas) {
            Err(Status::CasMismatch) if expected == Expected::Absent => fill(key, value),
            outcome => swapped(outcome),
        }
    }

    fn aside(&self) -> Option<Self> {
        Some(Self { is_aside: true, ..*self })
    }

    fn fetch(&self, fetch: &Fetch<'_>) -> Result<u32, HostError> {
        let (method, accept): (&[u8], &[u8]) = match fetch.content {
            Content::Nothing => (b"GET", b"application/jwk-set+json, application/json, application/jwt, application/statuslist+jwt"),
            Content::Form(_) => (b"POST", b"application/json"),
            Content::Message(_) => (b"POST", b"application/grpc"),
        };
        let mut headers: Vec<Pair<'_>> = vec![
            (b":method", method),
            (b":scheme", fetch.scheme.as_bytes()),
            (b":authority", fetch.authority.as_bytes()),
            (b":path", fetch.path.as_bytes()),
            (b"accept", accept),
            (b"user-agent", b"postern"),
        ];
        headers.extend(fetch.known_etag.map(|etag| {
            let pair: Pair<'_> = (b"if-none-match", etag.as_bytes());
            pair
        }));
        let body = match &fetch.content {
            Content::Nothing => &[][..],
            Content::Form(form) => {
                headers.push((b"content-type", b"application/x-www-form-urlencoded"));
                headers.extend(form.authorization.map(|value| {
                    let pair: Pair<'_> = (b"authorization", value.as_bytes());
                    pair
                }));
                form.fields.as_bytes()
            }
            Content::Message(message) => {
                let grpc: [Pair<'_>; 2] =
                    [(b"content-type", b"application/grpc"), (b"te", b"trailers")];
                headers.extend(grpc);
                message
            }
        };
        let headers = pairs::serialize(&headers).ok_or(HostError)?;
        abi::http_call(fetch.upstream.as_bytes(), &headers, body, fetch.timeout_millis)
            .map_err(|_| HostError)
    }

    fn speaks_grpc(&self) -> bool {
        self.capability.speaks_grpc
    }

    fn source(&self) -> Option<Vec<u8>> {
        if !self.capability.shows_source {
            return None;
        }
        abi::property(SOURCE).ok().filter(|address| !address.is_empty())
    }

    fn peer_certificate(&self) -> Option<[u8; 32]> {
        if !self.capability.shows_certificates {
            return None;
        }
        parse_digest(&abi::property(CERTIFICATE_DIGEST).ok()?)
    }

    fn shows_whole_headers(&self) -> bool {
        self.capability.shows_whole_headers
    }

    fn verify_signature(&self, check: &SignatureCheck<'_>) -> Option<bool> {
        if self.capability.verifies_signatures { native::verify(check) } else { None }
    }

    fn random(&self) -> Result<[u8; 16], HostError> {
        abi::random().map_err(|_| HostError)
    }
}

/// Gives a value to a key that is there and has none, or is absent after all: then the host is one
/// to which 0 means *only if absent*, for all others have taken the value before.
fn fill(key: &[u8], value: &[u8]) -> Result<Swap, HostError> {
    match abi::shared_data(key) {
        Ok((present, version)) if present.is_empty() && version != 0 => {
            swapped(abi::set_shared_data(key, value, version))
        }
        Ok(_) => Ok(Swap::Conflict),
        Err(Status::NotFound) => swapped(abi::set_shared_data(key, value, 0)),
        Err(_) => Err(HostError),
    }
}

fn swapped(outcome: Result<(), Status>) -> Result<Swap, HostError> {
    match outcome {
        Ok(()) => Ok(Swap::Done),
        Err(Status::CasMismatch) => Ok(Swap::Conflict),
        Err(_) => Err(HostError),
    }
}
