//! What one worker knows of the keys of all issuers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::record::{Inquiry, Record, kid_number};
use super::response::{Answer, Response, read};
use super::{Failure, News, SECOND, Source};
use crate::denial::Refusal;
use crate::host::{Expected, Host, HostError, Stored, Swap, Timestamp};
use crate::token::{
    Candidate, IssuerId, Issuers, KeySet, Keys, Native, Rejected, Signer, Verified,
};

/// Requests to providers that one worker has under way; further ones are due a tick later.
const MAX_FLIGHTS: usize = 16;

/// Swaps that are tried before a record counts as out of reach: each one lost is another worker's
/// success.
const MAX_ATTEMPTS: usize = 16;

/// The keys of all issuers, as far as they are fetched: one seat for each.
#[derive(Debug)]
pub struct Feeds {
    seats: Vec<Seat>,
    /// Names this worker towards the others.
    holder: u64,
    flights: RefCell<Vec<Flight>>,
    /// Random numbers drawn so far.
    draws: Cell<u64>,
    turn: Cell<u32>,
    /// Seats whose keys changed since [`Feeds::take_changed`].
    changed: Cell<bool>,
}

#[derive(Debug)]
struct Seat {
    issuer: IssuerId,
    identifier: String,
    source: Source,
    store_key: String,
    current: RefCell<Option<Rc<Current>>>,
    failures: Cell<u32>,
    changed: Cell<bool>,
}

/// Keys, and when they came.
#[derive(Debug)]
struct Current {
    set: Rc<KeySet>,
    edition: u64,
    fetched_at: u64,
}

/// A request to a provider.
#[derive(Debug)]
struct Flight {
    call: u32,
    seat: usize,
    begun: u64,
    /// When nobody expects an answer any more.
    until: u64,
}

/// How an issuer's keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status<'a> {
    /// Whose keys.
    pub issuer: &'a str,
    /// Whether tokens can be verified by them.
    pub ready: bool,
    /// Seconds since they came; none if they never did.
    pub age: Option<u64>,
    /// Attempts that failed since.
    pub failures: u32,
}

/// A record as it was loaded, and what must be there for it to be replaced.
struct Loaded {
    record: Record,
    expected: Expected,
}

impl Feeds {
    /// A ring for all `issuers` whose keys are fetched. `seed` is random.
    pub fn new(issuers: &Issuers, seed: [u8; 16]) -> Self {
        let seats = issuers.iter().filter_map(|(issuer, one)| match &one.keys {
            Keys::Inline(_) => None,
            Keys::Remote(source) => Some(Seat {
                issuer,
                identifier: one.identifier.clone(),
                store_key: source.store_key(),
                source: source.clone(),
                current: RefCell::default(),
                failures: Cell::default(),
                changed: Cell::default(),
            }),
        });
        let [a, b, c, d, e, f, g, h, draws @ ..] = seed;
        Self {
            seats: seats.collect(),
            holder: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            flights: RefCell::default(),
            draws: Cell::new(u64::from_le_bytes(draws)),
            turn: Cell::default(),
            changed: Cell::default(),
        }
    }

