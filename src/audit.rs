//! (to be written)

pub mod firewall;
