//! A real Envoy with the filter in front of a real backend, and people and agents who call it.
//!
//! [`Lab`] is the machinery, [`scenario`] what happens in it. The `demo` command prints it, and a
//! test holds it.

pub mod backend;
pub mod cast;
pub mod client;
pub mod clock;
pub mod envoy;
pub mod interrupt;
pub mod key_server;
mod lab;
pub mod limits;
pub mod provider;
pub mod scenario;
pub mod table;

pub use lab::{Lab, Published, Settings, repository};
