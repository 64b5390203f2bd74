//! What conditions may ask about, by name.

use super::attributes::Attributes;
use super::nearest::nearest;
use super::problem::quoted;
use crate::cel::{Names, Program, Type, Unknown, Variable as Resolved};
use crate::route::{Pattern, Segment};

/// The most different things that the conditions of a policy may ask about.
const MAX_VARIABLES: usize = 4_096;

/// The most parts of conditions that are worked out once for each credential, and not with each request.
const MAX_SETTLED: usize = 256;

/// What the token is known by.
pub(crate) const TOKEN: u16 = 0;

/// Something that a condition asks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// The agent's name in the policy; unregistered, what its token calls it.
    AgentName,
    /// Who answers for the agent.
    AgentOwner,
    /// Whether the agent is registered.
    AgentRegistered,
    /// The attribute with this place.
    Attribute(usize),
    /// What there is of how the agent behaves.
    Behaviour(Aspect),
    /// The OAuth client.
    CallerClient,
    /// Whether somebody acts for the subject.
    CallerDelegated,
    /// `agent`, `human` or `organization`.
    CallerKind,
    /// Who approved the grant that is used.
    GrantApprover,
    /// Why there is the grant that is used.
    GrantReason,
    /// The value of a header of the request, by its name in lower case.
    Header(String),
    /// The method of the request.
    Method,
    /// The moment of the request.
    Now,
    /// The organization.
    Organization,
    /// The path of the request, decoded, without the query.
    Path,
    /// The segment of the path with this number.
    Segment(usize),
    /// How many bytes the body has, by `content-length`.
    Size,
    /// The claims.
    Token,
    /// The user's roles, by their names in the policy.
    UserRoles,
    /// The subject, where it is a person.
    UserSubject,
}

/// What there is of how an agent behaves: see [`crate::behaviour`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aspect {
    /// How much of what it does fails.
    Failures,
    /// Whether it is known what is usual of it.
    Known,
    /// How many of its operations are new.
    Novelty,
    /// How much more it calls than ever.
    Rate,
    /// What all that comes to.
    Score,
    /// From how many networks more than ever it calls.
    Sources,
}

/// What is known of how an agent behaves.
const BEHAVIOUR: &str = "behaviour";

/// Names of one or two parts.
const NAMES: [(&str, &str, Variable); 21] = [
    ("agent", "name", Variable::AgentName),
    ("agent", "owner", Variable::AgentOwner),
    ("agent", "registered", Variable::AgentRegistered),
    (BEHAVIOUR, "failures", Variable::Behaviour(Aspect::Failures)),
    (BEHAVIOUR, "known", Variable::Behaviour(Aspect::Known)),
    (BEHAVIOUR, "novelty", Variable::Behaviour(Aspect::Novelty)),
    (BEHAVIOUR, "rate", Variable::Behaviour(Aspect::Rate)),
    (BEHAVIOUR, "score", Variable::Behaviour(Aspect::Score)),
    (BEHAVIOUR, "sources", Variable::Behaviour(Aspect::Sources)),
    ("caller", "client", Variable::CallerClient),
    ("caller", "delegated", Variable::CallerDelegated),
    ("caller", "kind", Variable::CallerKind),
    ("grant", "approved_by", Variable::GrantApprover),
    ("grant", "reason", Variable::GrantReason),
    ("now", "", Variable::Now),
    ("organization", "id", Variable::Organization),
    ("request", "method", Variable::Method),
    ("request", "path", Variable::Path),
    ("request", "size", Variable::Size),
    ("user", "roles", Variable::UserRoles),
    ("user", "subject", Variable::UserSubject),
];

/// The parts of the request that go by names of their own.
const OF_REQUEST: [&str; 2] = ["headers", "parameters"];

impl Variable {
    fn of(&self, attributes: &Attributes) -> Type {
        match self {
            Self::Attribute(place) => attributes.of(*place),
            Self::AgentRegistered | Self::Behaviour(Aspect::Known) | Self::CallerDelegated => {
                Type::Bool
            }
            Self::Behaviour(_) => Type::Double,
            Self::Now => Type::Timestamp,
            Self::Size => Type::Int,
            Self::Token => Type::Map(Box::new(Type::Dyn)),
            Self::UserRoles => Type::List(Box::new(Type::String)),
            Self::AgentName
            | Self::AgentOwner
            | Self::CallerClient
            | Self::CallerKind
            | Self::GrantApprover
            | Self::GrantReason
            | Self::Header(_)
            | Self::Method
            | Self::Organization
            | Self::Path
            | Self::Segment(_)
            | Self::UserSubject => Type::String,
        }
    }

