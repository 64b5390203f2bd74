//! The policy: the operator's file, parsed, validated and compiled once into what the other rooms
//! look up.
//!
//! [`wire`] is the file as it is written, [`Policy`] what it means: every name resolved, roles
//! flattened, every rate and duration checked. A request meets only the latter. A file with
//! anything wrong in it yields no policy at all, and a list of [`Problem`]s.

mod agent;
mod api_keys;
mod attributes;
mod authorization_details;
mod behaviour;
mod binding;
mod caller;
mod condition;
mod consent;
mod delegation;
mod duration;
mod elevations;
mod fetched;
mod issuers;
mod lifetimes;
mod limits;
mod moment;
pub mod nearest;
mod operation;
mod organizations;
mod permission;
mod preset;
pub mod problem;
mod resource;
pub(crate) mod revocations;
mod role;
mod shape;
pub mod source;
mod step_up;
mod unknown;
mod vocabulary;
mod warning;
pub mod wire;

use std::collections::{BTreeMap, BinaryHeap};
use std::iter::once;

use hashbrown::HashMap;
use serde_json::Value;

pub use agent::{Agent, AgentId, Agents, Unregistered};
pub use attributes::{Attribute, Attributes, MAX_ATTRIBUTES};
pub use authorization_details::{DetailType, DetailTypes};
pub use behaviour::Behaviour;
pub use binding::Required;
pub use caller::{CallerRule, Kind, Matches};
pub use condition::Condition;
pub use consent::Consent;
pub use delegation::Delegation;
pub use duration::{InvalidDuration, Seconds};
pub use elevations::{Elevation, Elevations};
pub use issuers::{MAX_ISSUERS, Trusted};
pub use lifetimes::Lifetimes;
pub use limits::{Counts, Limits, Per, Rule};
pub use moment::{InvalidMoment, Moment};
pub use operation::{Access, Cost, Operation};
pub use organizations::{Organization, Organizations, Role};
pub use permission::{PermissionId, PermissionSet, Permissions};
pub use problem::{Path, Place, Problem, Problems, Segment, Severity};
pub use resource::Resource;
pub use revocations::Amendments;
pub use role::{MAX_ROLES, RoleId, Roles};
pub use shape::{Misshapen, Party, Shape};
pub use step_up::{StepUp, StepUps};
pub(crate) use vocabulary::TOKEN;
pub use vocabulary::{Aspect, Variable, Vocabulary};
pub use wire::{AuditLog, Mode};

use crate::api_key::ApiKeys;
use crate::audit::Firewall;
use crate::binding::Checks;
use crate::feed::{Subscription, Url};
use crate::limit::{Class, Rate, Service};
use crate::revocation::Revocations;
use crate::route::Table;
use vocabulary::{Scope, Watched};

/// The member under which there is a policy to try.
const CANDIDATE: &str = "candidate";

/// The most scopes, agents, routes or revocations of a kind that a policy may have, of each.
pub const MAX_ENTRIES: usize = 65_536;

