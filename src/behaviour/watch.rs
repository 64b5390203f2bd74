//! What a worker sees, and what it knows of what the others see.

use std::cell::RefCell;
use std::fmt;

use super::profile::{Pending, Profile};
use super::scores::Scores;
use super::sketch::Networks;
use super::{Spans, store};
use crate::address::network;
use crate::host::{Host, Timestamp};
use crate::limit::{BucketKey, digest};

/// Agents that a worker has at hand.
const PLACES: usize = 1_024;

/// How long what it has at hand is good for, in nanoseconds.
const GOOD_FOR: u64 = 1_000_000_000;

/// How many calls are counted here alone before the others are told.
const MAX_PENDING: u32 = 32;

/// Agents of which the others are told in one tick.
const MAX_TOLD: usize = 64;

/// A call of an agent.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Whose.
    pub agent: BucketKey,
    /// The path of its route, as the policy writes it.
    pub template: &'a str,
    /// Its method.
    pub method: &'a [u8],
}

/// What a worker sees of how agents behave.
pub struct Watch {
    spans: Spans,
    /// Each agent has one place. Empty until there is one.
    places: RefCell<Vec<Option<Local>>>,
}

/// An agent at hand.
struct Local {
    agent: BucketKey,
    /// As the store had it, with what was seen here since.
    profile: Profile,
    /// What was seen here since.
    pending: Pending,
    /// When the store had it so, in nanoseconds.
    since: u64,
}

impl Watch {
    /// Of no agent yet.
    pub fn new(spans: Spans) -> Self {
        Self { spans, places: RefCell::default() }
    }

    /// Counts a call, and says how unusual its agent behaves. Nothing where that cannot be known.
    pub fn observe(&self, call: &Call<'_>, host: &impl Host, now: Timestamp) -> Option<Scores> {
        // Another interval is another history.
        let agent = self.agent(call.agent);
        let operation =
            agent.with(digest(call.template.as_bytes())).with(digest(call.method)).tag();
        let source = host.source();
        let source = source.map(|address| Networks::bit(agent, digest(network(&address))));
        let mut places = self.places.try_borrow_mut().ok()?;
        if places.is_empty() {
            places.resize_with(PLACES, || None);
        }
        let place = places.get_mut(place(agent))?;
        let (nanos, now) = (now.as_nanos(), seconds(now));
        if let Some(other) = place.take_if(|local| local.agent != agent) {
            self.tell((other.agent, other.pending), host, now, |_| {});
        }
        let is_at_hand =
            |local: &&mut Local| local.is_good(nanos, now / self.spans.interval.max(1));
        match place.as_mut().filter(is_at_hand) {
            Some(local) if local.profile.has_seen(operation, source) => local.count(1, 0),
            _ => {
                let pending = place.take().map(|local| local.pending).unwrap_or_default();
                let told = self.tell((agent, pending), host, now, |profile| {
                    profile.advance(self.spans, now);
                    profile.see(self.spans, now, operation, source);
                    profile.count(1, 0);
                });
                *place = told.map(|profile| Local::new(agent, profile, nanos));
            }
        }
        place.as_ref().map(|local| local.profile.scores(self.spans, now))
    }

    /// A call of the agent has failed.
    pub fn failed(&self, agent: BucketKey) {
        let agent = self.agent(agent);
        let Ok(mut places) = self.places.try_borrow_mut() else { return };
        let local = places.get_mut(place(agent)).and_then(Option::as_mut);
        local.filter(|local| local.agent == agent).into_iter().for_each(|local| local.count(0, 1));
    }

    /// Tells the others what was seen of agents that have not called since.
    pub fn tick(&self, host: &impl Host, now: Timestamp) {
        let (nanos, now) = (now.as_nanos(), seconds(now));
        let Ok(mut places) = self.places.try_borrow_mut() else { return };
        let is_due = |local: &&mut Local| {
            local.pending.is_any() && !(local.since..local.good_until()).contains(&nanos)
        };
        for local in places.iter_mut().flatten().filter(is_due).take(MAX_TOLD) {
            let told = self.tell((local.agent, local.pending), host, now, |_| {});
            if let Some(profile) = told {
                *local = Local::new(local.agent, profile, nanos);
            }
        }
    }

    fn agent(&self, agent: BucketKey) -> BucketKey {
        agent.with(self.spans.interval.into()).with(self.spans.memory.into())
    }

    /// Tells the others what was seen of an agent here, and what else there is to tell.
    fn tell(
        &self,
        (agent, pending): (BucketKey, Pending),
        host: &impl Host,
        now: u32,
        and: impl Fn(&mut Profile),
    ) -> Option<Profile> {
        let unseen = Profile::new(self.spans, now);
        let told = store::update(host, agent, unseen, |profile| {
            profile.catch_up(self.spans, &pending);
            and(profile);
        });
        told.ok()
    }
}

impl Local {
    fn new(agent: BucketKey, profile: Profile, since: u64) -> Self {
        let pending = Pending { interval: profile.interval, ..Pending::default() };
        Self { agent, profile, pending, since }
    }

    const fn good_until(&self) -> u64 {
        self.since.saturating_add(GOOD_FOR)
    }

    fn is_good(&self, now: u64, interval: u32) -> bool {
        self.profile.interval == interval
            && self.pending.calls < MAX_PENDING
            && (self.since..self.good_until()).contains(&now)
    }

    fn count(&mut self, calls: u32, failures: u32) {
        self.profile.count(calls, failures);
        self.pending.calls = self.pending.calls.saturating_add(calls);
        self.pending.failures = self.pending.failures.saturating_add(failures);
    }
}

impl fmt::Debug for Watch {
    /// Shows nothing of anybody.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("spans", &self.spans).finish_non_exhaustive()
    }
}

fn place(agent: BucketKey) -> usize {
    usize::from(agent.slot()) % PLACES
}

/// Seconds since 1970; the last of them from the year 2106 on.
fn seconds(now: Timestamp) -> u32 {
    u32::try_from(now.as_secs()).unwrap_or(u32::MAX)
}
