//! How long tokens may be valid for what is in them.

use std::collections::BTreeMap;

use super::wire;

/// The longest time a token with a scope may be valid, in seconds: of the scopes that say.
#[derive(Debug, Default)]
pub struct Lifetimes {
    /// INVARIANT: in the order of their names.
    scopes: Vec<(String, u32)>,
}

impl Lifetimes {
    #[inline(never)]
    pub(super) fn compile(scopes: &BTreeMap<String, wire::Scope>) -> Self {
        let longest = |(name, scope): (&String, &wire::Scope)| {
            scope.max_token_lifetime.map(|longest| (name.clone(), longest.get()))
        };
        Self { scopes: scopes.iter().filter_map(longest).collect() }
    }

    /// Whether a token with these scopes may be valid for so many seconds.
    pub fn permit<'a>(&self, lifetime: i64, mut scopes: impl Iterator<Item = &'a str>) -> bool {
        let is_short_enough = |scope| {
            let place = self.scopes.binary_search_by(|(name, _)| name.as_str().cmp(scope));
            let longest = place.ok().and_then(|place| self.scopes.get(place));
            longest.is_none_or(|(_, longest)| lifetime <= i64::from(*longest))
        };
        self.scopes.is_empty() || scopes.all(is_short_enough)
    }
}
