//! Which context is which: a root context for each configured plugin, a stream context for each
//! request.
//!
//! The table is borrowed for a look-up only and never across a call of the proxy, so a proxy that
//! calls back in the midst of one finds it free.

use std::cell::RefCell;
use std::rc::Rc;

use hashbrown::HashMap;

use crate::decision::Engine;

/// Requests in flight on one worker; those beyond it are denied.
const MAX_STREAMS: usize = 1 << 18;

/// Plugins in one VM; those beyond it have no engine and deny.
const MAX_ROOTS: usize = 1 << 10;

/// Headers for the response to a request.
pub(super) type ResponseHeaders = Vec<(&'static str, String)>;

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
    /// That of the root when the request came; what replaces it later is for later requests.
    engine: Option<Rc<Engine>>,
    /// Empty, too, when the reply was our own.
    response: ResponseHeaders,
}

/// A new context: a root when `parent` is 0, else a stream of that root.
pub(super) fn create(context: u32, parent: u32) {
    with(|contexts| {
        if parent != 0 {
            if contexts.streams.len() < MAX_STREAMS {
                let engine = contexts.roots.get(&parent).cloned().flatten();
                contexts.streams.insert(context, Stream { engine, response: Vec::new() });
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

/// The engine that decides about a stream.
pub(super) fn engine(stream: u32) -> Option<Rc<Engine>> {
    with(|contexts| contexts.streams.get(&stream)?.engine.clone())
}

/// Keeps headers for the response to a request that is on its way.
pub(super) fn keep_response(stream: u32, response: ResponseHeaders) {
    with(|contexts| {
        contexts.streams.get_mut(&stream)?.response = response;
        Some(())
    });
}

/// The headers kept for the response, once.
pub(super) fn take_response(stream: u32) -> ResponseHeaders {
    with(|contexts| Some(std::mem::take(&mut contexts.streams.get_mut(&stream)?.response)))
        .unwrap_or_default()
}

/// Forgets a context.
pub(super) fn delete(context: u32) {
    with(|contexts| {
        if contexts.streams.remove(&context).is_none() {
            contexts.roots.remove(&context);
        }
        Some(())
    });
}

fn with<T>(look: impl FnOnce(&mut Contexts) -> Option<T>) -> Option<T> {
    CONTEXTS.with(|contexts| look(&mut *contexts.try_borrow_mut().ok()?))
}
