//! The walk of a request, from the wire to an answer.
//!
//! Each step is a room of its own and can end the walk. Nothing is allowed because something was
//! empty, failed or was misspelt: [`Engine::decide`] forwards what came through all of
//! [`Engine::walk`], and answers everything else itself.

mod id;
mod identify;
mod opaque;
mod request;

use std::cell::RefCell;
use std::rc::Rc;

pub use id::Ids;
pub use request::{MAX_HEADERS, Request};

use crate::audit::{self, Event, Members, Record};
use crate::authorize;
use crate::authorize::basis::Basis;
use crate::authorize::consent::{self, Asked, Unspent};
use crate::authorize::facts::Facts;
use crate::authorize::{details, elevation};
use crate::binding::{Binding, Bindings, Dpop, Nonces, Unproven};
use crate::denial::{Denial, Refusal, Reply, Told, Wait};
use crate::feed::{Feeds, News, Response, SignedBy};
use crate::fields::Fields;
use crate::host::{Host, Timestamp};
use crate::introspection::Introspection;
use crate::limit::{self, Charge, Leases, RateLimit, Usages};
use crate::policy::{Access, Amendments, Mode, Operation, PermissionId, Policy};
use crate::principal::Principal;
use crate::principal::attributes::{self, Values};
use crate::route::NormalPath;
use crate::session::{Session, Sessions};
use crate::throttle::{Budget, Refused};
use crate::token::credential::{self, Credential, Scheme};
use request::Sifted;

/// A policy at work: decides requests, and remembers the tokens it has verified.
#[derive(Debug)]
pub struct Engine {
    policy: Policy,
    sessions: RefCell<Sessions>,
    /// Those of API keys, apart: a key that comes as a token is none.
    key_sessions: RefCell<Sessions>,
    leases: RefCell<Leases>,
    nonces: Nonces,
    /// What a `DPoP` proof may be signed with, as challenges say it.
    dpop_algs: Option<String>,
    /// How the tokens of one issuer or the other may be bound.
    bindings: Bindings,
    feeds: Feeds,
    /// What is taken away besides what the policy takes away.
    taken: RefCell<Rc<Amendments>>,
    introspection: Introspection,
    /// Who says what users said.
    consent_by: Option<SignedBy>,
    /// What callers may cost whose tokens are refused in the end.
    budget: Budget,
    /// Tokens whose signatures were found to be nobody's.
    forged: RefCell<Refused>,
    ids: Ids,
    /// What the backend is told of whoever uses a public route.
    anonymity: Rc<Fields>,
    /// What the header is called that tells the decision's identifier.
    decision_id: Rc<str>,
    /// What is recorded of the policy.
    members: Members,
}

/// What was decided of a request.
#[derive(Debug)]
pub struct Decision {
    /// What to do with it.
    pub answer: Answer,
    /// What to write down.
    pub record: Record,
    /// What would have become of it, were it not in shadow mode.
    pub shadow: Option<Box<Shadow>>,
}

/// A denial that is not enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// Why.
    pub refusal: Refusal,
    /// The place of the route among the policy's; none where no route was found.
    pub route: Option<usize>,
    /// The agent, by its name in the policy.
    pub agent: Option<String>,
}

/// What was decided of a request, or that it is worth waiting for keys or an answer that may soon
/// be there.
#[derive(Debug)]
pub enum Attempt {
    /// It is decided.
    Decided(Decision),
    /// It may be decided otherwise once there is what it waits for, and is not worth holding for
    /// longer than that says.
    Undecided(Wait),
}

/// What to do with a request.
#[derive(Debug)]
pub enum Answer {
    /// Pass it on, changed so.
    Forward(Forward),
    /// Answer it so.
    Reply(Reply),
}

/// How a request is changed on its way to the backend.
#[derive(Debug, Default)]
pub struct Forward {
    /// The places of the headers that are taken from it, ascending.
    pub drop: Vec<usize>,
    /// The headers that are added to it and speak of the caller.
    pub caller: Rc<Fields>,
    /// The header that is added to it and names the decision.
    pub decision_id: (Rc<str>, String),
    /// What the response says of the caller's limits.
    pub rate_limit: Option<RateLimit>,
    /// The nonce that the caller's next proof is to have, where the one at hand is getting old.
    pub dpop_nonce: Option<String>,
}

impl Forward {
    /// The headers that are added to the request, names and values.
    pub fn added(&self) -> impl Iterator<Item = (&str, &str)> {
        let (name, value) = &self.decision_id;
        self.caller.iter().chain([(&**name, value.as_str())])
    }
}

