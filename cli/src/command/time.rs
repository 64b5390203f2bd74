//! Moments as people write and read them.

use std::fmt;
use std::str::FromStr;

use anyhow::bail;
use serde::{Serialize, Serializer};

/// A moment, in whole seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(i64);

impl Moment {
    /// The time of day. The command is the host here, and this is its clock.
    pub(super) fn now() -> Self {
        Self(jiff::Timestamp::now().as_second())
    }

    pub(super) const fn from_secs(seconds: i64) -> Self {
        Self(seconds)
    }

    pub(super) const fn as_secs(self) -> i64 {
        self.0
    }

    /// How far off it is at `now`: `in 5m`, `2h 3m ago`.
    pub(super) fn seen_from(self, now: Self) -> String {
        let seconds = self.0.saturating_sub(now.0);
        match seconds {
            0 => "now".to_owned(),
            1.. => format!("in {}", span(seconds.unsigned_abs())),
            _ => format!("{} ago", span(seconds.unsigned_abs())),
        }
    }
}

/// RFC 3339 in UTC, as far as that goes.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "{} s", self.0),
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        writer.collect_str(self)
    }
}

impl FromStr for Moment {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let seconds = match text.parse::<i64>() {
            Ok(seconds) => seconds,
            Err(_) => match text.parse::<jiff::Timestamp>() {
                Ok(time) => time.as_second(),
                Err(_) => bail!("expected `2026-01-31T12:00:00Z` or seconds since 1970"),
            },
        };
        if !(0..=9_999_999_999).contains(&seconds) {
            bail!("expected a moment between 1970 and 2286");
        }
        Ok(Self(seconds))
    }
}

/// A length of time in its two largest units.
fn span(seconds: u64) -> String {
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let parts = parts.into_iter().skip_while(|(count, _)| *count == 0).take(2);
    let parts = parts.filter(|(count, _)| *count > 0);
    parts.map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_a_date_or_as_seconds() {
        for text in ["1767225600", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"] {
            assert_eq!(text.parse::<Moment>().unwrap(), Moment(1_767_225_600), "{text}");
        }
        for text in ["", "now", "2026-01-01", "-1", "99999999999999"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
        assert_eq!(Moment(1_767_225_600).to_string(), "2026-01-01T00:00:00Z");
    }

    #[test]
    fn distances_are_told_in_two_units() {
        let seen = |seconds| Moment(seconds).seen_from(Moment(1_000_000));
        assert_eq!(seen(1_000_000), "now");
        assert_eq!(seen(1_000_300), "in 5m");
        assert_eq!(seen(1_000_000 - 90_061), "1d 1h ago");
        assert_eq!(seen(1_086_401), "in 1d");
    }
}
