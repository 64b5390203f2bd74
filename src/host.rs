//! What the engine asks of the world: a clock, a store that all workers share, a way to fetch, and
//! what only the connection knows.
//!
//! Everything else a decision needs is in the request and the policy, so whoever implements
//! [`Host`] can run the engine: a proxy, a command line, a test, a fuzzer.

use std::fmt;

/// A moment, in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment `nanos` nanoseconds after the Unix epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The moment `seconds` seconds after the Unix epoch; past the year 2554, the last one there is.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, as `NumericDate` counts them (RFC 7519 §2).
    pub const fn as_secs(self) -> i64 {
        (self.0 / 1_000_000_000).cast_signed()
    }
}

/// What the engine asks of the world.
pub trait Host {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// The value under `key` in the store that all workers share.
    ///
    /// # Errors
    ///
    /// [`HostError`] when the host has no store or the store fails; never for an absent key.
    fn load(&self, key: &[u8]) -> Result<Option<Stored>, HostError>;

    /// Puts `value` under `key` if what is there is still what the caller `expected`.
    ///
    /// # Errors
    ///
    /// [`HostError`] when the host has no store or the store fails; a lost race is
    /// [`Swap::Conflict`].
    fn swap(&self, key: &[u8], value: &[u8], expected: Expected) -> Result<Swap, HostError>;

    /// The same host, in which what is counted, and what is remembered as used, is counted and
    /// remembered apart: see [`key_aside`]. `None` where it cannot be.
    fn aside(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

    /// Sends a request; the answer comes later, under the number that is returned.
    ///
    /// # Errors
    ///
    /// [`HostError`] when the host cannot send anything, or not there; hosts that need not fetch
    /// say so to everything.
    fn fetch(&self, fetch: &Fetch<'_>) -> Result<u32, HostError> {
        let _ = fetch;
        Err(HostError)
    }

    /// Whether a [`Content::Message`] can be sent.
    fn speaks_grpc(&self) -> bool {
        false
    }

    /// The address of whoever sent the request at hand, as the host writes it. `None` where it
    /// cannot be known: then nobody is told apart.
    fn source(&self) -> Option<Vec<u8>> {
        None
    }

    /// The SHA-256 of the certificate (in DER) that the client of the request at hand showed, and
    /// proved to have, in the TLS connection that it came over. `None` where there is none, and on
    /// hosts of which it cannot be known for sure.
    fn peer_certificate(&self) -> Option<[u8; 32]> {
        None
    }

    /// Whether the value of a header is shown as a whole: some hosts show it up to the first comma,
    /// and what follows may change its meaning.
    fn shows_whole_headers(&self) -> bool {
        true
    }

    /// Whether a signature is its key's, by what the host has of its own: that is faster than what
    /// is compiled to WebAssembly. `None` where it has nothing, or not for this.
    fn verify_signature(&self, check: &SignatureCheck<'_>) -> Option<bool> {
        let _ = check;
        None
    }

    /// Bytes that nobody can guess.
    ///
    /// # Errors
    ///
    /// [`HostError`] when the host has none.
    fn random(&self) -> Result<[u8; 16], HostError> {
        Err(HostError)
    }
}

/// What is in the store for all alike: it is what was fetched, and what nonces are made with.
const COMMON: [&[u8]; 2] = [b"postern.feed.", b"postern.dpop.nonce"];

/// The key that stands for `key` where counts are kept apart.
pub fn key_aside(key: &[u8]) -> Vec<u8> {
    let is_common = COMMON.iter().any(|common| key.starts_with(common));
    let realm: &[u8] = if is_common { b"" } else { b"candidate." };
    [realm, key].concat()
}

/// A signature to check: ECDSA or RSASSA-PKCS1-v1_5, as the key says.
#[derive(Clone, Copy, Debug)]
pub struct SignatureCheck<'a> {
    /// The hash of the message that is signed: `sha256`, `sha384` or `sha512`.
    pub hash: &'static str,
    /// A `SubjectPublicKeyInfo` in DER (RFC 5280 §4.1).
    pub public_key: &'a [u8],
    /// What is signed.
    pub message: &'a [u8],
    /// The signature: for ECDSA an `Ecdsa-Sig-Value` in DER (RFC 3279 §2.2.3).
    pub signature: &'a [u8],
}

/// What to ask of another server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch<'a> {
    /// What the host calls the server: a cluster in Envoy, `host:port` in nginx.
    pub upstream: &'a str,
    /// `http` or `https`, as the URL says; whether TLS is spoken is the host's business.
    pub scheme: &'a str,
    /// Host and port, as the URL says.
    pub authority: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// How long to wait for the answer, in milliseconds.
    pub timeout_millis: u32,
    /// The edition that is there already (`If-None-Match`): it need not be sent again.
    pub known_etag: Option<&'a str>,
    /// What is sent along.
    pub content: Content<'a>,
}

/// What is sent along with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// Nothing, by `GET`.
    Nothing,
    /// A form, by `POST`.
    Form(Form<'a>),
    /// A message of gRPC with its length in front, by `POST` and HTTP/2.
    Message(&'a [u8]),
}

/// A form (`application/x-www-form-urlencoded`), and who sends it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Form<'a> {
    /// The value of `authorization`, where the sender has a secret.
    pub authorization: Option<&'a str>,
    /// The fields, encoded.
    pub fields: &'a str,
}

impl fmt::Debug for Form<'_> {
    /// Shows nothing: there are credentials in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Form(..)")
    }
}

/// A value of the shared store, and the version to name when replacing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The bytes as they were put there.
    pub value: Vec<u8>,
    /// Changes with every write of the key.
    pub version: u32,
}

/// What must be under a key for a [`Host::swap`] to take place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    Absent,
    /// The value that carried this version.
    Version(u32),
}

/// How a [`Host::swap`] went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Swap {
    /// The new value is in place.
    Done,
    /// Another worker was first; nothing was changed.
    Conflict,
}

/// The host could not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostError;

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host failed")
    }
}

impl std::error::Error for HostError {}