/// A policy that can be decided by.
#[derive(Debug)]
pub struct Policy {
    /// What backend and auditors know this edition by.
    pub version: String,
    /// A policy that is tried beside this one.
    pub candidate: Option<Box<Self>>,
    /// Whether decisions are enforced.
    pub mode: Mode,
    /// Who issues the tokens that are accepted.
    pub trusted: Trusted,
    /// What the API is called in OAuth.
    pub resource: Option<Resource>,
    /// The permissions that roles hold.
    pub permissions: Permissions,
    /// The product's roles.
    pub roles: Roles,
    /// The role each scope amounts to.
    pub scopes: HashMap<String, RoleId>,
    /// What details in tokens are worth.
    pub authorization_details: DetailTypes,
    /// The role that the user must have, of the scopes that want one.
    pub user_must_hold: HashMap<String, RoleId>,
    /// What organizations have decided for their own.
    pub organizations: Organizations,
    /// What makes a caller an agent.
    pub callers: Vec<CallerRule>,
    /// The agents that are known.
    pub agents: Agents,
    /// What agents may for a while besides what they have.
    pub elevations: Elevations,
    /// What is known of agents besides their names.
    pub attributes: Attributes,
    /// How agents are watched, if they are.
    pub behaviour: Option<Behaviour>,
    /// All that conditions ask about.
    pub vocabulary: Vocabulary,
    /// How far authority may be handed on.
    pub delegation: Delegation,
    /// The operations, by method and path.
    pub operations: Table<Operation>,
    /// How often agents may call.
    pub agent_limits: Limits,
    /// How often humans may call.
    pub human_limits: Limits,
    /// How often API keys may be used.
    pub key_limits: Limits,
    /// Who counts those of them that replicas share.
    pub shared_limits: Option<Service>,
    /// The header of responses that says what a call has cost, in lower case.
    pub cost_header: Option<String>,
    /// How many tokens of one address may be refused, and how fast.
    pub refused_tokens: Rate,
    /// The API keys of organizations.
    pub api_keys: Option<ApiKeys>,
    /// How callers prove that a bound token is theirs.
    pub binding: Checks,
    /// How tokens have to be bound.
    pub required: Required,
    /// How long tokens may be valid, by their scopes.
    pub lifetimes: Lifetimes,
    /// How users say that an agent may do what it has to ask for.
    pub consent: Option<Consent>,
    /// How users must have logged in, by what they want to do.
    pub step_ups: StepUps,
    /// What is taken back.
    pub revocations: Revocations,
    /// Where more of that is told.
    pub subscription: Option<Subscription>,
    /// Which headers only Postern may set.
    pub firewall: Firewall,
    /// What the names of the identity headers begin with.
    pub header_prefix: String,
    /// Where decisions are written down.
    pub audit_log: AuditLog,
}

/// Reads a policy as a proxy hands it over: JSON text, or a `google.protobuf.Struct`.
///
/// # Errors
///
/// All that is wrong with it, and at least one problem.
pub fn load(bytes: &[u8]) -> Result<Policy, Problems> {
    let value = source::read(bytes)?;
    Policy::compile(&value).map(|(policy, _)| policy)
}

impl Policy {
    /// Compiles a policy, and says what is odd about it.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, and what is odd besides; at least one problem is an error.
    pub fn compile(value: &Value) -> Result<(Self, Problems), Problems> {
        let (mut policy, mut problems) = Self::compile_one(value)?;
        if let Some(value) = value.get(CANDIDATE).filter(|value| !value.is_null()) {
            let candidate = match value.get(CANDIDATE) {
                None => Self::compile_one(value),
                Some(_) => {
                    let message = "a candidate has no candidate of its own";
                    Err(Problem::new(message).at(Path::root().join(CANDIDATE)).into())
                }
            };
            let (Ok((_, found)) | Err(found)) = &candidate;
            found.iter().for_each(|problem| problems.add(problem.clone().under(CANDIDATE)));
            let candidate = candidate.ok().map(|(candidate, _)| Box::new(candidate));
            (policy, problems) = problems.settle(Self { candidate, ..policy })?;
        }
        Ok((policy, problems))
    }

    fn compile_one(value: &Value) -> Result<(Self, Problems), Problems> {
        let file = source::de::from_value(value)?;
        let mut problems = Problems::new();
        let policy = Self::from_file(file, source::fingerprint(value), &mut problems);
        let (policy, mut problems) = problems.settle(policy)?;
        warning::collect(&policy, &mut problems);
        Ok((policy, problems))
    }

    /// The servers that requests are sent to: the upstream's name, and a URL there.
    pub fn servers(&self) -> impl Iterator<Item = (&str, &Url)> {
        let policies = once(self).chain(self.candidate.as_deref());
        policies.flat_map(|policy| {
            let feed = policy.subscription.iter().map(|one| &one.source);
            let feed = feed.map(|source| (source.cluster.as_str(), &source.url));
            let limits = policy.shared_limits.iter();
            let limits = limits.map(|service| (service.cluster.as_str(), &service.url));
            policy.trusted.servers().chain(feed).chain(limits)
        })
    }

