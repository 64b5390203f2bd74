//! What the `postern` command is made of, for the command, the demo and the tests.
//!
//! | room | what happens there |
//! | --- | --- |
//! | [`mint`] | keys and tokens for development, honest ones and hostile ones |
//! | [`render`] | a policy -> an Envoy configuration that enforces it |

pub mod mint;
pub mod render;
