//! What happens: who did what, what should come of it, what did, and why.

mod access;
mod behaviour;
mod bound;
mod budgets;
mod credentials;
mod fetched;
mod forgery;
mod keys;
mod limits;
mod reload;
mod revocation;
mod shared;

use std::fmt;

use postern_cli::mint::{AccessToken, PrivateKey};

use crate::client::{Request, Response};
use crate::{Lab, interrupt};

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Row {
    /// Who did it.
    pub who: &'static str,
    /// What they did.
    pub does: &'static str,
    /// What should come of it.
    pub expected: Outcome,
    /// What did, unless there was no answer at all.
    pub got: Option<Outcome>,
    /// Why it should.
    pub why: &'static str,
    /// What else is wrong with the answer.
    pub objection: Option<String>,
}

impl Row {
    /// Whether all is as it should be.
    pub fn holds(&self) -> bool {
        self.objection.is_none() && self.got.as_ref() == Some(&self.expected)
    }
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The status.
    pub status: u16,
    /// The denial's code, if the filter denied it.
    pub code: Option<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        self.code.as_ref().map_or(Ok(()), |code| write!(f, " {code}"))
    }
}

/// Lets it all happen, in an order that matters: the limits are spent late, the policy is changed
/// last.
///
/// # Errors
///
/// The lab fails or somebody interrupts. That something came out otherwise is no error: see [`Row::holds`].
pub fn run(lab: &Lab) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    let steps = [
        access::steps(lab)?,
        forgery::steps(lab)?,
        credentials::steps(lab)?,
        bound::steps(lab)?,
        keys::steps(lab)?,
    ];
    for step in steps.concat() {
        interrupt::check()?;
        rows.push(step.take(lab));
    }
    rows.extend(limits::rows(lab)?);
    rows.extend(keys::burst(lab)?);
    rows.extend(reload::rows(lab)?);
    rows.extend(budgets::rows(lab)?);
    rows.extend(behaviour::rows(lab)?);
    rows.extend(revocation::rows(lab)?);
    rows.extend(fetched::rows()?);
    Ok(rows)
}

/// The same of two Envoys that share a limit, which takes a Redis and a service that counts in it.
///
/// # Errors
///
/// The same, and `REDIS_SERVER` or `LIMIT_SERVICE` is not set.
pub fn share() -> anyhow::Result<Vec<Row>> {
    shared::rows()
}

/// What else to look for in an answer; the error says what is wrong.
type Check = fn(&Response) -> Result<(), String>;

/// Requests that should all end the same way.
#[derive(Clone)]
struct Step {
    who: &'static str,
    does: &'static str,
    requests: Vec<Request>,
    expected: Outcome,
    why: &'static str,
    check: Check,
}

impl Step {
    fn allowed(who: &'static str, does: &'static str, request: Request, why: &'static str) -> Self {
        let expected = Outcome { status: 200, code: None };
        Self { who, does, requests: vec![request], expected, why, check: answered_by_backend }
    }

    fn denied(
        who: &'static str,
        does: &'static str,
        request: Request,
        (status, code): (u16, &str),
        why: &'static str,
    ) -> Self {
        let expected = Outcome { status, code: Some(code.to_owned()) };
        Self { who, does, requests: vec![request], expected, why, check: not_from_backend }
    }

    fn checked(self, check: Check) -> Self {
        Self { check, ..self }
    }

    fn take(&self, lab: &Lab) -> Row {
        let mut row = Row {
            who: self.who,
            does: self.does,
            expected: self.expected.clone(),
            got: None,
            why: self.why,
            objection: None,
        };
        for request in &self.requests {
            match lab.send(request) {
                Ok(response) => {
                    row.got = Some(outcome(&response));
                    row.objection = (self.check)(&response).err();
                }
                Err(error) => row.objection = Some(format!("{error:#}")),
            }
            if !row.holds() {
                break;
            }
        }
        row
    }
}

fn outcome(response: &Response) -> Outcome {
    Outcome { status: response.status, code: response.code() }
}

fn answered_by_backend(response: &Response) -> Result<(), String> {
    response.echo().map(|_| ()).ok_or_else(|| "the backend did not answer".to_owned())
}

fn not_from_backend(response: &Response) -> Result<(), String> {
    response.echo().map_or(Ok(()), |_| Err("it reached the backend".to_owned()))
}

fn require(holds: bool, objection: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(objection.to_owned()) }
}

/// The request with the token, signed.
fn with(request: Request, token: &AccessToken, key: &PrivateKey) -> anyhow::Result<Request> {
    Ok(request.bearer(&token.sign(key)?))
}
