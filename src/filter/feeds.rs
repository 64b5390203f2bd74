//! Ticks, and answers of other servers -> what the engine has fetched.

use std::cell::RefCell;

use super::abi::{self, Level, Map};
use super::host::Proxy;
use super::{capability, context, introspection, pairs, shared_limits, waiting};
use crate::decision::Engine;
use crate::feed::{Feed, MAX_RESPONSE_BYTES, News, Response};

/// Milliseconds to the first tick, and between ticks while requests are held.
const SOON: u32 = 50;

/// Milliseconds between ticks while keys are missing, or only a tick can send questions.
const MISSING: u32 = 250;

/// Milliseconds between ticks otherwise.
const STEADY: u32 = 1_000;

/// The longest name of an issuer in a gauge's, in bytes; some hosts trap on long ones.
const MAX_NAME_BYTES: usize = 64;

thread_local! {
    static ROOTS: RefCell<Vec<Root>> = const { RefCell::new(Vec::new()) };
}

/// What there is for each root with keys to fetch.
#[derive(Default)]
struct Root {
    id: u32,
    /// Milliseconds between ticks.
    period: u32,
    /// Of each issuer: whether its keys are ready, how old they are, how often they failed.
    gauges: Option<Vec<[Option<u32>; 3]>>,
    /// The second in which they were set last.
    recorded: i64,
}

/// The root has another policy. Nothing is fetched now: on some hosts that is the end of a worker.
pub(super) fn on_configure(root: u32) {
    with(root, |here| here.gauges = None);
    let has_work = |engine: &Engine| {
        fetches(engine) || engine.is_watching() || introspection::needs_ticks(engine)
    };
    if context::root(root).is_some_and(|engine| has_work(&engine)) || waiting::any() {
        pace(root, SOON);
    }
}

/// The root is gone: what it was about to fetch others may fetch.
pub(super) fn on_delete(root: u32, engine: &Engine) {
    ROOTS.with(|roots| {
        if let Ok(mut roots) = roots.try_borrow_mut() {
            roots.retain(|one| one.id != root);
        }
    });
    if fetches(engine)
        && let Ok(host) = Proxy::new(capability::so_far())
    {
        engine.with_candidate().for_each(|engine| engine.feeds().abandon(&host));
    }
}

/// Whether anything is fetched for it.
fn fetches(engine: &Engine) -> bool {
    engine.with_candidate().any(|engine| !engine.feeds().is_empty())
}

/// Sees to what is fetched, to questions about tokens, and to the requests that wait for either.
pub(super) fn on_tick(root: u32) {
    let Some(engine) = context::root(root) else { return };
    if let Ok(host) = Proxy::new(capability::so_far()) {
        engine.tick(&host).iter().for_each(tell);
        shared_limits::ask(&engine, &host);
        record(root, &engine, &host);
    }
    catch_up(root, &engine);
}

/// Takes the answer of a provider, of which the proxy has so many header fields and bytes.
pub(super) fn on_response(root: u32, call: u32, headers: u32, size: usize, trailers: u32) {
    let Some(engine) = context::root(root) else { return };
    // Without headers nobody answered.
    let Head { status, etag, grpc_status } =
        if headers == 0 { Head::default() } else { head(trailers) };
    let is_read = status == Some(200) && (1..=MAX_RESPONSE_BYTES).contains(&size);
    let body = if is_read { abi::call_response_body(size).unwrap_or_default() } else { Vec::new() };
    if let Ok(host) = Proxy::new(capability::so_far()) {
        let response = Response { status, length: size, body: &body, etag: &etag, grpc_status };
        if engine.is_asked(call) {
            introspection::on_response(&engine, call, &response, &host);
        } else if engine.ledger().is_asked(call) {
            shared_limits::on_response(&engine, call, &response, &host);
        } else {
            engine.fetched(call, &response, &host).iter().for_each(tell);
            record(root, &engine, &host);
        }
    }
    catch_up(root, &engine);
}

/// Makes the tick come soon that a held request is woken by; whether it will.
pub(super) fn hurry(stream: u32) -> bool {
    // Hosts may differ in whose timer it is that a request sets.
    context::root_of(stream).is_some_and(|root| {
        let paced = abi::set_context(root).is_ok() && pace(root, SOON);
        abi::set_context(stream).is_ok() && paced
    })
}

