//! The operations of the API: what a route of the policy asks of a caller.

use hashbrown::HashMap;

use super::agent::resolve;
use super::binding;
use super::condition::{Condition, problem};
use super::permission::{PermissionId, Permissions};
use super::problem::{Path, Problem, Problems};
use super::vocabulary::Scope;
use super::wire;
use crate::audit::Members;
use crate::binding::Bindings;
use crate::cel::{Facts, Failure, Program};
use crate::route::{Methods, Pattern, Table};

/// What a request that matches a route is, and what it needs.
#[derive(Debug)]
pub struct Operation {
    /// Its place among the policy's routes; none for what Postern itself answers.
    pub index: Option<usize>,
    /// The path as the policy writes it.
    pub template: String,
    /// Who may.
    pub access: Access,
    /// Conditions that must all hold.
    pub require: Vec<Condition>,
    /// How the token may be bound.
    pub bindings: Bindings,
    /// The smallest scope that grants the permission, for challenges.
    pub scope: Option<String>,
    /// What a call costs.
    pub cost: Cost,
    /// Whether the caller's credential goes on to the backend.
    pub keep_credential: bool,
    /// Whether it is enforced what those may who are known.
    pub mode: wire::Mode,
    /// What is recorded of it.
    pub members: Members,
}

/// What a call costs.
#[derive(Debug)]
pub enum Cost {
    /// So much.
    Units(u32),
    /// What this comes to.
    Expression(Program),
}

impl Cost {
    const ONE: Self = Self::Units(1);

    /// What a call costs of which so much is known.
    ///
    /// # Errors
    ///
    /// [`Failure`] where that cannot be told, or is less than nothing.
    pub fn of(&self, facts: &dyn Facts) -> Result<u32, Failure> {
        match self {
            Self::Units(units) => Ok(*units),
            Self::Expression(program) => {
                u32::try_from(program.number(facts)?).map_err(|_| Failure::Overflow)
            }
        }
    }

    fn compile(
        written: Option<wire::Cost>,
        scope: &mut Scope<'_>,
        here: &Path,
        problems: &mut Problems,
    ) -> Self {
        match written {
            None => Self::ONE,
            Some(wire::Cost::Units(units)) => Self::Units(units),
            Some(wire::Cost::Expression(source)) => {
                let program = Program::compile_number(&source, scope);
                let program =
                    program.map_err(|invalid| problem(invalid, &source).at(here.join("cost")));
                problems.take(program).map_or(Self::ONE, Self::Expression)
            }
        }
    }
}

/// Who may use an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody: it is the description of the API's protection itself (RFC 9728).
    Metadata,
    /// Who has this permission.
    Permission(PermissionId),
    /// Everybody.
    Public,
}

/// Reads the routes into the table; what is wrong goes to `problems`. `metadata` is the path at
/// which Postern answers itself.
#[inline(never)]
pub(super) fn compile(
    written: Vec<wire::Route>,
    metadata: Option<&Pattern>,
    permissions: &Permissions,
    smallest_scopes: &HashMap<PermissionId, &str>,
    scope: &mut Scope<'_>,
    problems: &mut Problems,
) -> Table<Operation> {
    let place = Path::root().join("routes");
    let mut routes = Vec::with_capacity(written.len());
    for (index, mut route) in written.into_iter().enumerate() {
        let here = place.join(index);
        let access = access(&route, &here, permissions, problems);
        if route.public && !route.require.is_empty() {
            let message = "a public route has no token that conditions could speak of";
            problems.add(Problem::new(message).at(here.join("require")));
        }
        if route.public && route.mode == wire::Mode::Shadow {
            let message = "nobody is denied a public route";
            problems.add(Problem::new(message).at(here.join("mode")));
        }
        let methods = methods(&route, &here, problems);
        let pattern = route.path.parse::<Pattern>().map_err(|error| {
            problems.add(Problem::new(error.to_string()).at(here.join("path")));
        });
        let require = std::mem::take(&mut route.require);
        let scope = &mut scope.on(pattern.as_ref().ok());
        let require = Condition::all_of(require, scope, &here.join("require"), problems);
        let cost = Cost::compile(route.cost.take(), scope, &here, problems);
        let (Some(access), Some(methods), Ok(pattern)) = (access, methods, pattern) else {
            continue;
        };
        let scope = match access {
            Access::Permission(id) => smallest_scopes.get(&id).map(|scope| (*scope).to_owned()),
            Access::Metadata | Access::Public => None,
        };
        let bindings = route.require_binding.map_or(Bindings::ALL, binding::bindings);
        let wire::Route { path: template, permission, keep_credential, mode, .. } = route;
        let index = Some(index);
        let members = Members::of_operation(&template, permission.as_deref());
        let operation = Operation {
            index,
            template,
            access,
            require,
            bindings,
            scope,
            cost,
            keep_credential,
            mode,
            members,
        };
        routes.push((pattern, methods, operation));
    }
    routes.extend(metadata.and_then(|path| {
        let operation = Operation {
            index: None,
            members: Members::of_operation(&path.to_string(), None),
            template: path.to_string(),
            access: Access::Metadata,
            require: Vec::new(),
            bindings: Bindings::ALL,
            scope: None,
            cost: Cost::ONE,
            keep_credential: false,
            mode: wire::Mode::Enforce,
        };
        Some((path.clone(), Methods::from_names(["GET"]).ok()?, operation))
    }));
    // Numbers of the table are those of the file only while no route was left out above.
    let indices: Vec<_> = routes.iter().map(|(_, _, operation)| operation.index).collect();
    Table::build(routes).unwrap_or_else(|conflict| {
        let index = |number: usize| indices.get(number).copied().flatten();
        let answers = format!("`{} {}`", conflict.method, conflict.pattern);
        let problem = match (index(conflict.first), index(conflict.second)) {
            (Some(first), Some(second)) => {
                Problem::new(format!("routes[{first}] answers {answers} already"))
                    .at(place.join(second))
            }
            (first, _) => Problem::new(format!("Postern answers {answers} itself"))
                .at(first.map_or_else(|| place.clone(), |first| place.join(first))),
        };
        problems.add(problem);
        Table::default()
    })
}

/// Who may use a route.
fn access(
    route: &wire::Route,
    here: &Path,
    permissions: &Permissions,
    problems: &mut Problems,
) -> Option<Access> {
    let message = match (&route.permission, route.public) {
        (None, true) => return Some(Access::Public),
        (Some(name), false) => {
            return resolve(permissions, name, || here.join("permission"), problems)
                .map(Access::Permission);
        }
        (Some(_), true) => "a public route needs no permission: expected one of the two",
        (None, false) => "expected `permission`, or `public: true`",
    };
    problems.add(Problem::new(message).at(here.clone()));
    None
}

/// The methods a route answers.
fn methods(route: &wire::Route, here: &Path, problems: &mut Problems) -> Option<Methods> {
    let names: Vec<_> = match &route.methods {
        None if route.public => vec!["GET"],
        Some(list) if !list.is_empty() => list.iter().map(String::as_str).collect(),
        _ => {
            let message = "expected `methods`, such as `[GET]`; `[\"*\"]` means any";
            problems.add(Problem::new(message).at(here.clone()));
            return None;
        }
    };
    let methods = Methods::from_names(names).map_err(|error| {
        problems.add(Problem::new(error.to_string()).at(here.join("methods")));
    });
    methods.ok()
}
