//! What each step of the walk found, as data: `--json` prints it, and people get it in words.

use postern::api_key::ApiKey;
use postern::authorize;
use postern::authorize::elevation::Used;
use postern::authorize::facts::Facts;
use postern::behaviour::Scores;
use postern::binding;
use postern::cel::Failure;
use postern::policy::{
    self, Agent, Condition, Kind, Operation, PermissionId, Policy, RoleId, Unregistered,
};
use postern::principal::{self, Caller};
use postern::session::Session;
use serde::Serialize;

use crate::command::time::Moment;
use crate::command::token::Decoded;

/// One step of the walk.
#[derive(Serialize)]
pub(in crate::command) struct Step {
    #[serde(flatten)]
    pub(in crate::command) finding: Finding,
    pub(in crate::command) passed: bool,
    /// Why it ended the walk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::command) reason: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub(in crate::command) enum Finding {
    Firewall(Firewall),
    Route(Route),
    Token(Token),
    Key(Key),
    Principal(Principal),
    Standing(Standing),
    Binding(Binding),
    Behaviour(Behaviour),
    Authorize(Authorize),
    Limits(Limits),
}

/// Headers that only Postern may set, and the caller did.
#[derive(Serialize)]
pub(in crate::command) struct Firewall {
    pub(in crate::command) removed: Vec<String>,
}

#[derive(Default, Serialize)]
pub(in crate::command) struct Route {
    /// Which of the policy's `routes`; none where Postern answers itself.
    pub(in crate::command) index: Option<usize>,
    pub(in crate::command) template: Option<String>,
    pub(in crate::command) access: Option<&'static str>,
    pub(in crate::command) permission: Option<String>,
    /// The methods that the path has, where the one asked for is not among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::command) methods: Option<Vec<String>>,
}

/// What the token says of itself, true only if it is `verified`.
#[derive(Default, Serialize)]
pub(in crate::command) struct Token {
    pub(in crate::command) verified: bool,
    /// Whether its issuer vouches for it when asked, and not by a signature.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::command) introspected: bool,
    pub(in crate::command) issuer: Option<String>,
    pub(in crate::command) algorithm: Option<String>,
    pub(in crate::command) key_id: Option<String>,
    pub(in crate::command) expires: Option<Moment>,
}

impl Token {
    pub(in crate::command) fn of(token: Option<&str>, verified: bool) -> Self {
        let Some(decoded) = token.and_then(|token| Decoded::parse(token).ok()) else {
            return Self::default();
        };
        Self {
            verified,
            introspected: false,
            issuer: decoded.text("iss").map(str::to_owned),
            algorithm: decoded.parameter("alg").map(str::to_owned),
            key_id: decoded.parameter("kid").map(str::to_owned),
            expires: decoded.date("exp").map(Moment::from_secs),
        }
    }
}

impl Token {
    /// An opaque token, by what its issuer says.
    pub(in crate::command) fn introspected(policy: &Policy, session: &Session) -> Self {
        let expires = "exp".parse().ok().and_then(|path| session.claims.get(&path)?.as_f64());
        let issuer = session.principal().map(|one| policy.trusted.identifier(one.issuer));
        Self {
            verified: true,
            introspected: true,
            issuer: issuer.map(str::to_owned),
            expires: expires.map(|seconds| Moment::from_secs(seconds.floor() as i64)),
            ..Self::default()
        }
    }
}

/// An API key that the policy lists.
#[derive(Serialize)]
pub(in crate::command) struct Key {
    pub(in crate::command) key: String,
    pub(in crate::command) organization: String,
    /// When it is to be replaced.
    pub(in crate::command) due: Moment,
    /// When it ends.
    pub(in crate::command) expires: Moment,
}

impl Key {
    pub(in crate::command) fn of(key: &ApiKey) -> Self {
        let overdue = key.overdue;
        Self {
            key: key.id.clone(),
            organization: key.organization.clone(),
            due: Moment::from_secs(key.due),
            expires: Moment::from_secs(key.expires.map_or(overdue, |at| at.min(overdue))),
        }
    }
}

#[derive(Serialize)]
pub(in crate::command) struct Principal {
    pub(in crate::command) kind: &'static str,
    pub(in crate::command) subject: String,
    pub(in crate::command) client: String,
    pub(in crate::command) agent: Option<String>,
    pub(in crate::command) registered: bool,
    pub(in crate::command) owner: Option<String>,
    pub(in crate::command) delegated: bool,
    pub(in crate::command) organization: Option<String>,
    /// The current one first.
    pub(in crate::command) actors: Vec<String>,
}