    // Its parts are compiled apart (`inline(never)`), as are those of reading it: a proxy compiles the filter
    // before its first request, and takes more than twice as long for a function that is twice as long.
    fn from_file(file: wire::File, fingerprint: String, problems: &mut Problems) -> Self {
        let checks = binding::compile(&file, problems);
        let is_dpop_required = binding::is_dpop_required(&file);
        let wire::File {
            version,
            candidate: _,
            mode,
            revision,
            issuers,
            resource,
            roles,
            scopes,
            authorization_details,
            callers,
            agents,
            unregistered_agents,
            attributes,
            trusted_hops,
            behaviour,
            delegation,
            organizations,
            grants,
            routes,
            limits,
            api_keys,
            binding: _,
            consent,
            step_up,
            revocations,
            headers,
            audit,
        } = file;
        let root = Path::default;
        if version != 1 {
            let message = format!("version {version} of the policy language: expected 1");
            problems.add(Problem::new(message).at(root().join("version")));
        }
        for (name, size) in
            [("scopes", scopes.len()), ("agents", agents.len()), ("routes", routes.len())]
        {
            if size > MAX_ENTRIES {
                problems
                    .add(Problem::new(format!("more than {MAX_ENTRIES}")).at(root().join(name)));
            }
        }
        let version = revision.unwrap_or(fingerprint);
        if version.is_empty()
            || version.len() > 64
            || !version.bytes().all(|b| b.is_ascii_graphic())
        {
            let message = "expected 1 to 64 visible ASCII characters";
            problems.add(Problem::new(message).at(root().join("revision")));
        }
        if routes.is_empty() {
            let message = "expected at least one route: what is not listed is denied";
            problems.add(Problem::new(message).at(root().join("routes")));
        }
        let firewall = Firewall::new(&headers.prefix).unwrap_or_else(|error| {
            let here = root().join("headers").join("prefix");
            problems.add(Problem::new(error.to_string()).at(here));
            Firewall::default()
        });

        issuers::check_granted_scopes(&issuers, &scopes, problems);
        let demands = issuers.iter().map(|one| (one.issuer.clone(), one.require_binding));
        let demands: Vec<_> = demands.take(MAX_ISSUERS).collect();
        let trusted = Trusted::compile(issuers, api_keys.is_none(), problems);
        let required = Required::compile(demands, &scopes, &trusted);
        let mut permissions = Permissions::default();
        let roles = Roles::compile(&roles, &mut permissions, problems);
        let lifetimes = Lifetimes::compile(&scopes);
        let user_must_hold = user_must_hold(&scopes, &roles, problems);
        let scopes = compile_scopes(&scopes, &roles, problems);
        let organizations = Organizations::compile(organizations, &roles, &scopes, problems);
        let authorization_details =
            authorization_details::compile(authorization_details, &permissions, problems);
        let attributes = Attributes::compile(attributes, &trusted_hops, &firewall, problems);
        let behaviour = behaviour.map(|written| Behaviour::compile(written, problems));
        let mut vocabulary = Vocabulary::default();
        let mut scope = Scope {
            vocabulary: &mut vocabulary,
            attributes: &attributes,
            watched: if behaviour.is_some() { Watched::Agents } else { Watched::Nobody },
            pattern: None,
            asks_request: false,
        };
        let agents = Agents::compile(
            agents,
            unregistered_agents,
            (&trusted, &roles, &permissions),
            &mut scope,
            problems,
        );
        let about = elevations::About { agents: &agents, roles: &roles, permissions: &permissions };
        let elevations = Elevations::compile(grants, &about, Some(&mut scope), problems);
        let api_keys =
            api_keys.and_then(|written| api_keys::compile(written, &firewall, &scopes, problems));
        let identifier = resource.as_ref().map(|resource| resource.identifier.clone());
        let resource = resource.and_then(|resource| {
            let issuers = trusted.identifiers.iter().map(String::as_str);
            let names = scopes.keys().map(String::as_str);
            let names = BinaryHeap::from_iter(names).into_sorted_vec();
            let bound = (&checks, is_dpop_required);
            let details = &authorization_details;
            Resource::compile(resource, issuers, names.into_iter(), details, bound, problems)
        });
        let consent = consent.and_then(|written| {
            Consent::compile(written, &trusted, identifier.as_deref(), &firewall, problems)
        });
        if consent.is_none() {
            agents.report_consent(problems);
        }
        let operations = operation::compile(
            routes,
            resource.as_ref().map(|resource| &resource.metadata_path),
            &permissions,
            &smallest_scopes(&scopes, &roles),
            &mut scope,
            problems,
        );
        let step_ups = StepUps::compile(step_up, &permissions, &mut scope, problems);
        let is_shared = limits.shared.is_some();
        let mut about = limits::About { permissions: &permissions, scope: &mut scope, is_shared };
        let mut compile = |written, class| limits::compile(written, class, &mut about, problems);
        let agent_limits = compile(limits.agents, Class::Agents);
        let human_limits = compile(limits.humans, Class::Humans);
        let key_limits = compile(limits.keys, Class::Keys);
        Self {
            version,
            candidate: None,
            mode,
            callers: caller::compile(callers, problems),
            agent_limits,
            human_limits,
            key_limits,
            shared_limits: limits::service(limits.shared, problems),
            cost_header: limits::cost_header(limits.cost_header, problems),
            refused_tokens: limits::refused_tokens(limits.refused_tokens, problems),
            subscription: revocations::subscribe(revocations.feed.clone(), &trusted, problems),
            revocations: revocations::compile(
                revocations,
                (&trusted, &agents, api_keys.as_ref()),
                problems,
            ),
            delegation: Delegation::compile(delegation, &agents, problems),
            consent,
            step_ups,
            header_prefix: headers.prefix,
            audit_log: audit.log,
            binding: checks,
            required,
            lifetimes,
            trusted,
            api_keys,
            resource,
            permissions,
            roles,
            scopes,
            authorization_details,
            user_must_hold,
            organizations,
            agents,
            elevations,
            attributes,
            behaviour,
            vocabulary,
            operations,
            firewall,
        }
    }
}

