//! `postern token inspect`.

use clap::Args;
use postern::host::Timestamp;
use postern::policy::Policy;
use postern::token::verify;

use super::Decoded;
use crate::command::Answer;
use crate::command::file::{Input, one_stdin};
use crate::command::output::{BAD, BOLD, GOOD, ODD, json, paint, plain, print};
use crate::command::problems::Source;
use crate::command::provided::{Provided, provide};
use crate::command::time::Moment;

/// Look into a token, without verifying it unless a policy says how.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postern token inspect < token.jwt
  postern token inspect --policy policy.yaml < token.jwt
A token on the command line shows in lists of processes and in the shell's history.")]
pub(in crate::command) struct Inspect {
    /// The token; `-`, or nothing, is standard input
    #[arg(default_value = "-", hide_default_value = true)]
    token: String,
    /// Verify it, too, as this policy says; exit code 1 if it is refused
    #[arg(long, value_name = "FILE")]
    policy: Option<Input>,
    /// The keys of an issuer that the proxy would fetch, as the issuer publishes them, again for
    /// another
    #[arg(long, value_name = "ISSUER=FILE", requires = "policy")]
    jwks: Vec<Provided>,
    /// Verify it as of this moment, in RFC 3339 or in seconds since 1970
    #[arg(long, value_name = "TIME", requires = "policy")]
    at: Option<Moment>,
}

impl Inspect {
    pub(in crate::command) fn run(&self) -> anyhow::Result<Answer> {
        let stdin = (self.token == "-").then_some(Input::Stdin);
        let files = self.jwks.iter().map(|provided| &provided.file);
        one_stdin(stdin.iter().chain(&self.policy).chain(files))?;
        let policy = match &self.policy {
            Some(input) => {
                let (_, mut policy) = Source::read(input)?.policy()?;
                provide(&self.jwks, &mut policy)?;
                Some(policy)
            }
            None => None,
        };
        let token = match stdin {
            Some(input) => input.read_word()?,
            None => self.token.trim().to_owned(),
        };
        let now = self.at.unwrap_or_else(Moment::now);
        let verdict = policy.map(|policy| Verdict::of(&policy, &token, now));
        let answer = verdict.as_ref().is_none_or(|verdict| verdict.refused.is_none()).into();
        let mut out = match &verdict {
            None => format!("{}\n", paint(ODD, "NOT VERIFIED: ANYBODY MAY HAVE WRITTEN THIS")),
            Some(verdict) => verdict.show(),
        };
        match (Decoded::parse(&token), verdict) {
            (Ok(decoded), _) => show(&mut out, &decoded, now)?,
            // Why it is no token has been said.
            (Err(_), Some(_)) => {}
            (Err(error), None) => return Err(error),
        }
        print(&out)?;
        Ok(answer)
    }
}

/// Whether a policy accepts a token.
struct Verdict {
    refused: Option<&'static str>,
    detail: String,
}

impl Verdict {
    fn of(policy: &Policy, token: &str, now: Moment) -> Self {
        let timestamp = Timestamp::from_secs(now.as_secs().unsigned_abs());
        match verify(token, &policy.trusted.issuers, timestamp) {
            Ok(verified) => Self {
                refused: None,
                detail: format!("signed by `{}`, valid now", plain(&verified.issuer.identifier)),
            },
            Err(rejected) => Self {
                refused: Some(rejected.denial().code()),
                detail: rejected.reason().to_owned(),
            },
        }
    }

    fn show(&self) -> String {
        match self.refused {
            None => format!("{}: {}\n", paint(GOOD, "VERIFIED"), self.detail),
            Some(code) => {
                let warning = paint(BAD, "REFUSED, SO ANYBODY MAY HAVE WRITTEN THIS");
                format!("{warning}: {code}: {}\n", self.detail)
            }
        }
    }
}

fn show(out: &mut String, decoded: &Decoded, now: Moment) -> anyhow::Result<()> {
    if let Some(oddity) = &decoded.oddity {
        let warning = paint(ODD, "read leniently");
        out.push_str(&format!("{warning}: the engine refuses this JSON: {}\n", plain(oddity)));
    }
    out.push_str(&format!("\n{} {}\n", paint(BOLD, "header"), json(&decoded.header)?));
    out.push_str(&format!("{} {}\n", paint(BOLD, "claims"), json(&decoded.claims)?));
    for (name, meaning) in [("iat", "issued"), ("nbf", "not before"), ("exp", "expires")] {
        if let Some(seconds) = decoded.date(name) {
            let moment = Moment::from_secs(seconds);
            let meaning = paint(BOLD, format!("{meaning:<10}"));
            out.push_str(&format!("{meaning} {moment} ({})\n", moment.seen_from(now)));
        }
    }
    Ok(())
}
