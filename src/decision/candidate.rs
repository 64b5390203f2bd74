//! A policy that is tried beside the one that is decided by: what it would have decided is written
//! down and counted, and changes nothing.

use std::iter::once;

use super::{Engine, Request, Seen};
use crate::denial::Refusal;
use crate::host::Host;

/// What the candidate would have decided.
#[derive(Clone, Copy, Debug)]
pub struct Opinion<'e> {
    /// The edition of the policy.
    pub policy: &'e str,
    /// Why it would have denied it, if it would have.
    pub refusal: Option<Refusal>,
}

/// A request that the candidate would have decided otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The code of the denial, or `allow`.
    pub decided: &'static str,
    /// The same of the candidate's.
    pub candidate: &'static str,
    /// The place of the route among the policy's; none where no route was found.
    pub route: Option<usize>,
    /// The agent, by its name in the policy.
    pub agent: Option<String>,
}

impl Opinion<'_> {
    /// The code of the denial, or `allow`.
    pub const fn code(&self) -> &'static str {
        match &self.refusal {
            None => "allow",
            Some(refusal) => refusal.denial.code(),
        }
    }
}

impl Engine {
    /// This engine, and the candidate's.
    pub fn with_candidate(&self) -> impl Iterator<Item = &Self> {
        once(self).chain(self.candidate.as_deref())
    }

    /// What the candidate makes of a request. It charges what it charges to buckets of its own, and waits
    /// for nothing.
    pub(super) fn second_opinion(
        &self,
        request: &Request<'_>,
        host: &impl Host,
    ) -> Option<Opinion<'_>> {
        let candidate = self.candidate.as_deref()?;
        let host = &host.aside()?;
        let mut seen = Seen::default();
        let sifted = request.sift(&candidate.policy);
        let permit = candidate.walk(request, &sifted, host, host.now(), &mut seen, &mut ());
        let refusal = permit.err().or(seen.shadow);
        Some(Opinion { policy: &candidate.policy.version, refusal })
    }
}
