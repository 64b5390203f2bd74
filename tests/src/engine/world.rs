//! A clock that stands still, a store in memory, and a network on which nothing moves by itself.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use postern::host::{
    Content, Expected, Fetch, Host, HostError, SignatureCheck, Stored, Swap, Timestamp, key_aside,
};

use super::NOW;

/// Clock and store; a clone is the same ones.
#[derive(Clone, Debug, Default)]
pub struct World(Rc<Inner>, Realm);

/// Whether counts are kept apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Realm {
    #[default]
    Common,
    Aside,
}

#[derive(Debug)]
struct Inner {
    now: Cell<Timestamp>,
    broken: Cell<bool>,
    writes: Cell<u32>,
    values: RefCell<HashMap<Vec<u8>, Stored>>,
    sends: Cell<bool>,
    fetches: RefCell<Vec<Sent>>,
    certificate: Cell<Option<[u8; 32]>>,
    source: RefCell<Option<String>>,
    signature_checks: Cell<u32>,
}

/// A request to a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The number under which its answer comes.
    pub call: u32,
    /// The upstream's name.
    pub upstream: String,
    /// The URL.
    pub url: String,
    /// Milliseconds for the answer.
    pub timeout: u32,
    /// The form that is sent along, if there is one.
    pub form: Option<String>,
    /// The message of gRPC that is sent along, if there is one.
    pub message: Option<Vec<u8>>,
    /// Who sends it.
    pub authorization: Option<String>,
    /// The edition that need not be sent again.
    pub known_etag: Option<String>,
    /// When, in nanoseconds since 1970.
    pub at: u64,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            now: Cell::new(Timestamp::from_secs(NOW)),
            broken: Cell::default(),
            writes: Cell::default(),
            values: RefCell::default(),
            sends: Cell::new(true),
            fetches: RefCell::default(),
            certificate: Cell::default(),
            source: RefCell::default(),
            signature_checks: Cell::default(),
        }
    }
}

impl World {
    /// Sets the clock, in seconds from [`NOW`] on.
    pub fn set(&self, offset: i64) {
        self.0.now.set(Timestamp::from_secs(NOW.saturating_add_signed(offset)));
    }

    /// Moves the clock on.
    pub fn advance_millis(&self, millis: u64) {
        let now = self.0.now.get().as_nanos();
        self.0.now.set(Timestamp::from_nanos(now + millis * 1_000_000));
    }

    /// Lets requests to providers be sent, or not.
    pub fn send(&self, sends: bool) {
        self.0.sends.set(sends);
    }

    /// The requests to providers since this was last asked, oldest first.
    pub fn take_fetches(&self) -> Vec<Sent> {
        self.0.fetches.take()
    }

    /// Puts `value` in the place of everything in the store.
    pub fn spoil(&self, value: &[u8]) {
        let version = self.0.writes.get().wrapping_add(1);
        self.0.writes.set(version);
        for stored in self.0.values.borrow_mut().values_mut() {
            *stored = Stored { value: value.to_vec(), version };
        }
    }

    /// Forgets what is in the store.
    pub fn forget(&self) {
        self.0.values.borrow_mut().clear();
    }

    /// Breaks the store, or mends it.
    pub fn break_store(&self, broken: bool) {
        self.0.broken.set(broken);
    }

    /// Lets requests come over a connection with this client certificate, or none.
    pub fn connect(&self, certificate: Option<[u8; 32]>) {
        self.0.certificate.set(certificate);
    }

    /// What the clock says, in seconds.
    pub fn now_secs(&self) -> i64 {
        self.0.now.get().as_secs()
    }

    /// Lets requests come from this address.
    pub fn call_from(&self, address: &str) {
        self.0.source.replace(Some(address.to_owned()));
    }

    /// How many signatures were to be checked of those that hosts know.
    pub fn signature_checks(&self) -> u32 {
        self.0.signature_checks.get()
    }

    fn key(&self, key: &[u8]) -> Vec<u8> {
        if self.1 == Realm::Aside { key_aside(key) } else { key.to_vec() }
    }

    /// How often the store was written.
    pub fn writes(&self) -> u32 {
        self.0.writes.get()
    }
}

impl Host for World {
    fn now(&self) -> Timestamp {
        self.0.now.get()
    }

    fn load(&self, key: &[u8]) -> Result<Option<Stored>, HostError> {
        if self.0.broken.get() {
            return Err(HostError);
        }
        Ok(self.0.values.borrow().get(&self.key(key)).cloned())
    }

    fn swap(&self, key: &[u8], value: &[u8], expected: Expected) -> Result<Swap, HostError> {
        if self.0.broken.get() {
            return Err(HostError);
        }
        let (key, mut values) = (self.key(key), self.0.values.borrow_mut());
        let there = values.get(&key).map(|stored| stored.version);
        let wanted = match expected {
            Expected::Absent => None,
            Expected::Version(version) => Some(version),
        };
        if there != wanted {
            return Ok(Swap::Conflict);
        }
        let version = self.0.writes.get().wrapping_add(1);
        self.0.writes.set(version);
        values.insert(key, Stored { value: value.to_vec(), version });
        Ok(Swap::Done)
    }

    fn aside(&self) -> Option<Self> {
        Some(Self(Rc::clone(&self.0), Realm::Aside))
    }

    fn source(&self) -> Option<Vec<u8>> {
        self.0.source.borrow().clone().map(String::into_bytes)
    }

    /// Has nothing to check signatures with, and counts them.
    fn verify_signature(&self, _: &SignatureCheck<'_>) -> Option<bool> {
        self.0.signature_checks.update(|count| count + 1);
        None
    }

    fn peer_certificate(&self) -> Option<[u8; 32]> {
        self.0.certificate.get()
    }

    fn random(&self) -> Result<[u8; 16], HostError> {
        let number = self.0.writes.get().wrapping_add(1);
        Ok([u8::try_from(number).unwrap_or(u8::MAX); 16])
    }

    fn speaks_grpc(&self) -> bool {
        true
    }

    fn fetch(&self, fetch: &Fetch<'_>) -> Result<u32, HostError> {
        if !self.0.sends.get() {
            return Err(HostError);
        }
        let (form, message) = match fetch.content {
            Content::Nothing => (None, None),
            Content::Form(form) => (Some(form), None),
            Content::Message(message) => (None, Some(message.to_vec())),
        };
        let call = self.0.writes.get().wrapping_add(1);
        self.0.writes.set(call);
        self.0.fetches.borrow_mut().push(Sent {
            call,
            upstream: fetch.upstream.to_owned(),
            url: format!("{}://{}{}", fetch.scheme, fetch.authority, fetch.path),
            timeout: fetch.timeout_millis,
            form: form.map(|form| form.fields.to_owned()),
            authorization: form.and_then(|form| form.authorization).map(str::to_owned),
            message,
            known_etag: fetch.known_etag.map(str::to_owned),
            at: self.0.now.get().as_nanos(),
        });
        Ok(call)
    }
}
