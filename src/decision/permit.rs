//! The steps after it is known who is calling: may they do this, and again already.

use super::{Charged, Engine, Permit, Request, Seen, Step, Witness};
use crate::authorize::basis::Basis;
use crate::authorize::consent::{self, Asked, Unspent};
use crate::authorize::facts::Facts;
use crate::authorize::{self, details, elevation};
use crate::denial::{Denial, Refusal};
use crate::host::{Host, Timestamp};
use crate::limit::{self, BucketKey, Charge, Kind, MAX_LIMITS, Receipt, Usages, digest};
use crate::policy::{Counts, Mode, Operation, Per, PermissionId, Rule};
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
        seen.behaviour = self.observe(session, operation, request.method, (host, now));
        seen.behaviour.iter().for_each(|scores| witness.saw(Step::Observed(session, scores)));
        let facts = Facts {
            policy: &self.policy,
            credential: session.credential(&self.policy),
            attributes: &seen.said,
            method: request.method,
            path,
            target: request.path,
            headers: request.headers,
            behaviour: seen.behaviour,
            now,
            grant: None,
        };
        let about = (operation, permission);
        seen.shadow = self.check_denials(session, about, &facts, host)?;
        let authorized = self.authorize(session, operation, permission, &facts);
        if let Err(Refusal { denial, .. }) = &authorized {
            if denial.is_forbidden() {
                self.count_denial(session, about, &facts, host);
            }
            if denial.is_overreach() {
                self.failed(session.watched);
            }
        }
        let mut basis = authorized?;
        witness.saw(Step::Authorized(&basis));

        let said = match session.principal() {
            Some(principal) => {
                let (method, headers) = (request.method, request.headers);
                let asked = Asked { principal, permission, method, path, headers };
                self.consent(&asked, host, now)?
            }
            None => None,
        };
        // From here on what was taken is known, and given back if the call is denied after all.
        seen.charged = self.charge(session, about, &facts, host)?;
        if let Some(said) = said {
            said.spend(host, now)?;
            seen.consent = Some(said.id);
        }
        if let Basis::Grant(used) = &mut basis {
            used.spend(host)?;
        }
        seen.basis = basis;
        let charged = &mut seen.charged;
        witness.saw(Step::Limited(&charged.usages));
        charged.shadow.iter().for_each(|refusal| witness.saw(Step::Refused(refusal)));
        seen.shadow = charged.shadow.take().or(seen.shadow);
        let usages = charged.usages;
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
        authorize::step_up(policy, principal, permission, facts)?;
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
        about: (&Operation, PermissionId),
        facts: &Facts<'_>,
        host: &impl Host,
    ) -> Result<Charged, Refusal> {
        let (operation, permission) = about;
        let mut charged = Charged::default();
        let [mut enforced, mut tried, mut read] = [[None; MAX_LIMITS]; 3];
        let places = enforced.iter_mut().zip(&mut tried).zip(&mut read);
        for (counted, ((enforced, tried), read)) in self.counted(session)?.zip(places) {
            let (rule, _) = counted;
            let place = match (rule.counts, rule.mode) {
                (Counts::Denials, _) => continue,
                // Of a call that is only tried nobody hears the end.
                _ if self.is_tried && rule.limit.kind() == Kind::Concurrent => continue,
                (Counts::Writes, _) if is_read(facts.method) => read,
                (_, Mode::Enforce) => enforced,
                (_, Mode::Shadow) => tried,
            };
            if !rule.counts(permission, facts) {
                continue;
            }
            let cost = match (rule.counts, charged.cost) {
                (Counts::Cost, Some(cost)) => cost,
                (Counts::Cost, None) => {
                    let cost = operation.cost.of(facts);
                    let cost = cost.map_err(|failure| {
                        Refusal::because(Denial::ConditionError, failure.reason())
                    })?;
                    *charged.cost.insert(cost)
                }
                (Counts::Writes, _) if is_read(facts.method) => rule.per_read,
                _ => 1,
            };
            *place = (cost > 0).then(|| keyed(counted, session, about, facts, cost));
        }
        let usages = self.take(&enforced, host, facts.now)?;
        charges(&read).for_each(|charge| limit::credit(host, facts.now, &charge));
        let mut receipts = receipts(&enforced, &usages, facts.now);
        if tried.iter().any(Option::is_some) {
            match self.take(&tried, host, facts.now) {
                Ok(usages) => receipts.extend(self::receipts(&tried, &usages, facts.now)),
                Err(refused) => charged.shadow = Some(refused.into()),
            }
        }
        charged.under_way = receipts.extract_if(.., |one| one.is_in_flight()).collect();
        charged.receipts = receipts.into();
        charged.running_out = session.limits(&self.policy).running_out(&usages);
        Ok(Charged { usages, ..charged })
    }

    /// The limits of a session's class, each with its rule and the session's bucket.
    fn counted<'s>(
        &'s self,
        session: &'s Session,
    ) -> Result<impl Iterator<Item = Counted<'s>>, Refusal> {
        let limits = session.limits(&self.policy);
        // INVARIANT: a bucket for every limit; a limit that nobody is charged to would not hold.
        if limits.rules.len() != session.buckets.len() {
            return Err(Denial::NotReady.into());
        }
        Ok(limits.rules.iter().zip(session.buckets.iter().copied()))
    }

    /// Whether so many calls of the caller were denied that all are; of limits that are not enforced, why
    /// they would be.
    fn check_denials(
        &self,
        session: &Session,
        about: (&Operation, PermissionId),
        facts: &Facts<'_>,
        host: &impl Host,
    ) -> Result<Option<Refusal>, Refusal> {
        let mut shadow = None;
        for counted in self.denials(session, about.1, facts)? {
            let charge = keyed(counted, session, about, facts, 1);
            match limit::check(host, facts.now, [charge].into_iter()) {
                Err(refused) if counted.0.mode == Mode::Shadow => shadow = Some(refused.into()),
                checked => checked?,
            }
        }
        Ok(shadow)
    }

    /// Counts a call that was denied.
    fn count_denial(
        &self,
        session: &Session,
        about: (&Operation, PermissionId),
        facts: &Facts<'_>,
        host: &impl Host,
    ) {
        let Ok(denials) = self.denials(session, about.1, facts) else { return };
        let Ok(mut leases) = self.leases.try_borrow_mut() else { return };
        for counted in denials {
            let charge = keyed(counted, session, about, facts, 1);
            // That it was the last one is seen by the next call.
            let _ = limit::take(&mut leases, host, facts.now, [charge].into_iter());
        }
    }

    /// The limits that count this call if it is denied.
    fn denials<'s>(
        &'s self,
        session: &'s Session,
        permission: PermissionId,
        facts: &Facts<'_>,
    ) -> Result<impl Iterator<Item = Counted<'s>>, Refusal> {
        let is_one = move |(rule, _): &Counted<'_>| {
            rule.counts == Counts::Denials && rule.counts(permission, facts)
        };
        Ok(self.counted(session)?.filter(is_one))
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

