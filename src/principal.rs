//! Verified claims -> who is calling, for whom, acting through whom.
//!
//! Only the outermost actor of a token counts (RFC 8693 §4.1): the ones it acts through are
//! history, told to the auditors and never asked for a permission. `may_act` says who might
//! become an actor and makes nobody one (§4.4).

pub mod attributes;

use serde_json::Value;

use crate::api_key::ApiKey;
use crate::policy::{AgentId, Kind, Matches, Misshapen, Party, Policy, RoleId, Shape};
use crate::token::{Claims, IssuerId, Verified};

/// The most actors a token may name, one inside the other.
pub const MAX_ACTORS: usize = 8;

/// The longest name of an actor or an organization, in bytes.
const MAX_NAME: usize = 512;

/// Who is calling.
#[derive(Debug)]
pub enum Caller {
    /// An organization, with this key of its own.
    Key(ApiKey),
    /// Whoever a token speaks for.
    Token(Principal),
}

/// Who a token speaks for. A caller is the same caller only with the same issuer, subject, client and
/// actor: two issuers, or two clients of one, may use one `sub` for different parties.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Agent or human.
    pub kind: Kind,
    /// Who vouches for the names below.
    pub issuer: IssuerId,
    /// Whether there is a person in the token.
    pub party: Party,
    /// The token's subject: the user, or the agent itself when it acts for nobody.
    pub subject: String,
    /// The OAuth client the token was issued to.
    pub client: String,
    /// The agent, when it is one.
    pub agent: Option<AgentIdentity>,
    /// Whether somebody acts for the subject; the permissions are then the subject's at most.
    pub delegated: bool,
    /// The roles of the subject that the policy knows.
    pub roles: Vec<RoleId>,
    /// The organization the subject belongs to.
    pub organization: Option<String>,
    /// The actors, the current one first.
    pub actors: Vec<String>,
    /// The issuer that knows each of them; none where the policy does not know that one.
    pub actor_issuers: Vec<Option<IssuerId>>,
    /// The token's identifier.
    pub token_id: Option<String>,
}

/// Which agent.
#[derive(Clone, Debug)]
pub struct AgentIdentity {
    /// Its name in the policy; unregistered, what its token calls it, be it a registered name.
    pub name: String,
    /// Its registration.
    pub registered: Option<AgentId>,
    /// Who knows it by its name, where the token says so.
    pub issuer: Option<String>,
}

/// Why verified claims name no principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unidentified {
    /// `act`, or an `act` in it, is no object with a `sub`.
    ActorMalformed,
    /// More than [`MAX_ACTORS`] actors.
    ActorsTooMany,
    /// A claim is not what the policy requires of every token of the issuer.
    ClaimNotAsRequired,
    /// The policy has the issuer no more.
    IssuerUnknown,
    /// A person's token, where only machines' are taken.
    NotAMachine,
    /// The organization is neither absent nor a plain string, or a list of just one.
    OrganizationMalformed,
    /// The token says both that a person is in it and that none is.
    PartyUnclear,
    /// The roles are neither absent nor a list of strings, or of objects with one as `value`.
    RolesMalformed,
}

impl Unidentified {
    /// What is wrong, in words.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::ActorMalformed => "`act` is no object with a `sub`",
            Self::ActorsTooMany => "the chain of actors is too long",
            Self::ClaimNotAsRequired => "a claim is not what the issuer's tokens must have",
            Self::IssuerUnknown => "the issuer is none of the policy's",
            Self::NotAMachine => "only tokens without a person in them are taken from the issuer",
            Self::OrganizationMalformed => "the organization claim is no plain string",
            Self::PartyUnclear => "the token is neither clearly a machine's nor clearly a person's",
            Self::RolesMalformed => "the roles claim is no list of names",
        }
    }
}

impl From<Misshapen> for Unidentified {
    fn from(error: Misshapen) -> Self {
        match error {
            Misshapen::Ambiguous => Self::PartyUnclear,
            Misshapen::Person => Self::NotAMachine,
            Misshapen::Required => Self::ClaimNotAsRequired,
        }
    }
}

impl Principal {
    /// Who the holder of a verified token is.
    ///
    /// # Errors
    ///
    /// [`Unidentified`] when a claim that says so is not what it should be.
    pub fn identify(verified: &Verified<'_>, policy: &Policy) -> Result<Self, Unidentified> {
        let claims = &verified.claims;
        let (subject, client) = (verified.subject.as_str(), verified.client.as_str());
        let shape = policy.trusted.shape(verified.issuer_id);
        let shape = shape.ok_or(Unidentified::IssuerUnknown)?;
        let party = shape.party(subject, client, claims)?;
        let actors = actors(claims)?;
        let registered = registration(policy, verified.issuer_id, actors.first(), client);
        // Where no person is in the token nobody else's rule makes it a person's, whoever acts
        // with it.
        let autonomous = party == Party::Machine && actors.is_empty();
        let kind = match party {
            Party::Person if !shape.is_agents(claims) => kind(policy, claims, registered),
            Party::Machine | Party::Person => Kind::Agent,
        };
        let agent = (kind == Kind::Agent).then(|| {
            let called = actors.first().map_or(client, |actor| actor.subject);
            let known = registered.and_then(|id| policy.agents.get(id));
            let name = known.map_or(called, |agent| agent.name.as_str()).to_owned();
            let issuer = actors.first().and_then(|actor| actor.issuer).map(str::to_owned);
            AgentIdentity { name, registered, issuer }
        });
        let known_at = |actor: &Actor<'_>| actor.known_at(policy, verified.issuer_id);
        Ok(Self {
            kind,
            issuer: verified.issuer_id,
            party,
            subject: subject.to_owned(),
            client: client.to_owned(),
            agent,
            delegated: !actors.is_empty() || kind == Kind::Agent && !autonomous,
            roles: roles(claims, shape, policy)?,
            organization: organization(claims, shape)?,
            actor_issuers: actors.iter().map(known_at).collect(),
            actors: actors.iter().map(|actor| actor.subject.to_owned()).collect(),
            token_id: claims.token_id().map(str::to_owned),
        })
    }

