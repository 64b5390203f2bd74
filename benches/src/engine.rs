//! The engine alone, native: whole decisions, with the shared store in memory.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use criterion::{BatchSize, Criterion};
use postern::decision::{Answer, Engine, Request};
use postern::host::{Expected, Host, HostError, Stored, Swap, Timestamp};
use postern::limit::{self, BucketKey, Charge, Class, Leases, Limit, Refused};
use postern_cli::mint::Algorithm;
use serde_json::Value;

use crate::Effort;
use crate::case::{self, Case, Rules, Size};
use crate::figure::{Figures, Goal, median};

/// How much more of something a policy must bear.
const MANY: usize = 10_000;
/// Decisions timed together, where two policies are compared.
const BATCH: u32 = 2_000;
/// How often two policies are compared.
const COMPARISONS: usize = 25;

/// Measures what is wanted.
///
/// # Errors
///
/// A decision is not what it must be, or a result cannot be read.
pub(crate) fn measure(effort: &Effort, figures: &mut Figures) -> anyhow::Result<()> {
    let mut bench = Bench::new(effort);
    let case = Case::new(Algorithm::Es256)?;
    let (credential, host) = (bearer(&case.token()?), Memory::new(&case));

    let name = "engine_allow_warm";
    if figures.wants(name) {
        let engine = engine(&case.policy)?;
        let micros = bench.run(name, |b| b.iter(|| decide(&engine, &host, &credential, 200)))?;
        figures.add(name, micros, "us", Goal::AtMost(2.0));
    }
    let name = "engine_condition";
    if figures.wants(name) {
        let (none, one) = (engine(&case.policy)?, engine(&case.with(Rules::Condition))?);
        let difference = difference(&one, &none, &host, &credential)?;
        figures.add(name, difference, "us", Goal::AtMost(0.5));
    }
    let name = "limit_store_100000";
    if figures.wants(name) {
        figures.add(name, principals(100_000)?, "MiB", Goal::None);
    }
    for (name, algorithm) in [
        ("engine_allow_cold_es256", Algorithm::Es256),
        ("engine_allow_cold_rs256", Algorithm::Rs256),
        ("engine_allow_cold_eddsa", Algorithm::EdDsa),
    ] {
        if figures.wants(name) {
            let case = Case::new(algorithm)?;
            let micros = bench.cold(name, &case, &bearer(&case.token()?), 200)?;
            figures.add(name, micros, "us", Goal::None);
        }
    }
    let name = "engine_deny_invalid_token";
    if figures.wants(name) {
        let micros = bench.cold(name, &case, &bearer(&case.forged_token()?), 401)?;
        figures.add(name, micros, "us", Goal::None);
    }
    for (name, large) in [
        ("routes_10_to_10000_ratio", Size { routes: MANY, ..Size::SMALL }),
        ("agents_10_to_10000_ratio", Size { agents: MANY, ..Size::SMALL }),
        ("scopes_10_to_10000_ratio", Size { scopes: MANY, ..Size::SMALL }),
    ] {
        if figures.wants(name) {
            let (few, many) = (engine(&case.policy)?, engine(&case.sized(large))?);
            let ratio = compare(&many, &few, &host, &credential)?;
            figures.add(name, ratio, "ratio", Goal::AtMost(1.3));
        }
    }
    Ok(())
}

/// What the shared store holds, keys and values, once so many principals have used a limit, in MiB.
fn principals(many: u32) -> anyhow::Result<f64> {
    let (rate, burst) = ("60/min".parse()?, NonZeroU32::MIN);
    let limit = Limit::new("agent", Class::Agents, 0, rate, burst)?;
    let host = Memory::new(&Case::new(Algorithm::Es256)?);
    for number in 0..many {
        let key = BucketKey::new(&["agent", case::ISSUER, &number.to_string()]);
        let charge = Charge { limit: &limit, key, cost: 1, zone: 0 };
        let taken = limit::take(&mut Leases::default(), &host, host.now(), [charge].into_iter());
        // Where more than eight fall into one slot they share a bucket, and one of them may have to wait.
        if taken == Err(Refused::Unavailable) {
            bail!("the store failed");
        }
    }
    let values = host.values.borrow();
    let bytes: usize = values.iter().map(|(key, stored)| key.len() + stored.value.len()).sum();
    Ok(f64::from(u32::try_from(bytes)?) / (1024.0 * 1024.0))
}

fn engine(policy: &Value) -> anyhow::Result<Engine> {
    match postern::policy::load(policy.to_string().as_bytes()) {
        Ok(policy) => Ok(Engine::new(policy, [7; 16])),
        Err(problems) => {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            bail!("the policy is refused: {}", problems.join("; "))
        }
    }
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// One decision, which must come to `status`; 200 stands for passing the request on.
fn decide(engine: &Engine, host: &Memory, credential: &str, status: u16) {
    let headers: [(&[u8], &[u8]); 11] = [
        (b":authority", b"api.crm.example"),
        (b":path", case::PATH.as_bytes()),
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b"accept", b"application/json"),
        (b"accept-encoding", b"gzip, br"),
        (b"authorization", credential.as_bytes()),
        (b"user-agent", b"support-bot/2.1 (+https://agents.example/support-bot)"),
        (b"x-forwarded-for", b"198.51.100.7"),
        (b"x-forwarded-proto", b"https"),
        (b"x-request-id", b"6a0c2f0e-93a5-4c57-9d2b-0d0e0c6f8f11"),
    ];
    let request = Request {
        method: b"GET",
        path: case::PATH.as_bytes(),
        headers: &headers,
        strips_headers: true,
    };
    let decision = black_box(engine.decide(black_box(&request), host, &mut ()));
    let came_to = match &decision.answer {
        Answer::Forward(_) => 200,
        Answer::Reply(reply) => reply.status,
    };
    assert_eq!(came_to, status, "{}", decision.record.line);
}

