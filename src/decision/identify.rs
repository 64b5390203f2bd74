//! From a credential to who is calling.

use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use super::{Engine, Request};
use crate::binding::{self, Binding, Evidence, Unproven};
use crate::denial::Refusal;
use crate::host::{Host, Timestamp};
use crate::route::NormalPath;
use crate::session::Session;
use crate::throttle::{Debit, Refused};
use crate::token::credential::{self, Credential};
use crate::token::{Candidate, Rejected, Verified};

/// For how long it is remembered that a token's signature is nobody's, in nanoseconds: its issuer
/// gets no other keys without our noticing.
const FORGED_FOR: u64 = 60 * 1_000_000_000;

impl Engine {
    /// The session of a token, remembered or newly verified.
    pub(super) fn session(
        &self,
        credential: &[u8],
        host: &impl Host,
        now: Timestamp,
    ) -> Result<Rc<Session>, Refusal> {
        // A worker decides one request at a time; were it not so, nothing would be remembered.
        let mut sessions = self.sessions.try_borrow_mut().ok();
        if let Some(session) = sessions.as_mut().and_then(|known| known.find(credential, now)) {
            return Ok(session);
        }
        let token = credential::read(credential)?;
        if let Some(refusal) = self.inquire(token, host, now) {
            return Err(refusal);
        }
        let candidate = Candidate::read(token, &self.policy.trusted.issuers, now)?;
        drop(sessions);
        let verified = self.vet(token, candidate, host, now);
        // Keys may have come with it.
        self.catch_up();
        let session = Rc::new(Session::open(&self.policy, &self.taken.borrow(), verified?)?);
        if let Ok(mut known) = self.sessions.try_borrow_mut() {
            known.insert(credential, Rc::clone(&session));
        }
        Ok(session)
    }

    /// Verifies a token at the expense of whoever sent it, unless it was refused before.
    fn vet<'e>(
        &'e self,
        token: &str,
        candidate: Candidate<'_, 'e>,
        host: &impl Host,
        now: Timestamp,
    ) -> Result<Verified<'e>, Refusal> {
        let forged = Refusal::from(Rejected::SignatureInvalid);
        let digest = || Sha256::digest(token).into();
        let is_known =
            |known: &Refused| !known.is_empty() && known.find(&digest(), now.as_nanos()).is_some();
        if self.forged.try_borrow().is_ok_and(|known| is_known(&known)) {
            return Err(forged);
        }
        let debit = self.budget.debit(host, now)?;
        let verified = self.feeds.verify(candidate, host, now);
        if verified.as_ref().is_err_and(|refusal| *refusal == forged) {
            if let Ok(mut known) = self.forged.try_borrow_mut() {
                known.insert(digest(), &forged, now.as_nanos(), FORGED_FOR);
            }
        } else {
            // It is good, or no signature had to be checked.
            self.budget.refund(debit);
        }
        verified
    }

    /// The session of an API key, remembered or new.
    pub(super) fn key_session(
        &self,
        secret: &[u8],
        now: Timestamp,
    ) -> Result<Rc<Session>, Refusal> {
        let mut sessions = self.key_sessions.try_borrow_mut().ok();
        if let Some(session) = sessions.as_mut().and_then(|known| known.find(secret, now)) {
            return Ok(session);
        }
        let session = Rc::new(Session::open_key(&self.policy, &self.taken.borrow(), secret, now)?);
        if let Some(known) = &mut sessions {
            known.insert(secret, Rc::clone(&session));
        }
        Ok(session)
    }

    /// Has the caller prove what its token is bound to. Apart, for most tokens are bound to nothing.
    #[inline(never)]
    pub(super) fn prove(
        &self,
        binding: Option<Binding>,
        Credential { scheme, token }: Credential<'_>,
        (request, path): (&Request<'_>, &NormalPath<'_>),
        host: &impl Host,
        next_nonce: &mut Option<String>,
    ) -> Result<(), Refusal> {
        let evidence = Evidence::among(request.headers);
        let asked = binding::Request { scheme, token, method: request.method, path, evidence };
        let (nonces, now) = ((&self.nonces, next_nonce), host.now());
        // Only a proof has a signature in it.
        let debit = match binding {
            Some(Binding::Key(_)) => self.budget.debit(host, now)?,
            None | Some(Binding::Certificate(_)) => Debit::NONE,
        };
        let proven = binding::prove(&self.policy.binding, binding, &asked, nonces, host, now);
        if proven != Err(Unproven::SignatureInvalid) {
            self.budget.refund(debit);
        }
        Ok(proven?)
    }

    /// Sees to it that no caller is let in of whom it is not known whether it is taken back.
    pub(super) fn know_what_is_taken_back(
        &self,
        host: &impl Host,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if self.feeds.check_taken(now).is_ok() {
            return Ok(());
        }
        // Another worker may have fetched it, or this one under the policy before.
        self.feeds.look_for_taken(host);
        self.catch_up();
        self.feeds.check_taken(now)
    }

    /// Forgets what was remembered of tokens whose keys are no longer, or that are taken back now, or no
    /// longer: nothing outlives what it was decided by.
    pub(super) fn catch_up(&self) {
        let (Ok(mut sessions), Ok(mut key_sessions)) =
            (self.sessions.try_borrow_mut(), self.key_sessions.try_borrow_mut())
        else {
            return;
        };
        if !self.feeds.take_changed() {
            return;
        }
        sessions.forget_what_changed(&self.feeds);
        if let Ok(mut forged) = self.forged.try_borrow_mut() {
            forged.clear();
        }
        if let Some(document) = self.feeds.take_changed_revocations() {
            let taken = Rc::new(document.compile(&self.policy));
            let before = self.taken.replace(Rc::clone(&taken));
            let is_as_it_was =
                |session: &Session| session.is_as_it_was(&self.policy, &before, &taken);
            sessions.retain(is_as_it_was);
            key_sessions.retain(is_as_it_was);
        }
        self.feeds.settle();
    }
}
