//! How the caller behaves, where it is an agent and the policy has agents watched.

use super::Engine;
use crate::behaviour::{Call, Scores};
use crate::host::{Host, Timestamp};
use crate::limit::BucketKey;
use crate::policy::Operation;
use crate::session::Session;

impl Engine {
    /// Counts the call, and says how unusual its agent behaves. Nothing where that cannot be known.
    pub(super) fn observe(
        &self,
        session: &Session,
        operation: &Operation,
        method: &[u8],
        (host, now): (&impl Host, Timestamp),
    ) -> Option<Scores> {
        let (watch, agent) = (self.watch.as_ref()?, session.watched?);
        if self.supposed.is_some() {
            return self.supposed;
        }
        watch.observe(&Call { agent, template: &operation.template, method }, host, now)
    }

    /// A call failed, and that is its agent's doing.
    pub(super) fn failed(&self, agent: Option<BucketKey>) {
        self.watch.as_ref().zip(agent).into_iter().for_each(|(watch, agent)| watch.failed(agent));
    }

    /// Whether agents are watched, which takes a tick a second.
    pub fn is_watching(&self) -> bool {
        self.with_candidate().any(|engine| engine.watch.is_some())
    }

    /// Tells other workers what was seen of how agents behave.
    pub(super) fn tell_what_was_seen(&self, host: &impl Host) {
        let Some(watch) = &self.watch else { return };
        if !self.is_tried {
            watch.tick(host, host.now());
        } else if let Some(host) = host.aside() {
            watch.tick(&host, host.now());
        }
    }

    /// The backend has answered a call of an agent: what it refuses has failed. That it failed itself is
    /// nobody's doing.
    pub fn responded(&self, agent: BucketKey, status: u16) {
        if (400..500).contains(&status) {
            self.with_candidate().for_each(|engine| engine.failed(Some(agent)));
        }
    }
}
