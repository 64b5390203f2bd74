//! What one worker knows of what is fetched.

mod standing;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

pub(crate) use standing::TokenStatus;

use super::record::{Got, Inquiry, Record, kid_number};
use super::response::Content;
use super::revocations::{self, List};
use super::seat::{Current, Holding, Revocations, Seat, SignedBy, Subject};
use super::signed::Signatory;
use super::statuses::{self, Received};
use super::{Failure, News, Response, SECOND, Source, Subscription, Url, keys, metadata};
use crate::denial::{Denial, Refusal};
use crate::host::{Host, HostError, Swap, Timestamp};
use crate::json::Bounds;
use crate::policy::revocations::Document;
use crate::token::{Candidate, IssuerId, Issuers, Keys, Native, Rejected, Signer, Verified};

/// Requests to providers that one worker has under way; further ones are due a tick later.
const MAX_FLIGHTS: usize = 16;

/// Swaps that are tried before a record counts as out of reach: each one lost is another worker's
/// success.
const MAX_ATTEMPTS: usize = 16;

/// All that is fetched: one seat for each document.
#[derive(Debug)]
pub struct Feeds {
    seats: Vec<Seat>,
    /// In the words of [`Timestamp::as_nanos`], until when requests may be decided by what is known
    /// to be taken back: for good, where nothing is fetched of it or its age does not matter.
    taken_until: Cell<u64>,
    /// Names this worker towards the others.
    holder: u64,
    flights: RefCell<Vec<Flight>>,
    /// Random numbers drawn so far.
    draws: Cell<u64>,
    turn: Cell<u32>,
    /// Whether documents changed since [`Feeds::take_changed`].
    changed: Cell<bool>,
}

/// A request to a server.
#[derive(Debug)]
struct Flight {
    call: u32,
    seat: usize,
    /// Whether it is for the metadata, and another one for the keys comes after it.
    is_first: bool,
    /// The edition that need not be sent again.
    known: String,
    /// When the first of the two was sent, or the only one.
    begun: u64,
    /// When nobody expects an answer any more.
    until: u64,
}

/// What is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed<'a> {
    /// The keys of this issuer.
    Keys(&'a str),
    /// What is taken back.
    Revocations,
    /// What became of the tokens in the list at this URL.
    Statuses(&'a str),
}

/// How a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status<'a> {
    /// What it is.
    pub feed: Feed<'a>,
    /// Whether requests can be decided by it.
    pub ready: bool,
    /// Seconds since it came; none if it never did.
    pub age: Option<u64>,
    /// Attempts that failed since.
    pub failures: u32,
}

impl Feeds {
    /// Seats for all `issuers` whose keys are fetched, and for what is taken back. `seed` is random.
    pub fn new(issuers: &Issuers, taken: Option<&Subscription>, seed: [u8; 16]) -> Self {
        let mut seats = Vec::new();
        for (issuer, one) in issuers.iter() {
            if let Keys::Remote(source) = &one.keys {
                seats.push(Seat::new(Subject::Keys(issuer), one.identifier.clone(), source));
            }
        }
        for (id, issuer) in issuers.iter() {
            for source in &issuer.status_lists {
                let subject = Subject::Statuses(Box::new(SignedBy::new(id, issuer)));
                seats.push(Seat::new(subject, source.url.as_str().to_owned(), source));
            }
        }
        if let Some(Subscription { source, signer, denies_when_stale }) = taken {
            let signed_by = signer.and_then(|id| Some(SignedBy::new(id, issuers.get(id)?)));
            let subject = Revocations { signed_by, denies_when_stale: *denies_when_stale };
            let name = source.url.as_str().to_owned();
            seats.push(Seat::new(Subject::Revocations(Box::new(subject)), name, source));
        }
        let [a, b, c, d, e, f, g, h, draws @ ..] = seed;
        Self {
            taken_until: Cell::new(if taken.is_some_and(|taken| taken.denies_when_stale) {
                0
            } else {
                u64::MAX
            }),
            seats,
            holder: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            flights: RefCell::default(),
            draws: Cell::new(u64::from_le_bytes(draws)),
            turn: Cell::default(),
            changed: Cell::default(),
        }
    }

    /// Whether nothing is fetched: then there is nothing to be done, ever.
    pub const fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// Another number whenever there is news for requests that wait.
    pub const fn turn(&self) -> u32 {
        self.turn.get()
    }

