//! One request, and the response to it.

use std::borrow::Cow;

use super::abi::{self, Level, Map};
use super::capability::{self, Capability};
use super::host::Proxy;
use super::pairs::{self, Pair};
use super::{context, counters, edit, shared_limits, waiting};
use crate::audit::Record;
use crate::decision::{Answer, Attempt, Engine, Request};
use crate::denial::{Denial, Refusal, Reply, Told, Wait};
use crate::limit::{BucketKey, RateLimit, Receipt};
use crate::policy::AuditLog;

/// What the proxy does next with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Continue = 0,
    /// Wait: a local response is on its way, or the request is held.
    Pause = 1,
}

/// The property in which access logs find the record.
const RECORD: &[u8] = b"postern";

/// What Envoy's access log calls the reason of a local response.
const DETAILS: &[u8] = b"postern";

/// What became of a request for now.
pub(super) enum Outcome {
    /// It goes on, as decided.
    Forwarded,
    /// It is held.
    Held,
    /// It is answered.
    Answered,
}

/// Lets the request through, answers it or holds it.
pub(super) fn on_request_headers(stream: u32) -> Action {
    match settle(stream, &waiting::hold) {
        Outcome::Forwarded => Action::Continue,
        Outcome::Held | Outcome::Answered => Action::Pause,
    }
}

/// Decides the request in the context at hand; `hold` holds it, if it can.
pub(super) fn settle(stream: u32, hold: &dyn Fn(u32, &Engine, Wait) -> bool) -> Outcome {
    let reply = match decide(stream, hold) {
        Ok(Verdict::Forward) => return Outcome::Forwarded,
        Ok(Verdict::Hold) => return Outcome::Held,
        Ok(Verdict::Reply(reply)) => reply,
        Err(refusal) => refuse(&refusal),
    };
    let headers: Vec<Pair> = reply
        .headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .filter(|(_, value)| value.iter().all(|byte| matches!(byte, b' '..=b'~')))
        .collect();
    let headers = pairs::serialize(&headers).unwrap_or_default();
    let sent = abi::send_local_response(reply.status, DETAILS, &headers, reply.body.as_bytes());
    if sent.is_err() {
        abi::log(Level::Error, "the proxy did not send a denial; the request is held");
    }
    Outcome::Answered
}

/// Settles what the call has cost, and tells the caller what is left of its limits, and the nonce for
/// its next proof.
pub(super) fn on_response_headers(stream: u32) -> Action {
    let (receipts, watched) = context::take_receipts(stream);
    if !receipts.is_empty() || watched.is_some() {
        heed_response(stream, &receipts, watched);
    }
    let rate_limit = context::take(stream);
    for (name, value) in rate_limit.iter().flat_map(RateLimit::fields) {
        // The response is right without them, so a proxy that takes none is no reason to fail.
        let _ = abi::add_header(Map::Response, name.as_bytes(), value.as_bytes());
    }
    if let Some(nonce) = context::take_nonce(stream) {
        let _ = abi::add_header(Map::Response, b"dpop-nonce", nonce.as_bytes());
    }
    Action::Continue
}

/// Settles what a call has cost, and whether it failed. What is not known to have cost less or more costs
/// what was reserved.
fn heed_response(stream: u32, receipts: &[Receipt], watched: Option<BucketKey>) {
    let (Some(engine), Ok(buffer)) = (context::engine(stream), abi::header_pairs(Map::Response))
    else {
        return;
    };
    let Ok(headers) = pairs::parse(&buffer) else { return };
    // Some hosts show none.
    let status = headers.list.iter().find(|(name, _)| *name == b":status");
    let status = status.and_then(|(_, digits)| str::from_utf8(digits).ok()?.parse().ok());
    // Most calls cost what was reserved, and then nobody needs to know what time it is.
    if !receipts.is_empty()
        && let Some(cost) = engine.true_cost(status, headers.list.iter().copied())
        && let Ok(host) = Proxy::new(capability::so_far())
    {
        engine.settle(receipts, cost, &host);
    }
    watched.zip(status).into_iter().for_each(|(agent, status)| engine.responded(agent, status));
}

