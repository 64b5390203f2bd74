//! From a credential to who is calling.

use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use super::{Engine, Request};
use crate::binding::{self, Binding, Evidence, Unproven};
use crate::denial::Refusal;
use crate::host::{Host, Timestamp};
use crate::route::NormalPath;
use crate::session::{Session, Sessions};
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
        let verified = self.vet(token, candidate, host, now);
        if let Some(known) = &mut sessions {
            self.forget_other_keys_of(known);
        }
        let session = Rc::new(Session::open(&self.policy, verified?)?);
        if let Some(known) = &mut sessions {
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
        let session = Rc::new(Session::open_key(&self.policy, secret, now)?);
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

    /// Forgets whatever was decided by keys that are no longer.
    pub(super) fn forget_other_keys_of(&self, sessions: &mut Sessions) {
        if self.feeds.take_changed() {
            sessions.forget_signed_otherwise(&self.feeds);
            if let Ok(mut forged) = self.forged.try_borrow_mut() {
                forged.clear();
            }
            self.feeds.settle();
        }
    }
}
