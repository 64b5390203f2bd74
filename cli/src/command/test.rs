//! `postern test`.

mod cast;
mod coverage;
mod junit;
mod suite;
mod written;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;

use super::Answer;
use super::output::{BAD, DIM, GOOD, ODD, complain, counted, paint, plain, print, print_json};
use suite::{Outcome, Suite};

/// The most folders that are looked through, one within the other.
const MAX_FOLDERS: usize = 16;

/// How often it is looked whether a file has changed.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Test policies: given a caller, when a request comes, then a decision.
///
/// Runs the engine that the filter runs, with keys of its own in the place of the issuers', and each
/// test for itself: nothing is remembered from one to the next. Exit code 1 if a test fails, or the
/// tests see too little of the policy at work.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postern test
  postern test policies/crm.test.yaml --filter 'an agent'
  postern test policies --min-coverage 90 --junit target/policies.xml
  postern test policies --watch
A file of tests is called NAME.test.yaml and stands beside its policy, NAME.yaml:
  callers:
    ada: { claims: { sub: ada, client_id: crm-web, scope: crm.read } }
  tests:
    - { name: a reader reads, given: ada, when: GET /v1/contacts, then: allow }
    - { name: nobody else does, when: GET /v1/contacts, then: missing_token }")]
pub(super) struct Test {
    /// Files of tests, or folders with some in them
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Run only tests with this in their names
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,
    /// Fail if the tests see less than so many percent of a policy's rules at work
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(..=100))]
    min_coverage: Option<u8>,
    /// Write what became of them to a file in JUnit's form, too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Run them again whenever a file changes, until interrupted
    #[arg(long, conflicts_with = "json")]
    watch: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Test {
    pub(super) fn run(&self) -> anyhow::Result<Answer> {
        if !self.watch {
            return self.run_once().map(|(answer, _)| answer);
        }
        loop {
            let seen = match self.run_once() {
                Ok((_, policies)) => policies,
                // It is being mended.
                Err(error) => {
                    complain(&format!("{error:#}"));
                    Vec::new()
                }
            };
            let times = |seen: &[PathBuf]| -> Vec<Option<SystemTime>> {
                let files = self.files().unwrap_or_default();
                // A file that cannot be read may be there the next time.
                let policies = self.files().unwrap_or_default();
                let policies = policies.iter().filter_map(|file| suite::policy_beside(file));
                let all = files.iter().cloned().chain(policies).chain(seen.iter().cloned());
                all.map(|file| fs::metadata(file).and_then(|data| data.modified()).ok()).collect()
            };
            let before = times(&seen);
            print(&paint(DIM, "waiting for a change; end with Ctrl-C\n"))?;
            while times(&seen) == before {
                thread::sleep(LOOK_EVERY);
            }
        }
    }

    /// Runs them all; the policies that they are about come with the answer.
    fn run_once(&self) -> anyhow::Result<(Answer, Vec<PathBuf>)> {
        let files = self.files()?;
        if files.is_empty() {
            bail!("no file called `*.test.yaml` or `*.test.json` there");
        }
        let suites = files.iter().map(|file| Suite::run(file, &self.filter));
        let suites = suites.collect::<anyhow::Result<Vec<_>>>()?;
        let run: usize = suites.iter().map(|suite| suite.tests.len()).sum();
        if run == 0 {
            bail!("no test has `{}` in its name", plain(&self.filter));
        }
        if let Some(path) = &self.junit {
            fs::write(path, junit::xml(&suites))
                .with_context(|| format!("cannot write `{}`", plain(&path.to_string_lossy())))?;
        }
        let failed: usize = suites.iter().map(Suite::failed).sum();
        let is_covered = |suite: &Suite| {
            self.min_coverage.is_none_or(|least| suite.coverage.percent() >= usize::from(least))
        };
        let fine = failed == 0 && suites.iter().all(is_covered);
        if self.json {
            let files: Vec<_> = suites.iter().map(|suite| json!(suite)).collect();
            print_json(&json!({ "ok": fine, "failed": failed, "files": files }))?;
        } else {
            let mut out = String::new();
            suites.iter().for_each(|suite| text(&mut out, suite, is_covered(suite)));
            let verdict = if fine { paint(GOOD, "ok") } else { paint(BAD, "failed") };
            let passed = counted(run.saturating_sub(failed), "test");
            out.push_str(&format!("{verdict}: {passed} passed, {failed} failed\n"));
            print(&out)?;
        }
        Ok((fine.into(), suites.into_iter().map(|suite| suite.policy).collect()))
    }

    /// The files of tests, in order.
    fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for path in &self.paths {
            if path.is_dir() {
                find(path, MAX_FOLDERS, &mut files)?;
            } else {
                files.push(path.clone());
            }
        }
        files.sort();
        files.dedup();
        Ok(files)
    }
}

/// Finds the files of tests in a folder and those in it, hidden ones and build output left out.
fn find(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder)
        .with_context(|| format!("cannot read `{}`", plain(&folder.to_string_lossy())))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_skipped = name.starts_with('.') || name == "target" || name == "node_modules";
        if path.is_dir() && !path.is_symlink() && !is_skipped && depth > 0 {
            find(&path, depth.saturating_sub(1), files)?;
        } else if [".test.yaml", ".test.yml", ".test.json"].iter().any(|end| name.ends_with(end)) {
            files.push(path);
        }
    }
    Ok(())
}

/// What became of the tests of a file, for a person.
fn text(out: &mut String, suite: &Suite, is_covered: bool) {
    out.push_str(&format!("{}\n", plain(&suite.file)));
    for Outcome { name, passed, differences, explanation } in &suite.tests {
        let verdict = if *passed { paint(GOOD, "ok  ") } else { paint(BAD, "FAIL") };
        out.push_str(&format!("  {verdict} {}\n", plain(name)));
        for one in differences {
            out.push_str(&format!("       {}\n", plain(&one.of)));
            out.push_str(&format!(
                "         {} {}\n",
                paint(GOOD, "expected"),
                plain(&one.expected)
            ));
            out.push_str(&format!("         {} {}\n", paint(BAD, "found   "), plain(&one.found)));
        }
        let explanation = explanation.iter().flat_map(|text| text.lines());
        out.extend(explanation.map(|line| match line {
            "" => "\n".to_owned(),
            line => format!("       {line}\n"),
        }));
    }
    let coverage = &suite.coverage;
    let style = if coverage.missing.is_empty() { GOOD } else { ODD };
    let style = if is_covered { style } else { BAD };
    let part = format!("{} of {} rules", coverage.covered.len(), coverage.len());
    let percent = coverage.percent();
    out.push_str(&format!("  {} {part} at work, {percent} %\n", paint(style, "saw")));
    for rule in &coverage.missing {
        out.push_str(&format!("    {} {}\n", paint(DIM, "never saw"), plain(rule)));
    }
}
