//! A moment as a policy writes it: `2026-11-01T00:00:00Z`, or a day for its beginning.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Visitor};

use crate::calendar::{days_in, days_since_1970, numbers};

const EXPECTED: &str = "a moment in UTC such as `2026-11-01T00:00:00Z`, or a day";

const DAY_SECS: i64 = 86_400;

/// A moment from 1970 to 9999, in whole seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    /// Seconds since the Unix epoch.
    pub const fn as_secs(self) -> i64 {
        self.0
    }
}

impl FromStr for Moment {
    type Err = InvalidMoment;

    /// The form of RFC 3339 with a `Z` and whole seconds, or its date alone: one way to write a
    /// moment, and none in which a reader has to know a time zone.
    fn from_str(text: &str) -> Result<Self, InvalidMoment> {
        let (date, time) = match text.split_once('T') {
            Some((date, time)) => (date, time.strip_suffix('Z').ok_or(InvalidMoment)?),
            None => (text, "00:00:00"),
        };
        let [year, month, day] = numbers(date, '-', [4, 2, 2]).ok_or(InvalidMoment)?;
        let [hour, minute, second] = numbers(time, ':', [2, 2, 2]).ok_or(InvalidMoment)?;
        let is_date = year >= 1970 && (1..=days_in(year, month)).contains(&day);
        if !is_date || hour > 23 || minute > 59 || second > 59 {
            return Err(InvalidMoment);
        }
        let time = (hour * 60 + minute) * 60 + second;
        Ok(Self(days_since_1970(year, month, day) * DAY_SECS + time))
    }
}

/// The text is no moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidMoment;

impl fmt::Display for InvalidMoment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {EXPECTED}")
    }
}

impl std::error::Error for InvalidMoment {}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Moment;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Moment, E> {
                text.parse().map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        reader.deserialize_str(Text)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Moment {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?$",
            "description": "A moment in UTC: `2026-11-01T00:00:00Z`, or `2026-11-01` for its beginning."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_to_the_second_and_a_day_from_its_beginning() {
        for (text, seconds) in [
            ("1970-01-01", 0),
            ("1970-01-01T00:00:01Z", 1),
            ("2000-02-29T00:00:00Z", 951_782_400),
            ("2001-09-09T01:46:40Z", 1_000_000_000),
            ("2024-12-31T23:59:59Z", 1_735_689_599),
            ("2100-03-01", 4_107_542_400),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(text.parse(), Ok(Moment(seconds)), "{text}");
        }
    }

    #[test]
    fn each_day_comes_a_day_after_the_one_before() {
        let mut last = -DAY_SECS;
        for (year, month) in (1970..2420).flat_map(|year| (1..=12).map(move |month| (year, month)))
        {
            for day in 1..=days_in(year, month) {
                let Moment(next) = format!("{year}-{month:02}-{day:02}").parse().unwrap();
                assert_eq!(next, last + DAY_SECS, "{year}-{month}-{day}");
                last = next;
            }
        }
    }

    #[test]
    fn what_is_no_moment_or_can_be_read_in_two_ways_is_refused() {
        for text in [
            "",
            "now",
            "1969-12-31",
            "2026-1-1",
            "2026-00-01",
            "2026-13-01",
            "2026-02-29",
            "2026-04-31",
            "2026-11-00",
            "2026-11-01T",
            "2026-11-01T00:00Z",
            "2026-11-01T00:00:00",
            "2026-11-01t00:00:00z",
            "2026-11-01 00:00:00Z",
            "2026-11-01T24:00:00Z",
            "2026-11-01T00:60:00Z",
            "2026-11-01T00:00:60Z",
            "2026-11-01T00:00:00.5Z",
            "2026-11-01T00:00:00+01:00",
            "2026-11-01T00:00:00:00Z",
            "+026-11-01",
            "20261-11-01",
        ] {
            assert_eq!(text.parse::<Moment>(), Err(InvalidMoment), "{text}");
        }
    }
}
