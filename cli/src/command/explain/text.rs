//! The report in words.

use super::finding::{
    Authorize, Behaviour, Binding, Finding, Firewall, Grant, Key, Left, Limits, Principal, Role,
    Route, Scope, Standing, Step, Token,
};
use super::report::{Header, Report};
use crate::command::output::{BAD, BOLD, DIM, GOOD, ODD, json, paint, plain};
use crate::command::time::Moment;

/// Where what a step found begins, in columns.
const INDENT: usize = 14;

/// The whole report.
pub(in crate::command) fn render(report: &Report) -> String {
    let asked = &report.asked;
    let mut out = format!(
        "{} at {}, policy `{}`\n\n",
        paint(BOLD, plain(&format!("{} {}", asked.method, asked.path))),
        asked.at,
        plain(&asked.policy),
    );
    for step in &report.steps {
        render_step(&mut out, step, asked.at);
    }
    out.push('\n');
    out.push_str(&decision(report));
    if let Some(forward) = &report.forward {
        headers(&mut out, "the backend also sees", &forward.added);
        if !forward.removed.is_empty() {
            let names = forward.removed.iter().map(|name| format!("  {}\n", plain(name)));
            out.push_str(&format!(
                "\n{}\n{}",
                title("the backend does not see"),
                names.collect::<String>()
            ));
        }
        headers(&mut out, "the caller also sees", &forward.response);
    }
    if let Some(reply) = &report.reply {
        headers(&mut out, "the caller gets", &reply.headers);
        // A body that cannot be shown is still told of by its headers.
        let body = json(&reply.body).unwrap_or_default();
        out.extend(body.lines().map(|line| format!("  {line}\n")));
    }
    out
}

fn title(text: &str) -> String {
    paint(BOLD, format!("{text}:"))
}

fn headers(out: &mut String, heading: &str, headers: &[Header]) {
    if headers.is_empty() {
        return;
    }
    out.push_str(&format!("\n{}\n", title(heading)));
    for Header { name, value } in headers {
        out.push_str(&format!("  {}: {}\n", plain(name), plain(value)));
    }
}

fn decision(report: &Report) -> String {
    let decision = &report.decision;
    match (decision.code, decision.status) {
        (Some(code), Some(status)) => format!(
            "{} {status} `{code}`: {}\n",
            paint(BAD, "denied"),
            decision.reason.unwrap_or_default()
        ),
        (None, Some(status)) => {
            format!("{} {status}, by Postern itself\n", paint(GOOD, "answered"))
        }
        (Some(code), None) => format!(
            "{} in shadow mode, and would be denied: `{code}`: {}\n",
            paint(ODD, "allowed"),
            decision.reason.unwrap_or_default()
        ),
        (None, None) => format!("{}\n", paint(GOOD, "allowed")),
    }
}

fn render_step(out: &mut String, step: &Step, now: Moment) {
    let (name, mut lines) = match &step.finding {
        Finding::Firewall(firewall) => ("firewall", firewall_lines(firewall)),
        Finding::Route(route) => ("route", route_lines(route)),
        Finding::Token(token) => ("token", token_lines(token, now)),
        Finding::Key(key) => ("key", key_lines(key, now)),
        Finding::Principal(principal) => ("principal", principal_lines(principal)),
        Finding::Standing(standing) => ("standing", standing_lines(standing)),
        Finding::Binding(binding) => ("binding", binding_lines(binding)),
        Finding::Behaviour(behaviour) => ("behaviour", behaviour_lines(behaviour)),
        Finding::Authorize(authorize) => ("authorize", authorize_lines(authorize)),
        Finding::Limits(limits) => ("limits", limit_lines(limits)),
    };
    if let Some(reason) = step.reason {
        lines.insert(0, reason.to_owned());
    }
    let mark = if step.passed { paint(GOOD, "ok") } else { paint(BAD, "no") };
    let mut lines = lines.iter().map(|line| plain(line));
    let first = lines.next().unwrap_or_default();
    out.push_str(&format!("{mark} {} {first}\n", paint(BOLD, format!("{name:<10}"))));
    out.extend(lines.map(|line| format!("{:INDENT$}{}\n", "", paint(DIM, line))));
}

fn firewall_lines(Firewall { removed }: &Firewall) -> Vec<String> {
    vec![match removed.as_slice() {
        [] => "nothing that only the gateway may set".to_owned(),
        names => format!("removed, for only the gateway may set it: {}", names.join(", ")),
    }]
}

fn route_lines(route: &Route) -> Vec<String> {
    let template = route.template.as_deref().unwrap_or_default();
    let place = match route.index {
        Some(index) => format!("routes[{index}] `{template}`"),
        None => format!("`{template}`, which Postern adds"),
    };
    match (route.access, &route.permission) {
        (Some(_), Some(permission)) => vec![format!("{place} needs `{permission}`")],
        (Some("public"), None) => vec![format!("{place} is public")],
        (Some(_), None) => vec![format!("{place}, answered by Postern itself")],
        (None, _) => match route.methods.as_deref() {
            None => Vec::new(),
            Some([]) => vec!["no route has this path".to_owned()],
            Some(methods) => vec![format!("this path has routes for {} only", methods.join(", "))],
        },
    }
}

