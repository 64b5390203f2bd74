//! Which context is which: a root context for each configured plugin, a stream context for each
//! request.
//!
//! The table is borrowed for a look-up only and never across a call of the proxy, so a proxy that
//! calls back in the midst of one finds it free.

use std::cell::RefCell;
use std::rc::Rc;

use hashbrown::HashMap;

use crate::decision::Engine;
use crate::limit::{BucketKey, RateLimit, Receipt};

/// Requests in flight on one worker; those beyond it are denied.
const MAX_STREAMS: usize = 1 << 18;

/// Responses of one worker that are to bring a nonce; those beyond bring none, and their callers are
/// sent one when they need it.
const MAX_NONCES: usize = 1 << 10;

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
    /// Of streams, what the response is to say of the nonce for the next proof. Mostly empty.
    nonces: Vec<(u32, String)>,
}

impl Contexts {
    fn take_nonce(&mut self, stream: u32) -> Option<String> {
        let place = self.nonces.iter().position(|(of, _)| *of == stream)?;
        Some(self.nonces.swap_remove(place).1)
    }
}

struct Stream {
    root: u32,
    /// That of the root when the request came; what replaces it later is for later requests.
    engine: Option<Rc<Engine>>,
    /// `None`, too, when the reply was our own.
    rate_limit: Option<RateLimit>,
    /// What was reserved for the request.
    receipts: Box<[Receipt]>,
    /// What counts it until it ends.
    under_way: Box<[Receipt]>,
    /// By what its agent is watched.
    watched: Option<BucketKey>,
}

/// What a context was that is gone.
pub(super) enum Deleted {
    /// A root with this engine.
    Root(Rc<Engine>),
    /// A request that counted among those under way.
    Stream(Rc<Engine>, Box<[Receipt]>),
}

/// A new context: a root when `parent` is 0, else a stream of that root.
pub(super) fn create(context: u32, parent: u32) {
    with(|contexts| {
        if parent != 0 {
            if contexts.streams.len() < MAX_STREAMS {
                let engine = contexts.roots.get(&parent).cloned().flatten();
                let stream = Stream {
                    root: parent,
                    engine,
                    rate_limit: None,
                    receipts: Box::default(),
                    under_way: Box::default(),
                    watched: None,
                };
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

/// Keeps what the response to a request is to say of its caller's limits, what it is to settle, and what
/// is to end with the request.
pub(super) fn keep(
    stream: u32,
    rate_limit: Option<RateLimit>,
    [receipts, under_way]: [Box<[Receipt]>; 2],
    watched: Option<BucketKey>,
) {
    with(|contexts| {
        let stream = contexts.streams.get_mut(&stream)?;
        (stream.rate_limit, stream.receipts) = (rate_limit, receipts);
        (stream.under_way, stream.watched) = (under_way, watched);
        Some(())
    });
}

/// Keeps the nonce that the response to a request is to bring.
pub(super) fn keep_nonce(stream: u32, nonce: String) {
    with(|contexts| {
        let has_room = contexts.nonces.len() < MAX_NONCES;
        has_room.then(|| contexts.nonces.push((stream, nonce)))
    });
}

/// The nonce that was kept for the response, once.
pub(super) fn take_nonce(stream: u32) -> Option<String> {
    with(|contexts| contexts.take_nonce(stream))
}

/// What was reserved for the request, and by what its agent is watched, once.
pub(super) fn take_receipts(stream: u32) -> (Box<[Receipt]>, Option<BucketKey>) {
    let take = |contexts: &mut Contexts| {
        let stream = contexts.streams.get_mut(&stream)?;
        Some((std::mem::take(&mut stream.receipts), stream.watched.take()))
    };
    with(take).unwrap_or_default()
}

/// What was kept for the response, once.
pub(super) fn take(stream: u32) -> Option<RateLimit> {
    with(|contexts| contexts.streams.get_mut(&stream)?.rate_limit.take())
}

/// Forgets a context; what there is to do for it.
pub(super) fn delete(context: u32) -> Option<Deleted> {
    with(|contexts| match contexts.streams.remove(&context) {
        Some(stream) => {
            contexts.take_nonce(context);
            let engine = stream.engine.filter(|_| !stream.under_way.is_empty())?;
            Some(Deleted::Stream(engine, stream.under_way))
        }
        None => contexts.roots.remove(&context).flatten().map(Deleted::Root),
    })
}

fn with<T>(look: impl FnOnce(&mut Contexts) -> Option<T>) -> Option<T> {
    CONTEXTS.with(|contexts| look(&mut *contexts.try_borrow_mut().ok()?))
}
