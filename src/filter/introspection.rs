//! Questions about tokens that only their issuers can read, and the answers.

use super::host::Proxy;
use super::{abi, capability, context, feeds};
use crate::decision::Engine;
use crate::feed::Response;
use crate::introspection::News;

/// Sends what is to be asked for a request that is now held; whether the request can go on being.
pub(super) fn ask_for(stream: u32, engine: &Engine) -> bool {
    if !engine.has_unsent() {
        return true;
    }
    // From the root: the answer serves others too, so it must come even if the request has gone.
    context::root_of(stream).is_some_and(|root| {
        if abi::set_context(root).is_ok() {
            ask(engine);
        }
        abi::set_context(stream).is_ok()
    })
}

/// Sends what is to be asked, from the root that is at hand.
pub(super) fn ask(engine: &Engine) {
    if engine.has_unsent()
        && let Ok(host) = Proxy::new(capability::so_far())
    {
        engine.ask(&host).iter().for_each(tell);
    }
}

/// Takes the answer to a question.
pub(super) fn on_response(engine: &Engine, call: u32, response: &Response<'_>, host: &Proxy) {
    engine.answered(call, response, host).iter().for_each(tell);
}

/// Whether requests lead to questions that only a tick sends: none can be held here, or it is not
/// known yet.
pub(super) fn needs_ticks(engine: &Engine) -> bool {
    // For the candidate nobody waits, so no request sends its questions.
    let mut engines = engine.with_candidate();
    let own = engines.next().is_some_and(|engine| !engine.introspection().is_empty());
    own && !capability::so_far().resumes || engines.any(|one| !one.introspection().is_empty())
}

fn tell(news: &News) {
    feeds::log(news.is_failure(), news);
}
