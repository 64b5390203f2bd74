//! Ctrl-C as an error like any other, so that everything is stopped on the way out.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::bail;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C, SIGTERM and SIGHUP make [`check`] fail instead of ending the process.
///
/// # Errors
///
/// The signals cannot be caught, or are already.
pub fn catch() -> anyhow::Result<()> {
    Ok(ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed))?)
}

/// Fails once somebody wants the process to end.
///
/// # Errors
///
/// Somebody wants it to end.
pub fn check() -> anyhow::Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}
