//! How long things take: `make bench`.
//!
//! | room | what is measured there |
//! | --- | --- |
//! | [`engine`] | the engine alone, native |
//! | [`wasm`] | the compiled filter in a simulated proxy |
//! | [`side_by_side`] | the filter in a real Envoy, beside what Envoy has of its own |

mod case;
mod chain;
mod cold;
mod cores;
mod engine;
mod envoy;
mod figure;
mod flood;
mod load;
mod rules;
mod side_by_side;
mod wasm;

use std::env;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use figure::Figures;
use postern_demo::{interrupt, repository};

/// Measures how long things take, and holds it against the goals.
#[derive(Debug, Parser)]
struct Arguments {
    /// Take less time, and more noise
    #[arg(long)]
    quick: bool,
    /// Measure only figures whose names begin so
    #[arg(long, value_name = "NAME-PREFIX", default_value = "")]
    only: String,
}

/// How much time is taken.
#[derive(Clone, Copy, Debug)]
struct Effort {
    /// Less than what makes for steady figures.
    quick: bool,
    /// How often each Envoy is loaded.
    rounds: u32,
    /// For how long each time, in whole seconds.
    round: Duration,
    /// How often Envoy is started to see how long that takes.
    starts: u32,
}

impl Effort {
    /// `BENCH_ROUNDS`, `BENCH_SECONDS` and `BENCH_STARTS`, else what is usual.
    fn from_env(quick: bool) -> anyhow::Result<Self> {
        let (rounds, seconds, starts) = if quick { (2, 1, 1) } else { (7, 2, 5) };
        Ok(Self {
            quick,
            rounds: number("BENCH_ROUNDS", rounds)?,
            round: Duration::from_secs(number("BENCH_SECONDS", seconds)?),
            starts: number("BENCH_STARTS", starts)?,
        })
    }
}

/// The whole number, at least 1, that a variable holds.
fn number<T: FromStr + PartialOrd + From<u8>>(name: &str, usual: T) -> anyhow::Result<T> {
    let Some(text) = env::var_os(name) else { return Ok(usual) };
    let number = text.to_str().and_then(|text| text.parse().ok()).filter(|n| *n >= T::from(1));
    number.with_context(|| {
        format!("{name} is `{}`, expected a whole number from 1 on", text.display())
    })
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut figures = Figures::new(arguments.only);
    let measured = measure(arguments.quick, &mut figures);
    print!("\n{}", figures.table());
    let written = figures.write(&repository().join("dist/bench.json"));
    match measured.and(written) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(quick: bool, figures: &mut Figures) -> anyhow::Result<()> {
    let effort = Effort::from_env(quick)?;
    interrupt::catch()?;
    engine::measure(&effort, figures)?;
    if figures.wants_some("wasm") {
        wasm::measure(&effort, figures)?;
    }
    if figures.wants_some("envoy") {
        side_by_side::measure(&effort, figures)?;
        rules::measure(&effort, figures)?;
        flood::measure(&effort, figures)?;
        cold::measure(&effort, figures)?;
    }
    Ok(())
}
