//! API keys of organizations: the secret on the wire -> the key that the policy lists.
//!
//! A key is a prefix, by which leaked ones are found, and 43 characters of base64url: 256 random
//! bits. The policy holds its SHA-256. A slow hash is for what people think up, which is guessed
//! in some billions of tries; nobody guesses 256 random bits, so a fast hash keeps them as safe,
//! and a request with a wrong key costs us no more than one with a right one. So that nothing
//! else is ever hidden behind a fast hash, a text of another form is no key: the hash of a
//! password may be written into a policy, and the password will not be taken.

use std::collections::BinaryHeap;

use sha2::{Digest, Sha256};

use crate::audit::folds_to;
use crate::denial::{Denial, Refusal};
use crate::host::Timestamp;

/// The characters of a key after its prefix: 256 bits in base64url.
pub const SECRET_CHARS: usize = 43;

/// What a policy writes before a hash: what it is made with.
pub const HASH_SCHEME: &str = "sha256:";

/// How far the clock of whoever made a key may be ahead of ours, in seconds.
const LEEWAY_SECS: i64 = 300;

/// The SHA-256 of a key, prefix and all.
pub type KeyHash = [u8; 32];

/// The hash of `key`, as policies hold it.
pub fn hash(key: &[u8]) -> KeyHash {
    Sha256::digest(key).into()
}

/// A key that the policy lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its name, kept when it is rotated.
    pub id: String,
    /// Whose it is.
    pub organization: String,
    /// The scopes that it has.
    pub scopes: Vec<String>,
    /// When it was made, in seconds since the Unix epoch.
    pub created: i64,
    /// When it is to be replaced.
    pub due: i64,
    /// When it ends because nobody replaced it.
    pub overdue: i64,
    /// When it ends in any case, if that was said.
    pub expires: Option<i64>,
}

/// How long what is known of a key at a moment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first second.
    pub not_before: i64,
    /// The first second after it.
    pub expires: i64,
    /// Whether the key is to be replaced.
    pub due: bool,
}

impl ApiKey {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.id
    }

    /// The span around `now` in which the key is valid and is, or is not yet, to be replaced.
    ///
    /// # Errors
    ///
    /// Why it is not valid.
    pub fn span(&self, now: Timestamp) -> Result<Span, Refusal> {
        let now = now.as_secs();
        let not_before = self.created.saturating_sub(LEEWAY_SECS);
        let end = self.expires.map_or(self.overdue, |expires| expires.min(self.overdue));
        if now < not_before {
            let reason = "the API key is dated ahead: it was not made yet";
            return Err(Refusal::because(Denial::InvalidToken, reason));
        }
        if self.expires.is_some_and(|expires| now >= expires) {
            return Err(Refusal::because(Denial::ExpiredToken, "the API key has expired"));
        }
        if now >= self.overdue {
            let reason = "the API key was not rotated in time: it takes a new one";
            return Err(Refusal::because(Denial::ExpiredToken, reason));
        }
        Ok(if now < self.due {
            Span { not_before, expires: end.min(self.due), due: false }
        } else {
            Span { not_before: self.due, expires: end, due: true }
        })
    }
}

/// The keys of a policy.
#[derive(Debug)]
pub struct ApiKeys {
    header: String,
    prefix: String,
    list: Vec<ApiKey>,
    /// INVARIANT: ascending, and each place is one of the list.
    by_hash: Vec<(KeyHash, usize)>,
}

/// Two keys of one hash, by their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SameHash(pub usize, pub usize);

impl ApiKeys {
    /// Keys that come in the header called `header`, in lower case, and begin with `prefix`.
    ///
    /// # Errors
    ///
    /// Two of them have one hash.
    pub fn new(
        header: String,
        prefix: String,
        keys: Vec<(KeyHash, ApiKey)>,
    ) -> Result<Self, SameHash> {
        let mut by_hash = BinaryHeap::with_capacity(keys.len());
        let mut list = Vec::with_capacity(keys.len());
        for (place, (hash, key)) in keys.into_iter().enumerate() {
            by_hash.push((hash, place));
            list.push(key);
        }
        let by_hash = by_hash.into_sorted_vec();
        let twins = by_hash.iter().zip(by_hash.iter().skip(1)).find(|(one, next)| one.0 == next.0);
        match twins {
            Some((one, next)) => Err(SameHash(one.1, next.1)),
            None => Ok(Self { header, prefix, list, by_hash }),
        }
    }