    /// Whether no issuer's keys are fetched: then there is nothing to be done, ever.
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
            return Ok(candidate.verify(keys, native)?);
        };
        let current = self.find(&candidate, host, now.as_nanos())?;
        let mut verified = candidate.verify(&current.set, native)?;
        // Whatever is remembered of the token is forgotten when its key is too old.
        let stale = current.fetched_at.saturating_add(source.staleness_nanos());
        verified.expires = verified.expires.min(Timestamp::from_nanos(stale).as_secs());
        Ok(verified)
    }

    /// Keys that settle whether `candidate` is good.
    fn find(
        &self,
        candidate: &Candidate<'_, '_>,
        host: &impl Host,
        now: u64,
    ) -> Result<Rc<Current>, Refusal> {
        let id = candidate.issuer_id();
        let seat = self.seats.iter().find(|seat| seat.issuer == id);
        let seat = seat.ok_or(Rejected::KeysUnavailable)?;
        // A token that names no key asks for none, and neither does one whose key is known and
        // does not fit.
        let settles = |current: &Rc<Current>| {
            let kid = candidate.key_id();
            candidate.has_key_in(&current.set) || kid.is_none_or(|kid| current.set.names(kid))
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
            match host.fetch(&seat.source.fetch()) {
                Ok(call) => {
                    let until = now.saturating_add(seat.source.timeout_nanos());
                    let until = until.saturating_add(SECOND);
                    let flight = Flight { call, seat: index, begun: now, until };
                    self.flights.borrow_mut().push(flight);
                }
                Err(HostError) => {
                    news.extend(self.conclude(seat, now, Err(Failure::NotSent), host));
                }
            }
        }
        news
    }

    /// Takes the answer to a fetch.
    pub fn fetched(&self, call: u32, response: &Response<'_>, host: &impl Host) -> Option<News> {
        let flight = {
            let mut flights = self.flights.borrow_mut();
            let at = flights.iter().position(|flight| flight.call == call)?;
            flights.swap_remove(at)
        };
        let seat = self.seats.get(flight.seat)?;
        self.conclude(seat, flight.begun, Answer::read(response), host)
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
        begun: u64,
        outcome: Result<Answer, Failure>,
        host: &impl Host,
    ) -> Option<News> {
        let now = host.now().as_nanos();
        let draw = self.draw();
        for _ in 0..MAX_ATTEMPTS {
            let Ok(mut loaded) = seat.load(host) else { break };
            let record = &mut loaded.record;
            let failures = record.failures;
            match &outcome {
                Ok(answer) => {
                    let refresh = seat.source.refresh_nanos();
                    // A little earlier than asked for, so that proxies do not ask in step.
                    let wait = refresh.saturating_sub(draw % (refresh / 10).max(1));
                    record.succeed(self.holder, begun, now, &answer.essence, wait);
                }
                Err(_) => record.fail(self.holder, begun, now, &seat.source, draw),
            }
            match seat.swap(host, &loaded) {
                Ok(Swap::Done) => {
                    let changed = self.adopt(seat, &loaded.record);
                    let issuer = seat.identifier.clone();
                    return match outcome {
                        Ok(Answer { set, skipped, .. }) if changed => {
                            Some(News::Changed { issuer, keys: set.len(), skipped })
                        }
                        Ok(_) => (failures > 0).then_some(News::Recovered { issuer }),
                        Err(failure) => {
                            let retry_millis = loaded.record.millis_until_due(now);
                            Some(News::Failed { issuer, failure, retry_millis })
                        }
                    };
                }
                Ok(Swap::Conflict) => {}
                Err(HostError) => break,
            }
        }
        let (issuer, failure) = (seat.identifier.clone(), outcome.err().unwrap_or(Failure::Store));
        let retry_millis = seat.source.timeout_nanos() / 1_000_000;
        Some(News::Failed { issuer, failure, retry_millis })
    }

    /// Goes over to the keys of `record`, if there are any; whether they are others than before.
    fn adopt(&self, seat: &Seat, record: &Record) -> bool {
        seat.failures.set(record.failures);
        let before = seat.current.borrow().clone();
        let is_same = |current: &Rc<Current>| {
            (current.edition, current.fetched_at) == (record.edition, record.fetched_at)
        };
        if !record.has_keys() || before.as_ref().is_some_and(is_same) {
            return false;
        }
        let known = before.filter(|current| current.edition == record.edition);
        let (set, changed) = match known {
            Some(current) => (Rc::clone(&current.set), false),
            // What another worker could read, this one can; if not, what it has stays.
            None => match read(&record.keys) {
                Ok((set, _)) => (Rc::new(set), true),
                Err(_) => return false,
            },
        };
        let Record { edition, fetched_at, .. } = *record;
        seat.current.replace(Some(Rc::new(Current { set, edition, fetched_at })));
        self.turn.set(self.turn.get().wrapping_add(1));
        if changed {
            seat.changed.set(true);
            self.changed.set(true);
        }
        changed
    }

    /// Whether keys changed since this was last asked.
    pub(crate) fn take_changed(&self) -> bool {
        self.changed.take()
    }

    /// Whether what was signed so is still good: the key is among its issuer's, or its issuer's
    /// keys did not change. Only to be asked between [`Feeds::take_changed`] and
    /// [`Feeds::settle`].
    pub(crate) fn still_holds(&self, issuer: IssuerId, signer: &Signer) -> bool {
        let seat = self.seats.iter().find(|seat| seat.issuer == issuer && seat.changed.get());
        seat.is_none_or(|seat| {
            seat.current.borrow().as_ref().is_some_and(|current| current.set.holds(signer))
        })
    }

    /// All changes have been seen to.
    pub(crate) fn settle(&self) {
        self.seats.iter().for_each(|seat| seat.changed.set(false));
    }

    /// How the keys of each issuer are.
    pub fn status(&self, now: Timestamp) -> impl Iterator<Item = Status<'_>> {
        let now = now.as_nanos();
        self.seats.iter().map(move |seat| {
            let fetched = seat.current.borrow().as_ref().map(|current| current.fetched_at);
            Status {
                issuer: &seat.identifier,
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

impl Seat {
    /// The keys, if they are there and young enough to be believed.
    fn usable(&self, now: u64) -> Option<Rc<Current>> {
        let current = self.current.borrow().clone()?;
        let age = now.saturating_sub(current.fetched_at);
        (age < self.source.staleness_nanos()).then_some(current)
    }

    fn load(&self, host: &impl Host) -> Result<Loaded, HostError> {
        Ok(match host.load(self.store_key.as_bytes())? {
            None => Loaded { record: Record::default(), expected: Expected::Absent },
            Some(Stored { value, version }) => Loaded {
                // What nobody here wrote is replaced at the next chance.
                record: Record::decode(&value).unwrap_or_default(),
                expected: Expected::Version(version),
            },
        })
    }

    fn swap(&self, host: &impl Host, loaded: &Loaded) -> Result<Swap, HostError> {
        host.swap(self.store_key.as_bytes(), &loaded.record.encode(), loaded.expected)
    }
}
