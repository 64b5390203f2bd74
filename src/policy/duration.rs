//! A length of time as a policy writes it: `30s`, `5m`, `1h`, `7d`.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Visitor};

/// Whole seconds, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(u32);

impl Seconds {
    /// This many seconds.
    pub const fn new(seconds: u32) -> Self {
        Self(seconds)
    }

    /// The number of seconds.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl FromStr for Seconds {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        let units = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];
        let (digits, unit) = units
            .into_iter()
            .find_map(|(letter, unit)| Some((text.strip_suffix(letter)?, unit)))
            .ok_or(InvalidDuration)?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidDuration);
        }
        let count: u32 = digits.parse().map_err(|_| InvalidDuration)?;
        match count.checked_mul(unit) {
            None | Some(0) => Err(InvalidDuration),
            Some(seconds) => Ok(Self(seconds)),
        }
    }
}

/// The text is no length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidDuration;

impl fmt::Display for InvalidDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a duration such as `30s`, `5m`, `1h` or `7d`")
    }
}

impl std::error::Error for InvalidDuration {}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Seconds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as `30s`, `5m`, `1h` or `7d`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Seconds, E> {
                text.parse().map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        reader.deserialize_str(Text)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Seconds {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[0-9]+[smhd]$",
            "description": "A length of time: `30s`, `5m`, `1h`, `7d`."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_counts_its_seconds() {
        for (text, seconds) in [("30s", 30), ("5m", 300), ("1h", 3_600), ("7d", 604_800)] {
            assert_eq!(text.parse(), Ok(Seconds(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_or_none_at_all_is_refused() {
        for text in ["", "s", "30", "0s", "-1s", "+1s", "1.5h", "1 h", "1w", "99999999d"] {
            assert_eq!(text.parse::<Seconds>(), Err(InvalidDuration), "{text}");
        }
    }
}