    /// Whether a header of this name brings a key, in whatever spelling a backend might take for
    /// the same.
    pub fn is_header(&self, name: &[u8]) -> bool {
        folds_to(name, self.header.as_bytes())
    }

    /// What the header is called that brings a key.
    pub fn header(&self) -> &str {
        &self.header
    }

    /// What keys begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key whose secret this is. It is hashed, and its hash looked up: what that takes tells
    /// nothing of how near a guess was.
    pub fn find(&self, secret: &[u8]) -> Option<&ApiKey> {
        let random = secret.strip_prefix(self.prefix.as_bytes())?;
        let in_base64url = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if random.len() != SECRET_CHARS || !random.iter().all(in_base64url) {
            return None;
        }
        let hash = hash(secret);
        let found = self.by_hash.binary_search_by(|(known, _)| known.cmp(&hash)).ok()?;
        self.list.get(self.by_hash.get(found)?.1)
    }

    /// All of them, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &ApiKey> {
        self.list.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn key(expires: Option<i64>) -> ApiKey {
        ApiKey {
            id: "ci".to_owned(),
            organization: "acme".to_owned(),
            scopes: Vec::new(),
            created: 100 * DAY,
            due: 190 * DAY,
            overdue: 204 * DAY,
            expires,
        }
    }

    fn span(key: &ApiKey, now: i64) -> Result<Span, (Denial, &'static str)> {
        let refused = |refusal: Refusal| (refusal.denial, refusal.reason);
        key.span(Timestamp::from_secs(now.unsigned_abs())).map_err(refused)
    }

    #[test]
    fn a_key_is_valid_from_its_day_to_the_end_of_its_grace() {
        let young = Span { not_before: 100 * DAY - 300, expires: 190 * DAY, due: false };
        let due = Span { not_before: 190 * DAY, expires: 204 * DAY, due: true };
        let key = key(None);
        assert_eq!(span(&key, 100 * DAY - 301).unwrap_err().0, Denial::InvalidToken);
        assert_eq!(span(&key, 100 * DAY - 300), Ok(young));
        assert_eq!(span(&key, 190 * DAY - 1), Ok(young));
        assert_eq!(span(&key, 190 * DAY), Ok(due));
        assert_eq!(span(&key, 204 * DAY - 1), Ok(due));
        let (denial, reason) = span(&key, 204 * DAY).unwrap_err();
        assert_eq!(denial, Denial::ExpiredToken);
        assert!(reason.contains("rotated"), "{reason}");
    }

    #[test]
    fn a_key_ends_when_it_was_said_to_if_that_is_sooner() {
        let soon = key(Some(150 * DAY));
        assert_eq!(span(&soon, 150 * DAY - 1).unwrap().expires, 150 * DAY);
        let expired = (Denial::ExpiredToken, "the API key has expired");
        assert_eq!(span(&soon, 150 * DAY), Err(expired));
        let late = key(Some(1_000 * DAY));
        assert_eq!(span(&late, 203 * DAY).unwrap().expires, 204 * DAY);
        assert!(span(&late, 204 * DAY).is_err());
    }

    #[test]
    fn only_what_has_the_form_of_a_key_is_found() {
        let keys = |texts: &[&str]| {
            let keys = texts.iter().map(|text| (hash(text.as_bytes()), key(None))).collect();
            ApiKeys::new("x-api-key".to_owned(), "key_".to_owned(), keys)
        };
        let good = format!("key_{}", "a".repeat(SECRET_CHARS));
        let odd = [good.replace("key_", "kay_"), good.replace("aa", "a="), format!("{good}a")];
        let [another, padded, long] = odd.each_ref().map(String::as_str);
        let texts = ["hunter2", "key_hunter2", "", "key_", another, padded, long];
        let odd = keys(&texts).unwrap();
        for text in texts {
            assert_eq!(odd.find(text.as_bytes()), None, "{text}");
        }
        assert_eq!(odd.find(good.as_bytes()), None);
        let keys_of_form = keys(&["a", &good, "b"]).unwrap();
        assert_eq!(keys_of_form.find(good.as_bytes()), Some(&key(None)));
        assert_eq!(keys(&[&good, "a", &good]).unwrap_err(), SameHash(0, 2));
    }
}
