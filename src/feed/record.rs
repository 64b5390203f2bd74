//! What all workers know of a source: one value of the shared store, and the rules of changing it.
//!
//! Nothing here waits or fetches: a worker loads the record, changes it by one of the rules, and
//! swaps it in if no other worker was faster.
//!
//! Moments in it were written by other workers, or by a clock that has gone back since. So a
//! moment that lies farther ahead than any rule could have put it counts as passed.

use sha2::{Digest, Sha256};

use super::{SECOND, Source};

/// How much longer than the provider's time to answer a lease lasts.
const LEASE_SLACK: u64 = SECOND;

/// The longest lease, in nanoseconds.
const MAX_LEASE: u64 = (Source::MAX_TIMEOUT_SECS as u64) * 2 * SECOND + LEASE_SLACK;

/// The wait after the first failure; doubled with each further one.
const FIRST_RETRY: u64 = SECOND / 2;

/// The longest wait while there are keys to go on with.
const MAX_RETRY: u64 = 60 * SECOND;

/// The longest wait while there are none: an outage must not last for much longer than the
/// provider's own.
const MAX_RETRY_WITHOUT_KEYS: u64 = 5 * SECOND;

/// In the long run one fetch in so much time for unknown `kid`s, whoever makes them up.
const ASK_EVERY: u64 = 15 * SECOND;

/// So many of them at once: a provider may rotate twice in a row.
const ASKS_AT_ONCE: u64 = 4;

/// How long a `kid` that was asked for does not ask again.
const ASKED_FOR: u64 = 60 * SECOND;

/// The `kid`s that are remembered as asked for. More are never asked for within [`ASKED_FOR`]; see
/// [`ASK_EVERY`].
const MAX_ASKED: usize = 16;

/// The first byte: another one is another layout, and no record.
const LAYOUT: u8 = 2;

/// What all workers know of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// The document of the last good answer, as JSON; empty until there was one.
    pub(super) document: Vec<u8>,
    /// What its server calls it; empty where that is not known.
    pub(super) etag: String,
    /// When it was made, in seconds since the Unix epoch, if it says so.
    pub(super) issued: i64,
    /// Tells one document from another.
    pub(super) edition: u64,
    /// When it came.
    pub(super) fetched_at: u64,
    /// When it was asked for: what was published later it need not hold.
    pub(super) begun: u64,
    /// When it is to be asked for next.
    due: u64,
    /// Attempts that failed since the last good answer.
    pub(super) failures: u32,
    /// Who is asking now.
    lease: Lease,
    /// When the fetches for unknown `kid`s are paid off (GCRA).
    asks: u64,
    /// Whose fetches those were.
    asked: Vec<Asked>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lease {
    holder: u64,
    begun: u64,
    until: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    kid: u64,
    at: u64,
}

/// What there is to say about an unknown `kid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inquiry {
    /// The provider has been asked since, and does not have it.
    Answered,
    /// The provider is to be asked: the record was changed.
    Asked,
    /// The provider is being asked, or will be.
    Pending,
    /// Too much was asked already.
    Refused,
}

/// What an answer brought.
#[derive(Clone, Copy, Debug)]
pub(super) enum Got<'a> {
    /// That the document is the one that is there.
    Same,
    /// Another one, or the same once more.
    New {
        /// What it comes down to.
        document: &'a [u8],
        /// What its server calls it.
        etag: &'a str,
        /// When it was made.
        issued: i64,
    },
}

