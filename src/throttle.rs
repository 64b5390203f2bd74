//! What callers may cost before it is known who they are.
//!
//! Whoever makes up tokens makes us check signatures, or issuers answer questions. So each address
//! has a budget of tokens that are refused in the end: beyond it nothing more is tried for it for a
//! while. Good tokens cost it nothing, and a token that is known already does not even ask. And a
//! token that was refused is remembered, for programs that try the same one again and again.
//!
//! | file | what is there |
//! | --- | --- |
//! | `budget` | what is left to each address |
//! | `refused` | tokens that are not accepted |
//!
//! Each worker counts for itself: a flood meets all of them, and no store has to be asked.

mod budget;
mod refused;

pub(crate) use budget::Debit;
pub use budget::{ADDRESSES, Budget};
pub(crate) use refused::{Digest, Refused};
