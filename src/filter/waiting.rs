//! Requests that are held until keys, or an issuer's answer, are there: decided again when there is news or their time is
//! up, and then for good.
//!
//! The table is borrowed for a look-up only and never across a call of the proxy.

use std::cell::RefCell;

use super::abi::{self, Level};
use super::request::{self, Outcome};
use super::{context, feeds, introspection};
use crate::decision::Engine;
use crate::denial::Wait;
use crate::feed::Source;

/// Requests that one worker holds; further ones are answered at once.
const MAX_WAITING: usize = 1 << 10;

/// How often a request is decided while it waits, besides the last time.
const MAX_DECISIONS: u32 = 16;

/// The longest that a request waits, in nanoseconds, whatever the clock does.
const LONGEST: u64 = Source::MAX_HOLD_SECS as u64 * 1_000_000_000;

thread_local! {
    static WAITING: RefCell<Vec<Waiting>> = const { RefCell::new(Vec::new()) };
}

/// A request that is held.
#[derive(Clone, Copy)]
struct Waiting {
    stream: u32,
    /// When it is decided for good, in nanoseconds.
    deadline: u64,
    /// The question that it waits for; without one it waits for keys.
    question: Option<u32>,
    /// That of the keys when it was decided last.
    turn: u32,
    decisions: u32,
}

/// Holds a request for no longer than it is worth; `false` if that cannot be.
pub(super) fn hold(stream: u32, engine: &Engine, wait: Wait) -> bool {
    let Ok(now) = abi::now() else { return false };
    let Wait { seconds, question } = wait;
    let deadline = now.saturating_add(u64::from(seconds).saturating_mul(1_000_000_000));
    let turn = engine.feeds().turn();
    let waiting = Waiting { stream, deadline, question, turn, decisions: 1 };
    let held = with(|all| (all.len() < MAX_WAITING).then(|| all.push(waiting)));
    // Only a tick can wake it when its time is up.
    let woken = held.is_some() && feeds::hurry(stream) && introspection::ask_for(stream, engine);
    if !woken {
        forget(stream);
    }
    woken
}

/// Whether any request is held.
pub(super) fn any() -> bool {
    with(|all| Some(!all.is_empty())).unwrap_or_default()
}

/// The request is gone.
pub(super) fn forget(stream: u32) {
    with(|all| {
        all.retain(|one| one.stream != stream);
        Some(())
    });
}

/// Decides all requests again for which there is news, or whose time is up. The context at hand is
/// another one afterwards.
pub(super) fn wake() {
    let Ok(now) = abi::now() else { return };
    for waiting in with(|all| Some(all.clone())).unwrap_or_default() {
        let stream = waiting.stream;
        let Some(engine) = context::engine(stream) else {
            forget(stream);
            continue;
        };
        let left = waiting.deadline.saturating_sub(now);
        let is_over = left == 0 || left > LONGEST;
        let has_news = waiting.decisions < MAX_DECISIONS
            && match waiting.question {
                Some(question) => !engine.introspection().is_pending(question),
                None => engine.feeds().turn() != waiting.turn,
            };
        if !is_over && !has_news {
            continue;
        }
        if abi::set_context(stream).is_err() {
            forget(stream);
            continue;
        }
        let again = |stream, engine: &Engine, wait: Wait| {
            let (turn, decisions) = (engine.feeds().turn(), waiting.decisions.saturating_add(1));
            let still = Waiting { question: wait.question, turn, decisions, ..waiting };
            let hold = |all: &mut Vec<Waiting>| {
                *all.iter_mut().find(|one| one.stream == stream)? = still;
                Some(())
            };
            !is_over && with(hold).is_some()
        };
        match request::settle(stream, &again) {
            Outcome::Held => {}
            Outcome::Answered => forget(stream),
            Outcome::Forwarded => {
                forget(stream);
                if abi::continue_request().is_err() {
                    abi::log(Level::Error, "the proxy did not let a request go on; it is held");
                }
            }
        }
    }
}

fn with<T>(look: impl FnOnce(&mut Vec<Waiting>) -> Option<T>) -> Option<T> {
    WAITING.with(|waiting| look(&mut *waiting.try_borrow_mut().ok()?))
}