/// How many times as long `one` takes as `other`, side by side.
#[expect(clippy::disallowed_methods, reason = "a measurement of real time")]
fn compare(one: &Engine, other: &Engine, host: &Memory, credential: &str) -> anyhow::Result<f64> {
    let time = |engine| {
        let start = Instant::now();
        (0..BATCH).for_each(|_| decide(engine, host, credential, 200));
        start.elapsed().as_secs_f64()
    };
    // The first batch verifies the token, and is not counted.
    let ratios = (0..=COMPARISONS).map(|_| time(one) / time(other)).skip(1);
    median(ratios.collect::<Vec<_>>())
}

/// How many microseconds more `one` takes than `other`, side by side.
#[expect(clippy::disallowed_methods, reason = "a measurement of real time")]
fn difference(
    one: &Engine,
    other: &Engine,
    host: &Memory,
    credential: &str,
) -> anyhow::Result<f64> {
    let time = |engine| {
        let start = Instant::now();
        (0..BATCH).for_each(|_| decide(engine, host, credential, 200));
        start.elapsed().as_secs_f64() * 1e6 / f64::from(BATCH)
    };
    // The first batch verifies the token, and is not counted.
    let differences = (0..=COMPARISONS).map(|_| time(one) - time(other)).skip(1);
    median(differences.collect::<Vec<_>>())
}

/// Criterion, and what it found.
struct Bench {
    criterion: Criterion,
    directory: PathBuf,
}

impl Bench {
    fn new(effort: &Effort) -> Self {
        let directory = postern_demo::repository().join("target/criterion");
        let (warm_up, measurement) = if effort.quick { (200, 500) } else { (1_000, 3_000) };
        let criterion = Criterion::default()
            .without_plots()
            .output_directory(&directory)
            .warm_up_time(Duration::from_millis(warm_up))
            .measurement_time(Duration::from_millis(measurement))
            .sample_size(if effort.quick { 20 } else { 60 });
        Self { criterion, directory }
    }

    /// The median, in microseconds.
    fn run(
        &mut self,
        name: &str,
        measure: impl FnMut(&mut criterion::Bencher<'_>),
    ) -> anyhow::Result<f64> {
        self.criterion.bench_function(name, measure);
        let nanos = estimate(&self.directory.join(name).join("new/estimates.json"))?;
        Ok(nanos / 1_000.0)
    }

    /// A decision of an engine that has never seen a token.
    fn cold(
        &mut self,
        name: &str,
        case: &Case,
        credential: &str,
        status: u16,
    ) -> anyhow::Result<f64> {
        engine(&case.policy)?;
        let host = Memory::new(case);
        self.run(name, |b| {
            b.iter_batched(
                || engine(&case.policy),
                |engine| {
                    if let Ok(engine) = &engine {
                        decide(engine, &host, credential, status);
                    }
                    engine
                },
                BatchSize::SmallInput,
            );
        })
    }
}

fn estimate(path: &Path) -> anyhow::Result<f64> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let estimates: Value = serde_json::from_str(&text)?;
    let median = estimates.pointer("/median/point_estimate").and_then(Value::as_f64);
    median.with_context(|| format!("no median in `{}`", path.display()))
}

/// A store for one thread, and a clock that moves on with every look at it, so that no limit is
/// used up.
struct Memory {
    values: RefCell<HashMap<Vec<u8>, Stored>>,
    nanos: Cell<u64>,
}

/// How far the clock moves on, in nanoseconds.
const TICK: u64 = 1_000;

impl Memory {
    fn new(case: &Case) -> Self {
        let start = Timestamp::from_secs(case.now().unsigned_abs());
        Self { values: RefCell::default(), nanos: Cell::new(start.as_nanos()) }
    }
}

impl Host for Memory {
    fn now(&self) -> Timestamp {
        self.nanos.set(self.nanos.get().saturating_add(TICK));
        Timestamp::from_nanos(self.nanos.get())
    }

    fn load(&self, key: &[u8]) -> Result<Option<Stored>, HostError> {
        Ok(self.values.borrow().get(key).cloned())
    }

    fn swap(&self, key: &[u8], value: &[u8], expected: Expected) -> Result<Swap, HostError> {
        let mut values = self.values.borrow_mut();
        let there = values.get(key).map(|stored| stored.version);
        let wanted = match expected {
            Expected::Absent => None,
            Expected::Version(version) => Some(version),
        };
        if there != wanted {
            return Ok(Swap::Conflict);
        }
        let version = there.unwrap_or_default().wrapping_add(1);
        values.insert(key.to_vec(), Stored { value: value.to_vec(), version });
        Ok(Swap::Done)
    }
}
