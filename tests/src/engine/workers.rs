//! Several workers of one proxy, and what they fetch.

use std::collections::BTreeSet;

use postern::feed::{News, Response};
use postern_cli::mint::{PrivateKey, key_set};
use serde_json::Value;

use super::{Call, Gate, Sent, World};

/// The workers of one proxy, and the network.
pub struct Workers {
    /// What they share.
    pub world: World,
    /// Each of them.
    pub gates: Vec<Gate>,
}

impl Workers {
    /// So many of them, with this policy.
    pub fn new(count: u8, policy: &Value) -> Self {
        let world = World::default();
        let gates = (1..=count).map(|n| Gate::worker(world.clone(), policy, n)).collect();
        Self { world, gates }
    }

    /// Ticks all of them; what they sent.
    pub fn tick(&self) -> Vec<Sent> {
        for gate in &self.gates {
            gate.engine.tick(&self.world);
        }
        self.world.take_fetches()
    }

    /// Answers `sent`, whoever sent it.
    pub fn answer(&self, sent: &Sent, status: u16, body: &str) -> Option<News> {
        let body = body.as_bytes();
        self.respond(
            sent,
            &Response { status: Some(status), length: body.len(), body, ..Response::default() },
        )
    }

    /// Hands over an answer to `sent`, whoever sent it.
    pub fn respond(&self, sent: &Sent, response: &Response<'_>) -> Option<News> {
        let mut news = self.gates.iter();
        news.find_map(|gate| gate.engine.fetched(sent.call, response, &self.world))
    }

    /// Nobody answers.
    pub fn silence(&self, sent: &Sent) -> Option<News> {
        self.respond(sent, &Response { status: None, length: 0, body: b"", ..Response::default() })
    }

    /// Ticks, and answers all that is asked with `keys`; how often that was.
    pub fn serve<'k>(&self, keys: impl IntoIterator<Item = &'k PrivateKey>) -> usize {
        let body = key_set(keys).to_string();
        let sent = self.tick();
        sent.iter().for_each(|sent| drop(self.answer(sent, 200, &body)));
        sent.len()
    }

    /// The codes that each worker answers.
    pub fn codes(&self, call: &Call) -> BTreeSet<String> {
        self.gates.iter().map(|gate| gate.ask(call).code()).collect()
    }

    /// All of them answer this.
    #[track_caller]
    pub fn assert_all(&self, code: &str, call: &Call) {
        assert_eq!(self.codes(call), BTreeSet::from([code.to_owned()]));
    }
}
