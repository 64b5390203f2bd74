//! The compiled filter in a simulated proxy: what can be counted, and how long wasmtime takes.
//!
//! Wasmtime counts instructions here, which makes it slower than it could be.

use std::time::Instant;

use anyhow::bail;
use postern_cli::mint::Algorithm;
use postern_tests::wasm_host::{Exchange, Filter, Profile, Proxy, Request};

use crate::Effort;
use crate::case::{self, Case};
use crate::figure::{Figures, Goal, median};

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

    for (name, algorithm) in
        [("es256", Algorithm::Es256), ("rs256", Algorithm::Rs256), ("eddsa", Algorithm::EdDsa)]
    {
        let (count, time) = (format!("wasm_fuel_cold_{name}"), format!("wasm_cold_{name}"));
        if figures.wants(&count) || figures.wants(&time) {
            let (instructions, micros) = cold(effort, &Case::new(algorithm)?)?;
            figures.add(&count, instructions, "instructions", Goal::None);
            figures.add(&time, micros, "us", Goal::None);
        }
    }
    Ok(())
}

/// A request with a token seen before.
fn warm(case: &Case, token: &str) -> anyhow::Result<Exchange> {
    let mut proxy = start(case)?;
    allow(&mut proxy, token)?;
    allow(&mut proxy, token)
}

fn start(case: &Case) -> anyhow::Result<Proxy> {
    let mut proxy = Proxy::new(Profile::Envoy, case.policy.to_string());
    proxy.set_time(case.now().unsigned_abs());
    if !proxy.configured {
        bail!("the filter refuses the policy: {:?}", proxy.take_log());
    }
    Ok(proxy)
}

fn allow(proxy: &mut Proxy, token: &str) -> anyhow::Result<Exchange> {
    let request = Request::get(case::PATH)
        .header("accept", "application/json")
        .header("authorization", format!("Bearer {token}"))
        .header("user-agent", "support-bot/2.1 (+https://agents.example/support-bot)")
        .header("x-request-id", "6a0c2f0e-93a5-4c57-9d2b-0d0e0c6f8f11");
    let exchange = proxy.request(&request);
    let told = exchange.upstream("x-postern-agent").unwrap_or_default();
    if exchange.status() != Some(200) || told.len() != 1 {
        bail!("a request that must pass came to {:?}, {:?}", exchange.outcome, exchange.trap);
    }
    Ok(exchange)
}

fn fuel(exchange: &Exchange) -> anyhow::Result<f64> {
    Ok(f64::from(u32::try_from(exchange.fuel)?))
}

/// The whole of a request with a token not seen before: instructions, and microseconds.
#[expect(clippy::disallowed_methods, reason = "a measurement of real time")]
fn cold(effort: &Effort, case: &Case) -> anyhow::Result<(f64, f64)> {
    let mut proxy = start(case)?;
    let (mut instructions, mut micros) = (Vec::new(), Vec::new());
    for _ in 0..if effort.quick { 5 } else { 40 } {
        let token = case.token()?;
        let start = Instant::now();
        let exchange = allow(&mut proxy, &token)?;
        micros.push(start.elapsed().as_secs_f64() * 1e6);
        instructions.push(fuel(&exchange)?);
    }
    Ok((median(instructions)?, median(micros)?))
}
