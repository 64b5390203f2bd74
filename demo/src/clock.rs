//! The real clock, for a real Envoy.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::bail;

use crate::interrupt;

const PAUSE: Duration = Duration::from_millis(5);

/// Seconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "tokens are checked against the real time")]
pub fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    elapsed.as_secs().cast_signed()
}

/// The moment so many days from now, as policies write it.
///
/// # Errors
///
/// There is no such day.
pub(crate) fn day(offset: i64) -> anyhow::Result<String> {
    let seconds = now().saturating_add(offset.saturating_mul(86_400));
    Ok(jiff::Timestamp::from_second(seconds)?.to_string())
}

/// Asks again and again until there is an answer; tells how long that took.
///
/// # Errors
///
/// The `probe`'s own error, an interruption, or `within` passing without an answer.
#[expect(clippy::disallowed_methods, reason = "another process is waited for")]
pub fn wait_for<T>(
    what: &str,
    within: Duration,
    mut probe: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<(T, Duration)> {
    let start = Instant::now();
    loop {
        if let Some(answer) = probe()? {
            return Ok((answer, start.elapsed()));
        }
        if start.elapsed() > within {
            bail!("{what}: nothing within {} s", within.as_secs());
        }
        interrupt::check()?;
        thread::sleep(PAUSE);
    }
}
