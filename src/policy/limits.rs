//! The policy's rate limits, for agents, for humans and for API keys.

use std::num::NonZeroU32;
use std::rc::Rc;

use super::problem::{Path, Problem, Problems};
use super::wire;
use crate::limit::{Class, Limit, MAX_LIMITS, Rate, RateLimit, Usages, write_policy, write_usage};

pub use super::wire::Per;

/// How many tokens of one address may be refused. A flood of them takes half a hundredth of a core
/// where the proxy checks signatures, and a fifteenth where the filter does.
const REFUSED_TOKENS: &str = "1000/10s";

/// The limits of one class of callers.
#[derive(Debug, Default)]
pub struct Limits {
    /// How many, how fast.
    pub limits: Vec<Limit>,
    /// Whose calls each of them counts together.
    pub per: Vec<Per>,
    /// The value of `RateLimit-Policy`; empty when there is no limit.
    pub field: Rc<str>,
}

impl Limits {
    /// What a caller is told of these limits, if there are any.
    pub fn tell(&self, usages: &Usages) -> Option<RateLimit> {
        if self.limits.is_empty() {
            return None;
        }
        let mut usage = String::with_capacity(64);
        write_usage(&mut usage, &self.limits, usages.iter());
        Some(RateLimit { policy: Rc::clone(&self.field), usage })
    }
}

/// Reads how many tokens of one address may be refused; what is wrong goes to `problems`.
pub(super) fn refused_tokens(written: Option<String>, problems: &mut Problems) -> Rate {
    let rate = written.as_deref().unwrap_or(REFUSED_TOKENS).parse::<Rate>();
    rate.unwrap_or_else(|error| {
        let here = Path::root().join("limits").join("refused_tokens");
        problems.add(Problem::new(error.to_string()).at(here));
        Rate::ONE_A_SECOND
    })
}

/// Reads the limits of one class; what is wrong goes to `problems`.
pub(super) fn compile(written: Vec<wire::Limit>, class: Class, problems: &mut Problems) -> Limits {
    let place = Path::root().join("limits").join(match class {
        Class::Agents => "agents",
        Class::Humans => "humans",
        Class::Keys => "keys",
    });
    let mut limits = Limits::default();
    if written.len() > MAX_LIMITS {
        problems.add(Problem::new(format!("expected at most {MAX_LIMITS} limits")).at(place));
        return limits;
    }
    for (index, wire::Limit { per, rate, burst }) in (0u8..).zip(written) {
        let here = place.join(usize::from(index));
        let wrong = match (class, per) {
            (Class::Agents, Per::Key) => {
                Some("an agent has no API key: expected `agent`, `user` or `organization`")
            }
            (Class::Humans, Per::Agent | Per::Key) => {
                Some("a human is no agent and no API key: expected `user` or `organization`")
            }
            (Class::Keys, Per::Agent | Per::User) => Some("expected `key` or `organization`"),
            _ => None,
        };
        if let Some(message) = wrong {
            problems.add(Problem::new(message).at(here.join("per")));
        }
        let rate = rate.parse::<Rate>().map_err(|error| {
            problems.add(Problem::new(error.to_string()).at(here.join("rate")));
        });
        let Ok(rate) = rate else { continue };
        let Some(burst) = burst.map_or(Some(rate.quota()), NonZeroU32::new) else {
            let message = "a burst of 0 admits nobody: expected at least 1";
            problems.add(Problem::new(message).at(here.join("burst")));
            continue;
        };
        let name = match per {
            Per::Agent => "agent",
            Per::Key => "key",
            Per::User => "user",
            Per::Organization => "organization",
        };
        // Several limits may count the same: then all but the first are numbered.
        let twin = limits.per.contains(&per);
        let name = if twin { format!("{name}-{index}") } else { name.to_owned() };
        match Limit::new(&name, class, index, rate, burst) {
            Ok(limit) => {
                limits.limits.push(limit);
                limits.per.push(per);
            }
            Err(error) => problems.add(Problem::new(error.to_string()).at(here)),
        }
    }
    let mut field = String::new();
    write_policy(&mut field, &limits.limits);
    limits.field = field.into();
    limits
}
