//! A proxy-wasm host for tests, with the manners of the proxy it is told to be.
//!
//! A [`Proxy`] is several workers, each a VM of its own, over one [`Store`] and one clock. A
//! [`Request`] goes in; an [`Exchange`] comes out: what reached the upstream or what answered in
//! its place, and what it cost.

mod calls;
mod exchange;
mod filter;
mod foreign;
mod headers;
mod profile;
mod proxy;
mod request;
mod store;
mod upcalls;
mod wasi;
mod worker;

pub use exchange::{Exchange, Outcome};
pub use filter::Filter;
pub use foreign::signature_arguments;
pub use headers::{Field, HeaderMap};
pub use profile::Profile;
pub use proxy::{Proxy, START};
pub use request::Request;
pub use store::Store;
pub use worker::{Call, Fault, Worker};
