//! `postern check`.

use clap::Args;
use postern::policy::{Access, Policy, Problems, Severity};
use serde::Serialize;

use super::Answer;
use super::file::{Input, one_stdin};
use super::output::{BAD, GOOD, ODD, counted, paint, plain, print, print_json};
use super::problems::{ProblemJson, Source, to_json};

/// Check policies, and say what is wrong with them and where.
///
/// What is read here, the filter reads to the same policy.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postern check policy.yaml
  postern check --deny-warnings policies/*.yaml
  yq . policy.yaml | postern check --json -")]
pub(super) struct Check {
    /// Policies, in YAML or JSON
    #[arg(required = true, value_name = "FILE")]
    files: Vec<Input>,
    /// Take warnings for errors
    #[arg(long)]
    deny_warnings: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(&self) -> anyhow::Result<Answer> {
        one_stdin(&self.files)?;
        let sources: Vec<_> = self.files.iter().map(Source::read).collect::<Result<_, _>>()?;
        let mut out = String::new();
        let mut reports = Vec::with_capacity(sources.len());
        for source in &sources {
            let (amount, problems) = match source.compile() {
                Ok((_, policy, problems)) => (Some(Amount::of(&policy)), problems),
                Err(problems) => (None, problems),
            };
            let report = Report::new(&source.name, amount, &problems, self.deny_warnings);
            if !self.json {
                out.push_str(&source.show(&problems));
                out.push_str(&report.summary());
            }
            reports.push(report);
        }
        let fine = reports.iter().all(|report| report.ok);
        if self.json {
            print_json(&serde_json::json!({ "ok": fine, "files": reports }))?;
        } else {
            print(&out)?;
        }
        Ok(fine.into())
    }
}

/// What there is to say of one file.
#[derive(Serialize)]
struct Report {
    file: String,
    ok: bool,
    errors: usize,
    warnings: usize,
    /// Problems beyond those that are listed.
    unlisted: usize,
    policy: Option<Amount>,
    problems: Vec<ProblemJson>,
}

impl Report {
    fn new(file: &str, policy: Option<Amount>, problems: &Problems, deny_warnings: bool) -> Self {
        let count =
            |severity| problems.iter().filter(|problem| problem.severity == severity).count();
        let warnings = count(Severity::Warning);
        let unlisted = problems.dropped();
        Self {
            file: file.to_owned(),
            ok: policy.is_some() && !(deny_warnings && (warnings > 0 || unlisted > 0)),
            errors: count(Severity::Error),
            warnings,
            unlisted,
            policy,
            problems: to_json(problems),
        }
    }

    fn summary(&self) -> String {
        let verdict = match (self.ok, self.warnings) {
            (false, _) => paint(BAD, "refused"),
            (true, 0) => paint(GOOD, "ok"),
            (true, _) => paint(ODD, "ok"),
        };
        let mut parts: Vec<_> = [(self.errors, "error"), (self.warnings, "warning")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| counted(count, name))
            .collect();
        if self.unlisted > 0 {
            parts.push(format!("{} more", self.unlisted));
        }
        parts.extend(self.policy.as_ref().map(Amount::line));
        format!("{}: {verdict}: {}\n", self.file, parts.join(", "))
    }
}

/// What a policy amounts to.
#[derive(Serialize)]
struct Amount {
    version: String,
    issuers: usize,
    roles: usize,
    scopes: usize,
    agents: usize,
    routes: usize,
}

impl Amount {
    fn of(policy: &Policy) -> Self {
        let written = policy.operations.iter().filter(|one| one.access != Access::Metadata);
        Self {
            version: policy.version.clone(),
            issuers: policy.trusted.identifiers.len(),
            roles: policy.roles.ids().count(),
            scopes: policy.scopes.len(),
            agents: policy.agents.iter().count(),
            routes: written.count(),
        }
    }

    fn line(&self) -> String {
        let Self { version, issuers, roles, scopes, agents, routes } = self;
        let counts = [
            (issuers, "issuer"),
            (roles, "role"),
            (scopes, "scope"),
            (agents, "agent"),
            (routes, "route"),
        ];
        let counts: Vec<_> = counts.iter().map(|(count, name)| counted(**count, name)).collect();
        format!("{} (version `{}`)", counts.join(", "), plain(version))
    }
}
