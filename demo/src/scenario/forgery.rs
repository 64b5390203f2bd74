//! A caller that writes itself what only the filter may tell the backend.

use super::{Step, require, with};
use crate::Lab;
use crate::cast::{ADA, SUPPORT_BOT, acting, human};
use crate::client::{Request, Response};

const FORGED: &str = "forged-by-mallory";

pub(super) fn steps(lab: &Lab) -> anyhow::Result<Vec<Step>> {
    let key = &lab.cast.login;
    let read = || Request::get("/v1/contacts");
    let person = human(ADA, "crm.read");
    let rows = [
        ("writes X-Postern-Agent itself", vec!["X-Postern-Agent"]),
        ("writes x_postern_agent", vec!["x_postern_agent"]),
        ("writes X-POSTERN_Agent", vec!["X-POSTERN_Agent"]),
        ("writes x.postern.agent", vec!["x.postern.agent"]),
        ("writes x-postern-agent twice", vec!["x-postern-agent", "x-postern-agent"]),
    ];
    let mut steps = Vec::new();
    for (does, names) in &rows {
        let request = forge(read(), names);
        let why = "the backend sees no forged header, in any spelling";
        steps.push(
            Step::allowed("ada, an editor", does, with(request, &person, key)?, why)
                .checked(nothing_forged),
        );
    }
    let every = rows.iter().flat_map(|(_, names)| names.iter().copied()).collect::<Vec<_>>();
    steps.push(
        Step::allowed(
            "anybody",
            "writes all five on a public route",
            forge(Request::get("/healthz"), &every),
            "nor on a public route",
        )
        .checked(nothing_forged),
    );
    steps.push(
        Step::allowed(
            "support-bot for ada",
            "calls itself by another name",
            with(forge(read(), &every), &acting(SUPPORT_BOT, ADA, "crm.read"), key)?,
            "the name that arrives is the token's",
        )
        .checked(one_true_agent),
    );
    Ok(steps)
}

fn forge(request: Request, names: &[&str]) -> Request {
    names.iter().fold(request, |request, name| request.header(name, FORGED))
}

fn nothing_forged(response: &Response) -> Result<(), String> {
    let echo = response.echo().ok_or("the backend did not answer")?;
    let forged = echo.headers.iter().find(|(_, value)| value.contains(FORGED));
    forged.map_or(Ok(()), |(name, _)| Err(format!("the backend was told the forged `{name}`")))
}

fn one_true_agent(response: &Response) -> Result<(), String> {
    nothing_forged(response)?;
    let echo = response.echo().ok_or("the backend did not answer")?;
    require(echo.all("x-postern-agent") == [SUPPORT_BOT], "the backend was not told the agent")
}