fn catch_up(root: u32, engine: &Engine) {
    waiting::wake();
    // What follows is the root's again.
    let _ = abi::set_context(root);
    introspection::ask(engine);
    let now = abi::now().unwrap_or_default();
    let now = crate::host::Timestamp::from_nanos(now);
    pace(
        root,
        match () {
            () if waiting::any() => SOON,
            () if introspection::needs_ticks(engine) => MISSING,
            () if !fetches(engine) && !engine.is_watching() => 0,
            () if engine.feeds().status(now).any(|status| !status.ready) => MISSING,
            () => STEADY,
        },
    );
}

/// Has the root called every so many milliseconds; whether it will be.
fn pace(root: u32, period: u32) -> bool {
    // To set the same period again would put off the tick that is due.
    if with(root, |here| here.period) == Some(period) {
        return true;
    }
    let is_set = abi::set_tick_period(period).is_ok();
    if is_set {
        with(root, |here| here.period = period);
    }
    is_set
}

/// What the head of the answer that came says.
#[derive(Default)]
struct Head {
    status: Option<u16>,
    etag: Vec<u8>,
    grpc_status: Option<u32>,
}

/// Of an answer with so many trailers.
fn head(trailers: u32) -> Head {
    let buffer = abi::header_pairs(Map::CallResponse).unwrap_or_default();
    let Ok(headers) = pairs::parse(&buffer) else { return Head::default() };
    let mut grpc_status = number(field(&headers.list, GRPC_STATUS));
    if trailers > 0 {
        let buffer = abi::header_pairs(Map::CallResponseTrailers).unwrap_or_default();
        let trailers = pairs::parse(&buffer).ok();
        let status = trailers.and_then(|trailers| number(field(&trailers.list, GRPC_STATUS)));
        grpc_status = grpc_status.or(status);
    }
    let status = number(field(&headers.list, b":status"));
    Head { status, etag: field(&headers.list, b"etag").to_vec(), grpc_status }
}

const GRPC_STATUS: &[u8] = b"grpc-status";

fn field<'a>(fields: &[pairs::Pair<'a>], wanted: &[u8]) -> &'a [u8] {
    let field = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    field.map(|(_, value)| *value).unwrap_or_default()
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn tell(news: &News) {
    log(news.is_failure(), news);
}

/// Tells an operator something.
pub(super) fn log(is_failure: bool, news: &dyn std::fmt::Display) {
    let level = if is_failure { Level::Warn } else { Level::Info };
    abi::log(level, &news.to_string());
}

/// Sets the gauges, at most once in a second.
fn record(root: u32, engine: &Engine, host: &Proxy) {
    let now = crate::host::Host::now(host);
    let Some(Some(gauges)) = with(root, |here| {
        let is_due = here.recorded != now.as_secs();
        here.recorded = now.as_secs();
        is_due.then(|| here.gauges.clone())
    }) else {
        return;
    };
    let gauges = gauges.unwrap_or_else(|| {
        let gauges = define(engine, now);
        with(root, |here| here.gauges = Some(gauges.clone()));
        gauges
    });
    for (gauges, status) in gauges.iter().zip(engine.feeds().status(now)) {
        let values = [status.ready.into(), status.age.unwrap_or_default(), status.failures.into()];
        for (gauge, value) in gauges.iter().zip(values) {
            // Metrics are for people; keys do without.
            let _ = gauge.map(|gauge| abi::record_gauge(gauge, value));
        }
    }
}

fn define(engine: &Engine, now: crate::host::Timestamp) -> Vec<[Option<u32>; 3]> {
    let issuers = engine.feeds().status(now).enumerate();
    let gauges = issuers.map(|(index, status)| {
        let name = |what: &str| match status.feed {
            Feed::Keys(issuer) => format!("postern.keys.{index}.{}.{what}", slug(issuer)),
            Feed::Revocations => format!("postern.revocations.{what}"),
            Feed::Statuses(url) => format!("postern.status_lists.{index}.{}.{what}", slug(url)),
        };
        ["ready", "age_seconds", "failures"].map(|what| abi::define_gauge(&name(what)).ok())
    });
    gauges.collect()
}

/// What an issuer is called in a metric.
fn slug(issuer: &str) -> String {
    let name = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let name: String = name.trim_end_matches('/').chars().take(MAX_NAME_BYTES).map(plain).collect();
    if name.is_empty() { "_".to_owned() } else { name }
}

/// Looks at what there is for a root that exists, so of these there are no more than of those.
fn with<T>(root: u32, look: impl FnOnce(&mut Root) -> T) -> Option<T> {
    ROOTS.with(|roots| {
        let mut roots = roots.try_borrow_mut().ok()?;
        let at = roots.iter().position(|one| one.id == root).unwrap_or(roots.len());
        if at == roots.len() {
            roots.push(Root { id: root, ..Root::default() });
        }
        roots.get_mut(at).map(look)
    })
}