/// What the walk came to, step by step: told to whoever watches it.
#[derive(Debug)]
pub enum Step<'a> {
    /// The places of the headers that only Postern may set, and the caller did.
    Firewall(&'a [usize]),
    /// The operation asked for.
    Route(&'a Operation),
    /// The caller, by a verified token.
    Session(&'a Session),
    /// The caller has what its token is bound to.
    Bound(Binding),
    /// The caller may, by this.
    Authorized(&'a Basis),
    /// What is left of the caller's limits.
    Limited(&'a Usages),
    /// The step that would have been next ended the walk.
    Refused(&'a Refusal),
}

/// Whoever watches the walk; `()` does not.
pub trait Witness {
    /// One step of the walk was made.
    fn saw(&mut self, step: Step<'_>);
}

impl Witness for () {
    fn saw(&mut self, _: Step<'_>) {}
}

/// What is known of a request so far, whatever becomes of it.
#[derive(Default)]
struct Seen<'e> {
    operation: Option<&'e Operation>,
    session: Option<Rc<Session>>,
    /// How the token came.
    scheme: Scheme,
    /// The nonce that the caller's next proof is to have.
    next_nonce: Option<String>,
    /// What a proxy before us says of the agent.
    said: Values,
    /// What the caller may do it by.
    basis: Basis,
    /// The identifier of what the user said.
    consent: Option<String>,
    /// Why the caller would have been denied, were that enforced.
    shadow: Option<Refusal>,
}

/// What came through the whole walk.
enum Permit {
    /// Postern answers itself: the description of the API's protection.
    Metadata,
    /// To the backend, with what is left of the caller's limits.
    Backend(Option<Usages>),
}

impl Engine {
    /// Puts `policy` to work. `seed` is random: it keeps decision ids of different workers apart.
    pub fn new(policy: Policy, seed: [u8; 16]) -> Self {
        Self {
            sessions: RefCell::default(),
            key_sessions: RefCell::default(),
            leases: RefCell::default(),
            nonces: Nonces::default(),
            bindings: policy.required.of_any(policy.trusted.issuers.iter().map(|(id, _)| id)),
            dpop_algs: policy.binding.dpop.as_ref().map(Dpop::algs),
            feeds: Feeds::new(&policy.trusted.issuers, policy.subscription.as_ref(), seed),
            taken: RefCell::default(),
            introspection: Introspection::new(policy.trusted.introspected()),
            consent_by: policy.consent.as_ref().and_then(|consent| {
                let issuer = policy.trusted.issuers.get(consent.issuer)?;
                Some(SignedBy::new(consent.issuer, issuer))
            }),
            budget: Budget::new(policy.refused_tokens, seed),
            forged: RefCell::default(),
            ids: Ids::new(seed),
            anonymity: audit::anonymity(&policy).into(),
            decision_id: audit::decision_id(&policy).into(),
            members: Members::of_policy(&policy.version),
            policy,
        }
    }

    /// The policy that is decided by.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What is fetched.
    pub const fn feeds(&self) -> &Feeds {
        &self.feeds
    }

    /// Sees to what is fetched, again and again; what came of it is for the log.
    pub fn tick(&self, host: &impl Host) -> Vec<News> {
        let news = self.feeds.tick(host);
        self.catch_up();
        news
    }

    /// Takes the answer to a fetch; what came of it is for the log.
    pub fn fetched(&self, call: u32, response: &Response<'_>, host: &impl Host) -> Option<News> {
        let news = self.feeds.fetched(call, response, host);
        self.catch_up();
        news
    }

    /// Decides one request.
    pub fn decide(
        &self,
        request: &Request<'_>,
        host: &impl Host,
        witness: &mut impl Witness,
    ) -> Decision {
        let now = host.now();
        let sifted = request.sift(&self.policy);
        let mut seen = Seen::default();
        let permit = self.walk(request, &sifted, host, now, &mut seen, witness);
        if let Err(refusal) = &permit {
            witness.saw(Step::Refused(refusal));
        }
        self.conclude(request, sifted, now, &mut seen, permit)
    }

    /// Decides one request unless it is worth holding: of such a one nothing is charged or
    /// written down yet.
    pub fn attempt(&self, request: &Request<'_>, host: &impl Host) -> Attempt {
        let now = host.now();
        let sifted = request.sift(&self.policy);
        let mut seen = Seen::default();
        match self.walk(request, &sifted, host, now, &mut seen, &mut ()) {
            // In shadow mode nobody waits for what is only written down.
            Err(Refusal { wait: Some(wait), .. }) if self.policy.mode == Mode::Enforce => {
                Attempt::Undecided(wait)
            }
            permit => Attempt::Decided(self.conclude(request, sifted, now, &mut seen, permit)),
        }
    }

    /// Puts into words what the walk came to.
    fn conclude(
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
        let record = self.record(request, &sifted, now, &id, seen, permit.as_ref().err());
        let shadow = seen.shadow.map(|refusal| Box::new(self.shadow(refusal, seen)));
        let answer = match permit {
            Ok(Permit::Metadata) => Answer::Reply(self.metadata()),
            Ok(Permit::Backend(usages)) => {
                Answer::Forward(self.forward(request, sifted, seen, id, usages))
            }
            Err(refusal) => Answer::Reply(self.refuse(&refusal, seen, &id)),
        };
        Decision { answer, record, shadow }
    }

    /// What would have become of a request.
    fn shadow(&self, refusal: Refusal, seen: &Seen<'_>) -> Shadow {
        let principal = seen.session.as_ref().and_then(|session| session.principal());
        let agent = principal.and_then(Principal::registered);
        let agent = agent.and_then(|id| self.policy.agents.get(id));
        Shadow {
            refusal,
            route: seen.operation.and_then(|operation| operation.index),
            agent: agent.map(|agent| agent.name.clone()),
        }
    }

    /// The steps, in their order. Whatever ends one early is a denial.
    fn walk<'e>(
        &'e self,
        request: &Request<'_>,
        sifted: &Sifted<'_>,
        host: &impl Host,
        now: Timestamp,
        seen: &mut Seen<'e>,
        witness: &mut impl Witness,
    ) -> Result<Permit, Refusal> {
        // Firewall: nobody but us says who is calling.
        witness.saw(Step::Firewall(&sifted.guarded));
        sifted.check(request)?;

        // Route: the one operation that this method and path can mean.
        let path = NormalPath::parse(request.path)
            .map_err(|error| Refusal::because(Denial::InvalidRequest, error.reason()))?;
        let operation =
            self.policy.operations.find(request.method, &path).ok_or(Denial::NoRoute)?;
        seen.operation = Some(operation);
        witness.saw(Step::Route(operation));
        let permission = match operation.access {
            Access::Metadata => return Ok(Permit::Metadata),
            Access::Public => return Ok(Permit::Backend(None)),
            Access::Permission(permission) => permission,
        };

        // Token, principal and standing: who is calling, for whom, and what that is good for.
        let query = path.query().map(str::as_bytes);
        let (session, token) = match sifted.key(query)? {
            Some(secret) => {
                self.know_what_is_taken_back(host, now)?;
                (self.key_session(secret, now)?, &[][..])
            }
            None => {
                let Credential { scheme, token } = credential::find(request.headers, query)?;
                if scheme == Scheme::Dpop && self.policy.binding.dpop.is_none() {
                    return Err(Denial::MissingToken.into());
                }
                seen.scheme = scheme;
                self.know_what_is_taken_back(host, now)?;
                (self.session(token, host, now)?, token)
            }
        };
        witness.saw(Step::Session(&session));
        let session: &Session = seen.session.insert(session);

        // Binding: is the caller the one that the token was given to.
        let binding = session.binding;
        if !operation.bindings.permits(binding) {
            return Err(Unproven::NotBoundAsRequired.into());
        }
        if binding.is_some() || seen.scheme != Scheme::Bearer {
            let credential = Credential { scheme: seen.scheme, token };
            self.prove(binding, credential, (request, &path), host, &mut seen.next_nonce)?;
            binding.into_iter().for_each(|binding| witness.saw(Step::Bound(binding)));
        }

        // Authorize and limit: may they do this, and again already.
        match self.permit(operation, permission, (request, &path), seen, (host, now), witness) {
            Err(refusal) if operation.mode == Mode::Shadow => {
                witness.saw(Step::Refused(&refusal));
                seen.shadow = Some(refusal);
                Ok(Permit::Backend(None))
            }
            permit => permit,
        }
    }

    /// The steps after it is known who is calling.
    fn permit(
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
        let charge = |(limit, key): (_, &_)| Charge { limit, key: *key, cost: 1 };
        let charges = limits.limits.iter().zip(&session.buckets).map(charge);
        let mut leases = self.leases.try_borrow_mut().map_err(|_| Denial::NotReady)?;
        Ok(limit::take(&mut leases, host, now, charges)?)
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
        let rate_limit = limits.zip(usages).and_then(|(limits, usages)| limits.tell(&usages));
        // Who is denied before all is known of them may be anybody.
        let is_denied = is_shadow && seen.shadow.is_some();
        let known = session.filter(|session| session.standing.is_ok() && !is_denied);
        let caller = known.map_or(&self.anonymity, |session| &session.headers);
        Forward {
            drop: sifted.drop(&self.policy.binding, request, keeps),
            caller: Rc::clone(caller),
            decision_id: (Rc::clone(&self.decision_id), id),
            rate_limit,
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
                &seen.said,
                (&seen.basis, seen.consent.as_deref()),
                seen.shadow,
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
