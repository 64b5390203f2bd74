//! Which rules of a policy any test is about.

use std::collections::BTreeSet;

use postern::policy::{Access, Policy, Unregistered};
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
            for number in 0..agent.require.len() {
                missing.extend(both(format!("agents.{name}.require[{number}]")));
            }
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
            let names = limits.limits.iter().map(|limit| limit.name());
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
        let mut seen = Vec::new();
        for step in &report.steps {
            match &step.finding {
                Finding::Route(route) => {
                    seen.extend(route.index.map(|index| format!("routes[{index}] {verdict}")));
                }
                Finding::Key(key) => seen.push(format!("api_keys {} calls", key.key)),
                Finding::Principal(principal) => {
                    class = if principal.agent.is_some() { "agents" } else { "humans" };
                    agent = principal.agent.as_deref().filter(|_| principal.registered);
                    seen.extend(agent.map(|name| format!("agents.{name} calls")));
                    if principal.agent.is_some() && !principal.registered {
                        seen.push("unregistered_agents calls".to_owned());
                    }
                }
                Finding::Authorize(authorize) => {
                    let scopes = authorize.scopes.iter();
                    seen.extend(scopes.map(|scope| format!("scopes.{} is used", scope.scope)));
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
                | Finding::Binding(_) => {}
            }
        }
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
