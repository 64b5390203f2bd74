//! Questions to the service that counts the limits that replicas share, and its answers.

use std::cell::Cell;

use super::host::Proxy;
use super::{abi, capability, context, feeds};
use crate::decision::Engine;
use crate::feed::Response;
use crate::host::Host as _;
use crate::limit::shared::News;

thread_local! {
    static HAS_WARNED: Cell<bool> = const { Cell::new(false) };
}

/// What is told where no service can be asked.
pub(super) const LOCAL: &str = "limits that are `shared` are counted by this proxy alone: it cannot \
                                call a service by gRPC for a filter";

/// Sends what is to be asked after a request, which does not wait for it.
pub(super) fn ask_after(stream: u32, engine: &Engine) {
    if !engine.ledger().has_wanted() {
        return;
    }
    // From the root: the answer serves others, and comes when this request has gone.
    let Some(root) = context::root_of(stream) else { return };
    if abi::set_context(root).is_ok()
        && let Ok(host) = Proxy::new(capability::so_far())
    {
        ask(engine, &host);
    }
    // Without the stream's context no answer could be sent: the proxy then ends the request.
    let _ = abi::set_context(stream);
}

/// Sends what is to be asked, from the root that is at hand.
pub(super) fn ask(engine: &Engine, host: &Proxy) {
    if engine.ledger().has_wanted() {
        engine.ledger().send(host).iter().for_each(tell);
    }
}

/// Takes the answer to a question.
pub(super) fn on_response(engine: &Engine, call: u32, response: &Response<'_>, host: &Proxy) {
    engine.ledger().answered(call, response, host.now()).iter().for_each(tell);
    ask(engine, host);
}

/// Says once where shared limits are not shared.
pub(super) fn check(engine: &Engine, host: &Proxy) {
    if !engine.ledger().is_empty() && !host.speaks_grpc() && !HAS_WARNED.replace(true) {
        abi::log(abi::Level::Warn, LOCAL);
    }
}

fn tell(news: &News) {
    feeds::log(news.is_failure(), news);
}
