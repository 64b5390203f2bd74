//! A decision -> edits of the request's header map.

use super::abi::{self, Map, Status};
use super::capability::Capability;
use super::pairs::{self, Pair};
use crate::decision::Forward;

/// Drops and adds what the decision says, or fails: a request that was edited by half is not to
/// be forwarded.
///
/// # Errors
///
/// The proxy refused an edit, or a header to be added could be read as more than one.
pub(super) fn apply(
    headers: &[Pair<'_>],
    forward: &Forward,
    capability: Capability,
) -> Result<(), Status> {
    if !forward.add.iter().all(|(name, value)| is_sound(name, value)) {
        return Err(Status::Failed);
    }
    if forward.drop.is_empty() && forward.add.is_empty() {
        return Ok(());
    }
    let dropped = mask(headers.len(), &forward.drop).ok_or(Status::Failed)?;
    let added = forward.add.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let of = |drop: bool| {
        let marked = headers.iter().zip(&dropped);
        marked.filter(move |(_, dropped)| **dropped == drop).map(|(pair, _)| *pair)
    };
    if capability.replaces_headers {
        let all: Vec<Pair> = of(false).chain(added).collect();
        let all = pairs::serialize(&all).ok_or(Status::Failed)?;
        return abi::set_header_pairs(Map::Request, &all);
    }
    // Removing a name removes every copy: put back those that stay.
    let mut removed: Vec<&[u8]> = Vec::new();
    for (name, _) in of(true) {
        if !removed.iter().any(|gone| gone.eq_ignore_ascii_case(name)) {
            abi::remove_header(Map::Request, name)?;
            removed.push(name);
        }
    }
    let back = of(false).filter(|(name, _)| removed.iter().any(|r| r.eq_ignore_ascii_case(name)));
    for (name, value) in back.chain(added) {
        abi::add_header(Map::Request, name, value)?;
    }
    Ok(())
}

/// Whether a header field is a token and visible ASCII, so that no proxy can read it as two.
pub(super) fn is_sound(name: &str, value: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !name.is_empty()
        && name.bytes().all(token)
        && value.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Which of `length` headers are named by `indices`; `None` when one is out of range.
fn mask(length: usize, indices: &[usize]) -> Option<Vec<bool>> {
    let mut mask = vec![false; length];
    for index in indices {
        *mask.get_mut(*index)? = true;
    }
    Some(mask)
}
