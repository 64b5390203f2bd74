//! Bytes become a policy's values.

pub mod de;
mod fingerprint;
pub mod json;
mod number;

use crate::json::Bounds;

pub use self::fingerprint::fingerprint;

/// How large a policy may be, in whatever it is written: 4 MiB, 32 levels, a million values.
pub const LIMITS: Bounds = Bounds { bytes: 4 << 20, depth: 32, items: 1_000_000 };
