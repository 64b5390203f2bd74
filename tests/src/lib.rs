//! The compiled filter in a simulated proxy, and the engine on its own.
//!
//! What runs at the edge is a `.wasm` file, so that file is what the tests here load: through
//! [`wasm_host`], which takes on the manners of each proxy the filter may meet. What is decided is
//! asked of the [`engine`] itself, with tokens that are really signed.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test whose equipment is broken is to fail at once"
)]

pub mod engine;
pub mod fixture;
pub mod native;
pub mod wasm_host;
