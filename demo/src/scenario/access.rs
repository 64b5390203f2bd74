//! Who may do what, by scope, by role, by the agent's own limits.

use super::{Step, not_from_backend, require, with};
use crate::Lab;
use crate::cast::{
    ADA, CONFIDENCE, OLGA, Person, RESEARCH_BOT, REX, SCRAPER, SUPPORT_BOT, acting, alone, human,
};
use crate::client::{Request, Response};
use crate::clock::now;

pub(super) fn steps(lab: &Lab) -> anyhow::Result<Vec<Step>> {
    let key = &lab.cast.login;
    let read = || Request::get("/v1/contacts");
    let write = || Request::new("PUT", "/v1/contacts/42");
    let add = || Request::new("POST", "/v1/members");
    let support = |request: Request, person: Person, scope: &str| {
        with(request, &acting(SUPPORT_BOT, person, scope), key)
    };
    Ok(vec![
        Step::allowed(
            "anybody",
            "asks for the health",
            Request::get("/healthz"),
            "the route is public",
        ),
        Step::allowed(
            "ada, an editor",
            "reads contacts",
            with(read(), &human(ADA, "crm.read"), key)?,
            "her token has the scope",
        )
        .checked(backend_sees_a_human),
        Step::allowed(
            "support-bot for ada",
            "reads contacts",
            support(read(), ADA, "crm.read")?,
            "scope, user and agent all allow it",
        )
        .checked(backend_sees_an_agent),
        Step::allowed(
            "research-bot, itself",
            "reads deals",
            with(Request::get("/v1/deals"), &alone(RESEARCH_BOT, "crm.read"), key)?,
            "a registered agent needs no user",
        ),
        Step::denied(
            "support-bot for ada",
            "changes a contact, may only read",
            support(write(), ADA, "crm.read")?,
            (403, "insufficient_scope"),
            "the answer names the scope it lacks",
        )
        .checked(names_the_missing_scope),
        Step::denied(
            "support-bot for rex",
            "changes a contact",
            support(write(), REX, "crm.write")?,
            (403, "user_lacks_role"),
            "an agent may not do more than its user: rex is a reader",
        ),
        Step::allowed(
            "support-bot for ada",
            "changes a contact",
            support(write(), ADA, "crm.write")?,
            "the same request, for an editor",
        ),
        Step::denied(
            "support-bot for ada",
            "changes a contact, unsure of itself",
            with(write(), &acting(SUPPORT_BOT, ADA, "crm.write").claim(CONFIDENCE, 0.5), key)?,
            (403, "condition_failed"),
            "the policy wants `agent.confidence >= 0.8` of agents that write",
        ),
        Step::denied(
            "support-bot for ada",
            "changes a contact, silent about itself",
            with(write(), &acting(SUPPORT_BOT, ADA, "crm.write").without(CONFIDENCE), key)?,
            (403, "condition_error"),
            "what is not said satisfies no condition",
        ),
        Step::denied(
            "support-bot for olga",
            "adds a member",
            support(add(), OLGA, "crm.admin")?,
            (403, "agent_ceiling"),
            "olga is an admin, the agent's ceiling is editor",
        ),
        Step::denied(
            "olga, an admin",
            "adds a member",
            with(add(), &human(OLGA, "crm.admin").claim("auth_time", now() - 3_600), key)?,
            (401, "insufficient_user_authentication"),
            "she logged in an hour ago, and this takes a login of the last ten minutes",
        )
        .checked(asks_for_a_new_login),
        Step::allowed(
            "olga, an admin",
            "adds a member, logged in again",
            with(add(), &human(OLGA, "crm.admin").claim("auth_time", now() - 5), key)?,
            "the same request with a new login",
        ),
        Step::denied(
            "support-bot for olga",
            "adds a deal",
            support(Request::new("POST", "/v1/deals"), OLGA, "crm.admin")?,
            (403, "agent_forbidden"),
            "an editor may, this agent never",
        ),
        Step::denied(
            "scraper-9000 for ada",
            "reads contacts",
            with(read(), &acting(SCRAPER, ADA, "crm.read"), key)?,
            (403, "agent_unknown"),
            "nobody registered it",
        ),
        Step::denied(
            "ada, an editor",
            "asks for what is not offered",
            with(Request::get("/v1/secrets"), &human(ADA, "crm.read"), key)?,
            (403, "no_route"),
            "what no route names is denied",
        ),
    ])
}

fn backend_sees_a_human(response: &Response) -> Result<(), String> {
    let echo = response.echo().ok_or("the backend did not answer")?;
    require(echo.all("x-postern-kind") == ["human"], "the backend was not told `human`")?;
    require(echo.all("x-postern-agent").is_empty(), "the backend was told of an agent")
}

fn backend_sees_an_agent(response: &Response) -> Result<(), String> {
    let echo = response.echo().ok_or("the backend did not answer")?;
    for (name, value) in [
        ("x-postern-kind", "agent"),
        ("x-postern-agent", SUPPORT_BOT),
        ("x-postern-subject", ADA.subject),
        ("x-postern-organization", "acme"),
        ("x-postern-client", SUPPORT_BOT),
    ] {
        require(echo.all(name) == [value], &format!("the backend was not told `{name}: {value}`"))?;
    }
    Ok(())
}

fn asks_for_a_new_login(response: &Response) -> Result<(), String> {
    let challenge = response.header("www-authenticate").unwrap_or_default();
    require(challenge.contains("max_age=\"600\""), "the challenge does not say how new")
}

fn names_the_missing_scope(response: &Response) -> Result<(), String> {
    not_from_backend(response)?;
    let challenge = response.header("www-authenticate").unwrap_or_default();
    let is_named = challenge.contains("insufficient_scope") && challenge.contains("crm.write");
    require(is_named, &format!("the challenge does not name `crm.write`: `{challenge}`"))
}
