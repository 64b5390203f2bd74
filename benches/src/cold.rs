//! What a token adds to a request that was not seen before, beside what Envoy's own check of its
//! signature adds to a filter that does nothing else.

use std::path::PathBuf;

use postern::session::Sessions;
use postern_cli::mint::Algorithm;

use crate::Effort;
use crate::case::Case;
use crate::chain::Chain;
use crate::cores::Cores;
use crate::envoy::{Envoy, Kit};
use crate::figure::{Figures, Goal, median};
use crate::load::{self, Tokens};

/// So many that each has been forgotten when its turn comes again.
const TOKENS: usize = Sessions::CAPACITY + Sessions::CAPACITY / 4;

/// Measures what is wanted.
///
/// # Errors
///
/// An Envoy does not start, or an answer is wrong.
pub(crate) fn measure(effort: &Effort, figures: &mut Figures) -> anyhow::Result<()> {
    for (name, algorithm) in [("es256", Algorithm::Es256), ("rs256", Algorithm::Rs256)] {
        if figures.wants_some(&format!("envoy_cold_{name}")) {
            of(name, Kit::new(Case::new(algorithm)?)?, effort, figures)?;
        }
    }
    Ok(())
}

/// What one request cost each in one round, in microseconds of CPU time.
struct Round {
    /// The filter that does nothing.
    empty: f64,
    /// The one that has a signature checked.
    check: f64,
    /// Postern, with a token that it remembers.
    warm: f64,
    /// Postern, with tokens that it has not seen or has forgotten.
    cold: f64,
}

fn of(name: &str, kit: Kit, effort: &Effort, figures: &mut Figures) -> anyhow::Result<()> {
    let scripts = scripts(&kit)?;
    let cores = Cores::apart();
    let start = |chain| Envoy::start(&kit, chain, &cores);
    let (empty, check, postern) =
        (start(Chain::Empty)?, start(Chain::Check)?, start(Chain::Postern)?);
    let [one, all] = scripts.each_ref().map(|script| Tokens::InTurn(script));
    let cost = |envoy: &Envoy, tokens| {
        postern_demo::interrupt::check()?;
        Ok::<_, anyhow::Error>(load::run(envoy, tokens, &cores, effort.round)?.cpu_micros)
    };
    let mut rounds = Vec::new();
    // The first is to warm up.
    for number in 0..=effort.rounds {
        let round = Round {
            empty: cost(&empty, one)?,
            check: cost(&check, one)?,
            warm: cost(&postern, one)?,
            cold: cost(&postern, all)?,
        };
        let Round { empty, check, warm, cold } = round;
        eprintln!(
            "bench: round {number} of {}, {name}: empty {empty:.1} us, check {check:.1} us, \
             warm {warm:.1} us, cold {cold:.1} us",
            effort.rounds
        );
        rounds.push(round);
    }
    rounds.remove(0);
    let each = |of: fn(&Round) -> f64| median(rounds.iter().map(of));
    let ratio = each(|round| (round.cold - round.warm) / (round.check - round.empty))?;
    let (checked, added) =
        (each(|round| round.check - round.empty)?, each(|round| round.cold - round.warm)?);
    figures.add(&format!("envoy_cold_{name}_vs_check"), ratio, "ratio", Goal::AtMost(1.5));
    figures.add(&format!("envoy_cold_{name}_check_us"), checked, "us", Goal::None);
    figures.add(&format!("envoy_cold_{name}_us"), added, "us", Goal::None);
    Ok(())
}

/// Scripts for one token and for all of them.
fn scripts(kit: &Kit) -> anyhow::Result<[PathBuf; 2]> {
    let tokens = (0..TOKENS).map(|_| {
        postern_demo::interrupt::check()?;
        kit.case.token()
    });
    let tokens = tokens.collect::<anyhow::Result<Vec<_>>>()?;
    let one = load::in_turn(std::slice::from_ref(&kit.token), kit.file("one.lua"))?;
    Ok([one, load::in_turn(&tokens, kit.file("all.lua"))?])
}
