//! What runs at the edge: the compiled filter, in a proxy that has the manners of each host.
#![cfg(test)]

mod api_keys;
mod authorize;
mod behaviour;
mod binding;
mod budgets;
mod contexts;
mod cost;
mod faults;
mod feeds;
mod headers;
mod hostile;
mod introspection;
mod keys;
mod limits;
mod native;
mod policy;
mod records;
mod runaway;
mod shared_limits;
mod surface;
mod throttle;
mod tokens;
mod traps;
mod workers;