impl Principal {
    pub(in crate::command) fn of(policy: &Policy, principal: &principal::Principal) -> Self {
        let registered = principal.registered().and_then(|id| policy.agents.get(id));
        Self {
            kind: principal.kind.name(),
            subject: principal.subject.clone(),
            client: principal.client.clone(),
            agent: principal.agent.as_ref().map(|agent| agent.name.clone()),
            registered: registered.is_some(),
            owner: registered.and_then(|agent| agent.owner.clone()),
            delegated: principal.delegated,
            organization: principal.organization.clone(),
            actors: principal.actors.clone(),
        }
    }
}

/// Whether anything of the token is taken back. There is no such step where nothing at all is.
#[derive(Serialize)]
pub(in crate::command) struct Standing {
    /// Where the policy takes it back.
    pub(in crate::command) revocation: Option<String>,
    /// How much the policy takes back.
    pub(in crate::command) revocations: usize,
}

impl Standing {
    pub(in crate::command) fn of(policy: &Policy, session: &Session) -> Self {
        Self {
            revocation: session.revocation.map(|revocation| revocation.to_string()),
            revocations: policy.revocations.len(),
        }
    }
}

/// What the token is bound to, which each request has to prove. There is no such step where it is
/// bound to nothing, and may be.
#[derive(Serialize)]
pub(in crate::command) struct Binding {
    /// `dpop` for a key, `mtls` for a client certificate.
    pub(in crate::command) binding: Option<&'static str>,
}

impl Binding {
    pub(in crate::command) fn of(session: &Session) -> Self {
        Self { binding: session.binding.map(binding::Binding::name) }
    }
}

/// All that must hold the permission, and whether it does.
#[derive(Serialize)]
pub(in crate::command) struct Authorize {
    pub(in crate::command) permission: String,
    /// The token's scopes; a scope without a role grants nothing.
    pub(in crate::command) scopes: Vec<Scope>,
    /// The roles of the user, where somebody acts for one.
    pub(in crate::command) user_roles: Option<Vec<Role>>,
    /// The role beyond which the agent never reaches.
    pub(in crate::command) ceiling: Option<Role>,
    /// The same, by what its organization has decided.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::command) organization_ceilings: Vec<Role>,
    /// Whether the permission is one that the agent never gets.
    pub(in crate::command) never: bool,
    /// The conditions on the token.
    pub(in crate::command) conditions: Vec<Outcome>,
    /// The scope that would do and grants the least besides.
    pub(in crate::command) smallest_scope: Option<String>,
    /// The grant without which the agent might not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::command) grant: Option<Grant>,
    /// The type of the details in the token without which the caller might not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::command) authorization_details: Option<String>,
}

/// A grant that is used.
#[derive(Serialize)]
pub(in crate::command) struct Grant {
    /// Where it stands in the policy.
    pub(in crate::command) grant: String,
    pub(in crate::command) approved_by: String,
    pub(in crate::command) reason: String,
}

impl Grant {
    pub(in crate::command) fn of(used: &Used) -> Self {
        let Used { approved_by, reason, .. } = used;
        Self { grant: used.to_string(), approved_by: approved_by.clone(), reason: reason.clone() }
    }
}

#[derive(Serialize)]
pub(in crate::command) struct Scope {
    pub(in crate::command) scope: String,
    pub(in crate::command) role: Option<Role>,
    /// Why it is worth nothing in these hands, or in this organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::command) withheld: Option<&'static str>,
}

#[derive(Serialize)]
pub(in crate::command) struct Role {
    pub(in crate::command) role: String,
    /// Whether it holds the permission.
    pub(in crate::command) holds: bool,
}

#[derive(Serialize)]
pub(in crate::command) struct Outcome {
    /// Where it stands in the policy.
    pub(in crate::command) condition: String,
    pub(in crate::command) holds: bool,
    /// Why that cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::command) failure: Option<&'static str>,
}

