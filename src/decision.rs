//! The walk of a request, from the wire to an answer.
//!
//! Each step is a room of its own and can end the walk. Nothing is allowed because something was
//! empty, failed or was misspelt: [`Engine::decide`] forwards what came through all of
//! [`Engine::walk`], and answers everything else itself.

mod candidate;
mod conclude;
mod id;
mod identify;
mod observe;
mod opaque;
mod permit;
mod request;
mod settle;

use std::cell::RefCell;
use std::rc::Rc;

pub use candidate::{Difference, Opinion};
pub use id::Ids;
pub use request::{MAX_HEADERS, Request};

use crate::audit::{self, Members, Record};
use crate::authorize::basis::Basis;
use crate::behaviour::{Scores, Watch};
use crate::binding::{Binding, Bindings, Dpop, Nonces, Unproven};
use crate::denial::{Denial, Refusal, Reply, Wait};
use crate::feed::{Feeds, News, Response, SignedBy};
use crate::fields::Fields;
use crate::host::{Host, Timestamp};
use crate::introspection::Introspection;
use crate::limit::{BucketKey, Leases, Ledger, RateLimit, Receipt, Usages};
use crate::policy::{Access, Amendments, Mode, Operation, Policy};
use crate::principal::attributes::Values;
use crate::route::NormalPath;
use crate::session::{Session, Sessions};
use crate::throttle::{Budget, Refused};
use crate::token::credential::{self, Credential, Scheme};
use request::Sifted;

/// A policy at work: decides requests, and remembers the tokens it has verified.
#[derive(Debug)]
pub struct Engine {
    policy: Policy,
    /// Another policy at work beside it, which decides nothing.
    candidate: Option<Box<Self>>,
    /// Whether it is such a one.
    is_tried: bool,
    sessions: RefCell<Sessions>,
    /// Those of API keys, apart: a key that comes as a token is none.
    key_sessions: RefCell<Sessions>,
    leases: RefCell<Leases>,
    /// What it has of the limits that replicas share.
    ledger: Ledger,
    /// How agents behave, if anybody asks.
    watch: Option<Watch>,
    /// How they all behave, where that is made up.
    supposed: Option<Scores>,
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
    /// How the candidate would have decided, if otherwise.
    pub difference: Option<Box<Difference>>,
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
#[cfg_attr(
    target_pointer_width = "64",
    expect(clippy::large_enum_variant, reason = "nearly all of them are the large one")
)]
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
    /// What was reserved for the call, for [`Engine::true_cost`] and [`Engine::settle`].
    pub receipts: Box<[Receipt]>,
    /// What counts the call until it ends, for [`Engine::end`].
    pub under_way: Box<[Receipt]>,
    /// By what the agent is watched, for [`Engine::responded`].
    pub watched: Option<BucketKey>,
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
    /// How the agent of a session behaves.
    Observed(&'a Session, &'a Scores),
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
    /// How the agent behaves.
    behaviour: Option<Scores>,
    /// What the caller may do it by.
    basis: Basis,
    /// The identifier of what the user said.
    consent: Option<String>,
    /// What its limits were charged.
    charged: Charged,
    /// Why the caller would have been denied, were that enforced.
    shadow: Option<Refusal>,
    /// What the candidate would have decided.
    opinion: Option<Opinion<'e>>,
}

/// What limits were charged for a call.
#[derive(Default)]
struct Charged {
    usages: Usages,
    /// What the call costs, where any limit counts that.
    cost: Option<u32>,
    /// What was reserved for it.
    receipts: Box<[Receipt]>,
    /// What counts it until it ends.
    under_way: Box<[Receipt]>,
    /// The quotas that are nearly used up.
    running_out: Option<Box<str>>,
    /// Why a limit would have denied it that is not enforced.
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
    pub fn new(mut policy: Policy, seed: [u8; 16]) -> Self {
        let candidate = policy.candidate.take();
        let classes = [&policy.agent_limits, &policy.human_limits, &policy.key_limits];
        let limits = classes.into_iter().flat_map(|class| class.iter());
        Self {
            ledger: Ledger::new(policy.shared_limits.take(), limits),
            // Another seed: who fetches for all is told by it.
            candidate: candidate.map(|mut policy| {
                // What is only tried takes nothing from anybody.
                policy.shared_limits = None;
                let engine = Self::new(*policy, seed.map(|byte| !byte));
                Box::new(Self { is_tried: true, ..engine })
            }),
            is_tried: false,
            watch: policy.behaviour.as_ref().map(|behaviour| Watch::new(behaviour.spans)),
            supposed: None,
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

    /// The same, to which all agents behave so: for tests of a policy.
    #[must_use]
    pub fn supposing(self, scores: Scores) -> Self {
        Self { supposed: Some(scores), ..self }
    }

    /// The policy that is decided by.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What this worker has of the limits that replicas share.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What is fetched.
    pub const fn feeds(&self) -> &Feeds {
        &self.feeds
    }

    /// Sees to what is fetched, again and again; what came of it is for the log.
    pub fn tick(&self, host: &impl Host) -> Vec<News> {
        let mut news = Vec::new();
        for engine in self.with_candidate() {
            news.extend(engine.feeds.tick(host));
            engine.catch_up();
            engine.tell_what_was_seen(host);
        }
        news
    }

    /// Takes the answer to a fetch; what came of it is for the log.
    pub fn fetched(&self, call: u32, response: &Response<'_>, host: &impl Host) -> Option<News> {
        self.with_candidate().find_map(|engine| {
            let news = engine.feeds.fetched(call, response, host);
            engine.catch_up();
            news
        })
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
            self.end(&std::mem::take(&mut seen.charged.under_way), host);
        }
        seen.opinion = self.second_opinion(request, host);
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
            permit => {
                if permit.is_err() {
                    self.end(&std::mem::take(&mut seen.charged.under_way), host);
                }
                seen.opinion = self.second_opinion(request, host);
                Attempt::Decided(self.conclude(request, sifted, now, &mut seen, permit))
            }
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
}
