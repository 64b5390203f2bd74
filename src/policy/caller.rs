//! What makes a caller an agent.

use super::condition::Condition;
use super::problem::{Path, Problem, Problems};
use super::wire;

/// A rule that tells agents from humans.
#[derive(Debug)]
pub struct CallerRule {
    /// What a caller is that it matches.
    pub kind: Kind,
    /// Whom it matches.
    pub matches: Matches,
}

/// What a caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A program that acts on its own or for somebody.
    Agent,
    /// A person.
    Human,
    /// An organization, by one of its API keys.
    Organization,
}

impl Kind {
    /// Its name in headers and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Human => "human",
            Self::Organization => "organization",
        }
    }
}

/// Whom a caller rule matches.
#[derive(Debug)]
pub enum Matches {
    /// Everybody.
    Otherwise,
    /// Registered agents.
    Registered,
    /// Tokens of which this holds.
    When(Condition),
}

/// Reads the rules; what is wrong goes to `problems`.
#[inline(never)]
pub(super) fn compile(
    written: Option<Vec<wire::Caller>>,
    problems: &mut Problems,
) -> Vec<CallerRule> {
    let place = Path::root().join("callers");
    let written = written.unwrap_or_else(default_rules);
    let last = written.len().saturating_sub(1);
    if written.is_empty() {
        let message = "expected at least one rule; leave `callers` out for the default";
        problems.add(Problem::new(message).at(place.clone()));
    }
    let mut rules = Vec::with_capacity(written.len());
    for (index, wire::Caller { kind, when, registered, otherwise }) in
        written.into_iter().enumerate()
    {
        let here = place.join(index);
        let kind = match kind {
            wire::CallerKind::Agent => Kind::Agent,
            wire::CallerKind::Human => Kind::Human,
        };
        let matches = match (when, registered, otherwise) {
            (Some(condition), false, false) => {
                Condition::of_token(condition, &here.join("when"), problems).map(Matches::When)
            }
            (None, true, false) => Some(Matches::Registered),
            (None, false, true) => Some(Matches::Otherwise),
            _ => {
                let message =
                    "expected exactly one of `when`, `registered: true`, `otherwise: true`";
                problems.add(Problem::new(message).at(here.clone()));
                None
            }
        };
        let Some(matches) = matches else { continue };
        if matches!(matches, Matches::Otherwise) != (index == last) {
            let message =
                "`otherwise: true` is the last rule, and the last rule is `otherwise: true`";
            problems.add(Problem::new(message).at(here));
        }
        rules.push(CallerRule { kind, matches });
    }
    rules
}

fn default_rules() -> Vec<wire::Caller> {
    let rule = |kind| wire::Caller { kind, when: None, registered: false, otherwise: false };
    let actor = wire::ClaimTest {
        claim: "act".to_owned(),
        exists: Some(true),
        equals: None,
        one_of: None,
        contains: None,
        starts_with: None,
    };
    vec![
        wire::Caller { when: Some(wire::Condition::Claim(actor)), ..rule(wire::CallerKind::Agent) },
        wire::Caller { registered: true, ..rule(wire::CallerKind::Agent) },
        wire::Caller { otherwise: true, ..rule(wire::CallerKind::Human) },
    ]
}