    /// The registration of the agent, when it is a registered one.
    pub fn registered(&self) -> Option<AgentId> {
        self.agent.as_ref().and_then(|agent| agent.registered)
    }

    /// The scopes of its token.
    pub fn scopes<'a>(
        &self,
        policy: &'a Policy,
        claims: &'a Claims,
    ) -> impl Iterator<Item = &'a str> {
        let shape = policy.trusted.shape(self.issuer);
        shape.into_iter().flat_map(|shape| shape.scopes(self.party, claims))
    }
}

/// A party that acts for another.
struct Actor<'a> {
    subject: &'a str,
    issuer: Option<&'a str>,
}

impl Actor<'_> {
    /// The issuer that knows it: the token's unless it names another.
    fn known_at(&self, policy: &Policy, issuer: IssuerId) -> Option<IssuerId> {
        self.issuer.map_or(Some(issuer), |name| policy.trusted.find(name))
    }
}

/// The chain of actors, outermost first.
fn actors(claims: &Claims) -> Result<Vec<Actor<'_>>, Unidentified> {
    let mut chain = Vec::new();
    let mut next = claims.actor();
    while let Some(object) = next {
        if chain.len() == MAX_ACTORS {
            return Err(Unidentified::ActorsTooMany);
        }
        let subject = object.get("sub").and_then(Value::as_str).filter(|name| plain(name));
        let issuer = match object.get("iss") {
            None => None,
            Some(Value::String(issuer)) => Some(issuer.as_str()),
            Some(_) => return Err(Unidentified::ActorMalformed),
        };
        chain.push(Actor { subject: subject.ok_or(Unidentified::ActorMalformed)?, issuer });
        next = match object.get("act") {
            None => None,
            Some(inner) => Some(inner.as_object().ok_or(Unidentified::ActorMalformed)?),
        };
    }
    Ok(chain)
}

/// The agent's registration: by its actor's name where there is one, else by its client's. An
/// actor known by another issuer is looked up there, and is nobody's agent if that is not trusted.
fn registration(
    policy: &Policy,
    issuer: IssuerId,
    actor: Option<&Actor<'_>>,
    client: &str,
) -> Option<AgentId> {
    let Some(actor) = actor else { return policy.agents.with_client(issuer, client) };
    policy.agents.with_actor(actor.known_at(policy, issuer)?, actor.subject)
}

/// Agent or human, by the first rule that matches. A policy without a matching rule cannot be
/// loaded; should there be none all the same, an agent is what may do less.
fn kind(policy: &Policy, claims: &Claims, registered: Option<AgentId>) -> Kind {
    let rule = policy.callers.iter().find(|rule| match &rule.matches {
        Matches::Otherwise => true,
        Matches::Registered => registered.is_some(),
        Matches::When(condition) => condition.holds(claims),
    });
    rule.map_or(Kind::Agent, |rule| rule.kind)
}

/// The one organization: of several nobody says on whose behalf the call is made.
fn organization(claims: &Claims, shape: &Shape) -> Result<Option<String>, Unidentified> {
    let value = claims.get(&shape.organization).unwrap_or(&Value::Null);
    let name = match value {
        Value::Null => return Ok(None),
        Value::Array(list) if list.len() == 1 => list.first().and_then(Value::as_str),
        value => value.as_str(),
    };
    let name = name.filter(|name| plain(name)).ok_or(Unidentified::OrganizationMalformed)?;
    Ok(Some(name.to_owned()))
}

/// The roles the policy knows; others are the business of whoever gave them. Each is a name or an
/// object with the name as `value` (RFC 9068 §2.2.3.1, RFC 7643 §2.4).
fn roles(claims: &Claims, shape: &Shape, policy: &Policy) -> Result<Vec<RoleId>, Unidentified> {
    let list = match claims.get(&shape.roles) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(Unidentified::RolesMalformed),
    };
    let mut roles = Vec::new();
    for role in list {
        let name = role.get("value").unwrap_or(role).as_str();
        let name = name.ok_or(Unidentified::RolesMalformed)?;
        roles.extend(policy.roles.find(name));
    }
    Ok(roles)
}

/// A name fit for headers and logs: not empty, of bounded length, without control characters.
fn plain(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control)
}
