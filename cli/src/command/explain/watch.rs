//! Watches the walk of a request.

use postern::authorize::facts::Facts;
use postern::behaviour::Scores;
use postern::decision::{Request, Step as Seen, Witness};
use postern::denial::{Denial, Refusal};
use postern::host::Timestamp;
use postern::limit::{Class, Refused, Usage};
use postern::policy::{Access, Operation, Policy};
use postern::principal::Caller;
use postern::route::NormalPath;
use postern::session::Session;
use postern::token::credential;

use super::finding::{
    Authorize, Behaviour, Binding, Finding, Firewall, Grant, Key, Left, Limits, Principal, Route,
    Standing, Step, Token,
};

/// Writes down what each step found. The engine tells of what passed; what was refused is looked
/// up in the policy here.
pub(in crate::command) struct Watch<'a> {
    policy: &'a Policy,
    request: &'a Request<'a>,
    now: Timestamp,
    steps: Vec<Step>,
    operation: Option<&'a Operation>,
    /// What will be said of the next step, when it does not pass.
    standing: Option<Standing>,
    /// What is to be proven, until it is.
    binding: Option<Binding>,
    /// What will be said of the next step, whether it passes or not.
    authorize: Option<Authorize>,
    refusal: Option<Refusal>,
}

/// What was seen of the whole walk.
pub(in crate::command) struct Walk {
    pub(in crate::command) steps: Vec<Step>,
    pub(in crate::command) refusal: Option<Refusal>,
}

impl<'a> Watch<'a> {
    pub(in crate::command) const fn new(
        policy: &'a Policy,
        request: &'a Request<'a>,
        now: Timestamp,
    ) -> Self {
        Self {
            policy,
            request,
            now,
            steps: Vec::new(),
            operation: None,
            standing: None,
            binding: None,
            authorize: None,
            refusal: None,
        }
    }

    pub(in crate::command) fn finish(self) -> Walk {
        Walk { steps: self.steps, refusal: self.refusal }
    }

    fn passed(&mut self, finding: Finding) {
        self.steps.push(Step { finding, passed: true, reason: None });
    }

    fn firewall(&self, places: &[usize]) -> Firewall {
        let names = places.iter().filter_map(|place| self.request.headers.get(*place));
        let removed = names.map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
        Firewall { removed }
    }

    fn route(&self, operation: &Operation) -> Route {
        let (access, permission) = match operation.access {
            Access::Metadata => ("metadata", None),
            Access::Permission(id) => ("permission", Some(self.policy.permissions.name(id))),
            Access::Public => ("public", None),
        };
        Route {
            index: operation.index,
            template: Some(operation.template.clone()),
            access: Some(access),
            permission: permission.map(str::to_owned),
            methods: None,
        }
    }

    fn token(&self, verified: bool) -> Token {
        Token::of(
            credential::find(self.request.headers, None)
                .and_then(|found| credential::read(found.token))
                .ok(),
            verified,
        )
    }

    fn session(&mut self, session: &Session) {
        match &session.caller {
            Caller::Key(key) => self.passed(Finding::Key(Key::of(key))),
            Caller::Token(principal) => {
                let token = match session.is_introspected() {
                    true => Token::introspected(self.policy, session),
                    false => self.token(true),
                };
                self.passed(Finding::Token(token));
                self.passed(Finding::Principal(Principal::of(self.policy, principal)));
            }
        }
        self.binding = Some(Binding::of(session));
        let standing = Standing::of(self.policy, session);
        if standing.revocation.is_some() {
            self.standing = Some(standing);
        } else if standing.revocations > 0 {
            self.passed(Finding::Standing(standing));
        }
        self.authorize = self.authorize(session, None);
    }

    fn authorize(&self, session: &Session, behaviour: Option<Scores>) -> Option<Authorize> {
        let path = NormalPath::parse(self.request.path).ok()?;
        let facts = Facts {
            policy: self.policy,
            credential: session.credential(self.policy),
            // Nobody shows a certificate here.
            attributes: &Vec::new(),
            method: self.request.method,
            path: &path,
            headers: self.request.headers,
            behaviour,
            now: self.now,
            target: b"",
            grant: None,
        };
        self.operation.and_then(|operation| match operation.access {
            Access::Permission(id) => {
                Some(Authorize::of(self.policy, operation, id, session, &facts))
            }
            Access::Metadata | Access::Public => None,
        })
    }

