//! `postern scopes`.

use std::collections::BTreeMap;

use clap::Args;
use postern::policy::nearest::nearest;
use postern::policy::{Access, Operation, PermissionId, Policy, RoleId, Unregistered};
use serde::Serialize;
use serde_json::Value;

use super::Answer;
use super::file::Input;
use super::output::{BOLD, DIM, counted, paint, plain, print, print_json};
use super::problems::Source;

/// Show what each scope is worth, and how far each agent reaches.
///
/// A scope stands for a role, a role for permissions, a permission for routes. An agent reaches a
/// route if some scope grants it, its ceiling has it, and it is nothing that the agent never gets;
/// what the user behind it may do can only narrow that.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postern scopes policy.yaml
  postern scopes policy.yaml --agent support-bot
  postern scopes --json policy.yaml | jq '.agents[] | {agent, out_of_reach}'")]
pub(super) struct Scopes {
    /// The policy, in YAML or JSON
    #[arg(value_name = "FILE")]
    file: Input,
    /// Show only this agent, and no scopes
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Scopes {
    pub(super) fn run(&self) -> anyhow::Result<Answer> {
        let (value, policy) = Source::read(&self.file)?.policy()?;
        let mut table = Table::of(&policy, &value);
        if let Some(name) = &self.agent {
            table.scopes.clear();
            table.agents.retain(|reach| reach.agent.as_ref() == Some(name));
            if table.agents.is_empty() {
                let known = policy.agents.iter().map(|agent| agent.name.as_str());
                let meant = nearest(name, known);
                let meant = meant.map(|near| format!(": did you mean `{}`?", plain(near)));
                anyhow::bail!("unknown agent `{}`{}", plain(name), meant.unwrap_or_default());
            }
        }
        if self.json {
            print_json(&table)?;
        } else {
            print(&table.text())?;
        }
        Ok(Answer::Yes)
    }
}

/// All of it.
#[derive(Serialize)]
struct Table {
    scopes: Vec<Scope>,
    agents: Vec<Reach>,
}

/// A scope, and what it opens.
#[derive(Serialize)]
struct Scope {
    scope: String,
    role: String,
    permissions: Vec<Permission>,
}

#[derive(Serialize)]
struct Permission {
    permission: String,
    routes: Vec<Route>,
}

/// An agent, and what it can and cannot open.
#[derive(Serialize)]
struct Reach {
    /// None for those that are not registered.
    agent: Option<String>,
    ceiling: String,
    never: Vec<String>,
    /// How many conditions its token has to fulfil besides.
    conditions: usize,
    in_reach: Vec<InReach>,
    out_of_reach: Vec<OutOfReach>,
}

#[derive(Serialize)]
struct InReach {
    #[serde(flatten)]
    route: Route,
    permission: String,
    /// The smallest scope that opens it.
    scope: String,
}

#[derive(Serialize)]
struct OutOfReach {
    #[serde(flatten)]
    route: Route,
    permission: String,
    because: Because,
}

/// Why an agent does not get through: the code of the denial.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Because {
    AgentCeiling,
    AgentForbidden,
    InsufficientScope,
}

impl Because {
    const fn text(self) -> &'static str {
        match self {
            Self::AgentCeiling => "over its ceiling",
            Self::AgentForbidden => "never",
            Self::InsufficientScope => "no scope grants it",
        }
    }
}

#[derive(Clone, Serialize)]
struct Route {
    /// Empty for every method.
    methods: Vec<String>,
    path: String,
}

impl Route {
    /// As the policy writes it.
    fn of(operation: &Operation, value: &Value) -> Self {
        let written =
            operation.index.and_then(|index| value.get("routes")?.get(index)?.get("methods"));
        let methods = written.and_then(Value::as_array).into_iter().flatten();
        let methods = methods.filter_map(Value::as_str).map(str::to_owned).collect();
        Self { methods, path: operation.template.clone() }
    }

    fn text(&self) -> String {
        let methods = if self.methods.is_empty() { "*".to_owned() } else { self.methods.join("|") };
        plain(&format!("{methods} {}", self.path))
    }
}

impl Table {
    fn of(policy: &Policy, value: &Value) -> Self {
        let guarded: Vec<_> = policy
            .operations
            .iter()
            .filter_map(|operation| match operation.access {
                Access::Permission(permission) => Some((permission, operation)),
                Access::Metadata | Access::Public => None,
            })
            .collect();
        let mut routes = BTreeMap::<_, Vec<_>>::new();
        for (permission, operation) in &guarded {
            routes.entry(*permission).or_default().push(Route::of(operation, value));
        }
        let scopes: BTreeMap<_, _> = policy.scopes.iter().collect();
        let scopes = scopes.into_iter().map(|(name, role)| Scope {
            scope: name.clone(),
            role: policy.roles.name(*role).to_owned(),
            permissions: permissions(policy, *role, &routes),
        });
        let registered = policy.agents.iter().map(|agent| Bounds {
            agent: Some(&agent.name),
            ceiling: agent.ceiling,
            never: &agent.never,
            conditions: agent.require.len(),
        });
        let unregistered = match policy.agents.unregistered {
            Unregistered::Deny => None,
            Unregistered::Ceiling(ceiling) => {
                Some(Bounds { agent: None, ceiling, never: &[], conditions: 0 })
            }
        };
        let bounds = registered.chain(unregistered);
        let agents = bounds.map(|bounds| bounds.reach(policy, value, &guarded));
        Self { scopes: scopes.collect(), agents: agents.collect() }
    }