#[inline(never)]
fn compile_scopes(
    written: &BTreeMap<String, wire::Scope>,
    roles: &Roles,
    problems: &mut Problems,
) -> HashMap<String, RoleId> {
    let mut scopes = HashMap::with_capacity(written.len());
    for (name, scope) in written {
        let wire::Scope { role, user_must_hold: _, require_binding: _, max_token_lifetime: _ } =
            scope;
        let here = Path::root().join("scopes").join(name.as_str());
        // RFC 6749 §3.3: what a scope may consist of.
        let token = |byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if name.is_empty() || !name.bytes().all(token) {
            let message = "expected an OAuth scope: visible ASCII without quotes or backslashes";
            problems.add(Problem::new(message).at(here.clone()));
        }
        if let Some(role) = roles.resolve(role, || here.join("role"), problems) {
            scopes.insert(name.clone(), role);
        }
    }
    scopes
}

/// The role that the user must have for a scope, where it wants one.
#[inline(never)]
fn user_must_hold(
    written: &BTreeMap<String, wire::Scope>,
    roles: &Roles,
    problems: &mut Problems,
) -> HashMap<String, RoleId> {
    let wanted = written.iter().filter_map(|(name, scope)| {
        let here = || Path::root().join("scopes").join(name.as_str()).join("user_must_hold");
        let role = roles.resolve(scope.user_must_hold.as_ref()?, here, problems)?;
        Some((name.clone(), role))
    });
    wanted.collect()
}

/// For each permission the scope that grants it and the least besides.
#[inline(never)]
fn smallest_scopes<'a>(
    scopes: &'a HashMap<String, RoleId>,
    roles: &Roles,
) -> HashMap<PermissionId, &'a str> {
    let ordered =
        scopes.iter().map(|(name, role)| (roles.permissions(*role).len(), name.as_str(), *role));
    let mut ordered = BinaryHeap::from_iter(ordered).into_sorted_vec();
    // A role seen once has given all it has: later scopes of the same role are no smaller.
    let mut seen = hashbrown::HashSet::new();
    ordered.retain(|(_, _, role)| seen.insert(*role));
    let mut smallest = HashMap::new();
    for (_, name, role) in ordered {
        for permission in roles.permissions(role).iter() {
            smallest.entry(permission).or_insert(name);
        }
    }
    smallest
}
