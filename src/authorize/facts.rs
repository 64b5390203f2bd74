//! What conditions are about: the answers to all that a policy's vocabulary asks.

use std::cell::Cell;

use serde_json::Value as Json;

use super::elevation::Used;
use crate::behaviour::Scores;
use crate::cel::{self, Failure, Value};
use crate::host::Timestamp;
use crate::policy::{Aspect, Kind, Party, Policy, TOKEN, Variable, Vocabulary};
use crate::principal::attributes::Values;
use crate::principal::{Caller, Principal};
use crate::route::NormalPath;
use crate::token::Claims;

/// What a credential settles of it, in the order of the vocabulary: nothing where there is nothing.
pub type Known = Vec<Option<Json>>;

/// What became of the parts of conditions that a credential alone decides, in the order of the
/// vocabulary: nothing until one is asked for.
#[derive(Debug, Default)]
pub struct Settled(Box<[Cell<Option<Truth>>]>);

type Truth = Result<bool, Failure>;

impl Settled {
    /// None of the parts there are in a policy.
    pub fn none(policy: &Policy) -> Self {
        Self(policy.vocabulary.settled().iter().map(|_| Cell::default()).collect())
    }
}

/// Works out what a credential settles of what the policy's conditions ask.
pub fn known(policy: &Policy, caller: &Caller, attributes: &Values) -> Known {
    if policy.vocabulary.is_of_tokens() {
        return Vec::new();
    }
    let value = |variable: &Variable| match caller {
        Caller::Key(key) => match variable {
            Variable::CallerKind => Some(Kind::Organization.name().into()),
            Variable::CallerDelegated => Some(false.into()),
            Variable::Organization => Some(key.organization.as_str().into()),
            _ => None,
        },
        Caller::Token(principal) => of_token(policy, principal, attributes, variable),
    };
    policy.vocabulary.iter().map(value).collect()
}

fn of_token(
    policy: &Policy,
    principal: &Principal,
    attributes: &Values,
    variable: &Variable,
) -> Option<Json> {
    let agent = principal.agent.as_ref();
    let registered = principal.registered().and_then(|id| policy.agents.get(id));
    match variable {
        Variable::AgentName => Some(agent?.name.as_str().into()),
        Variable::AgentOwner => Some(registered?.owner.as_deref()?.into()),
        Variable::AgentRegistered => Some(agent?.registered.is_some().into()),
        Variable::Attribute(place) => attributes.get(*place)?.clone(),
        Variable::CallerClient => Some(principal.client.as_str().into()),
        Variable::CallerDelegated => Some(principal.delegated.into()),
        Variable::CallerKind => Some(principal.kind.name().into()),
        Variable::Organization => Some(principal.organization.as_deref()?.into()),
        Variable::UserRoles => {
            Some(principal.roles.iter().map(|role| policy.roles.name(*role)).collect())
        }
        Variable::UserSubject => {
            let is_there = principal.party == Party::Person;
            is_there.then(|| principal.subject.as_str().into())
        }
        Variable::Behaviour(_)
        | Variable::GrantApprover
        | Variable::GrantReason
        | Variable::Header(_)
        | Variable::Method
        | Variable::Now
        | Variable::Path
        | Variable::Segment(_)
        | Variable::Size
        | Variable::Token => None,
    }
}

/// What is known once there is a credential, and before there is a request.
#[derive(Clone, Copy, Debug)]
pub struct OfCredential<'a> {
    /// What its token says.
    pub claims: &'a Claims,
    /// What it settles.
    pub known: &'a Known,
    /// What it decides.
    pub settled: &'a Settled,
    /// What is asked about.
    pub vocabulary: &'a Vocabulary,
}

impl cel::Facts for OfCredential<'_> {
    fn value(&self, id: u16) -> Result<Value<'_>, Failure> {
        if id == TOKEN {
            return Ok(Value::Map(self.claims.members()));
        }
        let known = self.known.get(usize::from(id)).and_then(Option::as_ref);
        known.map(Value::from).ok_or(Failure::Missing)
    }

    fn settled(&self, place: u16) -> Result<bool, Failure> {
        let decided = self.settled.0.get(usize::from(place)).ok_or(Failure::Missing)?;
        decided.get().unwrap_or_else(|| {
            let part = self.vocabulary.settled().get(usize::from(place));
            let truth = part.ok_or(Failure::Missing).and_then(|part| part.holds(self));
            decided.set(Some(truth));
            truth
        })
    }
}

