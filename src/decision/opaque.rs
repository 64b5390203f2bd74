//! Tokens that only their issuer can read.

use std::rc::Rc;

use super::Engine;
use crate::denial::Refusal;
use crate::feed::Response;
use crate::host::{Host, Timestamp};
use crate::introspection::{Introspection, News, Word};
use crate::session::Session;
use crate::token::{Expected, Rejected, Verified};

impl Engine {
    /// What issuers are asked about their tokens.
    pub const fn introspection(&self) -> &Introspection {
        &self.introspection
    }

    /// Why a token is not accepted, or not yet, that is not known and only its issuer can read;
    /// nothing if it is another kind of token.
    pub(super) fn inquire(&self, token: &str, host: &impl Host, now: Timestamp) -> Option<Refusal> {
        let inquiry = self.introspection.about(token)?;
        if let Some(refusal) = self.introspection.known(&inquiry, now) {
            return Some(refusal);
        }
        // From here on the caller costs somebody something: a question, whoever made the token up.
        let debit = match self.budget.debit(host, now) {
            Ok(debit) => debit,
            Err(refusal) => return Some(refusal),
        };
        Some(self.introspection.ask(&inquiry, debit, now))
    }

    /// Sends the questions that requests have led to; what came of it is for the log.
    pub fn ask(&self, host: &impl Host) -> Vec<News> {
        self.with_candidate().flat_map(|engine| engine.introspection.send(host)).collect()
    }

    /// Takes an issuer's answer about a token; what came of it is for the log.
    pub fn answered(&self, call: u32, response: &Response<'_>, host: &impl Host) -> Option<News> {
        self.with_candidate().find_map(|engine| engine.take_answer(call, response, host))
    }

    /// Whether `call` is a question about a token.
    pub fn is_asked(&self, call: u32) -> bool {
        self.with_candidate().any(|engine| engine.introspection.is_asked(call))
    }

    /// Whether there are questions that have not been sent.
    pub fn has_unsent(&self) -> bool {
        self.with_candidate().any(|engine| engine.introspection.has_unsent())
    }

    fn take_answer(&self, call: u32, response: &Response<'_>, host: &impl Host) -> Option<News> {
        let now = host.now();
        let mut word = self.introspection.answered(call, response, now)?;
        let news = word.news.take();
        match self.open(&mut word, now) {
            None => {}
            Some(Ok(session)) => {
                self.budget.refund(word.debit);
                if let Ok(mut sessions) = self.sessions.try_borrow_mut() {
                    sessions.insert(word.token.as_bytes(), Rc::new(session));
                }
            }
            Some(Err(refusal)) => self.introspection.refuse(&word, &refusal, now),
        }
        news
    }

    /// What a token is good for, by its issuer's word; nothing if that has no meaning.
    fn open(&self, word: &mut Word, now: Timestamp) -> Option<Result<Session, Refusal>> {
        let members = word.members.take()?;
        let trusted = &self.policy.trusted;
        let issuer = (word.issuer, trusted.issuers.get(word.issuer)?);
        let shape = trusted.shape(word.issuer)?;
        let expected = Expected {
            access_tokens_only: word.access_tokens_only,
            is_machines: &|claims| shape.is_machines(claims),
        };
        let verified = Verified::introspected(issuer, members, &expected, now);
        let verified = verified.map(|mut verified: Verified<'_>| {
            let cached = now.as_secs().saturating_add(word.cache.into());
            verified.expires = verified.expires.min(cached);
            // Nor is the answer any older than a clock that goes back would have it.
            verified.not_before = verified.not_before.max(now.as_secs());
            verified
        });
        let session = verified.map_err(Rejected::into);
        let session = session
            .and_then(|verified| Session::open(&self.policy, &self.taken.borrow(), verified));
        Some(session.map(|session| session.weighing(word.length)))
    }
}
