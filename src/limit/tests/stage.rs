//! Workers whose steps at the store come in an order given beforehand.

use std::sync::{Condvar, Mutex};

use super::memory::{Memory, Shared};
use crate::host::{Expected, Host, HostError, Stored, Swap, Timestamp};

/// A store that serves one worker at a time: the one whose turn it is.
pub(super) struct Stage {
    state: Mutex<State>,
    moved: Condvar,
}

struct State {
    memory: Memory,
    /// The turns to come, and after them whoever is left.
    order: std::vec::IntoIter<usize>,
    /// Workers that have not left.
    present: Vec<usize>,
    turn: usize,
}

impl State {
    fn next(&mut self) {
        if let Some(count) = std::num::NonZeroUsize::new(self.present.len()) {
            self.turn = self.present[self.order.next().unwrap_or_default() % count];
        }
    }
}

impl Stage {
    pub(super) fn new(memory: Memory, workers: usize, order: Vec<usize>) -> Self {
        let present = (0..workers).collect();
        let mut state = State { memory, order: order.into_iter(), present, turn: 0 };
        state.next();
        Self { state: Mutex::new(state), moved: Condvar::new() }
    }

    /// The store, when all workers have left.
    pub(super) fn into_store(self) -> Shared {
        Shared::from(self.state.into_inner().unwrap().memory)
    }

    pub(super) fn worker(&self, id: usize) -> Worker<'_> {
        Worker { stage: self, id }
    }

    fn step<T>(&self, id: usize, act: impl FnOnce(&mut State) -> T) -> T {
        let state = self.state.lock().unwrap();
        let mut state = self.moved.wait_while(state, |state| state.turn != id).unwrap();
        let result = act(&mut state);
        state.next();
        self.moved.notify_all();
        result
    }
}

/// One of the workers; to leave is a step as well, so that the order decides all.
pub(super) struct Worker<'a> {
    stage: &'a Stage,
    id: usize,
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        self.stage.step(self.id, |state| state.present.retain(|id| *id != self.id));
    }
}

impl Host for Worker<'_> {
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }

    fn load(&self, key: &[u8]) -> Result<Option<Stored>, HostError> {
        Ok(self.stage.step(self.id, |state| state.memory.load(key)))
    }

    fn swap(&self, key: &[u8], value: &[u8], expected: Expected) -> Result<Swap, HostError> {
        Ok(self.stage.step(self.id, |state| state.memory.swap(key, value, expected)))
    }
}
