//! What is counted in the proxy's metrics: denials that are not enforced, per route and agent.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::abi;
use crate::decision::{Difference, Shadow};

/// The most different counters; what is beyond them is counted as one.
const MAX_COUNTERS: usize = 1_024;

/// What is beyond them.
const OTHERS: &str = "postern.others";

thread_local! {
    static COUNTERS: RefCell<BTreeMap<String, u32>> = RefCell::default();
}

/// Counts a denial that was not enforced. The decision is right without it, so that a proxy that has no
/// metrics is no reason to fail.
pub(super) fn count(shadow: &Shadow) {
    let about = about(shadow.route, shadow.agent.as_deref());
    add(format!("postern.shadow.{about}.{}", shadow.refusal.denial.code()));
}

/// Counts a request that the candidate would have decided otherwise.
pub(super) fn count_difference(difference: &Difference) {
    let Difference { decided, candidate, route, agent } = difference;
    let about = about(*route, agent.as_deref());
    add(format!("postern.candidate.{about}.{decided}.{candidate}"));
}

/// What a request was about, as the names of metrics say it.
fn about(route: Option<usize>, agent: Option<&str>) -> String {
    let route = route.map_or("none".to_owned(), |route| route.to_string());
    format!("route.{route}.agent.{}", agent.map_or("none".to_owned(), plain))
}

fn add(name: String) {
    COUNTERS.with(|counters| {
        let Ok(mut counters) = counters.try_borrow_mut() else { return };
        let is_new = !counters.contains_key(&name);
        let name = if is_new && counters.len() >= MAX_COUNTERS { OTHERS.to_owned() } else { name };
        let known = counters.get(&name).copied();
        let Some(counter) = known.or_else(|| abi::define_counter(&name).ok()) else { return };
        counters.insert(name, counter);
        let _ = abi::increment(counter);
    });
}

/// A name as the names of metrics may be, in which a point parts.
fn plain(name: &str) -> String {
    let plain = |char: char| if char.is_ascii_alphanumeric() || char == '-' { char } else { '_' };
    name.chars().take(64).map(plain).collect()
}
