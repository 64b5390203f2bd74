//! Real Envoys side by side. They take turns, and only what happened within one turn of all is
//! compared: whatever else the machine does, it does to all of them.

use std::collections::BTreeMap;
use std::time::Duration;

use postern_cli::mint::Algorithm;

use crate::Effort;
use crate::case::{Case, Rules};
use crate::chain::Chain;
use crate::cores::Cores;
use crate::envoy::{Envoy, Kit};
use crate::figure::{Figures, Goal, median};
use crate::load::{self, Load, Tokens};

/// How long each is loaded before anything counts, so that connections, caches and the clock of
/// the core are as they will be.
const WARM_UP: Duration = Duration::from_secs(1);

/// Measures what is wanted.
///
/// # Errors
///
/// An Envoy does not start, or an answer is wrong.
pub(crate) fn measure(effort: &Effort, figures: &mut Figures) -> anyhow::Result<()> {
    let kit = Kit::new(Case::new(Algorithm::Es256)?)?;
    if figures.wants_some("envoy_rps") || figures.wants_some("envoy_cpu_us") {
        throughput(effort, &kit, figures)?;
    }
    if figures.wants("envoy_ready_later") {
        let later = ready_later(effort, &kit)?;
        figures.add("envoy_ready_later", later, "s", Goal::AtMost(0.8));
    }
    Ok(())
}

fn throughput(effort: &Effort, kit: &Kit, figures: &mut Figures) -> anyhow::Result<()> {
    let cores = Cores::apart();
    let mut envoys = Vec::new();
    for chain in Chain::SIDE_BY_SIDE {
        envoys.push((chain, Envoy::start(kit, chain, &cores)?));
    }
    for (_, envoy) in &envoys {
        load::run(envoy, Tokens::One(&kit.token), &cores, WARM_UP)?;
    }
    let mut rounds = Vec::new();
    for number in 1..=effort.rounds {
        let mut round = BTreeMap::new();
        for (chain, envoy) in &envoys {
            postern_demo::interrupt::check()?;
            round.insert(
                chain.name(),
                load::run(envoy, Tokens::One(&kit.token), &cores, effort.round)?,
            );
        }
        eprintln!("bench: round {number} of {}: {}", effort.rounds, summary(&round));
        rounds.push(round);
    }
    report(&rounds, figures)
}

type Round = BTreeMap<&'static str, Load>;

fn summary(round: &Round) -> String {
    let one = |(name, load): (&&str, &Load)| {
        format!("{name} {:.0}/s {:.1} us", load.rps, load.cpu_micros)
    };
    round.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The share of its core that the least busy of the Envoys had: where that is little, `wrk` or
/// others on the machine set the pace, and requests a second say nothing of the filters.
fn idlest(round: &Round) -> f64 {
    round.values().map(|load| load.rps * load.cpu_micros / 1e6).fold(1.0, f64::min)
}

fn report(rounds: &[Round], figures: &mut Figures) -> anyhow::Result<()> {
    let busy = median(rounds.iter().map(idlest))?;
    figures.add("envoy_rps_busy", busy, "share", Goal::AtLeast(0.9));
    for (chain, goal) in [
        (Chain::None, Goal::None),
        (Chain::Empty, Goal::AtLeast(0.7)),
        (Chain::Calls(Rules::Usual), Goal::None),
        (Chain::NativeCached, Goal::AtLeast(0.9)),
        (Chain::NativeUncached, Goal::AtLeast(2.0)),
    ] {
        let ratio = |round: &Round| {
            let (ours, other) =
                (round.get(Chain::Postern(Rules::Usual).name())?, round.get(chain.name())?);
            Some(ours.rps / other.rps)
        };
        let ratio = median(rounds.iter().filter_map(ratio))?;
        figures.add(&format!("envoy_rps_vs_{}", chain.name()), ratio, "ratio", goal);
    }
    for chain in Chain::SIDE_BY_SIDE {
        let loads = || rounds.iter().filter_map(move |round| round.get(chain.name()));
        let (name, rps) = (chain.name(), median(loads().map(|load| load.rps))?);
        // Others on the machine can only add to it.
        let least = loads().map(|load| load.cpu_micros).fold(f64::INFINITY, f64::min);
        figures.add(&format!("envoy_rps_{name}"), rps, "1/s", Goal::None);
        figures.add(&format!("envoy_cpu_us_{name}"), least, "us", Goal::None);
    }
    Ok(())
}

/// How much later than a bare Envoy ours answers, in seconds: the usual difference between two
/// started one after the other.
fn ready_later(effort: &Effort, kit: &Kit) -> anyhow::Result<f64> {
    let cores = Cores::any();
    let mut differences = Vec::new();
    for number in 1..=effort.starts {
        let bare = Envoy::start(kit, Chain::None, &cores)?.ready_after.as_secs_f64();
        let ours =
            Envoy::start(kit, Chain::Postern(Rules::Usual), &cores)?.ready_after.as_secs_f64();
        eprintln!("bench: start {number} of {}: {bare:.3} s, {ours:.3} s", effort.starts);
        differences.push(ours - bare);
    }
    median(differences)
}
