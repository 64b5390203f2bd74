//! A file of tests, run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use postern::decision::{Engine, Request};
use postern::denial::Denial;
use postern::host::Timestamp;
use postern::policy::Policy;
use serde::Serialize;
use serde_json::Value;

use super::cast::{Cast, resolve, unknown};
use super::coverage::Coverage;
use super::written::{File, Test, Then, When};
use crate::command::behaviour::{Supposed, suppose};
use crate::command::explain::{Asked, Memory, Report, Watch, render};
use crate::command::file::Input;
use crate::command::output::plain;
use crate::command::problems::Source;
use crate::command::time::Moment;

/// How often a request may come in a test.
const MAX_TIMES: u32 = 100_000;

/// What is written in a file's name between its policy's and its end.
const SUFFIX: &str = ".test.";

/// What became of the tests of one file.
#[derive(Serialize)]
pub(super) struct Suite {
    /// The file.
    pub(super) file: String,
    /// The policy's.
    #[serde(skip)]
    pub(super) policy: PathBuf,
    pub(super) tests: Vec<Outcome>,
    pub(super) coverage: Coverage,
}

/// What became of a test.
#[derive(Serialize)]
pub(super) struct Outcome {
    pub(super) name: String,
    pub(super) passed: bool,
    /// What is not as expected: nothing where it passed.
    pub(super) differences: Vec<Difference>,
    /// What `explain` says of the request, where it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) explanation: Option<String>,
}

/// Something that is not as expected.
#[derive(Serialize)]
pub(super) struct Difference {
    pub(super) of: String,
    pub(super) expected: String,
    pub(super) found: String,
}

impl Suite {
    /// Runs the tests in `path` whose names contain `filter`.
    ///
    /// # Errors
    ///
    /// The file or its policy cannot be read or used.
    pub(super) fn run(path: &Path, filter: &str) -> anyhow::Result<Self> {
        let source = Source::read(&Input::File(path.to_owned()))?;
        let file = source.typed::<File>("file of tests")?;
        let policy = policy_of(path, file.policy.as_deref())?;
        let (mut value, _) = Source::read(&Input::File(policy.clone()))?.policy()?;
        let cast = Cast::equip(&mut value)?;
        let compile = |value: &Value| {
            Policy::compile(value).map(|(policy, _)| policy).map_err(|problems| {
                anyhow!("`{}` cannot be tested: {problems}", plain(&policy.to_string_lossy()))
            })
        };
        let mut coverage = Coverage::of(&compile(&value)?);
        let now = moment(file.at.as_deref())?.unwrap_or_else(Moment::now);
        let mut tests = Vec::with_capacity(file.tests.len());
        for test in file.tests.iter().filter(|test| test.name.contains(filter)) {
            let engine = engine(compile(&value)?, test);
            let engine = engine.with_context(|| format!("`{}`", plain(&test.name)))?;
            let run = Run { engine: &engine, cast: &cast, file: &file, now };
            let (outcome, report) = run.test(test).with_context(|| {
                format!("{}: `{}`", plain(&path.to_string_lossy()), plain(&test.name))
            })?;
            coverage.saw(&report);
            tests.push(outcome);
        }
        Ok(Self { file: path.to_string_lossy().into_owned(), policy, tests, coverage })
    }

    /// How many of the tests did not pass.
    pub(super) fn failed(&self) -> usize {
        self.tests.iter().filter(|test| !test.passed).count()
    }
}

/// The policy that a file of tests is about.
fn policy_of(path: &Path, written: Option<&str>) -> anyhow::Result<PathBuf> {
    if let Some(written) = written {
        return Ok(path.parent().unwrap_or(Path::new("")).join(written));
    }
    policy_beside(path).with_context(|| {
        format!(
            "`{}` is not called `NAME.test.yaml` after its policy: expected `policy: FILE` in it",
            plain(&path.to_string_lossy())
        )
    })
}

/// The policy that a file of tests is called after.
pub(super) fn policy_beside(path: &Path) -> Option<PathBuf> {
    let (policy, end) = path.file_name()?.to_str()?.rsplit_once(SUFFIX)?;
    Some(path.with_file_name(format!("{policy}.{end}")))
}

fn moment(text: Option<&str>) -> anyhow::Result<Option<Moment>> {
    text.map(str::parse).transpose().context("`at`")
}

/// The policy at work, with agents that behave as the test says.
fn engine(policy: Policy, test: &Test) -> anyhow::Result<Engine> {
    let engine = Engine::new(policy, [0; 16]);
    let Some(parts) = &test.when.behaviour else { return Ok(engine) };
    if engine.policy().behaviour.is_none() {
        bail!("`behaviour`: the policy has none");
    }
    let parts = parts.iter().map(|(name, part)| Supposed::new(name, &part.to_string()));
    let parts: Result<Vec<_>, _> = parts.collect();
    Ok(engine.supposing(suppose(&parts.map_err(|error| anyhow!("`behaviour`: {error}"))?)))
}

/// One test at work.
struct Run<'a> {
    engine: &'a Engine,
    cast: &'a Cast,
    file: &'a File,
    now: Moment,
}

