//! Tokens that are not accepted, for a little while.

use std::fmt;

use crate::denial::{Denial, Refusal};

/// The SHA-256 of a whole token.
pub(crate) type Digest = [u8; 32];

/// How many tokens are remembered. Each has one place; what comes to it later takes it.
const MAX_REFUSED: usize = 4_096;

/// Why tokens are not accepted: at most [`MAX_REFUSED`], each for a span of its own.
///
/// By the hash of the whole token: it is not longer where the token is, and nobody makes two with
/// one. Who sends many other tokens can have one forgotten sooner, and then it is judged again.
#[derive(Default)]
pub(crate) struct Refused {
    /// Empty until there is one.
    places: Vec<Option<Entry>>,
}

#[derive(Clone)]
struct Entry {
    digest: Digest,
    denial: Denial,
    reason: &'static str,
    /// In nanoseconds.
    since: u64,
    until: u64,
}

impl Refused {
    /// Whether nothing is remembered: then no token need be hashed.
    pub(crate) const fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.places.clear();
    }

    /// Why the token is not accepted, if that is remembered.
    pub(crate) fn find(&self, digest: &Digest, now: u64) -> Option<Refusal> {
        let entry = self.places.get(place(digest))?.as_ref()?;
        let is_it = entry.digest == *digest && (entry.since..entry.until).contains(&now);
        is_it.then(|| Refusal::because(entry.denial, entry.reason))
    }

    /// Remembers why the token is not accepted, for `span` nanoseconds.
    pub(crate) fn insert(&mut self, digest: Digest, refusal: &Refusal, now: u64, span: u64) {
        if self.places.is_empty() {
            self.places.resize(MAX_REFUSED, None);
        }
        if let Some(entry) = self.places.get_mut(place(&digest)) {
            let (denial, reason) = (refusal.denial, refusal.reason);
            let until = now.saturating_add(span);
            *entry = Some(Entry { digest, denial, reason, since: now, until });
        }
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Refused(..)")
    }
}

fn place([low, high, ..]: &Digest) -> usize {
    usize::from(u16::from_le_bytes([*low, *high])) % MAX_REFUSED
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHY: Refusal = Refusal::because(Denial::InvalidToken, "why");

    fn digest(number: u16, rest: u8) -> Digest {
        let mut digest = [rest; 32];
        digest[..2].copy_from_slice(&number.to_le_bytes());
        digest
    }

    #[test]
    fn a_token_is_refused_for_its_span_and_no_other_token_is() {
        let mut refused = Refused::default();
        assert_eq!(refused.find(&digest(1, 1), 10), None);
        refused.insert(digest(1, 1), &WHY, 10, 5);
        assert_eq!(refused.find(&digest(1, 1), 14), Some(WHY));
        assert_eq!(refused.find(&digest(1, 1), 15), None);
        assert_eq!(refused.find(&digest(1, 1), 9), None, "the clock went back");
        assert_eq!(refused.find(&digest(1, 2), 10), None, "the same place");
    }

    #[test]
    fn of_all_the_tokens_in_the_world_so_many_are_remembered() {
        let mut refused = Refused::default();
        for number in 0..=u16::MAX {
            refused.insert(digest(number, 1), &WHY, 10, 5);
        }
        let known = (0..=u16::MAX).filter(|n| refused.find(&digest(*n, 1), 10).is_some());
        assert_eq!(known.count(), MAX_REFUSED);
    }
}
