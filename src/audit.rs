//! What the backend is told and what is written down.
//!
//! [`Firewall`] takes from a request what only Postern may say, [`identity`] says it, and
//! [`Record`] is the line that each decision leaves behind, denials first of all.

mod firewall;
mod identity;
mod json;
mod record;
mod time;

pub(crate) use firewall::folds_to;
pub use firewall::{Firewall, MAX_PREFIX_BYTES, PrefixError};
pub use identity::{anonymity, decision_id, identity};
pub use record::{Event, Members, Record};
