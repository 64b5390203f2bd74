//! Access control for AI agents in front of an API that knows nothing of agents.
//!
//! This crate is the engine: plain Rust with no proxy in it, the same in the filter, in the
//! command, in tests and in a fuzzer. [`decision`] is the walk of a request, one step a room:
//!
//! | room | what happens there |
//! | --- | --- |
//! | [`policy`] | the operator's file: parsed, validated, compiled once into look-ups |
//! | [`route`] | a method and a path -> the operation they ask for |
//! | [`token`] | bytes on the wire -> verified claims |
//! | [`feed`] | what is fetched: keys, revocations, lists; renewed, and shared by all workers |
//! | [`introspection`] | opaque tokens: the issuer is asked about them |
//! | [`api_key`] | the secret on the wire -> the API key that the policy lists |
//! | [`binding`] | is the caller the one that the token was given to |
//! | [`principal`] | verified claims -> who is calling, for whom, acting through whom |
//! | [`session`] | what a token settles, remembered |
//! | [`revocation`] | has any of it been taken back |
//! | [`cel`] | conditions that a policy's author writes |
//! | [`authorize`] | may they do this, here, now |
//! | [`limit`] | how often |
//! | [`behaviour`] | how an agent behaves, beside how it used to |
//! | [`audit`] | what the backend is told and what is written down |
//! | [`denial`] | every reason to say no, and what the caller is told of it |
//! | [`fields`] | header fields that are ready to be sent |
//! | [`host`] | what the engine asks of the world |
//!
//! `filter` is the proxy-wasm adapter and exists only when compiled for WebAssembly.

mod address;
pub mod api_key;
pub mod audit;
pub mod authorize;
pub mod behaviour;
pub mod binding;
mod breaker;
mod calendar;
pub mod cel;
pub mod decision;
pub mod denial;
pub mod feed;
pub mod fields;
pub mod host;
pub mod introspection;
pub mod json;
pub mod limit;
pub mod policy;
pub mod principal;
mod protobuf;
pub mod revocation;
pub mod route;
pub mod session;
pub mod throttle;
pub mod token;

#[cfg(any(test, target_family = "wasm"))]
mod filter;
