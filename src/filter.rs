//! The proxy-wasm adapter: translates between a proxy and the engine, and does nothing else.
//!
//! Written against ABI 0.2.1 itself and not over the crate `proxy-wasm`, whose calls panic on a
//! header that is not UTF-8 and on any status they do not expect: one panic is an outage of a
//! worker, or on some hosts an open door.
//!
//! | file | what it knows |
//! | --- | --- |
//! | `exports` | the names the proxy calls |
//! | `configure` | plugin configuration -> engine |
//! | `request` | one request, and the response to it |
//! | `feeds` | ticks and answers of providers -> the engine's key sets |
//! | `introspection` | questions about tokens, and the answers |
//! | `waiting` | requests that are held until keys or an answer are there |
//! | `edit` | a decision -> edits of the header map |
//! | `context` | which context id is which |
//! | `counters` | what the proxy's metrics count |
//! | `capability` | what this proxy can be trusted with |
//! | `host` | the engine's [`Host`](crate::host::Host) |
//! | `native` | signature checks by the proxy |
//! | `pairs` | the header map as bytes |
//! | `memory` | the buffers a proxy fills for us |
//! | `abi` | the proxy's functions: the one file that calls them |

mod pairs;

#[cfg(target_family = "wasm")]
mod abi;
#[cfg(target_family = "wasm")]
mod capability;
#[cfg(target_family = "wasm")]
mod configure;
#[cfg(target_family = "wasm")]
mod context;
#[cfg(target_family = "wasm")]
mod counters;
#[cfg(target_family = "wasm")]
mod edit;
#[cfg(target_family = "wasm")]
mod exports;
#[cfg(target_family = "wasm")]
mod feeds;
#[cfg(target_family = "wasm")]
mod host;
#[cfg(target_family = "wasm")]
mod introspection;
#[cfg(target_family = "wasm")]
mod memory;
#[cfg(target_family = "wasm")]
mod native;
#[cfg(target_family = "wasm")]
mod request;
#[cfg(target_family = "wasm")]
mod shared_limits;
#[cfg(target_family = "wasm")]
mod waiting;