    fn text(&self) -> String {
        let mut out = String::new();
        for scope in &self.scopes {
            let (name, role) = (plain(&scope.scope), plain(&scope.role));
            out.push_str(&format!("{} is worth the role {role}\n", paint(BOLD, name)));
            let rows = scope.permissions.iter().flat_map(|permission| {
                let routes: Vec<_> = match &permission.routes[..] {
                    [] => vec![paint(DIM, "no route needs it")],
                    routes => routes.iter().map(Route::text).collect(),
                };
                // Named once, beside the first of its routes.
                let name = plain(&permission.permission);
                routes.into_iter().enumerate().map(move |(index, route)| {
                    [if index == 0 { name.clone() } else { String::new() }, route, String::new()]
                })
            });
            out.push_str(&aligned(&rows.collect::<Vec<_>>()));
            out.push('\n');
        }
        for reach in &self.agents {
            out.push_str(&reach.text());
            out.push('\n');
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
        out
    }
}

impl Reach {
    fn text(&self) -> String {
        let name = match &self.agent {
            Some(name) => paint(BOLD, format!("agent {}", plain(name))),
            None => paint(BOLD, "agents that are not registered"),
        };
        let never = match &self.never[..] {
            [] => String::new(),
            never => format!(", never {}", plain(&never.join(", "))),
        };
        let conditions = match self.conditions {
            0 => String::new(),
            count => format!(", if its token fulfils {}", counted(count, "condition")),
        };
        let inside = self.in_reach.iter().map(|one| {
            [one.route.text(), plain(&one.permission), format!("with {}", plain(&one.scope))]
        });
        let outside = self.out_of_reach.iter().map(|one| {
            let because = paint(DIM, one.because.text());
            [one.route.text(), plain(&one.permission), because]
        });
        let rows: Vec<_> = inside.chain(outside).collect();
        let ceiling = plain(&self.ceiling);
        format!("{name}: up to the role {ceiling}{never}{conditions}\n{}", aligned(&rows))
    }
}

/// Rows with the first two columns as wide as they have to be.
fn aligned(rows: &[[String; 3]]) -> String {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let (first, second) = (width(0).unwrap_or_default(), width(1).unwrap_or_default());
    let line = |[a, b, c]: &[String; 3]| {
        let line = format!("  {a:first$}  {b:second$}  {c}");
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

/// What a role holds, each with the routes that need it.
fn permissions(
    policy: &Policy,
    role: RoleId,
    routes: &BTreeMap<PermissionId, Vec<Route>>,
) -> Vec<Permission> {
    let held = policy.roles.permissions(role).iter().map(|id| Permission {
        permission: policy.permissions.name(id).to_owned(),
        routes: routes.get(&id).cloned().unwrap_or_default(),
    });
    let mut held: Vec<_> = held.collect();
    held.sort_by(|one, other| one.permission.cmp(&other.permission));
    held
}

/// What the policy says of an agent.
struct Bounds<'p> {
    agent: Option<&'p str>,
    ceiling: RoleId,
    never: &'p [PermissionId],
    conditions: usize,
}

impl Bounds<'_> {
    fn reach(
        &self,
        policy: &Policy,
        value: &Value,
        guarded: &[(PermissionId, &Operation)],
    ) -> Reach {
        let (mut in_reach, mut out_of_reach) = (Vec::new(), Vec::new());
        for (id, operation) in guarded {
            let (route, permission) =
                (Route::of(operation, value), policy.permissions.name(*id).to_owned());
            let because = match &operation.scope {
                _ if self.never.contains(id) => Because::AgentForbidden,
                _ if !policy.roles.holds(self.ceiling, *id) => Because::AgentCeiling,
                None => Because::InsufficientScope,
                Some(scope) => {
                    in_reach.push(InReach { route, permission, scope: scope.clone() });
                    continue;
                }
            };
            out_of_reach.push(OutOfReach { route, permission, because });
        }
        let never = self.never.iter().map(|id| policy.permissions.name(*id).to_owned());
        Reach {
            agent: self.agent.map(str::to_owned),
            ceiling: policy.roles.name(self.ceiling).to_owned(),
            never: never.collect(),
            conditions: self.conditions,
            in_reach,
            out_of_reach,
        }
    }
}
