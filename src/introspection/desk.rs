//! What one worker has asked issuers, and how it goes on.

use std::cell::RefCell;
use std::fmt;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::{Failure, News, SECOND, Source, answer};
use crate::breaker::Breaker;
use crate::denial::{Denial, Refusal, Wait};
use crate::feed::{self, Response};
use crate::host::{Content, Fetch, Form, Host, Timestamp};
use crate::throttle::{Debit, Digest, Refused};
use crate::token::{self, IssuerId};

/// Questions that one worker has under way, or is about to send; further ones are not asked.
pub const MAX_QUESTIONS: usize = 64;

/// For how long it is remembered that a token is not accepted, in nanoseconds; for no longer than
/// an answer is good in any case.
const REFUSED_FOR: u64 = 10 * SECOND;

/// For how long it is remembered that an issuer did not say, in nanoseconds.
const UNKNOWN_FOR: u64 = SECOND;

/// How much longer than the issuer's time to answer a question is remembered.
const SLACK: u64 = SECOND;

/// The longest that a question is remembered, in nanoseconds.
const LONGEST: u64 = feed::Source::MAX_TIMEOUT_SECS as u64 * SECOND + SLACK;

/// What one worker asks issuers about tokens, and knows of those that are not accepted.
pub struct Introspection {
    seats: Vec<Seat>,
    state: RefCell<State>,
}

struct Seat {
    issuer: IssuerId,
    identifier: String,
    source: Source,
    breaker: RefCell<Breaker>,
}

#[derive(Default)]
struct State {
    questions: Vec<Question>,
    /// Whether some of them are not sent yet.
    has_unsent: bool,
    asked: u32,
    refused: Refused,
}

/// A question that has no answer yet. No `Debug`: there is a credential in it.
struct Question {
    /// Names it among all that were asked.
    number: u32,
    digest: Digest,
    token: Box<str>,
    /// What whoever asked is charged unless the token is good.
    debit: Debit,
    seat: usize,
    /// The host's name for it, once it is sent.
    call: Option<u32>,
    begun: u64,
    /// When nobody expects an answer any more.
    until: u64,
}

/// A token that only an issuer can read, and which one.
pub(crate) struct Inquiry<'t> {
    token: &'t str,
    digest: Digest,
    seat: usize,
}

/// What an issuer said of a token. No `Debug`: there is a credential in it.
pub(crate) struct Word {
    pub(crate) issuer: IssuerId,
    pub(crate) token: Box<str>,
    /// What whoever asked was charged.
    pub(crate) debit: Debit,
    /// The members of its answer; none if it said nothing that has a meaning.
    pub(crate) members: Option<Map<String, Value>>,
    /// Bytes of the answer.
    pub(crate) length: usize,
    /// Whether the issuer calls nothing active but access tokens.
    pub(crate) access_tokens_only: bool,
    /// For how many seconds the answer is good.
    pub(crate) cache: u32,
    pub(crate) news: Option<News>,
    digest: Digest,
}

