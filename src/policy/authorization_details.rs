//! What the details in a token are worth, by their types (RFC 9396).

use std::collections::BTreeMap;

use super::agent::resolve;
use super::permission::{PermissionSet, Permissions};
use super::problem::{Path, Problem, Problems, quoted};
use super::{MAX_ENTRIES, wire};
use crate::route::{NormalPath, Pattern, Segment};

/// What stands for the `identifier` of details in a path.
const IDENTIFIER: &str = "identifier";

/// The members that are understood in details of every type.
const UNDERSTOOD: [&str; 4] = ["type", "actions", "identifier", "locations"];

/// The types of details that are known, by their names.
pub type DetailTypes = BTreeMap<String, DetailType>;

/// What details of one type are worth.
#[derive(Debug)]
pub struct DetailType {
    actions: BTreeMap<String, PermissionSet>,
    /// The paths, and the place of the segment that is the identifier.
    resource: Option<(Pattern, usize)>,
    ignore: Vec<String>,
}

impl DetailType {
    /// What one of its actions grants.
    pub fn action(&self, name: &str) -> Option<&PermissionSet> {
        self.actions.get(name)
    }

    /// The actions it has.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.actions.keys().map(String::as_str)
    }

    /// Whether a member of details of this type is understood, or takes nothing away from them.
    pub fn knows(&self, member: &str) -> bool {
        UNDERSTOOD.contains(&member) || self.ignore.iter().any(|ignored| ignored == member)
    }

    /// Whether details of it are for one resource each, which they have to name; else they are for all
    /// there are, and name none.
    pub const fn is_of_one(&self) -> bool {
        self.resource.is_some()
    }

    /// Whether `path` is one of the resource with this identifier.
    pub fn covers(&self, identifier: Option<&str>, path: &NormalPath<'_>) -> bool {
        match (&self.resource, identifier) {
            (None, None) => true,
            (Some((pattern, place)), Some(identifier)) => {
                pattern.matches(path) && path.segments().nth(*place) == Some(identifier)
            }
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
}

/// Reads them; what is wrong goes to `problems`.
#[inline(never)]
pub(super) fn compile(
    written: BTreeMap<String, wire::AuthorizationDetail>,
    permissions: &Permissions,
    problems: &mut Problems,
) -> DetailTypes {
    let place = Path::root().join("authorization_details");
    if written.len() > MAX_ENTRIES {
        problems.add(Problem::new(format!("more than {MAX_ENTRIES}")).at(place.clone()));
    }
    let mut types = DetailTypes::new();
    for (name, wire::AuthorizationDetail { actions, path, ignore }) in written {
        let here = place.join(name.as_str());
        if actions.is_empty() {
            let message = "details without any action grant nothing: expected at least one";
            problems.add(Problem::new(message).at(here.join("actions")));
        }
        let set = |(action, granted): (String, Vec<String>)| {
            let here = here.join("actions").join(action.as_str());
            let granted = granted.iter().enumerate();
            let granted = granted
                .filter_map(|(n, name)| resolve(permissions, name, || here.join(n), problems));
            (action, PermissionSet::from_iter(granted))
        };
        let actions = actions.into_iter().map(set).collect();
        if let Some(member) = ignore.iter().find(|member| UNDERSTOOD.contains(&member.as_str())) {
            let message = format!("{} says what details are for", quoted(member));
            problems.add(Problem::new(message).at(here.join("ignore")));
        }
        let resource = match path.map(|path| resource(&path)) {
            None => None,
            Some(Ok(resource)) => Some(resource),
            Some(Err(message)) => {
                problems.add(Problem::new(message).at(here.join("path")));
                continue;
            }
        };
        types.insert(name, DetailType { actions, resource, ignore });
    }
    types
}

fn resource(path: &str) -> Result<(Pattern, usize), String> {
    let pattern = path.parse::<Pattern>().map_err(|error| error.to_string())?;
    let is_identifier =
        |segment: &Segment| matches!(segment, Segment::One(Some(name)) if **name == *IDENTIFIER);
    let place = pattern.segments().iter().position(is_identifier);
    let place = place.ok_or("expected `{identifier}` in the place of the `identifier`")?;
    Ok((pattern, place))
}
