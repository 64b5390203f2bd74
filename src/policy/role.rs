//! The product's roles, flattened: each holds its own permissions and those it inherits.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::permission::{PermissionId, PermissionSet, Permissions};
use super::problem::{Path, Problem, Problems, quoted};
use super::{unknown, wire};

/// A role of the policy that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleId(u16);

/// The most roles a policy may have: their flattened sets are kept for every pair of role and
/// permission.
pub const MAX_ROLES: usize = 4_096;

/// The most roles of a circle that a message names.
const MAX_SHOWN: usize = 8;

/// The roles of a policy.
#[derive(Debug, Default)]
pub struct Roles {
    names: Vec<String>,
    ids: HashMap<String, RoleId>,
    parents: Vec<Vec<RoleId>>,
    permissions: Vec<PermissionSet>,
}

impl Roles {
    /// Reads the roles and flattens them; what is wrong goes to `problems`.
    #[inline(never)]
    pub(super) fn compile(
        written: &BTreeMap<String, wire::Role>,
        permissions: &mut Permissions,
        problems: &mut Problems,
    ) -> Self {
        let mut roles = Self::default();
        let place = Path::root().join("roles");
        if written.len() > MAX_ROLES {
            problems.add(Problem::new(format!("more than {MAX_ROLES} roles")).at(place));
            return roles;
        }
        for (name, index) in written.keys().zip(0u16..) {
            roles.names.push(name.clone());
            roles.ids.insert(name.clone(), RoleId(index));
        }
        for (name, role) in written {
            let here = place.join(name.as_str());
            if name.is_empty() {
                problems.add(Problem::new("a role without a name").at(here.clone()));
            }
            let parents = role.inherits.iter().enumerate().filter_map(|(index, parent)| {
                roles.resolve(parent, || here.join("inherits").join(index), problems)
            });
            let parents: Vec<_> = parents.collect();
            let mut own = PermissionSet::default();
            for (index, permission) in role.permissions.iter().enumerate() {
                let here = || here.join("permissions").join(index);
                match permissions.intern(permission) {
                    _ if permission.is_empty() => {
                        problems.add(Problem::new("a permission without a name").at(here()));
                    }
                    Some(id) => own.insert(id),
                    None => problems.add(Problem::new("too many permissions").at(here())),
                }
            }
            roles.parents.push(parents);
            roles.permissions.push(own);
        }
        roles.flatten(problems);
        roles
    }

    /// Adds what is inherited, children after parents; a cycle is a problem.
    fn flatten(&mut self, problems: &mut Problems) {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            Open,
            Done,
        }
        let mut marks = vec![Mark::New; self.names.len()];
        for start in self.ids() {
            let mut trail = vec![(start, 0usize)];
            while let Some((role, next)) = trail.last_mut() {
                let role = *role;
                let Some(mark) = marks.get_mut(usize::from(role.0)) else { return };
                if *mark == Mark::Done {
                    trail.pop();
                    continue;
                }
                *mark = Mark::Open;
                if let Some(parent) = self.parents(role).get(*next).copied() {
                    *next = next.saturating_add(1);
                    if marks.get(usize::from(parent.0)) == Some(&Mark::Open) {
                        let from = trail.iter().position(|(id, _)| *id == parent).unwrap_or(0);
                        let circle: Vec<_> = trail.iter().skip(from).map(|(id, _)| *id).collect();
                        problems.add(self.circular(role, &circle));
                        return;
                    }
                    trail.push((parent, 0));
                    continue;
                }
                let mut all = PermissionSet::default();
                for id in self.parents(role).iter().chain([&role]) {
                    all.extend(self.permissions(*id));
                }
                if let Some(own) = self.permissions.get_mut(usize::from(role.0)) {
                    *own = all;
                }
                if let Some(mark) = marks.get_mut(usize::from(role.0)) {
                    *mark = Mark::Done;
                }
            }
        }
    }

    /// The problem that `circle` leads back to its first role by way of `last`.
    fn circular(&self, last: RoleId, circle: &[RoleId]) -> Problem {
        let first = circle.iter().take(1);
        let shown = circle.iter().take(MAX_SHOWN).chain(first).map(|id| quoted(self.name(*id)));
        let mut names: Vec<_> = shown.collect();
        if circle.len() > MAX_SHOWN {
            names.insert(MAX_SHOWN, "…".to_owned());
        }
        let place = Path::root().join("roles").join(self.name(last)).join("inherits");
        Problem::new(format!("{} inherits from itself", names.join(" -> "))).at(place)
    }

    /// The role called `name`; an unknown one is a problem at the place that `here` names.
    pub(super) fn resolve(
        &self,
        name: &str,
        here: impl FnOnce() -> Path,
        problems: &mut Problems,
    ) -> Option<RoleId> {
        let known = self.names.iter().map(String::as_str);
        unknown::or_report(self.find(name), ("role", name), known, here, problems)
    }

    /// The role called `name`.
    pub fn find(&self, name: &str) -> Option<RoleId> {
        self.ids.get(name).copied()
    }

    /// What `id` is called.
    pub fn name(&self, id: RoleId) -> &str {
        self.names.get(usize::from(id.0)).map_or("", String::as_str)
    }

    /// The permissions that `id` holds, inherited ones among them.
    pub fn permissions(&self, id: RoleId) -> &PermissionSet {
        static NONE: PermissionSet = PermissionSet::empty();
        self.permissions.get(usize::from(id.0)).unwrap_or(&NONE)
    }

    /// Whether `id` holds `permission`.
    pub fn holds(&self, id: RoleId, permission: PermissionId) -> bool {
        self.permissions(id).contains(permission)
    }

    /// The roles that `id` inherits from, one step up.
    pub fn parents(&self, id: RoleId) -> &[RoleId] {
        self.parents.get(usize::from(id.0)).map_or(&[], Vec::as_slice)
    }

    /// All of them, by name.
    pub fn ids(&self) -> impl Iterator<Item = RoleId> + use<> {
        (0..self.names.len()).filter_map(|index| u16::try_from(index).ok().map(RoleId))
    }

    /// The permissions of all of `ids` together.
    pub fn union(&self, ids: impl IntoIterator<Item = RoleId>) -> PermissionSet {
        let mut all = PermissionSet::default();
        for id in ids {
            all.extend(self.permissions(id));
        }
        all
    }
}