impl Run<'_> {
    fn test(&self, test: &Test) -> anyhow::Result<(Outcome, Report)> {
        let When { request, headers, at, times, consent, behaviour: _ } = &test.when;
        let (method, path) = request
            .split_once(' ')
            .context("`when`: expected a method and a path, such as `GET /v1/contacts`")?;
        let times = times.unwrap_or(1);
        if !(1..=MAX_TIMES).contains(&times) {
            bail!("`times`: expected 1 to {MAX_TIMES}");
        }
        check_decision(&test.then.decision)?;
        test.then.shadow.as_deref().map_or(Ok(()), check_decision)?;
        let now = moment(at.as_deref())?.unwrap_or(self.now);
        let given = test.given.as_ref().map(|given| resolve(&given.0, &self.file.callers));
        let caller = given.transpose()?;
        let consent = consent.as_ref().map(|said| {
            let caller = caller.as_ref().context("`consent`: nobody calls")?;
            let policy = self.engine.policy();
            self.cast.consent(policy, (caller, said), (method, path), now)
        });
        let consent = consent.transpose()?;
        let credential = caller.map(|caller| self.cast.credential(&caller, now));
        let (certificate, credential) = match credential.transpose()? {
            Some(credential) => (credential.certificate, credential.headers),
            None => (None, Vec::new()),
        };
        let sent = headers.iter().map(|(name, value)| (name.clone(), value.clone()));
        let sent: Vec<(String, String)> = sent.chain(credential).chain(consent).collect();
        let bytes: Vec<_> =
            sent.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let request = Request {
            method: method.as_bytes(),
            path: path.as_bytes(),
            headers: &bytes,
            strips_headers: true,
        };
        let time = Timestamp::from_secs(now.as_secs().unsigned_abs());
        let host = Memory::new(time, certificate);
        for _ in 1..times {
            self.engine.decide(&request, &host, &mut ());
        }
        let mut watch = Watch::new(self.engine.policy(), &request, time);
        let decision = self.engine.decide(&request, &host, &mut watch);
        let asked = Asked::new(method, path, now, &self.engine.policy().version);
        let report = Report::new(asked, watch.finish(), decision, &bytes);
        let differences = differences(&test.then, &report, &sent);
        let passed = differences.is_empty();
        let explanation = (!passed).then(|| render(&report));
        Ok((Outcome { name: test.name.clone(), passed, differences, explanation }, report))
    }
}

fn check_decision(decision: &str) -> anyhow::Result<()> {
    let known = || Denial::ALL.into_iter().map(Denial::code).chain(["allow"]);
    if known().any(|code| code == decision) {
        return Ok(());
    }
    Err(unknown("decision", decision, known()).context("`then`"))
}

/// What of a decision is not as expected.
fn differences(then: &Then, report: &Report, sent: &[(String, String)]) -> Vec<Difference> {
    let Then { decision, shadow, status, backend, hidden, answer, remaining } = then;
    let mut differences = Vec::new();
    let mut compare = |of: String, expected: String, found: String| {
        if expected != found {
            differences.push(Difference { of, expected, found });
        }
    };
    let would_be = report.decision.code.filter(|_| report.decision.shadow);
    let found = report.decision.code.filter(|_| !report.decision.shadow).unwrap_or("allow");
    compare("decision".to_owned(), decision.clone(), found.to_owned());
    if let Some(shadow) = shadow {
        compare("shadow".to_owned(), shadow.clone(), would_be.unwrap_or("allow").to_owned());
    }
    if let Some(status) = status {
        // The backend answers what is allowed, and nobody knows how.
        let found = report.decision.status.map_or("the backend's".to_owned(), |it| it.to_string());
        compare("status".to_owned(), status.to_string(), found);
    }
    let told = told(report, sent);
    for (name, value) in backend {
        let found = told.get(&name.to_ascii_lowercase());
        compare(format!("backend `{name}`"), value.clone(), or_none(found));
    }
    for name in hidden {
        let found = told.get(&name.to_ascii_lowercase());
        compare(format!("backend `{name}`"), or_none(None), or_none(found));
    }
    let headers = report.forward.as_ref().map(|forward| &forward.response);
    let headers = headers.or(report.reply.as_ref().map(|reply| &reply.headers));
    for (name, part) in answer {
        let found = headers.into_iter().flatten().filter(|one| one.name.eq_ignore_ascii_case(name));
        let found: Vec<&str> = found.map(|one| one.value.as_str()).collect();
        if !found.iter().any(|value| value.contains(part.as_str())) {
            let found = or_none((!found.is_empty()).then(|| found.join(", ")).as_ref());
            compare(format!("answer `{name}`"), format!("…{part}…"), found);
        }
    }
    for (name, left) in remaining {
        let found = report.left(name).map(|left| left.to_string());
        compare(format!("remaining `{name}`"), left.to_string(), or_none(found.as_ref()));
    }
    differences
}

fn or_none(value: Option<&String>) -> String {
    value.cloned().unwrap_or_else(|| "(none)".to_owned())
}

/// The headers that the backend sees, in lower case; none where it sees nothing.
fn told(report: &Report, sent: &[(String, String)]) -> BTreeMap<String, String> {
    let Some(forward) = &report.forward else { return BTreeMap::new() };
    let is_kept = |name: &str| !forward.removed.iter().any(|one| one.eq_ignore_ascii_case(name));
    let sent = sent.iter().filter(|(name, _)| is_kept(name));
    let sent = sent.map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
    let added = forward.added.iter().map(|one| (one.name.clone(), one.value.clone()));
    sent.chain(added).collect()
}