impl Introspection {
    /// A desk for all issuers that are asked: each with its name, and where.
    pub fn new<'a>(sources: impl Iterator<Item = (IssuerId, &'a str, &'a Source)>) -> Self {
        let seat = |(issuer, identifier, source): (IssuerId, &str, &Source)| Seat {
            issuer,
            identifier: identifier.to_owned(),
            source: source.clone(),
            breaker: RefCell::default(),
        };
        Self { seats: sources.map(seat).collect(), state: RefCell::default() }
    }

    /// Whether no issuer is asked, ever.
    pub const fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// Whether an issuer is asked about `token`, if it is not known.
    pub fn asks_about(&self, token: &str) -> bool {
        self.about(token).is_some()
    }

    /// How many questions have no answer yet.
    pub fn pending(&self) -> usize {
        self.state.borrow().questions.len()
    }

    /// Whether the question `number` has no answer yet.
    pub fn is_pending(&self, number: u32) -> bool {
        self.state.borrow().questions.iter().any(|question| question.number == number)
    }

    /// Whether the host's `call` is a question of ours.
    pub fn is_asked(&self, call: u32) -> bool {
        self.state.borrow().questions.iter().any(|question| question.call == Some(call))
    }

    /// Whether there are questions that are still to be sent.
    pub fn has_unsent(&self) -> bool {
        self.state.borrow().has_unsent
    }

    /// The one issuer that may know `token`, if it is not for us to read.
    pub(crate) fn about<'t>(&self, token: &'t str) -> Option<Inquiry<'t>> {
        if self.seats.is_empty() || token.len() > token::MAX_TOKEN_BYTES || !token::is_opaque(token)
        {
            return None;
        }
        // INVARIANT of the policy: no token may be of two.
        let seat = self.seats.iter().position(|seat| seat.source.may_be_of(token))?;
        Some(Inquiry { token, digest: Sha256::digest(token).into(), seat })
    }

    /// What there is to tell of a token without asking: that it is not accepted, or that its
    /// issuer has been asked and not answered yet.
    pub(crate) fn known(&self, inquiry: &Inquiry<'_>, now: Timestamp) -> Option<Refusal> {
        let state = self.state.borrow();
        let asked = || state.questions.iter().find(|one| one.digest == inquiry.digest);
        let asked = || asked().filter(|question| question.is_open(now.as_nanos()));
        state
            .refused
            .find(&inquiry.digest, now.as_nanos())
            .or_else(|| Some(self.undecided(inquiry.seat, asked()?.number)))
    }

    /// Has the issuer asked about a token of which nothing is [known](Self::known), if it can be:
    /// the question goes out with the next [`Self::send`].
    pub(crate) fn ask(&self, inquiry: &Inquiry<'_>, debit: Debit, now: Timestamp) -> Refusal {
        let now = now.as_nanos();
        let Some(seat) = self.seats.get(inquiry.seat) else { return Denial::NotReady.into() };
        let state = &mut *self.state.borrow_mut();
        state.questions.retain(|question| question.is_open(now));
        if state.questions.len() >= MAX_QUESTIONS {
            return not_ready("too many tokens are being asked about");
        }
        let until = now.saturating_add(seat.source.timeout_nanos()).saturating_add(SLACK);
        if !seat.breaker.borrow_mut().admits(now, until.saturating_sub(now)) {
            return not_ready(UNKNOWN);
        }
        state.asked = state.asked.wrapping_add(1);
        state.has_unsent = true;
        let (number, digest, seat) = (state.asked, inquiry.digest, inquiry.seat);
        let token = inquiry.token.into();
        state.questions.push(Question {
            number,
            digest,
            token,
            debit,
            seat,
            call: None,
            begun: now,
            until,
        });
        self.undecided(inquiry.seat, number)
    }

    /// Sends what is to be sent; what came of it is for the log.
    pub fn send(&self, host: &impl Host) -> Vec<News> {
        let now = host.now().as_nanos();
        let mut news = Vec::new();
        if !std::mem::take(&mut self.state.borrow_mut().has_unsent) {
            return news;
        }
        // A host may answer in the midst of it: nothing is borrowed while it is called.
        for _ in 0..MAX_QUESTIONS {
            let Some((number, seat, fields)) = self.next_unsent(now) else { break };
            let Some(seat) = self.seats.get(seat) else { break };
            let sent = host.fetch(&Fetch {
                upstream: &seat.source.cluster,
                scheme: seat.source.url.scheme(),
                authority: seat.source.url.authority(),
                path: seat.source.url.path(),
                timeout_millis: seat.source.timeout.saturating_mul(1_000),
                known_etag: None,
                content: Content::Form(Form {
                    authorization: seat.source.authorization().as_deref(),
                    fields: &fields,
                }),
            });
            let state = &mut *self.state.borrow_mut();
            let Some(at) = state.questions.iter().position(|one| one.number == number) else {
                continue;
            };
            match (sent, state.questions.get_mut(at)) {
                (Ok(call), Some(question)) => question.call = Some(call),
                _ => {
                    let question = state.questions.swap_remove(at);
                    let unknown = not_ready(UNKNOWN);
                    state.refused.insert(question.digest, &unknown, now, UNKNOWN_FOR);
                    news.extend(seat.failed(Failure::NotSent, question.begun, now));
                }
            }
        }
        news
    }

    /// The next question that is to be sent, and its form.
    fn next_unsent(&self, now: u64) -> Option<(u32, usize, String)> {
        let state = &mut *self.state.borrow_mut();
        state.questions.retain(|question| question.is_open(now));
        let question = state.questions.iter_mut().find(|question| question.call.is_none())?;
        let source = &self.seats.get(question.seat)?.source;
        question.begun = now;
        question.until = now.saturating_add(source.timeout_nanos()).saturating_add(SLACK);
        Some((question.number, question.seat, source.fields(&question.token)))
    }

    /// Takes the answer to a question, if it is one to a question of ours.
    pub(crate) fn answered(
        &self,
        call: u32,
        response: &Response<'_>,
        now: Timestamp,
    ) -> Option<Word> {
        let now = now.as_nanos();
        let state = &mut *self.state.borrow_mut();
        let at = state.questions.iter().position(|question| question.call == Some(call))?;
        let Question { digest, token, debit, seat, begun, .. } = state.questions.swap_remove(at);
        let seat = self.seats.get(seat)?;
        let (members, news) = match answer::read(response) {
            Ok(members) => {
                let was_open = seat.breaker.borrow_mut().succeed();
                let issuer = || seat.identifier.clone();
                (Some(members), was_open.then(|| News::Recovered { issuer: issuer() }))
            }
            Err(failure) => {
                state.refused.insert(digest, &not_ready(UNKNOWN), now, UNKNOWN_FOR);
                (None, seat.failed(failure, begun, now))
            }
        };
        let (issuer, length, source) = (seat.issuer, response.length, &seat.source);
        let (cache, access_tokens_only) = (source.cache, source.access_tokens_only);
        Some(Word {
            issuer,
            token,
            debit,
            members,
            length,
            access_tokens_only,
            cache,
            news,
            digest,
        })
    }

    /// Remembers that a token is not accepted.
    pub(crate) fn refuse(&self, word: &Word, refusal: &Refusal, now: Timestamp) {
        let span = REFUSED_FOR.min(u64::from(word.cache) * SECOND);
        self.state.borrow_mut().refused.insert(word.digest, refusal, now.as_nanos(), span);
    }

    fn undecided(&self, seat: usize, question: u32) -> Refusal {
        let hold = self.seats.get(seat).map(|seat| seat.source.hold);
        let wait = hold.map(|seconds| Wait { seconds, question: Some(question) });
        let why = not_ready("the issuer has not said yet whether the token is active");
        Refusal { wait, ..why }
    }
}

impl Question {
    /// Whether an answer may still come; not if the clock has gone back since it was sent.
    const fn is_open(&self, now: u64) -> bool {
        let left = self.until.saturating_sub(now);
        left > 0 && left <= LONGEST
    }
}

impl Seat {
    fn failed(&self, failure: Failure, begun: u64, now: u64) -> Option<News> {
        if !failure.is_the_issuers() {
            return None;
        }
        let pause = self.breaker.borrow_mut().fail(begun, now)?;
        let (issuer, pause_millis) = (self.identifier.clone(), pause / 1_000_000);
        Some(News::Failed { issuer, failure, pause_millis })
    }
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Introspection(..)")
    }
}

/// What is told of a token about which the issuer did not say anything.
const UNKNOWN: &str = "the issuer cannot be asked about the token now";

const fn not_ready(reason: &'static str) -> Refusal {
    Refusal::because(Denial::NotReady, reason)
}