/// A limit, and whose bucket.
type Counted<'s> = (&'s Rule, BucketKey);

/// What a request is to be charged.
type Charges<'l> = [Option<Charge<'l>>; MAX_LIMITS];

/// The charges that there are.
fn charges<'a, 'l: 'a>(of: &'a Charges<'l>) -> impl Iterator<Item = Charge<'l>> + Clone + 'a {
    of.iter().flatten().copied()
}

/// What is to be settled or to end of what was charged.
fn receipts(charges: &Charges<'_>, usages: &Usages, now: Timestamp) -> Vec<Receipt> {
    let paid = charges.iter().flatten().zip(usages.iter());
    paid.filter_map(|(charge, usage)| Receipt::of(charge, &usage, now)).collect()
}

/// Whether a method changes nothing (RFC 9110 §9.2.1).
fn is_read(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE")
}

/// The charge to the bucket of a session, and of which of its calls.
fn keyed<'s>(
    (rule, bucket): Counted<'s>,
    session: &Session,
    (operation, permission): (&Operation, PermissionId),
    facts: &Facts<'_>,
    cost: u32,
) -> Charge<'s> {
    let key = rule.per.iter().fold(bucket, |key, per| match per {
        Per::Agent | Per::Client | Per::Key | Per::Organization | Per::User => key,
        // By name, for places change from one edition of the policy to the next.
        Per::Permission => key.with(digest(facts.policy.permissions.name(permission).as_bytes())),
        Per::Route => key.with(digest(operation.template.as_bytes())).with(digest(facts.method)),
        Per::Request => key.with(digest(facts.target)).with(digest(facts.method)),
    });
    Charge { limit: &rule.limit, key, cost, zone: rule.zone.unwrap_or(session.zone) }
}