    fn is_of_request(&self, attributes: &Attributes) -> bool {
        match self {
            Self::Behaviour(_)
            | Self::GrantApprover
            | Self::GrantReason
            | Self::Header(_)
            | Self::Method
            | Self::Now
            | Self::Path
            | Self::Segment(_)
            | Self::Size => true,
            Self::Attribute(place) => attributes.has_header(*place),
            // What is told here is remembered with the token: each is named, so that none is by mistake.
            Self::AgentName
            | Self::AgentOwner
            | Self::AgentRegistered
            | Self::CallerClient
            | Self::CallerDelegated
            | Self::CallerKind
            | Self::Organization
            | Self::Token
            | Self::UserRoles
            | Self::UserSubject => false,
        }
    }
}

/// All that the conditions of a policy ask about: each is known by its place.
#[derive(Debug)]
pub struct Vocabulary {
    variables: Vec<Variable>,
    settled: Vec<Program>,
}

impl Default for Vocabulary {
    fn default() -> Self {
        // INVARIANT: at the place `TOKEN`.
        Self { variables: vec![Variable::Token], settled: Vec::new() }
    }
}

impl Vocabulary {
    /// What is known by `id`.
    pub fn get(&self, id: u16) -> Option<&Variable> {
        self.variables.get(usize::from(id))
    }

    /// All of it, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Variable> {
        self.variables.iter()
    }

    /// The parts of conditions that the credential alone decides.
    pub fn settled(&self) -> &[Program] {
        &self.settled
    }

    /// Whether the conditions ask about nothing but tokens.
    pub fn is_of_tokens(&self) -> bool {
        self.variables.len() <= 1
    }

    fn place(&mut self, variable: Variable) -> Option<u16> {
        let known = self.variables.iter().position(|other| *other == variable);
        let place = known.unwrap_or(self.variables.len());
        if known.is_none() {
            if place >= MAX_VARIABLES {
                return None;
            }
            self.variables.push(variable);
        }
        u16::try_from(place).ok()
    }
}

/// Whose behaviour is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watched {
    /// That of the agents who may be meant here.
    Agents,
    /// That of agents, and none can be meant here.
    NotThese,
    /// Nobody's.
    Nobody,
}

/// What the conditions at one place of a policy may ask about.
pub(super) struct Scope<'a> {
    pub(super) vocabulary: &'a mut Vocabulary,
    pub(super) attributes: &'a Attributes,
    /// Whose behaviour is seen.
    pub(super) watched: Watched,
    /// The path of the one route that they are about.
    pub(super) pattern: Option<&'a Pattern>,
    /// Whether one of them asked about the request.
    pub(super) asks_request: bool,
}

