//! The compiled filter in a simulated proxy: what can be counted, and how long wasmtime takes where it
//! does not count.

use std::time::Instant;

use anyhow::bail;
use postern_cli::mint::Algorithm;
use postern_tests::wasm_host::{Exchange, Filter, Profile, Proxy, Request};

use crate::Effort;
use crate::case::{self, Case, Rules};
use crate::figure::{Figures, Goal, median};

/// A proxy without signature checks of its own.
const CHECKS_NOTHING: Profile = Profile::ProxyWasmHost;

/// Signature checks after which they cost no less than before.
const SETTLES: u32 = 64;

/// Measures what is wanted.
///
/// # Errors
///
/// The filter refuses the policy or a request.
pub(crate) fn measure(effort: &Effort, figures: &mut Figures) -> anyhow::Result<()> {
    let size = u32::try_from(Filter::this().size)?;
    figures.add("wasm_size", f64::from(size) / 1024.0, "KiB", Goal::AtMost(700.0));

    let mut case = Case::new(Algorithm::Es256)?;
    let token = case.token()?;
    // From so wide a bucket as that of the case, most requests are paid without the shared store.
    let leased = warm(&case, &token)?;
    figures.add("wasm_fuel_allow_leased", fuel(&leased)?, "instructions", Goal::None);
    case.narrow();
    let counted = warm(&case, &token)?;
    let calls = counted.calls.values().copied().map(f64::from).sum();
    figures.add("wasm_host_calls_allow", calls, "calls", Goal::AtMost(12.0));
    figures.add("wasm_fuel_allow_warm", fuel(&counted)?, "instructions", Goal::None);

    if figures.wants("wasm_fuel_deny_limited") {
        figures.add("wasm_fuel_deny_limited", limited(&case, &token)?, "instructions", Goal::None);
    }

    case.policy = case.with(Rules::Condition);
    let conditional = fuel(&warm(&case, &token)?)? - fuel(&counted)?;
    figures.add("wasm_fuel_condition", conditional, "instructions", Goal::None);

    if figures.wants("wasm_memory_100000_tokens") {
        figures.add("wasm_memory_100000_tokens", memory(effort)?, "MiB", Goal::AtMost(32.0));
    }
    for (name, algorithm, goal) in [
        ("es256", Algorithm::Es256, Goal::AtMost(250.0)),
        ("rs256", Algorithm::Rs256, Goal::None),
        ("eddsa", Algorithm::EdDsa, Goal::AtMost(150.0)),
    ] {
        let (count, time) = (format!("wasm_fuel_cold_{name}"), format!("wasm_check_{name}"));
        if figures.wants(&count) {
            let instructions = cold(effort, &Case::new(algorithm)?)?;
            figures.add(&count, instructions, "instructions", Goal::None);
        }
        if figures.wants(&time) {
            figures.add(&time, check(effort, &Case::new(algorithm)?)?, "us", goal);
        }
    }
    Ok(())
}

/// A request with a token seen before.
fn warm(case: &Case, token: &str) -> anyhow::Result<Exchange> {
    let mut proxy = start(case, Proxy::new(Profile::Envoy, case.policy.to_string()))?;
    allow(&mut proxy, token)?;
    allow(&mut proxy, token)
}

/// Instructions of a request that is refused since its limit is used up.
fn limited(case: &Case, token: &str) -> anyhow::Result<f64> {
    let policy = case.with(Rules::Narrow).to_string();
    let mut proxy = start(case, Proxy::new(Profile::Envoy, policy))?;
    for _ in 0..100 {
        let exchange = proxy.request(&request(token));
        if exchange.code().as_deref() == Some("rate_limited") {
            return fuel(&exchange);
        }
    }
    bail!("the limit is never used up")
}

fn start(case: &Case, mut proxy: Proxy) -> anyhow::Result<Proxy> {
    proxy.set_time(case.now().unsigned_abs());
    if !proxy.configured {
        bail!("the filter refuses the policy: {:?}", proxy.take_log());
    }
    Ok(proxy)
}

fn allow(proxy: &mut Proxy, token: &str) -> anyhow::Result<Exchange> {
    let exchange = proxy.request(&request(token));
    let told = exchange.upstream("x-postern-agent").unwrap_or_default();
    if exchange.status() != Some(200) || told.len() != 1 {
        bail!("a request that must pass came to {:?}, {:?}", exchange.outcome, exchange.trap);
    }
    Ok(exchange)
}

fn fuel(exchange: &Exchange) -> anyhow::Result<f64> {
    Ok(f64::from(u32::try_from(exchange.fuel)?))
}

fn request(token: &str) -> Request {
    Request::get(case::PATH)
        .header("accept", "application/json")
        .header("authorization", format!("Bearer {token}"))
        .header("user-agent", "support-bot/2.1 (+https://agents.example/support-bot)")
        .header("x-request-id", "6a0c2f0e-93a5-4c57-9d2b-0d0e0c6f8f11")
}

/// Instructions of a request with a token not seen before, in a proxy that checks no signatures.
fn cold(effort: &Effort, case: &Case) -> anyhow::Result<f64> {
    let mut proxy = start(case, Proxy::new(CHECKS_NOTHING, case.policy.to_string()))?;
    // Multiples of the key are worked out little by little.
    for _ in 0..SETTLES {
        allow(&mut proxy, &case.token()?)?;
    }
    let instructions = (0..if effort.quick { 5 } else { 40 }).map(|_| {
        let exchange = allow(&mut proxy, &case.token()?)?;
        fuel(&exchange)
    });
    median(instructions.collect::<anyhow::Result<Vec<_>>>()?)
}

/// The memory of a worker that was shown so many good tokens, each another one, in MiB.
fn memory(effort: &Effort) -> anyhow::Result<f64> {
    let case = Case::new(Algorithm::EdDsa)?;
    let mut proxy = start(&case, Proxy::uncounted(CHECKS_NOTHING, case.policy.to_string()))?;
    for _ in 0..if effort.quick { 10_000 } else { 100_000 } {
        allow(&mut proxy, &case.token()?)?;
    }
    Ok(f64::from(u32::try_from(proxy.worker(0).memory_size())?) / (1024.0 * 1024.0))
}

/// Microseconds of a signature check alone: of a request that is denied after it, less what one takes
/// that is denied right before it, for its key is not known.
#[expect(clippy::disallowed_methods, reason = "a measurement of real time")]
fn check(effort: &Effort, case: &Case) -> anyhow::Result<f64> {
    let mut proxy = start(case, Proxy::uncounted(CHECKS_NOTHING, case.policy.to_string()))?;
    let mut time = |token: &str, code: &str| {
        let request = request(token);
        let start = Instant::now();
        let exchange = proxy.request(&request);
        let micros = start.elapsed().as_secs_f64() * 1e6;
        match exchange.code() {
            Some(other) if other == code => Ok(micros),
            other => bail!("expected `{code}`, got {other:?}"),
        }
    };
    for _ in 0..SETTLES {
        time(&case.misattributed_token()?, "invalid_token")?;
    }
    let mut differences = Vec::new();
    for _ in 0..if effort.quick { 50 } else { 400 } {
        let with = time(&case.misattributed_token()?, "invalid_token")?;
        let without = time(&case.unattributed_token()?, "unknown_key")?;
        differences.push(with - without);
    }
    median(differences)
}
