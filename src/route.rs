//! A method and a path -> the operation they ask for.
//!
//! A gateway and the server behind it must read a path the same way, or the difference is a way
//! round the gateway. So a [`NormalPath`] is a path that can be read in one way only; every other
//! one is an [`AmbiguousPath`] and ends the request. What is left is looked up in a [`Table`] of
//! [`Pattern`]s, and what no pattern matches is denied.
//!
//! ```
//! use postern::route::{Methods, NormalPath, Table};
//!
//! let table = Table::build([
//!     ("/v1/contacts/{id}".parse()?, Methods::from_names(["GET"])?, "contacts:read"),
//!     ("/v1/contacts/export".parse()?, Methods::from_names(["POST"])?, "exports:create"),
//! ])?;
//! let find = |method, path| table.find(method, &NormalPath::parse(path).ok()?).copied();
//!
//! assert_eq!(find(b"GET", b"/v1/contacts/7?full=1"), Some("contacts:read"));
//! assert_eq!(find(b"POST", b"/v1/contacts/export"), Some("exports:create"));
//! assert_eq!(find(b"GET", b"/v1/contacts/export"), None);
//! assert_eq!(find(b"GET", b"/v1/contacts/%2e%2e"), None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod method;
mod path;
mod pattern;
mod table;

pub use method::{MAX_METHOD_BYTES, Method, MethodError, Methods};
pub use path::{AmbiguousPath, MAX_PATH_BYTES, MAX_SEGMENTS, NormalPath};
pub use pattern::{Pattern, PatternError, Segment};
pub use table::{Conflict, MAX_STEPS, Table};