impl Scope<'_> {
    /// The same on requests of such a path.
    pub(super) fn on<'a>(&'a mut self, pattern: Option<&'a Pattern>) -> Scope<'a> {
        Scope {
            vocabulary: self.vocabulary,
            attributes: self.attributes,
            watched: self.watched,
            pattern,
            asks_request: false,
        }
    }

    fn find(&self, first: &str, fields: &[&str]) -> Result<(Variable, usize), Unknown> {
        if first == "token" {
            return Ok((Variable::Token, 0));
        }
        if first == "request" && fields.first() == Some(&"parameters") {
            return self.parameter(fields.get(1).copied().unwrap_or_default());
        }
        if first == "request" && fields.first() == Some(&"headers") {
            let name = fields.get(1).copied().unwrap_or_default();
            let is_name =
                |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte);
            if name.is_empty() || !name.bytes().all(is_name) {
                let unknown = unknown(2, "expected a header's name".to_owned());
                return Err(Unknown {
                    help: Some("such as `request.headers[\"x-name\"]`".to_owned()),
                    ..unknown
                });
            }
            return Ok((Variable::Header(name.to_ascii_lowercase()), 2));
        }
        if first == BEHAVIOUR {
            match self.watched {
                Watched::Agents => {}
                Watched::NotThese => {
                    return Err(unknown(
                        0,
                        "only agents are watched, and these are none".to_owned(),
                    ));
                }
                Watched::Nobody => {
                    let message = "nobody watches how agents behave".to_owned();
                    let help = Some("write `behaviour: {}` at the top of the policy".to_owned());
                    return Err(Unknown { help, ..unknown(0, message) });
                }
            }
        }
        if let Some((.., variable)) =
            NAMES.iter().find(|(name, of, _)| *name == first && of.is_empty())
        {
            return Ok((variable.clone(), 0));
        }
        let field = fields.first().copied().unwrap_or_default();
        let found = NAMES.iter().find(|(name, of, _)| *name == first && *of == field);
        if let Some((.., variable)) = found {
            return Ok((variable.clone(), 1));
        }
        if let Some(place) = self.attributes.find(field).filter(|_| first == "agent") {
            return Ok((Variable::Attribute(place), 1));
        }
        Err(self.unknown(first, field))
    }

    fn parameter(&self, name: &str) -> Result<(Variable, usize), Unknown> {
        let Some(pattern) = self.pattern else {
            let message = "the path has parameters in the conditions of a route only";
            return Err(unknown(1, message.to_owned()));
        };
        let named =
            |segment: &Segment| matches!(segment, Segment::One(Some(one)) if **one == *name);
        let place = pattern.segments().iter().position(named);
        place.map(|place| (Variable::Segment(place), 2)).ok_or_else(|| {
            let names = pattern.segments().iter().filter_map(|segment| match segment {
                Segment::One(Some(name)) => Some(&**name),
                Segment::One(None) | Segment::Literal(_) | Segment::Rest => None,
            });
            let message = format!("the path has no parameter {}", quoted(name));
            near(unknown(2, message), name, names)
        })
    }

    /// What is wrong with a name that nothing has.
    fn unknown(&self, first: &str, field: &str) -> Unknown {
        let roots = NAMES.iter().map(|(name, ..)| *name).chain(["request", "token"]);
        if !roots.clone().any(|name| name == first) {
            return near(unknown(0, format!("unknown name {}", quoted(first))), first, roots);
        }
        let fields = NAMES.iter().filter(|(name, ..)| *name == first).map(|(_, field, _)| *field);
        let attributes = self.attributes.names().filter(|_| first == "agent");
        let more = OF_REQUEST.iter().copied().filter(|_| first == "request");
        let fields: Vec<&str> = fields.chain(attributes).chain(more).collect();
        if field.is_empty() {
            let message = format!("expected a field of {}", quoted(first));
            let fields: Vec<String> = fields.iter().map(|name| quoted(name)).collect();
            let help = Some(format!("there are {}", fields.join(", ")));
            return Unknown { help, ..unknown(1, message) };
        }
        let what = if first == "agent" { "unknown attribute" } else { "unknown field" };
        near(unknown(1, format!("{what} {}", quoted(field))), field, fields.into_iter())
    }
}

impl Names for Scope<'_> {
    fn resolve(&mut self, first: &str, fields: &[&str]) -> Result<Resolved, Unknown> {
        let (variable, fields) = self.find(first, fields)?;
        self.asks_request |= variable.is_of_request(self.attributes);
        let of = variable.of(self.attributes);
        let message = || format!("the conditions ask about more than {MAX_VARIABLES} things");
        let id = self.vocabulary.place(variable).ok_or_else(|| unknown(0, message()))?;
        Ok(Resolved { id, of, fields })
    }

    fn is_settled(&self, id: u16) -> bool {
        let variable = self.vocabulary.get(id);
        variable.is_some_and(|variable| !variable.is_of_request(self.attributes))
    }

    fn settle(&mut self, part: Program) -> Result<u16, Program> {
        let settled = &mut self.vocabulary.settled;
        let known = settled.iter().position(|other| *other == part);
        let place = known.unwrap_or(settled.len());
        match u16::try_from(place) {
            Ok(place) if known.is_some() => Ok(place),
            Ok(place) if settled.len() < MAX_SETTLED => {
                settled.push(part);
                Ok(place)
            }
            _ => Err(part),
        }
    }
}

/// Where nothing is known yet but the token.
pub(super) struct TokenOnly;

impl Names for TokenOnly {
    fn resolve(&mut self, first: &str, _: &[&str]) -> Result<Resolved, Unknown> {
        if first == "token" {
            let of = Type::Map(Box::new(Type::Dyn));
            return Ok(Resolved { id: TOKEN, of, fields: 0 });
        }
        let is_known = first == "request" || NAMES.iter().any(|(name, ..)| *name == first);
        Err(match is_known {
            true => unknown(1, format!("nothing but `token` is known here, not {}", quoted(first))),
            false => near(
                unknown(0, format!("unknown name {}", quoted(first))),
                first,
                ["token"].into_iter(),
            ),
        })
    }
}

fn unknown(part: usize, message: String) -> Unknown {
    Unknown { part, message, help: None }
}

fn near<'a>(unknown: Unknown, name: &str, known: impl Iterator<Item = &'a str>) -> Unknown {
    let help = nearest(name, known).map(|near| format!("did you mean {}?", quoted(near)));
    Unknown { help, ..unknown }
}
