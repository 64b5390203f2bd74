//! Which rules of a policy any test is about.

use std::collections::BTreeSet;

use postern::policy::{Access, Organization, Policy, Unregistered};
use serde::Serialize;

use crate::command::explain::{Finding, Report};

/// The rules that some test has seen at work, and those that none has.
#[derive(Default, Serialize)]
pub(super) struct Coverage {
    pub(super) covered: BTreeSet<String>,
    pub(super) missing: BTreeSet<String>,
}

impl Coverage {
    /// All that there is to see of a policy.
    pub(super) fn of(policy: &Policy) -> Self {
        let mut missing = BTreeSet::new();
        let both = |place: String| [format!("{place} holds"), format!("{place} does not hold")];
        for operation in policy.operations.iter() {
            let Some(index) = operation.index else { continue };
            missing.insert(format!("routes[{index}] allows"));
            if operation.access != Access::Public {
                missing.insert(format!("routes[{index}] denies"));
            }
            for number in 0..operation.require.len() {
                missing.extend(both(format!("routes[{index}].require[{number}]")));
            }
            if let Access::Permission(permission) = operation.access
                && policy.step_ups.of(permission).is_some()
            {
                missing.extend(both(format!("step_up.{}", policy.permissions.name(permission))));
            }
        }
        for scope in policy.scopes.keys() {
            missing.insert(format!("scopes.{scope} is used"));
        }
        for agent in policy.agents.iter() {
            let name = &agent.name;
            missing.insert(format!("agents.{name} calls"));
            for permission in &agent.never {
                missing.insert(format!(
                    "agents.{name}.never {}",
                    policy.permissions.name(*permission)
                ));
            }
            for (permission, _) in &agent.consent {
                let permission = policy.permissions.name(*permission);
                missing.insert(format!("agents.{name}.consent {permission} asks"));
            }
            for number in 0..agent.require.len() {
                missing.extend(both(format!("agents.{name}.require[{number}]")));
            }
        }
        for (name, organization) in policy.organizations.iter() {
            for rule in decided(organization) {
                missing.insert(format!("organizations.{name}.{rule} speaks"));
            }
        }
        for name in policy.authorization_details.keys() {
            missing.insert(format!("authorization_details.{name} is used"));
        }
        for elevation in policy.elevations.iter() {
            missing.insert(format!("grants[{}] is used", elevation.index));
        }
        if matches!(policy.agents.unregistered, Unregistered::Ceiling(_)) {
            missing.insert("unregistered_agents calls".to_owned());
        }
        let classes = [
            ("agents", &policy.agent_limits),
            ("humans", &policy.human_limits),
            ("keys", &policy.key_limits),
        ];
        for (class, limits) in classes {
            let names = limits.iter().map(|limit| limit.name());
            missing.extend(names.map(|name| format!("limits.{class} {name} counts")));
        }
        for key in policy.api_keys.iter().flat_map(|keys| keys.iter()) {
            missing.insert(format!("api_keys {} calls", key.id));
        }
        Self { covered: BTreeSet::new(), missing }
    }

    /// Marks what a decision was about.
    pub(super) fn saw(&mut self, report: &Report) {
        let verdict = if report.decision.allowed { "allows" } else { "denies" };
        let (mut agent, mut class) = (None, "keys");
        let mut organization = None;
        let mut seen = Vec::new();
        for step in &report.steps {
            match &step.finding {
                Finding::Route(route) => {
                    seen.extend(route.index.map(|index| format!("routes[{index}] {verdict}")));
                }
                Finding::Key(key) => {
                    organization = Some(key.organization.as_str());
                    seen.push(format!("api_keys {} calls", key.key));
                }
                Finding::Principal(principal) => {
                    class = if principal.agent.is_some() { "agents" } else { "humans" };
                    organization = principal.organization.as_deref();
                    agent = principal.agent.as_deref().filter(|_| principal.registered);
                    seen.extend(agent.map(|name| format!("agents.{name} calls")));
                    if principal.agent.is_some() && !principal.registered {
                        seen.push("unregistered_agents calls".to_owned());
                    }
                }
                Finding::Authorize(authorize) => {
                    let scopes = authorize.scopes.iter();
                    seen.extend(scopes.map(|scope| format!("scopes.{} is used", scope.scope)));
                    let grant = authorize.grant.as_ref();
                    seen.extend(grant.map(|used| format!("{} is used", used.grant)));
                    let details = authorize.authorization_details.iter();
                    seen.extend(
                        details.map(|name| format!("authorization_details.{name} is used")),
                    );
                    let never = agent.filter(|_| authorize.never);
                    seen.extend(
                        never.map(|name| format!("agents.{name}.never {}", authorize.permission)),
                    );
                    seen.extend(authorize.conditions.iter().map(|outcome| {
                        let verdict = if outcome.holds { "holds" } else { "does not hold" };
                        format!("{} {verdict}", outcome.condition)
                    }));
                }
                Finding::Limits(limits) => {
                    let names = limits.limits.iter().map(|left| &left.limit);
                    seen.extend(names.map(|name| format!("limits.{class} {name} counts")));
                }
                Finding::Firewall(_)
                | Finding::Token(_)
                | Finding::Standing(_)
                | Finding::Binding(_)
                | Finding::Behaviour(_) => {}
            }
        }
        let asks = report.decision.code == Some("consent_required");
        let permission = report.steps.iter().find_map(|step| match &step.finding {
            Finding::Authorize(authorize) => Some(&authorize.permission),
            _ => None,
        });
        let asks = agent.filter(|_| asks).zip(permission);
        seen.extend(
            asks.map(|(name, permission)| format!("agents.{name}.consent {permission} asks")),
        );
        let rules = report.decision.code.map_or(&[][..], by_organization);
        let rules = rules.iter().zip(organization.into_iter().cycle());
        seen.extend(rules.map(|(rule, name)| format!("organizations.{name}.{rule} speaks")));
        for rule in seen {
            if self.missing.remove(&rule) {
                self.covered.insert(rule);
            }
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.covered.len().saturating_add(self.missing.len())
    }

    /// The part of them that some test is about, in whole percent, rounded down.
    pub(super) fn percent(&self) -> usize {
        self.covered.len().saturating_mul(100).checked_div(self.len()).unwrap_or(100)
    }
}

/// The rules that an organization has.
fn decided(organization: &Organization) -> Vec<&'static str> {
    let rules = [
        ("blocked_clients", organization.blocks_clients()),
        ("blocked_scopes", organization.blocks_scopes()),
        ("agent_ceiling", organization.agent_ceiling.is_some()),
        ("registered_agents_only", organization.registered_agents_only),
        ("delegable_by", organization.is_delegable_by_some()),
    ];
    rules.into_iter().filter(|(_, is_there)| *is_there).map(|(rule, _)| rule).collect()
}

/// The rules of an organization that may be why somebody is denied so.
fn by_organization(code: &str) -> &'static [&'static str] {
    match code {
        "client_blocked" => &["blocked_clients"],
        "scope_blocked" => &["blocked_scopes", "delegable_by"],
        "agent_ceiling" => &["agent_ceiling"],
        "agent_unknown" => &["registered_agents_only"],
        _ => &[],
    }
}