/// A request has ended that counted among those under way.
pub(super) fn on_end(engine: &Engine, under_way: &[Receipt]) {
    if let Ok(host) = Proxy::new(capability::so_far()) {
        engine.end(under_way, &host);
    }
}

/// What is to become of a request; if it is to be forwarded, that is done.
enum Verdict {
    Forward,
    Hold,
    Reply(Reply),
}

fn decide(stream: u32, hold: &dyn Fn(u32, &Engine, Wait) -> bool) -> Result<Verdict, Refusal> {
    let not_ready = |why| Refusal::because(Denial::NotReady, why);
    let invalid = |why| Refusal::because(Denial::InvalidRequest, why);

    let engine = context::engine(stream).ok_or(not_ready("no policy is in force"))?;
    let capability = capability::get();
    let buffer = abi::header_pairs(Map::Request)
        .map_err(|_| not_ready("the proxy did not show the headers"))?;
    let headers = pairs::parse(&buffer).map_err(|_| invalid("the headers cannot be read"))?;
    if headers.list.len() > capability.max_headers {
        return Err(invalid("too many headers"));
    }
    // What is not there is empty, and nothing that is empty gets past the engine.
    let method = pseudo(&headers.list, b":method", b"request\0method").unwrap_or_default();
    let path = pseudo(&headers.list, b":path", b"request\0path").unwrap_or_default();
    let host = Proxy::new(capability).map_err(|_| not_ready("the proxy has no clock"))?;

    let request = Request {
        method: &method,
        path: &path,
        headers: &headers.list,
        strips_headers: capability.strips_headers,
    };
    let decision = match engine.attempt(&request, &host) {
        Attempt::Decided(decision) => decision,
        Attempt::Undecided(wait) if capability.resumes && hold(stream, &engine, wait) => {
            return Ok(Verdict::Hold);
        }
        Attempt::Undecided(_) => engine.decide(&request, &host, &mut ()),
    };
    shared_limits::check(&engine, &host);
    shared_limits::ask_after(stream, &engine);
    if let Some(shadow) = &decision.shadow {
        counters::count(shadow);
    }
    if let Some(difference) = &decision.difference {
        counters::count_difference(difference);
    }
    let verdict = match decision.answer {
        Answer::Reply(reply) => Verdict::Reply(reply),
        Answer::Forward(forward) => {
            edit::apply(&headers, &forward, capability).map_err(|_| {
                engine.end(&forward.under_way, &host);
                not_ready("the proxy did not take the headers")
            })?;
            let receipts = [forward.receipts, forward.under_way];
            context::keep(stream, forward.rate_limit, receipts, forward.watched);
            if let Some(nonce) = forward.dpop_nonce {
                context::keep_nonce(stream, nonce);
            }
            Verdict::Forward
        }
    };
    write_down(&decision.record, capability);
    Ok(verdict)
}

/// The one value of a pseudo-header or, where the proxy shows none, of the property of the same
/// meaning.
fn pseudo<'a>(headers: &[Pair<'a>], name: &[u8], property: &[u8]) -> Option<Cow<'a, [u8]>> {
    let mut values = headers.iter().filter(|(n, _)| *n == name).map(|(_, value)| *value);
    let value = values.next().unwrap_or_default();
    if values.next().is_some() {
        return None;
    }
    if !value.is_empty() {
        return Some(value.into());
    }
    abi::property(property).ok().filter(|value| !value.is_empty()).map(Cow::Owned)
}

/// Hands the record over; one that the access log cannot have goes to the proxy's log.
fn write_down(record: &Record, capability: Capability) {
    let kept =
        capability.keeps_properties && abi::set_property(RECORD, record.line.as_bytes()).is_ok();
    if !kept || record.log == AuditLog::Host {
        abi::log(Level::Info, &record.line);
    }
}

/// Writes down, as the engine would have, why a request never reached it or could not be sent on
/// as it decided, and makes it a reply.
fn refuse(refusal: &Refusal) -> Reply {
    let (code, status, why) = (refusal.denial.code(), refusal.denial.status(), refusal.reason);
    let line =
        format!(r#"{{"decision":"deny","code":"{code}","status":{status},"reason":"{why}"}}"#);
    let _ = abi::set_property(RECORD, line.as_bytes());
    abi::log(Level::Warn, &line);
    refusal.reply(&Told::default())
}
