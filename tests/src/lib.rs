//! The compiled filter in a simulated proxy.
