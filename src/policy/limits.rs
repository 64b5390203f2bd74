//! The policy's limits, for agents, for humans and for API keys.

mod runaway;
mod shared;

use std::num::NonZeroU32;
use std::rc::Rc;

use super::agent::resolve;
use super::condition::Condition;
use super::duration::Seconds;
use super::permission::{PermissionId, PermissionSet, Permissions};
use super::problem::{Path, Problem, Problems};
use super::vocabulary::{Scope, Watched};
use super::wire;
use crate::authorize::facts::Facts;
use crate::calendar;
use crate::limit::{
    Class, InvalidLimit, Kind, Limit, MAX_LIMITS, MAX_NAME_BYTES, Quota, Rate, RateLimit, Usage,
    Usages, write_policy, write_usage,
};

use super::wire::Mode;
pub use super::wire::{Counts, Per};
pub(super) use shared::service;

/// How many tokens of one address may be refused. A flood of them takes half a hundredth of a core
/// where the proxy checks signatures, and a fifteenth where the filter does.
const REFUSED_TOKENS: &str = "1000/10s";

/// A quota of which so many parts of ten are used is told to be running out.
const USED_TENTHS: u64 = 8;

/// For how long a call is under way whose end is not heard of, in seconds, where the policy does not say.
const DEFAULT_DURATION: u32 = 300;

/// The longest that it may be, in seconds: a day.
const MAX_DURATION_SECS: u32 = 86_400;

/// All that calls may be counted by: a limit's are in this order.
const PERS: [Per; 8] = [
    Per::Agent,
    Per::Client,
    Per::Key,
    Per::Organization,
    Per::Permission,
    Per::Request,
    Per::Route,
    Per::User,
];

/// The limits of one class of callers.
#[derive(Debug, Default)]
pub struct Limits {
    /// Each of them.
    pub rules: Vec<Rule>,
    /// The value of `RateLimit-Policy`; empty when there is no limit.
    pub field: Rc<str>,
}

/// A limit, and which calls it counts.
#[derive(Debug)]
pub struct Rule {
    /// How many, how fast.
    pub limit: Limit,
    /// By what they are counted together.
    pub per: Vec<Per>,
    /// What is counted.
    pub counts: Counts,
    /// How many writes a read makes up for, where writes are counted.
    pub per_read: u32,
    /// Where the days of a quota begin, if not where the organization has it.
    pub zone: Option<i32>,
    /// Whether it is enforced.
    pub mode: Mode,
    permissions: Option<PermissionSet>,
    when: Vec<Condition>,
}

impl Rule {
    /// Whether a call is counted. One of which that cannot be told is.
    pub fn counts(&self, permission: PermissionId, facts: &Facts<'_>) -> bool {
        let claims = facts.credential.claims;
        self.permissions.as_ref().is_none_or(|set| set.contains(permission))
            && self.when.iter().all(|condition| condition.test(claims, facts) != Ok(false))
    }
}

impl Limits {
    /// How many, how fast.
    pub fn iter(&self) -> impl Iterator<Item = &Limit> + Clone {
        self.rules.iter().map(|rule| &rule.limit)
    }

    /// The limit that a usage is of.
    pub fn find(&self, usage: Usage) -> Option<&Limit> {
        self.iter().find(|limit| usage.is_of(limit))
    }

    /// What a caller is told of these limits, if there are any, and of those that are `running_out`.
    pub fn tell(&self, usages: &Usages, running_out: Option<Box<str>>) -> Option<RateLimit> {
        if self.field.is_empty() {
            return None;
        }
        let mut usage = String::with_capacity(64);
        write_usage(&mut usage, self.iter(), usages.iter());
        Some(RateLimit { policy: Rc::clone(&self.field), usage, running_out })
    }

