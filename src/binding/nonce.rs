//! Nonces that nobody has to remember (RFC 9449 §8, §9).
//!
//! A nonce is a MAC over the number of a span of time, under a secret that all workers share: the
//! first to need it puts it into the shared store. It tells when it was given out and that we gave
//! it out, and nothing of it is kept for each caller.

use std::cell::Cell;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::host::{Expected, Host, Stored, Swap, Timestamp};

/// For how long one nonce is given out, in seconds. It is taken for as long again.
pub const SLOT_SECS: u64 = 120;

/// Swaps that are tried before the secret counts as out of reach: there is one to be lost, to
/// whoever makes the secret.
const MAX_ATTEMPTS: usize = 4;

const STORE_KEY: &[u8] = b"postern.dpop.nonce";

type Secret = [u8; 16];

/// The bytes of a nonce.
const NONCE_BYTES: usize = 16;

/// What one worker knows of the secret.
#[derive(Default)]
pub struct Nonces {
    secret: Cell<Option<Secret>>,
}

impl std::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nonces(..)")
    }
}

/// How old a nonce is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// The one that is given out now, or no nonce is needed.
    Current,
    /// The one before it: still taken, and not for long.
    Previous,
}

impl Nonces {
    /// The nonces that are good at `now`; none where the secret cannot be shared, or made.
    pub(super) fn fresh(&self, host: &impl Host, now: Timestamp) -> Option<Fresh> {
        let secret = match self.secret.get() {
            Some(secret) => secret,
            None => self.share(host)?,
        };
        Some(Fresh { secret, slot: now.as_nanos() / (SLOT_SECS * 1_000_000_000) })
    }

    /// Looks for the secret anew, the next time that it is needed.
    pub(super) fn forget(&self) {
        self.secret.set(None);
    }

    /// The secret that all workers share, made if there is none.
    fn share(&self, host: &impl Host) -> Option<Secret> {
        for _ in 0..MAX_ATTEMPTS {
            let shared = host.load(STORE_KEY).ok()?;
            let expected = match &shared {
                None => Expected::Absent,
                Some(Stored { value, version }) => match Secret::try_from(value.as_slice()) {
                    Ok(secret) => {
                        self.secret.set(Some(secret));
                        return Some(secret);
                    }
                    // What nobody here wrote is no secret.
                    Err(_) => Expected::Version(*version),
                },
            };
            let secret = host.random().ok()?;
            match host.swap(STORE_KEY, &secret, expected).ok()? {
                Swap::Done => {
                    self.secret.set(Some(secret));
                    return Some(secret);
                }
                Swap::Conflict => {}
            }
        }
        None
    }
}

/// The nonces that are good at one moment.
pub(super) struct Fresh {
    secret: Secret,
    slot: u64,
}

impl Fresh {
    /// The nonce to give out: 32 hexadecimal digits.
    pub(super) fn text(&self) -> String {
        self.of(self.slot)
    }

    /// How old `nonce` is, if it is good.
    pub(super) fn age(&self, nonce: &str) -> Option<Age> {
        if is(&self.of(self.slot), nonce) {
            return Some(Age::Current);
        }
        let before = self.slot.checked_sub(1)?;
        is(&self.of(before), nonce).then_some(Age::Previous)
    }

    fn of(&self, slot: u64) -> String {
        let mut text = String::with_capacity(2 * NONCE_BYTES);
        // A key may have any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.secret) else { return text };
        mac.update(&slot.to_be_bytes());
        for byte in mac.finalize().into_bytes().into_iter().take(NONCE_BYTES) {
            let digits = [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16));
            text.extend(digits.into_iter().flatten());
        }
        text
    }
}

/// Whether two texts are the same, in a time that does not tell how much of them is.
fn is(ours: &str, theirs: &str) -> bool {
    let differ = |(one, other): (u8, u8)| one ^ other;
    let bytes = ours.bytes().zip(theirs.bytes()).map(differ);
    ours.len() == 2 * NONCE_BYTES
        && theirs.len() == ours.len()
        && bytes.fold(0, |all, byte| all | byte) == 0
}
