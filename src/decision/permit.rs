//! The steps after it is known who is calling: may they do this, and again already.

use super::{Charged, Engine, Permit, Request, Seen, Step, Witness};
use crate::authorize::basis::Basis;
use crate::authorize::consent::{self, Asked, Unspent};
use crate::authorize::facts::Facts;
use crate::authorize::{self, details, elevation};
use crate::denial::{Denial, Refusal};
use crate::host::{Host, Timestamp};
use crate::limit::{self, BucketKey, Charge, MAX_LIMITS, Receipt, Usages, digest};
use crate::policy::{Mode, Operation, Per, PermissionId, Rule};
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
            target: request.path,
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
        let charged = self.charge(session, (operation, permission), &facts, host)?;
        if let Some(said) = said {
            said.spend(host, now)?;
            seen.consent = Some(said.id);
        }
        if let Basis::Grant(used) = &mut basis {
            used.spend(host)?;
        }
        seen.basis = basis;
        witness.saw(Step::Limited(&charged.usages));
        charged.shadow.iter().for_each(|refusal| witness.saw(Step::Refused(refusal)));
        seen.shadow = charged.shadow;
        let usages = charged.usages;
        seen.charged = charged;
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

    /// Charges the request to each limit of the caller's class that counts it.
    fn charge(
        &self,
        session: &Session,
        (operation, permission): (&Operation, PermissionId),
        facts: &Facts<'_>,
        host: &impl Host,
    ) -> Result<Charged, Refusal> {
        let mut charged = Charged::default();
        let limits = session.limits(&self.policy);
        // INVARIANT: a bucket for every limit; a limit that nobody is charged to would not hold.
        if [limits.rules.len(), session.buckets.len()] != [limits.limits.len(); 2] {
            return Err(Denial::NotReady.into());
        }
        let (mut enforced, mut tried) = ([None; MAX_LIMITS], [None; MAX_LIMITS]);
        let all = limits.limits.iter().zip(&limits.rules).zip(&session.buckets);
        let places = enforced.iter_mut().zip(&mut tried);
        for (((limit, rule), bucket), (enforced, tried)) in all.zip(places) {
            if !rule.counts(permission, facts) {
                continue;
            }
            let cost = match (rule.counts_cost, charged.cost) {
                (false, _) => 1,
                (true, Some(cost)) => cost,
                (true, None) => {
                    let cost = operation.cost.of(facts);
                    let cost = cost.map_err(|failure| {
                        Refusal::because(Denial::ConditionError, failure.reason())
                    })?;
                    *charged.cost.insert(cost)
                }
            };
            if cost == 0 {
                continue;
            }
            let key = keyed(*bucket, rule, operation, permission, facts);
            let zone = rule.zone.unwrap_or(session.zone);
            let place = if rule.mode == Mode::Shadow { tried } else { enforced };
            *place = Some((Charge { limit, key, cost, zone }, rule.counts_cost));
        }
        let usages = self.take(&enforced, host, facts.now)?;
        if tried.iter().any(Option::is_some)
            && let Err(refused) = self.take(&tried, host, facts.now)
        {
            charged.shadow = Some(refused.into());
        }
        let paid = enforced.iter().flatten().zip(usages.iter());
        let receipt = |((charge, counts_cost), usage): (&(_, bool), _)| {
            if *counts_cost { Receipt::of(charge, &usage) } else { None }
        };
        charged.receipts = paid.filter_map(receipt).collect();
        charged.running_out = limits.running_out(&usages);
        Ok(Charged { usages, ..charged })
    }

    /// Charges all or none: this proxy's own count, and that of all replicas.
    fn take(
        &self,
        all: &Charges<'_>,
        host: &impl Host,
        now: Timestamp,
    ) -> Result<Usages, limit::Refused> {
        let leases = self.leases.try_borrow_mut();
        let mut leases = leases.map_err(|_| limit::Refused::Unavailable)?;
        let is_shared = host.speaks_grpc();
        if is_shared {
            self.ledger.check(charges(all), now)?;
        }
        let mut usages = limit::take(&mut leases, host, now, charges(all))?;
        if is_shared {
            self.ledger.spend(charges(all), now, &mut usages);
        }
        Ok(usages)
    }
}

/// What a request is to be charged, and whether as what it costs.
type Charges<'l> = [Option<(Charge<'l>, bool)>; MAX_LIMITS];

/// The charges that there are.
fn charges<'a, 'l: 'a>(of: &'a Charges<'l>) -> impl Iterator<Item = Charge<'l>> + Clone + 'a {
    of.iter().flatten().map(|(charge, _)| *charge)
}

/// Whose bucket, and of which of their requests.
fn keyed(
    bucket: BucketKey,
    rule: &Rule,
    operation: &Operation,
    permission: PermissionId,
    facts: &Facts<'_>,
) -> BucketKey {
    rule.per.iter().fold(bucket, |key, per| match per {
        Per::Agent | Per::Client | Per::Key | Per::Organization | Per::User => key,
        // By name, for places change from one edition of the policy to the next.
        Per::Permission => key.with(digest(facts.policy.permissions.name(permission).as_bytes())),
        Per::Route => key.with(digest(operation.template.as_bytes())).with(digest(facts.method)),
        Per::Request => key.with(digest(facts.target)).with(digest(facts.method)),
    })
}