fn token_lines(token: &Token, now: Moment) -> Vec<String> {
    let by = |name: &Option<String>| name.as_ref().map(|name| format!("`{name}`"));
    let issuer = by(&token.issuer).unwrap_or_else(|| "no issuer".to_owned());
    let key = by(&token.key_id).map_or_else(String::new, |key| format!(", key {key}"));
    let expires = token.expires.map(|at| format!("{at} ({})", at.seen_from(now)));
    let expires = expires.unwrap_or_else(|| "no end".to_owned());
    if token.introspected {
        return vec![
            format!("opaque; {issuer} says that it is active"),
            format!("valid until {expires}"),
        ];
    }
    let Some(algorithm) = by(&token.algorithm) else { return Vec::new() };
    if token.verified {
        let issuer = format!("of {issuer}, signed with {algorithm}{key}");
        vec![issuer, format!("valid until {expires}")]
    } else {
        let claim = "what it says, which anybody may have written:".to_owned();
        vec![claim, format!("  of {issuer}, {algorithm}{key}"), format!("  valid until {expires}")]
    }
}

fn key_lines(Key { key, organization, due, expires }: &Key, now: Moment) -> Vec<String> {
    vec![
        format!("`{key}` of the organization `{organization}`"),
        format!("due to be rotated at {due} ({})", due.seen_from(now)),
        format!("valid until {expires} ({})", expires.seen_from(now)),
    ]
}

fn principal_lines(principal: &Principal) -> Vec<String> {
    let subject = &principal.subject;
    let who = match (&principal.agent, principal.delegated) {
        (None, _) => format!("{} `{subject}`", principal.kind),
        (Some(agent), delegated) => {
            let known = if principal.registered { "registered" } else { "not registered" };
            let whom = if delegated { format!("for `{subject}`") } else { "for itself".to_owned() };
            format!("agent `{agent}`, {known}, acting {whom}")
        }
    };
    let mut lines = vec![who, format!("client: {}", principal.client)];
    let optional = [("owner", &principal.owner), ("organization", &principal.organization)];
    for (name, value) in optional {
        lines.extend(value.as_ref().map(|value| format!("{name}: {value}")));
    }
    if !principal.actors.is_empty() {
        lines.push(format!("actors: {}", principal.actors.join(", through ")));
    }
    lines
}

fn standing_lines(Standing { revocation, revocations }: &Standing) -> Vec<String> {
    vec![match (revocation, revocations) {
        (Some(place), _) => format!("{place} says so"),
        (None, 1) => "the one revocation is about others".to_owned(),
        (None, count) => format!("all {count} revocations are about others"),
    }]
}

fn binding_lines(Binding { binding }: &Binding) -> Vec<String> {
    vec![match binding {
        None => "the token is bound to nothing".to_owned(),
        Some("dpop") => "the token is bound to a key, by `cnf`".to_owned(),
        Some(_) => "the token is bound to a client certificate, by `cnf`".to_owned(),
    }]
}

fn behaviour_lines(behaviour: &Behaviour) -> Vec<String> {
    let Behaviour { score, known, rate, novelty, failures, sources } = behaviour;
    let known = if *known { "" } else { ", and it is not known yet what is usual of the agent" };
    let parts =
        [("rate", rate), ("novelty", novelty), ("failures", failures), ("sources", sources)];
    let parts = parts.into_iter().filter(|(_, part)| **part > 0.0);
    let first = format!("a score of {score}{known}");
    [first].into_iter().chain(parts.map(|(name, part)| format!("{name}: {part}"))).collect()
}

fn authorize_lines(authorize: &Authorize) -> Vec<String> {
    let Authorize {
        permission,
        scopes,
        user_roles,
        ceiling,
        organization_ceilings,
        never,
        conditions,
        smallest_scope,
        grant,
        authorization_details,
    } = authorize;
    let mut lines = vec![format!("`{permission}` is needed")];
    if scopes.is_empty() {
        lines.push("scope: none in the token".to_owned());
    }
    lines.extend(scopes.iter().map(|Scope { scope, role, withheld }| match (role, withheld) {
        (Some(Role { role, .. }), Some(code)) => {
            format!("scope {scope} -> {role}, but it is worth nothing here: `{code}`")
        }
        (Some(role), None) => format!("scope {scope} -> {}", holds(role)),
        (None, _) => format!("scope {scope} -> nothing in this policy"),
    }));
    match user_roles.as_deref() {
        None => {}
        Some([]) => lines.push("user: no role that this policy knows".to_owned()),
        Some(roles) => lines.extend(roles.iter().map(|role| format!("user: {}", holds(role)))),
    }
    lines.extend(ceiling.iter().map(|role| format!("ceiling: {}", holds(role))));
    let ceilings = organization_ceilings.iter();
    lines.extend(ceilings.map(|role| format!("the organization's ceiling: {}", holds(role))));
    if *never {
        lines.push(format!("never: `{permission}` is among what this agent never gets"));
    }
    for outcome in conditions {
        let verdict = match (outcome.holds, outcome.failure) {
            (true, _) => "holds",
            (false, None) => "does not hold",
            (false, Some(failure)) => failure,
        };
        lines.push(format!("{}: {verdict}", outcome.condition));
    }
    lines.push(match smallest_scope {
        Some(scope) => format!("smallest scope that grants it: {scope}"),
        None => "no scope grants it".to_owned(),
    });
    let details = authorization_details.iter();
    lines.extend(details.map(|name| format!("by `authorization_details` of type {name}")));
    lines.extend(grant.iter().map(|Grant { grant, approved_by, reason }| {
        format!("by {grant}, approved by {approved_by}: {reason}")
    }));
    lines
}

fn holds(Role { role, holds }: &Role) -> String {
    format!("{role}, which {} it", if *holds { "holds" } else { "does not hold" })
}

fn limit_lines(Limits { limits }: &Limits) -> Vec<String> {
    if limits.is_empty() {
        return vec!["none counts this call".to_owned()];
    }
    let line = |Left { limit, rate, burst, remaining }: &Left| {
        format!("{limit}: {remaining} of {burst} left, {rate}")
    };
    limits.iter().map(line).collect()
}