    /// The names of the quotas that are nearly used up, with commas between them.
    pub fn running_out(&self, usages: &Usages) -> Option<Box<str>> {
        let mut names = String::new();
        for usage in usages.iter().filter(|usage| usage.kind == Kind::Quota) {
            let Some(limit) = self.find(usage) else { continue };
            let used = u64::from(limit.size().saturating_sub(usage.remaining));
            if used.saturating_mul(10) < u64::from(limit.size()).saturating_mul(USED_TENTHS) {
                continue;
            }
            if !names.is_empty() {
                names.push_str(", ");
            }
            names.push_str(limit.name());
        }
        (!names.is_empty()).then(|| names.into())
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

/// Reads the header that says what a call has cost; what is wrong goes to `problems`.
pub(super) fn cost_header(written: Option<String>, problems: &mut Problems) -> Option<String> {
    let name = written?.to_ascii_lowercase();
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(in_name) {
        let here = Path::root().join("limits").join("cost_header");
        problems.add(Problem::new("expected a header's name, such as `x-request-cost`").at(here));
    }
    Some(name)
}

/// What limits are about.
pub(super) struct About<'a, 's> {
    pub(super) permissions: &'a Permissions,
    pub(super) scope: &'a mut Scope<'s>,
    /// Whether there is a service that counts limits which replicas share.
    pub(super) is_shared: bool,
}

/// Reads the limits of one class; what is wrong goes to `problems`.
#[inline(never)]
pub(super) fn compile(
    written: Vec<wire::Limit>,
    class: Class,
    about: &mut About<'_, '_>,
    problems: &mut Problems,
) -> Limits {
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
    let watched = about.scope.watched;
    if class != Class::Agents && watched == Watched::Agents {
        about.scope.watched = Watched::NotThese;
    }
    for (index, written) in (0u8..).zip(written) {
        let here = place.join(usize::from(index));
        check_per(written.per.as_slice(), class, &here.join("per"), problems);
        let limit = bucket(&written, (class, index), &limits, &here, problems);
        let limit = runaway::heed(&written, limit, &here, problems);
        let limit = shared::share(&written, limit, about.is_shared, &here, problems);
        limits.rules.extend(rule(written, limit, about, &here, problems));
    }
    about.scope.watched = watched;
    put_together(&mut limits.rules);
    let mut field = String::new();
    // Of what is only written down callers are told nothing.
    let told = limits.rules.iter().filter(|rule| rule.mode == Mode::Enforce);
    write_policy(&mut field, told.map(|rule| &rule.limit));
    limits.field = field.into();
    limits
}

pub(super) fn check_per(per: &[Per], class: Class, here: &Path, problems: &mut Problems) {
    let wrong = |one: &Per| match (class, one) {
        (Class::Agents, Per::Key) => {
            Some("an agent has no API key: expected `agent`, `user` or `organization`")
        }
        (Class::Humans, Per::Agent | Per::Key) => {
            Some("a human is no agent and no API key: expected `user` or `organization`")
        }
        (Class::Keys, Per::Agent | Per::Client | Per::User) => {
            Some("expected `key` or `organization`")
        }
        _ => None,
    };
    let twice = per.iter().enumerate().any(|(place, one)| per.iter().take(place).any(|o| o == one));
    let message = match per {
        [] => Some("expected at least one"),
        _ if twice => Some("expected each only once"),
        _ => per.iter().find_map(wrong),
    };
    problems.take(message.map_or(Ok(()), |message| Err(Problem::new(message).at(here.clone()))));
}

/// Reads what a limit's buckets are.
fn bucket(
    written: &wire::Limit,
    (class, index): (Class, u8),
    others: &Limits,
    here: &Path,
    problems: &mut Problems,
) -> Option<Limit> {
    let wire::Limit { name, per, rate, burst, quota, time_zone, concurrent, max_duration, .. } =
        written;
    let name = name.clone().unwrap_or_else(|| default_name(per.as_slice(), index, others));
    if others.iter().any(|limit| limit.name() == name) {
        let message = "another limit of these is called so";
        problems.add(Problem::new(message).at(here.join("name")));
    }
    if concurrent.is_none() && max_duration.is_some() {
        let message = "only calls under way last: expected it of a limit of `concurrent` ones";
        problems.add(Problem::new(message).at(here.join("max_duration")));
    }
    let limit: Result<Limit, InvalidLimit> = match (rate, quota, concurrent) {
        (None, None, Some(most)) => {
            let Some(most) = NonZeroU32::new(*most) else {
                let message = "no call may be under way then: expected at least 1";
                problems.add(Problem::new(message).at(here.join("concurrent")));
                return None;
            };
            let longest = max_duration.map_or(DEFAULT_DURATION, Seconds::get);
            if longest > MAX_DURATION_SECS {
                let message = "expected at most `1d`";
                problems.add(Problem::new(message).at(here.join("max_duration")));
            }
            Limit::concurrent(&name, class, index, most, longest)
        }
        (Some(rate), None, None) => {
            if time_zone.is_some() {
                let message = "a rate knows no days: expected it of a `quota`";
                problems.add(Problem::new(message).at(here.join("time_zone")));
            }
            let rate = problems.take(
                rate.parse::<Rate>()
                    .map_err(|error| Problem::new(error.to_string()).at(here.join("rate"))),
            )?;
            let Some(burst) = burst.map_or(Some(rate.quota()), NonZeroU32::new) else {
                let message = "a burst of 0 admits nobody: expected at least 1";
                problems.add(Problem::new(message).at(here.join("burst")));
                return None;
            };
            let limit = Limit::new(&name, class, index, rate, burst);
            let is_loop = per.as_slice().contains(&Per::Request);
            limit.map(|limit| if is_loop { limit.of_kind(Kind::Loop) } else { limit })
        }
        (None, Some(quota), None) => {
            if burst.is_some() {
                let message = "a quota may be used at once: expected it of a `rate`";
                problems.add(Problem::new(message).at(here.join("burst")));
            }
            let quota = problems.take(
                quota
                    .parse::<Quota>()
                    .map_err(|error| Problem::new(error.to_string()).at(here.join("quota"))),
            )?;
            Limit::quota(&name, class, index, quota)
        }
        _ => {
            problems.add(
                Problem::new("expected one of `rate`, `quota` and `concurrent`").at(here.clone()),
            );
            return None;
        }
    };
    problems.take(limit.map_err(|error| Problem::new(error.to_string()).at(here.clone())))
}

/// Limits that count by the same are kept together: then a request takes one trip to the store for them.
fn put_together(rules: &mut [Rule]) {
    let table = |rule: &Rule| {
        let bits = PERS.iter().rev().map(|per| u8::from(rule.per.contains(per)));
        bits.fold(0, |table, bit| (table << 1) | bit)
    };
    for place in 0..rules.len() {
        let (before, rest) = rules.split_at_mut(place);
        let Some(first) = rest.first().map(table) else { return };
        if before.iter().any(|rule| table(rule) == first) {
            continue;
        }
        let alike = rest.iter_mut().filter(|rule| table(rule) == first);
        let mut alike: Vec<_> = alike.map(|rule| &mut rule.limit).collect();
        Limit::put_together(&mut alike, first);
    }
}

/// Several limits may count the same: then all but the first are numbered.
fn default_name(per: &[Per], index: u8, others: &Limits) -> String {
    let mut name = String::new();
    for per in per {
        if !name.is_empty() {
            name.push('-');
        }
        name.push_str(match per {
            Per::Agent => "agent",
            Per::Client => "client",
            Per::Key => "key",
            Per::Organization => "organization",
            Per::Permission => "permission",
            Per::Request => "request",
            Per::Route => "route",
            Per::User => "user",
        });
    }
    let is_twin = others.iter().any(|limit| limit.name() == name);
    if is_twin { format!("{name}-{index}") } else { name }
}

/// Reads which calls a limit counts.
fn rule(
    written: wire::Limit,
    limit: Option<Limit>,
    about: &mut About<'_, '_>,
    here: &Path,
    problems: &mut Problems,
) -> Option<Rule> {
    let named = written.permissions.iter().enumerate();
    let place = here.join("permissions");
    let named =
        named.filter_map(|(n, name)| resolve(about.permissions, name, || place.join(n), problems));
    let permissions = PermissionSet::from_iter(named);
    let zone = zone(written.time_zone, &here.join("time_zone"), problems);
    let when = Condition::all_of(written.when, about.scope, &here.join("when"), problems);
    Some(Rule {
        limit: limit?,
        // In whatever order it is written, it is the same.
        per: PERS.into_iter().filter(|per| written.per.as_slice().contains(per)).collect(),
        counts: written.counts,
        per_read: written.per_read.unwrap_or(1),
        zone,
        mode: written.mode,
        permissions: (!written.permissions.is_empty()).then_some(permissions),
        when,
    })
}

/// What clocks say somewhere less UTC, in seconds: `+01:00`.
pub(super) fn zone(written: Option<String>, here: &Path, problems: &mut Problems) -> Option<i32> {
    let written = written?;
    let read = || {
        let (sign, time) = match written.split_at_checked(1)? {
            ("+", time) => (1, time),
            ("-", time) => (-1, time),
            _ => return None,
        };
        let [hours, minutes] = calendar::numbers(time, ':', [2, 2])?;
        let seconds = i32::try_from((hours * 60 + minutes) * 60).ok()?;
        (hours <= 14 && minutes < 60).then_some(sign * seconds)
    };
    let zone = read();
    if zone.is_none() {
        let message = "expected hours and minutes before or behind UTC, such as `+01:00`";
        problems.add(Problem::new(message).at(here.clone()));
    }
    zone
}
