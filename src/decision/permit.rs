//! The steps after it is known who is calling: may they do this, and again already.

use super::{Engine, Permit, Request, Seen, Step, Witness};
use crate::authorize::basis::Basis;
use crate::authorize::consent::{self, Asked, Unspent};
use crate::authorize::facts::Facts;
use crate::authorize::{self, details, elevation};
use crate::denial::{Denial, Refusal};
use crate::host::{Host, Timestamp};
use crate::limit::{self, Charge, Usages};
use crate::policy::{Operation, PermissionId};
use crate::principal::attributes;
use crate::route::NormalPath;
use crate::session::Session;

impl Engine {
    /// The steps after it is known who is calling.
    pub(super) fn permit(
        &self,
        operation: &Operation,
        permission: PermissionId,
        (request, path): (&Request<'_>, &NormalPath<'_>),
        seen: &mut Seen<'_>,
        (host, now): (&impl Host, Timestamp),
        witness: &mut impl Witness,
    ) -> Result<Permit, Refusal> {
        let session: &Session = seen.session.as_ref().ok_or(Denial::NotReady)?;
        if let Some(principal) = session.principal() {
            let (known, headers) = (&session.attributes, request.headers);
            seen.said = attributes::of_request(&self.policy, principal, known, headers, host)?;
        }
        let facts = Facts {
            policy: &self.policy,
            credential: session.credential(),
            attributes: &seen.said,
            method: request.method,
            path,
            headers: request.headers,
            now,
            grant: None,
        };
        let mut basis = self.authorize(session, operation, permission, &facts)?;
        witness.saw(Step::Authorized(&basis));

        let said = match session.principal() {
            Some(principal) => {
                let (method, headers) = (request.method, request.headers);
                let asked = Asked { principal, permission, method, path, headers };
                self.consent(&asked, host, now)?
            }
            None => None,
        };
        let usages = self.charge(session, host, now)?;
        if let Some(said) = said {
            said.spend(host, now)?;
            seen.consent = Some(said.id);
        }
        if let Basis::Grant(used) = &mut basis {
            used.spend(host)?;
        }
        seen.basis = basis;
        witness.saw(Step::Limited(&usages));
        Ok(Permit::Backend(Some(usages)))
    }

    fn authorize(
        &self,
        session: &Session,
        operation: &Operation,
        permission: PermissionId,
        facts: &Facts<'_>,
    ) -> Result<Basis, Refusal> {
        let grant = session.standing.as_ref().map_err(|refusal| *refusal)?;
        let (policy, principal) = (&self.policy, session.principal());
        let basis = match authorize::check(policy, principal, grant, permission) {
            Ok(()) => Basis::Scopes,
            Err(refusal) => {
                let (taken, path) = (&self.taken.borrow(), facts.path);
                let detail = match refusal.denial {
                    Denial::InsufficientScope => {
                        details::find(policy, taken, principal, grant, permission, path)
                    }
                    _ => None,
                };
                match detail {
                    Some(detail) => Basis::Details(detail.name.clone()),
                    None => Basis::Grant(
                        elevation::find(policy, taken, principal, grant, permission, facts)
                            .ok_or(refusal)?,
                    ),
                }
            }
        };
        let facts = &Facts { grant: basis.grant(), ..*facts };
        authorize::require(operation, principal, facts)?;
        authorize::step_up(policy, principal, permission, &session.claims, facts.now)?;
        Ok(basis)
    }

    /// What the user said to this, where the agent has to ask: checked at the expense of whoever sent it.
    fn consent(
        &self,
        asked: &Asked<'_>,
        host: &impl Host,
        now: Timestamp,
    ) -> Result<Option<Unspent>, Refusal> {
        if !consent::must_ask(&self.policy, asked) {
            return Ok(None);
        }
        let debit = self.budget.debit(host, now)?;
        let by = (&self.feeds, self.consent_by.as_ref());
        let said = consent::find(&self.policy, asked, by, host, now);
        let is_forged = said.as_ref().is_err_and(|one| one.denial == Denial::ConsentInvalid);
        if !is_forged {
            self.budget.refund(debit);
        }
        said
    }

    /// Charges the request to each limit of the caller's class.
    fn charge(
        &self,
        session: &Session,
        host: &impl Host,
        now: Timestamp,
    ) -> Result<Usages, Refusal> {
        let limits = session.limits(&self.policy);
        // INVARIANT: a bucket for every limit; a limit that nobody is charged to would not hold.
        if limits.limits.len() != session.buckets.len() {
            return Err(Denial::NotReady.into());
        }
        let charge = |(limit, key): (_, &_)| Charge { limit, key: *key, cost: 1, zone: 0 };
        let charges = limits.limits.iter().zip(&session.buckets).map(charge);
        let mut leases = self.leases.try_borrow_mut().map_err(|_| Denial::NotReady)?;
        Ok(limit::take(&mut leases, host, now, charges)?)
    }
}
