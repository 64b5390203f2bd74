//! From what the walk came to, to an answer and a record.

use std::rc::Rc;

use super::request::Sifted;
use super::{Answer, Decision, Difference, Engine, Forward, Permit, Request, Seen, Shadow};
use crate::audit::{Event, Members, Record};
use crate::binding::Bindings;
use crate::denial::{Refusal, Reply, Told};
use crate::host::Timestamp;
use crate::limit::Usages;
use crate::policy::{Access, Mode, Operation};
use crate::principal::Principal;

impl Engine {
    /// Puts into words what the walk came to.
    pub(super) fn conclude(
        &self,
        request: &Request<'_>,
        sifted: Sifted<'_>,
        now: Timestamp,
        seen: &mut Seen<'_>,
        permit: Result<Permit, Refusal>,
    ) -> Decision {
        let id = self.ids.next();
        let permit = match permit {
            // Whoever may pass for somebody else is stopped in any mode.
            Err(refusal) if self.policy.mode == Mode::Shadow && sifted.check(request).is_ok() => {
                seen.shadow = Some(refusal);
                Ok(Permit::Backend(None))
            }
            Ok(Permit::Metadata) if self.policy.mode == Mode::Shadow => Ok(Permit::Backend(None)),
            permit => permit,
        };
        let refusal = permit.as_ref().err();
        let record = self.record(request, &sifted, now, &id, seen, refusal);
        let difference = self.difference(refusal, seen).map(Box::new);
        let shadow = seen.shadow.map(|refusal| Box::new(self.shadow(refusal, seen)));
        let answer = match permit {
            Ok(Permit::Metadata) => Answer::Reply(self.metadata()),
            Ok(Permit::Backend(usages)) => {
                Answer::Forward(self.forward(request, sifted, seen, id, usages))
            }
            Err(refusal) => Answer::Reply(self.refuse(&refusal, seen, &id)),
        };
        Decision { answer, record, shadow, difference }
    }

    /// What would have become of a request.
    fn shadow(&self, refusal: Refusal, seen: &Seen<'_>) -> Shadow {
        let (route, agent) = self.about(seen);
        Shadow { refusal, route, agent }
    }

    /// How the candidate would have decided, if otherwise: other than it would have been, where that
    /// is not enforced.
    fn difference(&self, refusal: Option<&Refusal>, seen: &Seen<'_>) -> Option<Difference> {
        let opinion = seen.opinion.as_ref()?;
        let refusal = refusal.or(seen.shadow.as_ref());
        let decided = refusal.map_or("allow", |refusal| refusal.denial.code());
        let (route, agent) = self.about(seen);
        let candidate = opinion.code();
        (decided != candidate).then_some(Difference { decided, candidate, route, agent })
    }

    /// The route and the agent that a request is counted under.
    fn about(&self, seen: &Seen<'_>) -> (Option<usize>, Option<String>) {
        let principal = seen.session.as_ref().and_then(|session| session.principal());
        let agent = principal.and_then(Principal::registered);
        let agent = agent.and_then(|id| self.policy.agents.get(id));
        let route = seen.operation.and_then(|operation| operation.index);
        (route, agent.map(|agent| agent.name.clone()))
    }

    /// How an allowed request goes to the backend.
    fn forward(
        &self,
        request: &Request<'_>,
        sifted: Sifted<'_>,
        seen: &mut Seen<'_>,
        id: String,
        usages: Option<Usages>,
    ) -> Forward {
        // In shadow mode the backend sees to all of it as it did, and the caller is told nothing.
        let is_shadow = self.policy.mode == Mode::Shadow;
        let keeps = seen.operation.is_some_and(|operation| operation.keep_credential) || is_shadow;
        let session = seen.session.as_ref();
        let limits = session.map(|session| session.limits(&self.policy)).filter(|_| !is_shadow);
        let running_out = seen.charged.running_out.take();
        let rate_limit = limits.zip(usages);
        let rate_limit = rate_limit.and_then(|(limits, usages)| limits.tell(&usages, running_out));
        // Who is denied before all is known of them may be anybody.
        let is_denied = is_shadow && seen.shadow.is_some();
        let known = session.filter(|session| session.standing.is_ok() && !is_denied);
        let caller = known.map_or(&self.anonymity, |session| &session.headers);
        Forward {
            drop: sifted.drop(&self.policy.binding, request, keeps),
            caller: Rc::clone(caller),
            decision_id: (Rc::clone(&self.decision_id), id),
            rate_limit,
            receipts: std::mem::take(&mut seen.charged.receipts),
            under_way: std::mem::take(&mut seen.charged.under_way),
            watched: session.and_then(|session| session.watched),
            dpop_nonce: seen.next_nonce.take().filter(|_| !is_shadow),
        }
    }

    /// What a denied caller gets.
    fn refuse(&self, refusal: &Refusal, seen: &Seen<'_>, id: &str) -> Reply {
        let permission = seen.operation.and_then(|operation| self.permission(operation));
        let bindings = seen.operation.map_or(Bindings::ALL, |operation| operation.bindings);
        let bindings = bindings.and(self.bindings);
        refusal.reply(&Told {
            decision: id,
            permission,
            scope: seen.operation.and_then(|operation| operation.scope.as_deref()),
            step_up: seen.operation.and_then(|operation| match operation.access {
                Access::Permission(permission) => self.policy.step_ups.of(permission),
                Access::Metadata | Access::Public => None,
            }),
            consent: self.policy.consent.as_ref().zip(
                seen.session
                    .as_ref()
                    .and_then(|session| Some(session.principal()?.agent.as_ref()?.name.as_str())),
            ),
            metadata: self.policy.resource.as_ref().map(|one| one.metadata_url.as_str()),
            limits: seen.session.as_ref().map(|session| session.limits(&self.policy)),
            scheme: seen.scheme,
            refuses_bearer: bindings.is_dpop_only(),
            dpop_algs: self.dpop_algs.as_deref().filter(|_| bindings.takes_dpop()),
            dpop_nonce: seen.next_nonce.as_deref(),
        })
    }

    /// The description of the API's protection (RFC 9728 §3.2).
    fn metadata(&self) -> Reply {
        let body = self.policy.resource.as_ref().map(|resource| resource.metadata.clone());
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("cache-control", "max-age=3600".to_owned()),
            ("access-control-allow-origin", "*".to_owned()),
        ];
        Reply { status: 200, headers, body: body.unwrap_or_default() }
    }

    fn record(
        &self,
        request: &Request<'_>,
        sifted: &Sifted<'_>,
        time: Timestamp,
        id: &str,
        seen: &Seen<'_>,
        refusal: Option<&Refusal>,
    ) -> Record {
        let event = Event {
            time,
            id,
            policy: &self.members,
            denial: refusal.map(|one| (one.denial.code(), one.denial.status(), one.reason)),
            method: request.method,
            path: request.path,
            operation: seen.operation.map(|operation| &operation.members),
            request_id: sifted.request_id,
            caller: seen.session.as_ref().map(|session| &session.members),
            said: &Members::of_request(
                &self.policy,
                (&seen.said, seen.behaviour),
                (&seen.basis, seen.consent.as_deref()),
                (seen.charged.cost, seen.charged.running_out.as_deref()),
                (seen.shadow, seen.opinion.as_ref()),
            ),
        };
        Record { line: event.line(), log: self.policy.audit_log }
    }

    /// What the permission is called that `operation` needs.
    fn permission(&self, operation: &Operation) -> Option<&str> {
        match operation.access {
            Access::Permission(id) => Some(self.policy.permissions.name(id)),
            Access::Metadata | Access::Public => None,
        }
    }
}
