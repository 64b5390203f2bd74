//! What the `postern` command is made of, for the command, the demo and the tests.
//!
//! | room | what happens there |
//! | --- | --- |
//! | [`command`] | what is typed -> what is printed, a file a command |
//! | [`mint`] | keys and tokens for development, honest ones and hostile ones |
//! | [`render`] | a policy -> an Envoy configuration that enforces it |

pub mod command;
pub mod mint;
pub mod render;
