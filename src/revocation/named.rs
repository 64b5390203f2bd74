//! Whoever has a name at an issuer, and something known of them.

use hashbrown::{Equivalent, HashMap};

use crate::token::IssuerId;

/// What somebody is in a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// The client, or an actor.
    Client,
    /// Whoever it is: has no name.
    Everybody,
    /// The subject, or an actor.
    Subject,
    /// The token itself.
    Token,
}

/// Whoever has a name at an issuer. No issuer: one that the policy does not know or, where it
/// says whom something is about, any.
#[derive(Clone, Copy, Hash)]
pub(super) struct Party<'a>(pub(super) Option<IssuerId>, pub(super) &'a str);

/// What is known of parties.
#[derive(Debug)]
pub(super) struct Named<T>(HashMap<Key, T>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key(Role, Option<IssuerId>, Box<str>);

#[derive(Hash)]
struct KeyRef<'a>(Role, Option<IssuerId>, &'a str);

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.0 == key.0 && self.1 == key.1 && *self.2 == *key.2
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> Named<T> {
    /// What is known of a party already, else `value`.
    pub(super) fn entry(&mut self, role: Role, Party(issuer, name): Party<'_>, value: T) -> &mut T {
        self.0.entry(Key(role, issuer, name.into())).or_insert(value)
    }

    /// What is known of the party: whoever knows it first, its own issuer then.
    pub(super) fn of(
        &self,
        role: Role,
        Party(issuer, name): Party<'_>,
    ) -> impl Iterator<Item = &T> {
        let any = self.0.get(&KeyRef(role, None, name));
        let own = issuer.and_then(|issuer| self.0.get(&KeyRef(role, Some(issuer), name)));
        any.into_iter().chain(own)
    }
}
