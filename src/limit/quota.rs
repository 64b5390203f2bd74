//! How much in an hour, a day or a month: `10000/day`.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use super::Period;

/// A number of units for each window of the calendar, written `500/hour`, `10000/day` or `1000000/month`.
///
/// ```
/// use postern::limit::{Period, Quota};
///
/// let quota: Quota = "10000/day".parse()?;
/// assert_eq!((quota.units.get(), quota.period), (10_000, Period::Day));
/// # Ok::<(), postern::limit::InvalidQuota>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Units in a window.
    pub units: NonZeroU32,
    /// How long a window is.
    pub period: Period,
}

impl FromStr for Quota {
    type Err = InvalidQuota;

    fn from_str(text: &str) -> Result<Self, InvalidQuota> {
        let read = || {
            let (units, period) = text.split_once('/')?;
            let period = match period {
                "h" | "hour" => Period::Hour,
                "d" | "day" => Period::Day,
                "month" => Period::Month,
                _ => return None,
            };
            let is_number = units.bytes().all(|byte| byte.is_ascii_digit());
            Some(Self { units: units.parse().ok().filter(|_| is_number)?, period })
        };
        read().ok_or_else(|| InvalidQuota(text.to_owned()))
    }
}

/// The text that is no [`Quota`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidQuota(String);

impl fmt::Display for InvalidQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a quota: expected a number from 1 to {} for an `hour`, a `day` or a `month`, \
             such as `10000/day`",
            self.0,
            u32::MAX
        )
    }
}

impl std::error::Error for InvalidQuota {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_read_exactly_or_not_at_all() {
        for (text, units) in [("1/h", 1), ("10000/day", 10_000), ("4294967295/month", u32::MAX)] {
            assert_eq!(text.parse::<Quota>().map(|quota| quota.units.get()), Ok(units), "{text}");
        }
        for text in
            ["", "/day", "0/day", "+1/day", "1/2d", "1/week", "4294967296/day", "1", "1 /day"]
        {
            assert!(text.parse::<Quota>().is_err(), "{text}");
        }
    }
}