    /// Verifies `candidate` by the keys of its issuer, wherever they are.
    ///
    /// # Errors
    ///
    /// Why the token is refused; where that may change soon, how long it is worth waiting.
    pub fn verify<'p>(
        &self,
        candidate: Candidate<'_, 'p>,
        host: &impl Host,
        now: Timestamp,
    ) -> Result<Verified<'p>, Refusal> {
        let native: Native<'_> = &|check| host.verify_signature(check);
        let Keys::Remote(source) = &candidate.issuer().keys else {
            let Keys::Inline(keys) = &candidate.issuer().keys else {
                return Err(Rejected::KeysUnavailable.into());
            };
            return self.with_status(candidate.verify(keys, native)?, host, now);
        };
        let current = self.find(&candidate, host, now.as_nanos())?;
        let keys = current.keys().ok_or(Rejected::KeysUnavailable)?;
        let mut verified = candidate.verify(keys, native)?;
        // Whatever is remembered of the token is forgotten when its key is too old.
        let stale = current.fetched_at.saturating_add(source.staleness_nanos());
        verified.expires = verified.expires.min(Timestamp::from_nanos(stale).as_secs());
        self.with_status(verified, host, now)
    }

    /// Keys that settle whether `candidate` is good.
    fn find(
        &self,
        candidate: &Candidate<'_, '_>,
        host: &impl Host,
        now: u64,
    ) -> Result<Rc<Current>, Refusal> {
        let seat = self.keys_of(candidate.issuer_id()).ok_or(Rejected::KeysUnavailable)?;
        // A token that names no key asks for none, and neither does one whose key is known and
        // does not fit.
        let settles = |current: &Rc<Current>| {
            let kid = candidate.key_id();
            current.keys().is_some_and(|keys| {
                candidate.has_key_in(keys) || kid.is_none_or(|kid| keys.names(kid))
            })
        };
        if let Some(current) = seat.usable(now).filter(settles) {
            return Ok(current);
        }
        // Another worker may have fetched what this one lacks.
        for _ in 0..MAX_ATTEMPTS {
            let mut loaded = seat.load(host).map_err(|_| Rejected::KeysUnavailable)?;
            self.adopt(seat, &loaded.record);
            let hold = seat.source.hold_nanos();
            let wait = |record: &Record| record.is_hopeful(now, hold).then_some(seat.source.hold);
            let Some(current) = seat.usable(now) else {
                return Err(
                    Refusal::from(Rejected::KeysUnavailable).worth_waiting(wait(&loaded.record))
                );
            };
            let kid = candidate.key_id().unwrap_or_default();
            if settles(&current) {
                return Ok(current);
            }
            let unknown = Refusal::from(Rejected::KeyUnknown);
            match loaded.record.inquire(kid_number(kid), now) {
                Inquiry::Answered | Inquiry::Refused => return Err(unknown),
                Inquiry::Pending => return Err(unknown.worth_waiting(wait(&loaded.record))),
                Inquiry::Asked => {}
            }
            match seat.swap(host, &loaded) {
                Ok(Swap::Done) => return Err(unknown.worth_waiting(wait(&loaded.record))),
                Ok(Swap::Conflict) => {}
                Err(HostError) => return Err(unknown),
            }
        }
        Err(Rejected::KeyUnknown.into())
    }

    /// Looks what other workers have found, and asks providers for what is due. To be called again
    /// and again; what came of it is for the log.
    pub fn tick(&self, host: &impl Host) -> Vec<News> {
        let now = host.now().as_nanos();
        self.flights.borrow_mut().retain(|flight| flight.until > now);
        let mut news = Vec::new();
        for (index, seat) in self.seats.iter().enumerate() {
            let Ok(mut loaded) = seat.load(host) else { continue };
            self.adopt(seat, &loaded.record);
            let room = self.flights.borrow().len() < MAX_FLIGHTS;
            if !room || !loaded.record.claim(self.holder, now, &seat.source) {
                continue;
            }
            if seat.swap(host, &loaded) != Ok(Swap::Done) {
                continue;
            }
            let known = match loaded.record.has_document() && !seat.source.is_metadata {
                true => loaded.record.etag,
                false => String::new(),
            };
            let (url, is_first) = (&seat.source.url, seat.source.is_metadata);
            let flight = Flight { call: 0, seat: index, is_first, known, begun: now, until: 0 };
            news.extend(self.send(seat, flight, url, host));
        }
        news
    }

    /// Sends the request of a flight.
    fn send(&self, seat: &Seat, flight: Flight, url: &Url, host: &impl Host) -> Option<News> {
        let now = host.now().as_nanos();
        let until = now.saturating_add(seat.source.timeout_nanos()).saturating_add(SECOND);
        match host.fetch(&seat.source.fetch(url, &flight.known)) {
            Ok(call) => {
                self.flights.borrow_mut().push(Flight { call, until, ..flight });
                None
            }
            Err(HostError) => self.conclude(seat, &flight, Err(Failure::NotSent), host),
        }
    }

    /// Takes the answer to a fetch.
    pub fn fetched(&self, call: u32, response: &Response<'_>, host: &impl Host) -> Option<News> {
        let flight = {
            let mut flights = self.flights.borrow_mut();
            let at = flights.iter().position(|flight| flight.call == call)?;
            flights.swap_remove(at)
        };
        let seat = self.seats.get(flight.seat)?;
        if flight.is_first {
            let url = response.content().and_then(|content| match content {
                Content::Unchanged => Err(Failure::Status(304)),
                Content::Is(body) => metadata::keys_of(&seat.name, &seat.source.url, body),
            });
            return match url {
                Ok(url) => self.send(seat, Flight { is_first: false, ..flight }, &url, host),
                Err(failure) => self.conclude(seat, &flight, Err(failure), host),
            };
        }
        let answer = self.read(seat, response, host);
        self.conclude(seat, &flight, answer, host)
    }

    /// What an answer says.
    fn read(
        &self,
        seat: &Seat,
        response: &Response<'_>,
        host: &impl Host,
    ) -> Result<Answer, Failure> {
        let Content::Is(body) = response.content()? else { return Ok(Answer::Same) };
        let etag = response.etag().to_owned();
        match &seat.subject {
            Subject::Keys(_) => {
                let (set, skipped, essence) = keys::parse(body)?;
                let (count, skipped) = (set.len(), skipped.len());
                Ok(Answer::New { count, skipped, essence, issued: 0, refresh: u64::MAX, etag })
            }
            Subject::Revocations(about) => {
                let now = host.now();
                let received = match &about.signed_by {
                    None => revocations::receive(body, None, now),
                    Some(by) => self.with_keys(by, host, |signatory| {
                        revocations::receive(body, Some(signatory), now)
                    }),
                };
                let List { document, issued, essence } = received?;
                let (count, refresh) = (document.len(), u64::MAX);
                Ok(Answer::New { count, skipped: 0, essence, issued, refresh, etag })
            }
            Subject::Statuses(by) => {
                let uri = seat.source.url.as_str();
                let Received { count, issued, time_to_live, essence } =
                    self.with_keys(by, host, |signatory| {
                        statuses::receive(body, uri, signatory, host.now())
                    })?;
                let refresh = time_to_live.map_or(u64::MAX, |seconds| {
                    seconds.max(Source::MIN_REFRESH_SECS.into()).saturating_mul(SECOND)
                });
                Ok(Answer::New { count, skipped: 0, essence, issued, refresh, etag })
            }
        }
    }

    /// What `by` says in a JWT of the type `name`.
    ///
    /// # Errors
    ///
    /// It is none, or somebody else's.
    pub(crate) fn read_signed(
        &self,
        by: &SignedBy,
        (body, name, bounds): (&[u8], &str, Bounds),
        host: &impl Host,
    ) -> Result<serde_json::Value, Failure> {
        self.with_keys(by, host, |signatory| signatory.read(body, name, bounds))
    }

    /// Reads something that has to be signed, by the keys of who signs it.
    fn with_keys<T>(
        &self,
        by: &SignedBy,
        host: &impl Host,
        read: impl FnOnce(&Signatory<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let seat = self.keys_of(by.issuer);
        let current = seat.and_then(|seat| seat.usable(host.now().as_nanos()));
        let fetched = current.as_deref().and_then(Current::keys);
        let keys = by.keys.as_ref().or(fetched).ok_or(Failure::NotSigned)?;
        let native: Native<'_> = &|check| host.verify_signature(check);
        read(&Signatory { issuer: &by.name, keys, native })
    }

    /// The seat of an issuer's keys.
    fn keys_of(&self, issuer: IssuerId) -> Option<&Seat> {
        self.seats.iter().find(|seat| matches!(seat.subject, Subject::Keys(id) if id == issuer))
    }

    /// Gives back the leases of fetches that nobody will hear of.
    pub fn abandon(&self, host: &impl Host) {
        let flights = self.flights.take();
        for seat in flights.iter().filter_map(|flight| self.seats.get(flight.seat)) {
            for _ in 0..MAX_ATTEMPTS {
                let Ok(mut loaded) = seat.load(host) else { break };
                if !loaded.record.release(self.holder)
                    || seat.swap(host, &loaded) != Ok(Swap::Conflict)
                {
                    break;
                }
            }
        }
    }

    /// Writes down for all workers what a fetch came to.
    fn conclude(
        &self,
        seat: &Seat,
        flight: &Flight,
        mut outcome: Result<Answer, Failure>,
        host: &impl Host,
    ) -> Option<News> {
        let now = host.now().as_nanos();
        let draw = self.draw();
        for _ in 0..MAX_ATTEMPTS {
            let Ok(mut loaded) = seat.load(host) else { break };
            let record = &mut loaded.record;
            let failures = record.failures;
            match &outcome {
                // Of what is there the answer says nothing: it is about what was there.
                Ok(Answer::Same) if flight.known.is_empty() || flight.known != record.etag => {
                    outcome = Err(Failure::Status(304));
                }
                // Whoever brings out an old list again would undo what was taken back since.
                Ok(Answer::New { issued, .. }) if *issued < record.issued => {
                    outcome = Err(Failure::NotCurrent);
                }
                Ok(_) | Err(_) => {}
            }
            match &outcome {
                Ok(answer) => {
                    let refresh = seat.source.refresh_nanos().min(answer.refresh());
                    // A little earlier than asked for, so that proxies do not ask in step.
                    let wait = refresh.saturating_sub(draw % (refresh / 10).max(1));
                    record.succeed(self.holder, flight.begun, now, &answer.got(), wait);
                }
                Err(_) => record.fail(self.holder, flight.begun, now, &seat.source, draw),
            }
            match seat.swap(host, &loaded) {
                Ok(Swap::Done) => {
                    let changed = self.adopt(seat, &loaded.record);
                    let feed = seat.label();
                    return match outcome {
                        Ok(Answer::New { count, skipped, .. }) if changed => {
                            Some(News::Changed { feed, count, skipped })
                        }
                        Ok(_) => (failures > 0).then_some(News::Recovered { feed }),
                        Err(failure) => {
                            let retry_millis = loaded.record.millis_until_due(now);
                            Some(News::Failed { feed, failure, retry_millis })
                        }
                    };
                }
                Ok(Swap::Conflict) => {}
                Err(HostError) => break,
            }
        }
        let (feed, failure) = (seat.label(), outcome.err().unwrap_or(Failure::Store));
        let retry_millis = seat.source.timeout_nanos() / 1_000_000;
        Some(News::Failed { feed, failure, retry_millis })
    }

    /// Goes over to the document of `record`, if there is one; whether it is another than before.
    fn adopt(&self, seat: &Seat, record: &Record) -> bool {
        seat.failures.set(record.failures);
        let before = seat.current.borrow().clone();
        let is_same = |current: &Rc<Current>| {
            (current.edition, current.fetched_at) == (record.edition, record.fetched_at)
        };
        if !record.has_document() || before.as_ref().is_some_and(is_same) {
            return false;
        }
        let known = before.filter(|current| current.edition == record.edition);
        let (holding, changed) = match known {
            Some(current) => (current.holding.clone(), false),
            // What another worker could read, this one can; if not, what it has stays.
            None => match seat.subject.hold(&record.document) {
                Ok(holding) => (holding, true),
                Err(_) => return false,
            },
        };
        let Record { edition, fetched_at, .. } = *record;
        if let Subject::Revocations(about) = &seat.subject
            && about.denies_when_stale
        {
            self.taken_until.set(fetched_at.saturating_add(seat.source.staleness_nanos()));
        }
        seat.current.replace(Some(Rc::new(Current { holding, edition, fetched_at })));
        self.turn.set(self.turn.get().wrapping_add(1));
        if changed {
            seat.changed.set(true);
            self.changed.set(true);
        }
        changed
    }

    /// What is taken back, if that changed. Only to be asked between [`Feeds::take_changed`] and
    /// [`Feeds::settle`].
    pub(crate) fn take_changed_revocations(&self) -> Option<Rc<Document>> {
        self.seats.iter().filter(|seat| seat.changed.get()).find_map(|seat| {
            match seat.current.borrow().as_deref()?.holding {
                Holding::Revocations(ref document) => Some(Rc::clone(document)),
                Holding::Keys(_) | Holding::Statuses(_) => None,
            }
        })
    }

    /// Looks whether what is taken back is in the shared store.
    pub(crate) fn look_for_taken(&self, host: &impl Host) {
        let is_taken = |seat: &&Seat| matches!(seat.subject, Subject::Revocations(_));
        for seat in self.seats.iter().filter(is_taken) {
            if let Ok(loaded) = seat.load(host) {
                self.adopt(seat, &loaded.record);
            }
        }
    }

    /// Refuses to decide by what is known to be taken back, where that is not there or too old.
    ///
    /// # Errors
    ///
    /// [`Denial::NotReady`]; while it is being fetched for the first time it is worth waiting.
    pub(crate) fn check_taken(&self, now: Timestamp) -> Result<(), Refusal> {
        if now.as_nanos() < self.taken_until.get() {
            return Ok(());
        }
        let why = "the list of revocations is not there yet, or too old";
        let seat = self.seats.iter().find(|seat| matches!(seat.subject, Subject::Revocations(_)));
        Err(seat.map_or(Refusal::because(Denial::NotReady, why), |seat| seat.not_ready(why)))
    }

    /// Whether documents changed since this was last asked.
    pub(crate) fn take_changed(&self) -> bool {
        self.changed.take()
    }

    /// Whether what was signed so is still good: the key is among its issuer's, or its issuer's
    /// keys did not change. Only to be asked between [`Feeds::take_changed`] and
    /// [`Feeds::settle`].
    pub(crate) fn still_holds(&self, issuer: IssuerId, signer: &Signer) -> bool {
        let seat = self.keys_of(issuer).filter(|seat| seat.changed.get());
        seat.is_none_or(|seat| {
            let current = seat.current.borrow();
            current.as_deref().and_then(Current::keys).is_some_and(|keys| keys.holds(signer))
        })
    }

    /// All changes have been seen to.
    pub(crate) fn settle(&self) {
        self.seats.iter().for_each(|seat| seat.changed.set(false));
    }

    /// How each document is.
    pub fn status(&self, now: Timestamp) -> impl Iterator<Item = Status<'_>> {
        let now = now.as_nanos();
        self.seats.iter().map(move |seat| {
            let fetched = seat.current.borrow().as_ref().map(|current| current.fetched_at);
            Status {
                feed: match seat.subject {
                    Subject::Keys(_) => Feed::Keys(&seat.name),
                    Subject::Revocations(_) => Feed::Revocations,
                    Subject::Statuses(_) => Feed::Statuses(&seat.name),
                },
                ready: seat.usable(now).is_some(),
                age: fetched.map(|at| now.saturating_sub(at) / SECOND),
                failures: seat.failures.get(),
            }
        })
    }

    /// A number that looks random (splitmix64).
    fn draw(&self) -> u64 {
        let next = self.draws.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.draws.set(next);
        let mixed = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// What an answer brought.
enum Answer {
    /// That the document is as it was.
    Same,
    /// A document.
    New {
        /// How much of it can be used.
        count: usize,
        /// How much cannot.
        skipped: usize,
        /// What it comes down to.
        essence: Vec<u8>,
        /// When it was made, in seconds since the Unix epoch, if it says so.
        issued: i64,
        /// In how many nanoseconds it says it is to be fetched anew, at the latest.
        refresh: u64,
        /// What its server calls it.
        etag: String,
    },
}

impl Answer {
    const fn refresh(&self) -> u64 {
        match self {
            Self::Same => u64::MAX,
            Self::New { refresh, .. } => *refresh,
        }
    }

    fn got(&self) -> Got<'_> {
        match self {
            Self::Same => Got::Same,
            Self::New { essence, issued, etag, .. } => {
                Got::New { document: essence, etag, issued: *issued }
            }
        }
    }
}