/// All that is known of a request.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What is asked about.
    pub policy: &'a Policy,
    /// What the credential settles.
    pub credential: OfCredential<'a>,
    /// What a proxy before us says of the agent.
    pub attributes: &'a Values,
    /// The method, as it came.
    pub method: &'a [u8],
    /// The path.
    pub path: &'a NormalPath<'a>,
    /// The same as it came, with its query.
    pub target: &'a [u8],
    /// The headers.
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// How the agent behaves, where that is known.
    pub behaviour: Option<Scores>,
    /// When it is.
    pub now: Timestamp,
    /// The grant that is used.
    pub grant: Option<&'a Used>,
}

impl Facts<'_> {
    /// The one value of a header.
    fn header(&self, name: &str) -> Result<&[u8], Failure> {
        let is_it = |(one, _): &&(&[u8], &[u8])| one.eq_ignore_ascii_case(name.as_bytes());
        let mut values = self.headers.iter().filter(is_it);
        let (_, value) = values.next().ok_or(Failure::Missing)?;
        // Nobody knows which of two the backend takes.
        if values.next().is_some() { Err(Failure::Unreadable) } else { Ok(value) }
    }
}

impl cel::Facts for Facts<'_> {
    fn value(&self, id: u16) -> Result<Value<'_>, Failure> {
        let text = |bytes| str::from_utf8(bytes).map(Value::Text).map_err(|_| Failure::Unreadable);
        match self.policy.vocabulary.get(id) {
            Some(Variable::Now) => Ok(Value::Timestamp(self.now.into())),
            Some(Variable::Method) => text(self.method),
            Some(Variable::Path) => Ok(Value::Text(self.path.as_str())),
            Some(Variable::Segment(place)) => {
                self.path.segments().nth(*place).map(Value::Text).ok_or(Failure::Missing)
            }
            Some(Variable::Header(name)) => text(self.header(name)?),
            Some(Variable::Size) => {
                let digits = str::from_utf8(self.header("content-length")?);
                let size = digits.ok().filter(|text| text.bytes().all(|one| one.is_ascii_digit()));
                let size = size.and_then(|digits| digits.parse().ok());
                size.map(Value::Int).ok_or(Failure::Unreadable)
            }
            Some(Variable::GrantReason) => {
                self.grant.map(|grant| Value::Text(&grant.reason)).ok_or(Failure::Missing)
            }
            Some(Variable::GrantApprover) => {
                self.grant.map(|grant| Value::Text(&grant.approved_by)).ok_or(Failure::Missing)
            }
            Some(Variable::Behaviour(aspect)) => {
                self.behaviour.map(|scores| aspect_of(*aspect, scores)).ok_or(Failure::Missing)
            }
            Some(Variable::Attribute(place)) => {
                let said = self.attributes.get(*place).and_then(Option::as_ref);
                said.map_or_else(|| self.credential.value(id), |value| Ok(value.into()))
            }
            _ => self.credential.value(id),
        }
    }

    fn is_text(&self, id: u16, text: &str) -> Result<bool, Failure> {
        match self.policy.vocabulary.get(id) {
            // What is equal to a text needs no look at whether it is one.
            Some(Variable::Method) if self.method == text.as_bytes() => Ok(true),
            _ => Ok(matches!(self.value(id)?, Value::Text(value) if value == text)),
        }
    }

    fn settled(&self, place: u16) -> Result<bool, Failure> {
        self.credential.settled(place)
    }
}

fn aspect_of(aspect: Aspect, scores: Scores) -> Value<'static> {
    let part = match aspect {
        Aspect::Known => return Value::Bool(scores.known),
        Aspect::Failures => scores.failures,
        Aspect::Novelty => scores.novelty,
        Aspect::Rate => scores.rate,
        Aspect::Score => scores.score(),
        Aspect::Sources => scores.sources,
    };
    Value::Double(part.as_f64())
}
