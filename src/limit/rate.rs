//! How often: `60/min`, `100/10s`.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _};

/// The longest period a rate may be over: 365 days.
pub const MAX_PERIOD_SECS: u32 = 365 * DAY;

/// A number of units per period, written `60/min` or `100/10s`.
///
/// ```
/// use postern::limit::Rate;
///
/// let rate: Rate = "60/1min".parse()?;
/// assert_eq!((rate.quota().get(), rate.period_secs().get()), (60, 60));
/// assert_eq!(rate.to_string(), "60/min");
/// # Ok::<(), postern::limit::InvalidRate>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    quota: NonZeroU32,
    period_secs: NonZeroU32,
}

impl Rate {
    /// `1/s`.
    pub const ONE_A_SECOND: Self = Self { quota: NonZeroU32::MIN, period_secs: NonZeroU32::MIN };

    /// Units per period.
    pub const fn quota(self) -> NonZeroU32 {
        self.quota
    }

    /// The period in seconds, at most [`MAX_PERIOD_SECS`].
    pub const fn period_secs(self) -> NonZeroU32 {
        self.period_secs
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;

    /// Reads `COUNT/UNIT` or `COUNT/NUMBER UNIT` without spaces.
    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let invalid = |problem| InvalidRate { text: text.to_owned(), problem };
        let (quota, period) = text.split_once('/').ok_or_else(|| invalid(Problem::Shape))?;
        let unit = period.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = period.strip_suffix(unit).unwrap_or_default();

        let quota = count(quota).map_err(invalid)?;
        let number =
            if number.is_empty() { NonZeroU32::MIN } else { count(number).map_err(invalid)? };
        let unit = seconds_in(unit).ok_or_else(|| invalid(Problem::Unit))?;
        let period_secs = number
            .checked_mul(unit)
            .filter(|period| period.get() <= MAX_PERIOD_SECS)
            .ok_or_else(|| invalid(Problem::Period))?;
        Ok(Self { quota, period_secs })
    }
}

impl fmt::Display for Rate {
    /// In the largest unit that divides the period.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let period = self.period_secs.get();
        let (unit, seconds) = [("d", DAY), ("h", HOUR), ("min", MINUTE)]
            .into_iter()
            .find(|(_, seconds)| period.is_multiple_of(*seconds))
            .unwrap_or(("s", 1));
        match period / seconds {
            1 => write!(f, "{}/{unit}", self.quota),
            number => write!(f, "{}/{number}{unit}", self.quota),
        }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        String::deserialize(reader)?.parse().map_err(D::Error::custom)
    }
}

/// Why a text is no [`Rate`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRate {
    text: String,
    problem: Problem,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    Count,
    Period,
    Shape,
    Unit,
    Zero,
}

impl fmt::Display for InvalidRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a rate: ", self.text)?;
        f.write_str(match self.problem {
            Problem::Count => "expected whole numbers of at most 4294967295",
            Problem::Period => "expected a period of at most 365 days",
            Problem::Shape => "expected a count and a period, as in `60/min` or `100/10s`",
            Problem::Unit => "expected one of the units `s`, `min`, `h` and `d` after the `/`",
            Problem::Zero => "expected at least 1",
        })
    }
}

impl std::error::Error for InvalidRate {}

/// Digits alone: `u32` would take a `+` as well.
fn count(digits: &str) -> Result<NonZeroU32, Problem> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::Count);
    }
    let number: u32 = digits.parse().map_err(|_| Problem::Count)?;
    NonZeroU32::new(number).ok_or(Problem::Zero)
}

fn seconds_in(unit: &str) -> Option<NonZeroU32> {
    NonZeroU32::new(match unit {
        "s" | "sec" | "second" => 1,
        "m" | "min" | "minute" => MINUTE,
        "h" | "hour" => HOUR,
        "d" | "day" => DAY,
        _ => return None,
    })
}

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
const DAY: u32 = 24 * HOUR;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> (u32, u32) {
        let rate: Rate = text.parse().unwrap();
        (rate.quota().get(), rate.period_secs().get())
    }

    fn problem(text: &str) -> Problem {
        text.parse::<Rate>().unwrap_err().problem
    }

    #[test]
    fn every_unit_is_read_with_and_without_a_number() {
        for (unit, seconds) in [
            ("s", 1),
            ("sec", 1),
            ("second", 1),
            ("m", 60),
            ("min", 60),
            ("minute", 60),
            ("h", 3_600),
            ("hour", 3_600),
            ("d", 86_400),
            ("day", 86_400),
        ] {
            assert_eq!(read(&format!("60/{unit}")), (60, seconds));
            assert_eq!(read(&format!("7/10{unit}")), (7, 10 * seconds));
        }
    }

    #[test]
    fn zero_overflow_and_unknown_units_are_refused() {
        assert_eq!(problem("0/min"), Problem::Zero);
        assert_eq!(problem("1/0s"), Problem::Zero);
        assert_eq!(problem("4294967296/s"), Problem::Count);
        assert_eq!(problem("1/4294967295d"), Problem::Period);
        assert_eq!(problem("1/366d"), Problem::Period);
        assert_eq!(problem("1/fortnight"), Problem::Unit);
        assert_eq!(problem("1/MIN"), Problem::Unit);
        assert_eq!(problem("1/10"), Problem::Unit);
        assert_eq!(problem("1/"), Problem::Unit);
    }

    #[test]
    fn signs_spaces_and_fractions_are_refused() {
        for text in ["", "60", "/min", "+60/min", "-1/s", " 60/min", "60 / min", "60/min ", "1.5/s"]
        {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
        assert!("60/+1s".parse::<Rate>().is_err());
        assert!("60/1s/1s".parse::<Rate>().is_err());
        assert!("٦/s".parse::<Rate>().is_err());
    }

    #[test]
    fn an_error_shows_the_input_and_what_was_expected() {
        let error = "5/week".parse::<Rate>().unwrap_err().to_string();
        assert!(error.contains("`5/week`") && error.contains("`min`"), "{error}");
    }

    #[test]
    fn serde_reads_it_from_a_string_and_reports_the_same_error() {
        assert_eq!(serde_json::from_str::<Rate>("\"60/min\"").unwrap(), "60/min".parse().unwrap());
        let error = serde_json::from_str::<Rate>("\"60/eon\"").unwrap_err().to_string();
        assert!(error.contains("`60/eon`"), "{error}");
        assert!(serde_json::from_str::<Rate>("60").is_err());
    }

    proptest! {
        #[test]
        fn what_is_displayed_reads_back_as_the_same_rate(
            quota in 1_u32..,
            period in 1_u32..=MAX_PERIOD_SECS,
        ) {
            let rate: Rate = format!("{quota}/{period}s").parse().unwrap();
            prop_assert_eq!(rate.to_string().parse::<Rate>().unwrap(), rate);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9/a-z+ ]{0,24}|.{0,24}") {
            let _ = text.parse::<Rate>();
        }
    }
}
