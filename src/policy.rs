//! (to be written)

pub mod nearest;
pub mod problem;
pub mod source;
