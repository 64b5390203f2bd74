//! When a token is valid (RFC 7519 §4.1.4 to §4.1.6).
//!
//! In seconds and by our own arithmetic: fractions are rounded so that the span gets shorter,
//! never longer.

use super::{Claims, Issuer, Rejected};
use crate::host::Timestamp;

/// The span in which a token is valid, leeway included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    /// The first second at which it is.
    pub(super) not_before: i64,
    /// The first second at which it is no longer.
    pub(super) expires: i64,
    /// From when it was issued to its end, in seconds, leeway apart.
    pub(super) lifetime: i64,
}

impl Validity {
    /// The span that the claims give, if `now` lies in it.
    pub(super) fn of(claims: &Claims, issuer: &Issuer, now: Timestamp) -> Result<Self, Rejected> {
        let now = now.as_secs();
        let leeway = i64::from(issuer.leeway.as_secs());
        let max_lifetime = i64::from(issuer.max_lifetime.get());

        let end = claims.date("exp")?.ok_or(Rejected::ExpiryMissing)?.floor() as i64;
        let start = claims.date("nbf")?.map_or(0, |date| date.ceil() as i64);
        let issued = claims.date("iat")?.map(|date| date.ceil() as i64);

        let expires = end.saturating_add(leeway);
        if now >= expires {
            return Err(Rejected::Expired);
        }
        let earliest = now.saturating_add(leeway);
        if start > earliest {
            return Err(Rejected::NotYetValid);
        }
        if issued.is_some_and(|issued| issued > earliest) {
            return Err(Rejected::IssuedInFuture);
        }
        // Without `iat` it may have been issued as late as a clock ahead of ours allows.
        let lifetime = end.saturating_sub(issued.unwrap_or(earliest));
        if lifetime > max_lifetime {
            return Err(Rejected::LifetimeTooLong);
        }
        let not_before = start.max(issued.unwrap_or(0)).saturating_sub(leeway);
        Ok(Self { not_before, expires, lifetime })
    }
}