impl Authorize {
    pub(in crate::command) fn of(
        policy: &Policy,
        operation: &Operation,
        permission: PermissionId,
        session: &Session,
        facts: &Facts<'_>,
    ) -> Self {
        let (principal, claims) = (session.principal(), &session.claims);
        let kind = principal.map(|principal| principal.kind);
        let role = |id: RoleId| Role {
            role: policy.roles.name(id).to_owned(),
            holds: policy.roles.holds(id, permission),
        };
        let grant = session.standing.as_ref().ok();
        let withheld = grant.map_or(&[][..], |grant| &grant.withheld);
        let organization_ceilings = grant.map_or(&[][..], |grant| &grant.organization_ceilings);
        let scope = |scope: &str| Scope {
            scope: scope.to_owned(),
            role: policy.scopes.get(scope).map(|id| role(*id)),
            withheld: withheld.iter().find(|one| one.scope == scope).map(|one| one.denial.code()),
        };
        let agent = principal
            .and_then(principal::Principal::registered)
            .and_then(|id| policy.agents.get(id));
        let agent = agent.filter(|_| kind == Some(Kind::Agent));
        let ceiling = match (agent, policy.agents.unregistered) {
            _ if kind != Some(Kind::Agent) => None,
            (Some(agent), _) => Some(agent.ceiling),
            (None, Unregistered::Ceiling(role)) => Some(role),
            (None, Unregistered::Deny) => None,
        };
        Self {
            permission: policy.permissions.name(permission).to_owned(),
            scopes: match &session.caller {
                Caller::Key(key) => key.scopes.iter().map(|name| scope(name)).collect(),
                Caller::Token(principal) => principal.scopes(policy, claims).map(scope).collect(),
            },
            user_roles: principal
                .filter(|principal| principal.delegated)
                .map(|principal| principal.roles.iter().map(|id| role(*id)).collect()),
            ceiling: ceiling.map(role),
            organization_ceilings: organization_ceilings
                .iter()
                .map(|ceiling| match ceiling {
                    policy::Role::Known(id) => role(*id),
                    policy::Role::Unknown => Role { role: "(unknown)".to_owned(), holds: false },
                })
                .collect(),
            never: agent.is_some_and(|agent| agent.never.contains(&permission)),
            conditions: conditions(operation, agent, facts)
                .into_iter()
                .chain(step_up(policy, permission, session, facts))
                .collect(),
            smallest_scope: operation.scope.clone(),
            grant: None,
            authorization_details: None,
        }
    }
}

/// Whether the user has logged in as the permission asks, where it asks anything.
fn step_up(
    policy: &Policy,
    permission: PermissionId,
    session: &Session,
    facts: &Facts<'_>,
) -> Option<Outcome> {
    policy.step_ups.of(permission)?;
    let met = authorize::step_up(policy, session.principal(), permission, facts);
    let condition = format!("step_up.{}", policy.permissions.name(permission));
    Some(Outcome { condition, holds: met.is_ok(), failure: None })
}

fn conditions(operation: &Operation, agent: Option<&Agent>, facts: &Facts<'_>) -> Vec<Outcome> {
    let outcomes = |place: String, list: &[Condition]| -> Vec<Outcome> {
        let outcome = |(number, condition): (usize, &Condition)| {
            let holds = condition.test(facts.credential.claims, facts);
            Outcome {
                condition: format!("{place}.require[{number}]"),
                holds: holds == Ok(true),
                failure: holds.err().map(Failure::reason),
            }
        };
        list.iter().enumerate().map(outcome).collect()
    };
    let mut all = Vec::new();
    if let Some(agent) = agent {
        all.extend(outcomes(format!("agents.{}", agent.name), &agent.require));
    }
    if let Some(index) = operation.index {
        all.extend(outcomes(format!("routes[{index}]"), &operation.require));
    }
    all
}

/// How unusual the agent behaves: from 0 to 1.
#[derive(Serialize)]
pub(in crate::command) struct Behaviour {
    pub(in crate::command) score: f64,
    pub(in crate::command) known: bool,
    pub(in crate::command) rate: f64,
    pub(in crate::command) novelty: f64,
    pub(in crate::command) failures: f64,
    pub(in crate::command) sources: f64,
}

impl Behaviour {
    pub(in crate::command) fn of(scores: &Scores) -> Self {
        Self {
            score: scores.score().as_f64(),
            known: scores.known,
            rate: scores.rate.as_f64(),
            novelty: scores.novelty.as_f64(),
            failures: scores.failures.as_f64(),
            sources: scores.sources.as_f64(),
        }
    }
}

#[derive(Serialize)]
pub(in crate::command) struct Limits {
    pub(in crate::command) limits: Vec<Left>,
}

/// What is left of one limit.
#[derive(Serialize)]
pub(in crate::command) struct Left {
    pub(in crate::command) limit: String,
    pub(in crate::command) rate: String,
    pub(in crate::command) burst: u32,
    pub(in crate::command) remaining: u32,
}
