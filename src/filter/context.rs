//! Which context is which: a root context for each configured plugin, a stream context for each
//! request.
//!
//! The table is borrowed for a look-up only and never across a call of the proxy, so a proxy that
//! calls back in the midst of one finds it free.

use std::cell::RefCell;
use std::rc::Rc;

use hashbrown::HashMap;

use crate::decision::Engine;
use crate::limit::RateLimit;

/// Requests in flight on one worker; those beyond it are denied.
const MAX_STREAMS: usize = 1 << 18;

/// Plugins in one VM; those beyond it have no engine and deny.
const MAX_ROOTS: usize = 1 << 10;

thread_local! {
    static CONTEXTS: RefCell<Contexts> = RefCell::default();
}

#[derive(Default)]
struct Contexts {
    /// `None` until a policy was accepted.
    roots: HashMap<u32, Option<Rc<Engine>>>,
    streams: HashMap<u32, Stream>,
}

struct Stream {
    root: u32,
    /// That of the root when the request came; what replaces it later is for later requests.
    engine: Option<Rc<Engine>>,
    /// Nothing when the reply was our own.
    told: Told,
}

/// What the response to a request is to say.
#[derive(Default)]
pub(super) struct Told {
    /// Of its caller's limits.
    pub(super) rate_limit: Option<RateLimit>,
    /// Of the nonce that its caller's next proof is to have.
    pub(super) dpop_nonce: Option<String>,
}

/// A new context: a root when `parent` is 0, else a stream of that root.
pub(super) fn create(context: u32, parent: u32) {
    with(|contexts| {
        if parent != 0 {
            if contexts.streams.len() < MAX_STREAMS {
                let engine = contexts.roots.get(&parent).cloned().flatten();
                let stream = Stream { root: parent, engine, told: Told::default() };
                contexts.streams.insert(context, stream);
            }
        } else if contexts.roots.len() < MAX_ROOTS {
            contexts.roots.entry(context).or_default();
        }
        Some(())
    });
}

/// Gives a root its engine. `false` for a root nobody created.
pub(super) fn configure(root: u32, engine: Engine) -> bool {
    let configured = with(|contexts| {
        *contexts.roots.get_mut(&root)? = Some(Rc::new(engine));
        Some(())
    });
    configured.is_some()
}

/// The engine of a root.
pub(super) fn root(root: u32) -> Option<Rc<Engine>> {
    with(|contexts| contexts.roots.get(&root)?.clone())
}

/// The root of a stream.
pub(super) fn root_of(stream: u32) -> Option<u32> {
    with(|contexts| Some(contexts.streams.get(&stream)?.root))
}

/// The engine that decides about a stream.
pub(super) fn engine(stream: u32) -> Option<Rc<Engine>> {
    with(|contexts| contexts.streams.get(&stream)?.engine.clone())
}

/// Keeps what the response to a request is to say.
pub(super) fn keep(stream: u32, told: Told) {
    with(|contexts| {
        contexts.streams.get_mut(&stream)?.told = told;
        Some(())
    });
}

/// What was kept for the response, once.
pub(super) fn take(stream: u32) -> Told {
    let told = with(|contexts| Some(std::mem::take(&mut contexts.streams.get_mut(&stream)?.told)));
    told.unwrap_or_default()
}

/// Forgets a context; the engine, if it was a root's.
pub(super) fn delete(context: u32) -> Option<Rc<Engine>> {
    with(|contexts| match contexts.streams.remove(&context) {
        Some(_) => None,
        None => contexts.roots.remove(&context).flatten(),
    })
}

fn with<T>(look: impl FnOnce(&mut Contexts) -> Option<T>) -> Option<T> {
    CONTEXTS.with(|contexts| look(&mut *contexts.try_borrow_mut().ok()?))
}
