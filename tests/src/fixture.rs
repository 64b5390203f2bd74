//! A policy, and requests that it allows and denies.

use crate::wasm_host::Request;

/// Lets [`allowed`] through, often.
pub const POLICY: &str = r#"{ "version": 1, "limit": 1000000 }"#;

/// Lets [`allowed`] through three times, over all workers.
pub const THRICE: &str = r#"{ "version": 1, "limit": 3 }"#;

/// Refused, for two reasons.
pub const BAD_POLICY: &str = r#"{ "version": 2 }"#;

/// A header of the reserved namespace.
pub const RESERVED: &str = "x-agent-id";

/// A request that [`POLICY`] allows.
pub fn allowed() -> Request {
    Request::get("/v1/contacts").header("x-ok", "1")
}

/// A request that [`POLICY`] denies.
pub fn denied() -> Request {
    Request::get("/v1/contacts")
}
