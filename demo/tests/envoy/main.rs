//! What only a real Envoy can tell: needs what `make test` finds and sets, `ENVOY` and `POSTERN_WASM` first.
#![cfg(test)]

mod behaviour;
mod binding;
mod concurrency;
mod consent;
mod contention;
mod differential;
mod introspection;
mod keys;
mod provider;
mod revocations;
mod say;
mod scenario;
mod shared_limits;
mod signatures;
mod statuses;
mod throttle;