impl Record {
    /// Reads what [`Record::encode`] wrote; `None` for anything else.
    pub(super) fn decode(value: &[u8]) -> Option<Self> {
        let mut reader = Reader(value);
        let [layout] = reader.take()?;
        if layout != LAYOUT {
            return None;
        }
        let mut record = Self {
            edition: reader.number()?,
            fetched_at: reader.number()?,
            begun: reader.number()?,
            due: reader.number()?,
            failures: u32::try_from(reader.number()?).ok()?,
            lease: Lease {
                holder: reader.number()?,
                begun: reader.number()?,
                until: reader.number()?,
            },
            asks: reader.number()?,
            issued: reader.number()?.cast_signed(),
            ..Self::default()
        };
        let [asked] = reader.take()?;
        if usize::from(asked) > MAX_ASKED {
            return None;
        }
        for _ in 0..asked {
            record.asked.push(Asked { kid: reader.number()?, at: reader.number()? });
        }
        let [length] = reader.take()?;
        let (etag, document) = reader.0.split_at_checked(length.into())?;
        record.etag = str::from_utf8(etag).ok()?.to_owned();
        record.document = document.to_vec();
        Some(record)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.document.len().saturating_add(512));
        bytes.push(LAYOUT);
        let Lease { holder, begun, until } = self.lease;
        for number in [
            self.edition,
            self.fetched_at,
            self.begun,
            self.due,
            self.failures.into(),
            holder,
            begun,
            until,
            self.asks,
            self.issued.cast_unsigned(),
        ] {
            bytes.extend(number.to_le_bytes());
        }
        let asked = self.asked.iter().take(MAX_ASKED);
        bytes.push(u8::try_from(asked.len()).unwrap_or_default());
        for Asked { kid, at } in asked {
            bytes.extend(kid.to_le_bytes());
            bytes.extend(at.to_le_bytes());
        }
        let etag = u8::try_from(self.etag.len()).map_or(&b""[..], |_| self.etag.as_bytes());
        bytes.push(u8::try_from(etag.len()).unwrap_or_default());
        bytes.extend(etag);
        bytes.extend(&self.document);
        bytes
    }

    /// Takes the lease for `holder` if a fetch is due and nobody else is at it; whether it did.
    pub(super) fn claim(&mut self, holder: u64, now: u64, source: &Source) -> bool {
        if self.is_leased(now) || is_ahead(self.due, now, source.refresh_nanos()) {
            return false;
        }
        // After the clock went back, age is counted from now on.
        self.fetched_at = self.fetched_at.min(now);
        self.begun = self.begun.min(now);
        let until = now.saturating_add(source.patience_nanos()).saturating_add(LEASE_SLACK);
        self.lease = Lease { holder, begun: now, until };
        true
    }

    /// Gives the lease back, so that another worker need not wait until it expires; whether it was
    /// `holder`'s.
    pub(super) fn release(&mut self, holder: u64) -> bool {
        let held = self.lease.holder == holder && self.lease != Lease::default();
        if held {
            self.lease = Lease::default();
        }
        held
    }

    /// Puts in the answer to a request of `holder`'s at `begun`, unless a later one was answered
    /// before; the next fetch is due after `wait`.
    pub(super) fn succeed(&mut self, holder: u64, begun: u64, now: u64, got: &Got<'_>, wait: u64) {
        self.end_lease(holder, begun);
        if begun < self.begun {
            return;
        }
        if let Got::New { document, etag, issued } = got {
            self.document = document.to_vec();
            self.edition = edition(document);
            self.etag = (*etag).to_owned();
            self.issued = *issued;
        }
        self.fetched_at = now;
        self.begun = begun;
        self.failures = 0;
        self.due = now.saturating_add(wait);
    }

    /// Counts a failure, if `holder` was still at it. The keys stay as they are. The next attempt
    /// is due after a wait that doubles, shortened by up to a quarter: `draw` says how far.
    pub(super) fn fail(&mut self, holder: u64, begun: u64, now: u64, source: &Source, draw: u64) {
        if !self.end_lease(holder, begun) {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let cap = if self.is_usable(now, source) { MAX_RETRY } else { MAX_RETRY_WITHOUT_KEYS };
        let doublings = self.failures.saturating_sub(1).min(16);
        let wait = FIRST_RETRY.saturating_mul(1 << doublings).min(cap);
        self.due = now.saturating_add(wait.saturating_sub(draw % (wait / 4)));
    }

    fn end_lease(&mut self, holder: u64, begun: u64) -> bool {
        let held = self.lease.holder == holder && self.lease.begun == begun;
        held && self.release(holder)
    }

    /// What is known of an unknown `kid`, or is now asked.
    pub(super) fn inquire(&mut self, kid: u64, now: u64) -> Inquiry {
        self.asked.retain(|one| one.at <= now && now.saturating_sub(one.at) < ASKED_FOR);
        if let Some(asked) = self.asked.iter().find(|one| one.kid == kid) {
            return if self.begun >= asked.at { Inquiry::Answered } else { Inquiry::Pending };
        }
        if self.is_leased(now) {
            return Inquiry::Pending;
        }
        let span = ASK_EVERY * ASKS_AT_ONCE;
        let asks = self.asks.clamp(now, now.saturating_add(span)).saturating_add(ASK_EVERY);
        if asks > now.saturating_add(span) || self.asked.len() >= MAX_ASKED {
            return Inquiry::Refused;
        }
        self.asks = asks;
        self.asked.push(Asked { kid, at: now });
        self.due = self.due.min(now);
        Inquiry::Asked
    }

    /// Whether an answer may come within `span`.
    pub(super) fn is_hopeful(&self, now: u64, span: u64) -> bool {
        self.is_leased(now) || self.due <= now.saturating_add(span)
    }

    /// Whether the document is young enough to be believed.
    pub(super) fn is_usable(&self, now: u64, source: &Source) -> bool {
        self.has_document() && now.saturating_sub(self.fetched_at) < source.staleness_nanos()
    }

    /// Whether there ever was a good answer.
    pub(super) const fn has_document(&self) -> bool {
        !self.document.is_empty()
    }

    /// How long it takes, at most, until somebody asks again.
    pub(super) const fn millis_until_due(&self, now: u64) -> u64 {
        self.due.saturating_sub(now) / (SECOND / 1_000)
    }

    fn is_leased(&self, now: u64) -> bool {
        is_ahead(self.lease.until, now, MAX_LEASE)
    }
}

/// Whether `moment` lies ahead of now, and not farther than it could have been put.
fn is_ahead(moment: u64, now: u64, farthest: u64) -> bool {
    moment > now && moment.saturating_sub(now) <= farthest
}

/// What tells a document from others.
fn edition(document: &[u8]) -> u64 {
    first_bytes(Sha256::digest(document).into())
}

/// A `kid` as a number; that of no `kid` anybody can aim for.
pub(super) fn kid_number(kid: &str) -> u64 {
    first_bytes(Sha256::digest(kid.as_bytes()).into())
}

fn first_bytes(digest: [u8; 32]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = digest;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}
