//! A decision -> edits of the request's header map.

use super::abi::{self, Map, Status};
use super::capability::Capability;
use super::pairs::Pairs;
use crate::decision::Forward;

/// Drops and adds what the decision says, or fails: a request that was edited by half is not to
/// be forwarded.
///
/// # Errors
///
/// The proxy refused an edit, or the decision drops a header that is not there.
pub(super) fn apply(
    headers: &Pairs<'_>,
    forward: &Forward,
    capability: Capability,
) -> Result<(), Status> {
    if capability.replaces_headers {
        let (name, value) = &forward.decision_id;
        let last = (name.as_bytes(), value.as_bytes());
        let all = headers.edit(&forward.drop, &forward.caller, last).ok_or(Status::Failed)?;
        return abi::set_header_pairs(Map::Request, &all);
    }
    // Removing a name removes every copy: put back those that stay.
    let mut removed: Vec<&[u8]> = Vec::new();
    for place in &forward.drop {
        let (name, _) = headers.list.get(*place).ok_or(Status::Failed)?;
        if !removed.iter().any(|gone| gone.eq_ignore_ascii_case(name)) {
            abi::remove_header(Map::Request, name)?;
            removed.push(name);
        }
    }
    for (place, (name, value)) in headers.list.iter().enumerate() {
        let is_gone = removed.iter().any(|gone| gone.eq_ignore_ascii_case(name));
        if is_gone && forward.drop.binary_search(&place).is_err() {
            abi::add_header(Map::Request, name, value)?;
        }
    }
    for (name, value) in forward.added() {
        abi::add_header(Map::Request, name.as_bytes(), value.as_bytes())?;
    }
    Ok(())
}
