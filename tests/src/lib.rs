//! The compiled filter in a simulated proxy, and the engine on its own.

pub mod engine;
