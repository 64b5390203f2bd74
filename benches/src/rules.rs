//! What a rule costs in a real Envoy, beyond a policy that does not have it.

use std::net::SocketAddr;

use anyhow::bail;
use postern_cli::mint::Algorithm;

use crate::Effort;
use crate::case::{Case, Rules};
use crate::chain::Chain;
use crate::cores::Cores;
use crate::envoy::{Envoy, Kit};
use crate::figure::{Figures, Goal, median};
use crate::load::Connections;

/// Pairs of turns before anything counts.
const WARM_UP: u32 = 30;

/// What a request cost a bare Envoy, in microseconds, when the goals were set: they are told in
/// microseconds, and held against as large a part of what a bare Envoy takes in the same round.
const BARE: f64 = 27.6;

/// What is compared: with the rule and without it, and how many microseconds the rule may cost. Of the
/// calls by which a limit is counted and told, it is what they cost alone.
const COMPARED: [(&str, [Chain; 2], Option<f64>); 9] = [
    ("envoy_rule_condition", postern([Rules::Condition, Rules::Usual]), Some(1.0)),
    ("envoy_rule_leased_limit", postern([Rules::Usual, Rules::Unlimited]), None),
    ("envoy_rule_leased_limit_calls", calls([Rules::Usual, Rules::Unlimited]), None),
    ("envoy_rule_limit", postern([Rules::Limit, Rules::Unlimited]), Some(2.0)),
    ("envoy_rule_limit_calls", calls([Rules::Limit, Rules::Unlimited]), None),
    ("envoy_rule_five_of_one", postern([Rules::FiveOfOne, Rules::Unlimited]), Some(4.0)),
    ("envoy_rule_five_of_one_calls", calls([Rules::FiveOfOne, Rules::Unlimited]), None),
    ("envoy_rule_five_limits", postern([Rules::FiveLimits, Rules::Unlimited]), Some(4.0)),
    ("envoy_rule_five_limits_calls", calls([Rules::FiveLimits, Rules::Unlimited]), None),
];

const fn postern([with, without]: [Rules; 2]) -> [Chain; 2] {
    [Chain::Postern(with), Chain::Postern(without)]
}

const fn calls([with, without]: [Rules; 2]) -> [Chain; 2] {
    [Chain::Calls(with), Chain::Calls(without)]
}

/// Requests on each connection in one turn: so few that what else the machine does, it does to all who
/// take turns.
const TURN: u32 = 20;

/// Pairs of turns for each second of a round.
const PAIRS: u32 = 20;

/// Rounds for which the same Envoy runs.
const ROUNDS_OF_ENVOY: u32 = 4;

/// Measures what is wanted.
///
/// # Errors
///
/// An Envoy does not start, or an answer is wrong.
pub(crate) fn measure(effort: &Effort, figures: &mut Figures) -> anyhow::Result<()> {
    let kit = Kit::new(Case::new(Algorithm::Es256)?)?;
    for (name, chains, goal) in COMPARED {
        if figures.wants(name) {
            let goal = goal.map_or(Goal::None, |micros| Goal::AtMost(round(micros / BARE)));
            figures.add(name, share(&kit, chains, effort)?, "of a bare request", goal);
        }
    }
    Ok(())
}

fn round(goal: f64) -> f64 {
    (goal * 1_000.0).round() / 1_000.0
}

/// How much more CPU time a request takes with the first chain than with the other, over what one takes
/// without Postern: by the medians of many short turns, and of several Envoys, since where in memory things
/// come to lie differs.
fn share(kit: &Kit, chains: [Chain; 2], effort: &Effort) -> anyhow::Result<f64> {
    let envoys = effort.rounds.div_ceil(ROUNDS_OF_ENVOY);
    let pairs = effort.rounds.min(ROUNDS_OF_ENVOY).saturating_mul(PAIRS);
    let pairs = pairs.saturating_mul(u32::try_from(effort.round.as_secs())?);
    let (mut costs, mut shares) = (Vec::new(), Vec::new());
    for _ in 0..envoys {
        let Cost { rule, bare } = cost_in_one(kit, chains, pairs)?;
        costs.push(rule);
        shares.push(rule / bare);
    }
    eprintln!("bench: {chains:?}: {costs:.2?} us");
    median(shares)
}

/// What a request takes, in microseconds of CPU time.
struct Cost {
    /// With the rule, beyond what it takes without it.
    rule: f64,
    /// Without Postern.
    bare: f64,
}

/// The same in one Envoy that has a listener for each: both chains run in the same virtual machine, by the
/// same compiled code.
fn cost_in_one(kit: &Kit, [with, without]: [Chain; 2], pairs: u32) -> anyhow::Result<Cost> {
    let envoy = Envoy::with(kit, &[with, without, Chain::None], &Cores::apart())?;
    let open = |listen: &SocketAddr| Connections::open(*listen, &kit.token);
    let mut doors = envoy.listens().iter().map(open).collect::<anyhow::Result<Vec<_>>>()?;
    let [with, without, none] = doors.as_mut_slice() else { bail!("a listener is missing") };
    let cost = |door: &mut Connections| door.load(&envoy, TURN);
    let (mut differences, mut bare) = (Vec::new(), Vec::new());
    for number in 0..pairs.saturating_add(WARM_UP) {
        postern_demo::interrupt::check()?;
        // Who comes after the bare chain finds the filter's code cold, and so each does once.
        let nones = cost(none)?;
        let difference = cost(with)? - cost(without)?;
        let nones = nones + cost(none)?;
        let difference = difference - cost(without)? + cost(with)?;
        if number >= WARM_UP {
            differences.push(difference / 2.0);
            bare.push(nones / 2.0);
        }
    }
    Ok(Cost { rule: median(differences)?, bare: median(bare)? })
}
