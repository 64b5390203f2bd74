//! Buffers a proxy fills for us: it asks for memory, writes into it, and names it in its answer.
//!
//! Each stays an owned `Vec` all the while, so that an answer naming memory that was never asked
//! for is an error and not undefined behaviour.

use std::cell::RefCell;

/// Bytes of the largest buffer: a policy, a header map or a stored value.
pub(super) const MAX_BUFFER: usize = 4 * 1024 * 1024;

/// Buffers asked for during one call of the proxy; every call needs one.
const MAX_HELD: usize = 4;

thread_local! {
    static HELD: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Memory for the proxy to write into: null when it asks for too much.
pub(super) fn allocate(size: usize) -> *mut u8 {
    HELD.with(|held| {
        let Ok(mut held) = held.try_borrow_mut() else { return std::ptr::null_mut() };
        if size > MAX_BUFFER || held.len() >= MAX_HELD {
            return std::ptr::null_mut();
        }
        let mut buffer = vec![0; size.max(1)];
        let data = buffer.as_mut_ptr();
        held.push(buffer);
        data
    })
}

/// The buffer at `data`, cut to `size`, and nothing held any more; a null `data` or a `size` of
/// nothing is an empty buffer, and memory the proxy did not ask for is `None`.
pub(super) fn claim(data: *const u8, size: usize) -> Option<Vec<u8>> {
    HELD.with(|held| {
        let mut held = held.try_borrow_mut().ok()?;
        let found = held.iter().position(|buffer| std::ptr::eq(buffer.as_ptr(), data));
        let found = found.map(|at| held.swap_remove(at));
        held.clear();
        if data.is_null() || size == 0 {
            return Some(Vec::new());
        }
        let mut buffer = found.filter(|buffer| buffer.len() >= size)?;
        buffer.truncate(size);
        Some(buffer)
    })
}
