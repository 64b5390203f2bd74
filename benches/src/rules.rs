//! What a rule costs in a real Envoy, beyond a policy that does not have it.

use std::time::Duration;

use postern_cli::mint::Algorithm;

use crate::Effort;
use crate::case::{Case, Rules};
use crate::chain::Chain;
use crate::cores::Cores;
use crate::envoy::{Envoy, Kit};
use crate::figure::{Figures, Goal, median};
use crate::load::{self, Connections, Tokens};

/// How long each is loaded before anything counts.
const WARM_UP: Duration = Duration::from_secs(1);

/// What a request cost a bare Envoy, in microseconds, when the goals were set: they are told in
/// microseconds, and held against as large a part of what a bare Envoy takes in the same round.
const BARE: f64 = 27.6;

/// The rules, beside those of the policy without them, and how many microseconds they may cost.
const COMPARED: [(&str, [Rules; 2], Option<f64>); 5] = [
    ("envoy_rule_condition", [Rules::Condition, Rules::Usual], Some(1.0)),
    ("envoy_rule_leased_limit", [Rules::Usual, Rules::Unlimited], None),
    ("envoy_rule_limit", [Rules::Limit, Rules::Unlimited], Some(2.0)),
    ("envoy_rule_five_of_one", [Rules::FiveOfOne, Rules::Unlimited], Some(4.0)),
    ("envoy_rule_five_limits", [Rules::FiveLimits, Rules::Unlimited], Some(4.0)),
];

/// Requests on each connection in one turn: so few that what else the machine does, it does to all who
/// take turns.
const TURN: u32 = 20;

/// Turns for each second of a round.
const TURNS: u32 = 40;

/// Rounds for which the same Envoys run.
const ROUNDS_OF_SET: u32 = 4;

/// Measures what is wanted.
///
/// # Errors
///
/// An Envoy does not start, or an answer is wrong.
pub(crate) fn measure(effort: &Effort, figures: &mut Figures) -> anyhow::Result<()> {
    let kit = Kit::new(Case::new(Algorithm::Es256)?)?;
    for (name, rules, goal) in COMPARED {
        if figures.wants(name) {
            let goal = goal.map_or(Goal::None, |micros| Goal::AtMost(round(micros / BARE)));
            figures.add(name, share(&kit, rules, effort)?, "of a bare request", goal);
        }
    }
    Ok(())
}

fn round(goal: f64) -> f64 {
    (goal * 1_000.0).round() / 1_000.0
}

/// How much more CPU time a request takes with the first rules than with the others, over what one takes
/// a bare Envoy: by the medians of many short turns, and of several Envoys, for no two compile a filter
/// alike.
fn share(kit: &Kit, rules: [Rules; 2], effort: &Effort) -> anyhow::Result<f64> {
    let sets = effort.rounds.div_ceil(ROUNDS_OF_SET);
    let turns = effort.rounds.min(ROUNDS_OF_SET).saturating_mul(TURNS);
    let turns = turns.saturating_mul(u32::try_from(effort.round.as_secs())?);
    let mut shares = Vec::new();
    for _ in 0..sets {
        shares.push(share_of_set(kit, rules, turns)?);
    }
    eprintln!("bench: {rules:?}: {shares:.3?}");
    median(shares)
}

/// The same of three Envoys.
fn share_of_set(kit: &Kit, rules: [Rules; 2], turns: u32) -> anyhow::Result<f64> {
    let cores = Cores::apart();
    let [with, without] = rules.map(Chain::Postern);
    let mut envoys = Vec::new();
    for chain in [with, without, Chain::None] {
        let envoy = Envoy::start(kit, chain, &cores)?;
        load::run(&envoy, Tokens::One(&kit.token), &cores, WARM_UP)?;
        let connections = Connections::open(&envoy, &kit.token)?;
        envoys.push((envoy, connections, Vec::new()));
    }
    for _ in 0..turns {
        postern_demo::interrupt::check()?;
        for (envoy, connections, costs) in &mut envoys {
            costs.push(connections.load(envoy, TURN)?);
        }
    }
    let costs = |envoys: &[(Envoy, Connections, Vec<f64>)], place: usize| {
        envoys.get(place).map(|(.., costs)| costs.clone()).unwrap_or_default()
    };
    let (with, without, none) = (costs(&envoys, 0), costs(&envoys, 1), costs(&envoys, 2));
    let difference = median(with.iter().zip(&without).map(|(with, without)| with - without))?;
    Ok(difference / median(none)?)
}
