//! What is odd about a policy, though it can be decided by: likely mistakes.

use std::collections::BinaryHeap;

use hashbrown::HashSet;

use super::problem::{Path, Problem, Problems};
use super::{Access, Cost, Counts, Mode, PermissionSet, Policy, RoleId};

/// Adds what is odd about `policy` to `problems`.
pub(super) fn collect(policy: &Policy, problems: &mut Problems) {
    let needed: PermissionSet = policy
        .operations
        .iter()
        .filter_map(|operation| match operation.access {
            Access::Permission(id) => Some(id),
            Access::Metadata | Access::Public => None,
        })
        .collect();
    if policy.mode == Mode::Shadow {
        let message = "nobody is denied anything: what would be is only written down";
        problems.add(Problem::warning(message).at(Path::root().join("mode")));
    }
    unused_scopes(policy, &needed, problems);
    boundless_scopes(policy, problems);
    ungranted_roles(policy, problems);
    unreachable_routes(policy, problems);
    unaffordable_routes(policy, problems);
}

/// Routes that cost more than a limit ever holds.
fn unaffordable_routes(policy: &Policy, problems: &mut Problems) {
    let all = [&policy.agent_limits, &policy.human_limits, &policy.key_limits];
    let limits = all.into_iter().flat_map(|limits| &limits.rules);
    let limits = limits.filter(|rule| rule.counts == Counts::Cost).map(|rule| &rule.limit);
    let limits: Vec<_> = limits.collect();
    for operation in policy.operations.iter() {
        let (Some(index), Cost::Units(cost)) = (operation.index, &operation.cost) else { continue };
        if let Some(limit) = limits.iter().find(|limit| !limit.admits(*cost)) {
            let message = format!(
                "nobody can afford this whom the limit `{}` counts: it never has more than {}",
                limit.name(),
                limit.size()
            );
            let here = Path::root().join("routes").join(index).join("cost");
            problems.add(Problem::warning(message).at(here));
        }
    }
}

/// Scopes that open nothing.
fn unused_scopes(policy: &Policy, needed: &PermissionSet, problems: &mut Problems) {
    let opens = |role: RoleId| policy.roles.permissions(role).meets(needed);
    let idle = policy.scopes.iter().filter(|(_, role)| !opens(**role)).map(|(name, _)| name);
    for name in BinaryHeap::from_iter(idle.map(String::as_str)).into_sorted_vec() {
        let message = "nobody can use this scope: no route needs a permission of its role";
        problems.add(Problem::warning(message).at(Path::root().join("scopes").join(name)));
    }
}

/// Scopes that open all there is, to whoever has a token with one.
fn boundless_scopes(policy: &Policy, problems: &mut Problems) {
    let all = policy.permissions.names().count();
    let is_all = |role: RoleId| usize::try_from(policy.roles.permissions(role).len()) == Ok(all);
    let boundless = policy.scopes.iter().filter(|(name, role)| {
        all > 1 && is_all(**role) && !policy.user_must_hold.contains_key(*name)
    });
    let names = boundless.map(|(name, _)| name.as_str());
    for name in BinaryHeap::from_iter(names).into_sorted_vec() {
        let message = "this scope opens everything there is, to whoever has a token with it";
        let problem = Problem::warning(message).at(Path::root().join("scopes").join(name));
        problems.add(problem.help("`user_must_hold` says which users it is for"));
    }
}

/// Roles that no scope grants, neither directly nor through a role that inherits them.
fn ungranted_roles(policy: &Policy, problems: &mut Problems) {
    let mut granted: HashSet<RoleId> = HashSet::new();
    let mut open: Vec<_> = policy.scopes.values().copied().collect();
    while let Some(role) = open.pop() {
        if granted.insert(role) {
            open.extend(policy.roles.parents(role));
        }
    }
    for role in policy.roles.ids().filter(|role| !granted.contains(role)) {
        let place = Path::root().join("roles").join(policy.roles.name(role));
        let message = "nothing grants this role: no scope leads to it";
        problems.add(Problem::warning(message).at(place));
    }
}

/// Routes that nobody can pass, and routes that no request reaches.
fn unreachable_routes(policy: &Policy, problems: &mut Problems) {
    let hidden = policy.operations.shadowed();
    for (number, operation) in policy.operations.iter().enumerate() {
        let Some(index) = operation.index else { continue };
        let mut warn = |message: String| {
            problems.add(Problem::warning(message).at(Path::root().join("routes").join(index)));
        };
        if let (None, Access::Permission(id)) = (&operation.scope, operation.access) {
            let name = policy.permissions.name(id);
            warn(format!("this route can never be used: no scope grants `{name}`"));
        }
        if hidden.contains(&number) {
            warn("this route can never match: more specific ones take all its paths".to_owned());
        }
    }
}
