//! Nonces that nobody has to remember (RFC 9449 §8, §9).
//!
//! A nonce is a MAC over the number of a span of time, under a secret that all workers share: the
//! first to need it puts it into the shared store. It tells when it was given out and that we gave
//! it out, and nothing of it is kept for each caller.

use std::cell::Cell;

use base64ct::{Base64UrlUnpadded, Encoding};
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
    /// The nonce to give out: 22 characters of base64url.
    pub(super) fn text(&self) -> String {
        let mac = self.mac(self.slot).map(|mac| mac.finalize().into_bytes());
        let bytes = mac.as_ref().and_then(|mac| mac.first_chunk::<NONCE_BYTES>());
        bytes.map(|bytes| Base64UrlUnpadded::encode_string(bytes)).unwrap_or_default()
    }

    /// How old `nonce` is, if it is good.
    pub(super) fn age(&self, nonce: &str) -> Option<Age> {
        let mut bytes = [0; NONCE_BYTES];
        let nonce = Base64UrlUnpadded::decode(nonce, &mut bytes).ok()?;
        if nonce.len() != NONCE_BYTES {
            return None;
        }
        let is_of =
            |slot| self.mac(slot).is_some_and(|mac| mac.verify_truncated_left(nonce).is_ok());
        if is_of(self.slot) {
            return Some(Age::Current);
        }
        self.slot.checked_sub(1).filter(|before| is_of(*before)).map(|_| Age::Previous)
    }

    fn mac(&self, slot: u64) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).ok()?;
        mac.update(&slot.to_be_bytes());
        Some(mac)
    }
}