    fn left(&self, usages: impl Iterator<Item = Usage>) -> Limits {
        let left = |usage: Usage| {
            let limits = match usage.class {
                Class::Agents => &self.policy.agent_limits,
                Class::Humans => &self.policy.human_limits,
                Class::Keys => &self.policy.key_limits,
            };
            let limit = limits.find(usage)?;
            Some(Left {
                limit: limit.name().to_owned(),
                rate: limit.written().to_owned(),
                burst: limit.size(),
                remaining: usage.remaining,
            })
        };
        Limits { limits: usages.filter_map(left).collect() }
    }

    /// The step that did not pass is the one after the last that did.
    fn refused(&mut self, refusal: &Refusal) {
        self.refusal = Some(*refusal);
        let path = NormalPath::parse(self.request.path);
        // With a good path, only the headers can make a request malformed before its route.
        if let [only] = self.steps.as_mut_slice()
            && path.is_ok()
            && refusal.denial == Denial::InvalidRequest
        {
            (only.passed, only.reason) = (false, Some(refusal.reason));
            return;
        }
        let finding = match self.steps.last().map(|step| &step.finding) {
            None | Some(Finding::Firewall(_)) => {
                let permits = |path| self.policy.operations.permits(path);
                let methods = path.as_ref().ok().map(permits);
                let methods = methods.map(|list| list.into_iter().map(str::to_owned).collect());
                Finding::Route(Route { methods, ..Route::default() })
            }
            Some(Finding::Route(_) | Finding::Token(_)) => Finding::Token(self.token(false)),
            Some(
                Finding::Key(_)
                | Finding::Principal(_)
                | Finding::Standing(_)
                | Finding::Binding(_)
                | Finding::Behaviour(_),
            ) => {
                let binding = self.binding.take();
                let unproven = binding.filter(|binding| {
                    binding.binding.is_some() || refusal.denial == Denial::UnboundToken
                });
                match (unproven, self.standing.take(), self.authorize.take()) {
                    (Some(binding), ..) => Finding::Binding(binding),
                    (None, Some(standing), _) => Finding::Standing(standing),
                    (None, None, Some(authorize)) => Finding::Authorize(authorize),
                    (None, None, None) => return,
                }
            }
            Some(Finding::Authorize(_) | Finding::Limits(_)) => {
                let usage = match refusal.limit {
                    Some(Refused::Exceeded { usage, .. }) => Some(usage),
                    Some(Refused::Unavailable) | None => None,
                };
                Finding::Limits(self.left(usage.into_iter()))
            }
        };
        self.steps.push(Step { finding, passed: false, reason: Some(refusal.reason) });
    }
}

impl Witness for Watch<'_> {
    fn saw(&mut self, step: Seen<'_>) {
        match step {
            Seen::Firewall(places) => self.passed(Finding::Firewall(self.firewall(places))),
            Seen::Route(operation) => {
                // The same one, for as long as the policy lives.
                let mut operations = self.policy.operations.iter();
                self.operation = operations.find(|known| std::ptr::eq(*known, operation));
                self.passed(Finding::Route(self.route(operation)));
            }
            Seen::Session(session) => self.session(session),
            Seen::Bound(_) => {
                if let Some(binding) = self.binding.take() {
                    self.passed(Finding::Binding(binding));
                }
            }
            Seen::Observed(session, scores) => {
                self.authorize = self.authorize(session, Some(*scores));
                self.passed(Finding::Behaviour(Behaviour::of(scores)));
            }
            Seen::Authorized(basis) => {
                if let Some(mut authorize) = self.authorize.take() {
                    authorize.grant = basis.grant().map(Grant::of);
                    authorize.authorization_details = basis.details().map(str::to_owned);
                    self.passed(Finding::Authorize(authorize));
                }
            }
            Seen::Limited(usages) => self.passed(Finding::Limits(self.left(usages.iter()))),
            Seen::Refused(refusal) => self.refused(refusal),
        }
    }
}
