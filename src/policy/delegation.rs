//! How far authority may be handed on (RFC 8693 §4.1).

use hashbrown::HashSet;

use super::agent::{AgentId, Agents};
use super::problem::{Path, Problem, Problems};
use super::{MAX_ENTRIES, wire};
use crate::principal::MAX_ACTORS;

/// How long a chain of actors may be, and who may stand in it next to whom.
#[derive(Debug)]
pub struct Delegation {
    /// How many actors there may be, from 1 on.
    pub max_depth: usize,
    /// Who may act with the authority of whom; none where everybody may.
    pairs: Option<HashSet<(AgentId, AgentId)>>,
}

impl Delegation {
    /// Reads it; what is wrong goes to `problems`.
    #[inline(never)]
    pub(super) fn compile(
        written: wire::Delegation,
        agents: &Agents,
        problems: &mut Problems,
    ) -> Self {
        let here = Path::root().join("delegation");
        let wire::Delegation { max_depth, pairs } = written;
        let max_depth = max_depth.map_or(Some(MAX_ACTORS), |depth| usize::try_from(depth).ok());
        let max_depth = max_depth.filter(|depth| (1..=MAX_ACTORS).contains(depth));
        if max_depth.is_none() {
            let message = format!("expected 1 to {MAX_ACTORS}");
            problems.add(Problem::new(message).at(here.join("max_depth")));
        }
        if pairs.as_ref().is_some_and(|pairs| pairs.len() > MAX_ENTRIES) {
            let message = format!("more than {MAX_ENTRIES}");
            problems.add(Problem::new(message).at(here.join("pairs")));
        }
        let pairs = pairs.map(|pairs| {
            let resolved =
                pairs.iter().take(MAX_ENTRIES).enumerate().filter_map(|(index, pair)| {
                    let here = here.join("pairs").join(index);
                    let actor = agents.resolve(&pair.actor, || here.join("actor"), problems);
                    actor.zip(agents.resolve(&pair.of, || here.join("of"), problems))
                });
            resolved.collect()
        });
        Self { max_depth: max_depth.unwrap_or(1), pairs }
    }

    /// Whether `actor` may act with authority that it has from `of`: neither is known who is not
    /// registered.
    pub fn permits(&self, actor: Option<AgentId>, of: Option<AgentId>) -> bool {
        let Some(pairs) = &self.pairs else { return true };
        actor.zip(of).is_some_and(|pair| pairs.contains(&pair))
    }
}
