//! What is unusual of an agent, in numbers.

use std::fmt;
use std::str::FromStr;

/// A part of a score, or the score: from 0 to 1, in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part(u16);

impl Part {
    const WHOLE: u32 = 1_000;

    /// So many thousandths; 1 where it is more.
    pub(super) const fn thousandths(thousandths: u64) -> Self {
        Self(if thousandths < Self::WHOLE as u64 { thousandths as u16 } else { Self::WHOLE as u16 })
    }

    /// How much of `whole` it is; none of nothing.
    pub(super) fn of(part: u32, whole: u32) -> Self {
        let thousandths = u64::from(part).saturating_mul(u64::from(Self::WHOLE));
        Self::thousandths(thousandths.checked_div(u64::from(whole)).unwrap_or_default())
    }

    /// How far `much` is above what is `usual`: 0 up to that, 1 at [`super::ALARM`] times as much, a third
    /// for each time that it is doubled, and in between in proportion.
    pub(super) fn above(much: u32, usual: u32) -> Self {
        let (much, usual) = (u64::from(much), u64::from(usual.max(1)));
        let doublings = u64::from((much / usual).checked_ilog2().unwrap_or_default());
        let rest = Self::WHOLE as u64 * much / (usual << doublings.min(32));
        let rest = rest.saturating_sub(Self::WHOLE.into());
        let most = u64::from(super::ALARM.ilog2());
        Self::thousandths((doublings * u64::from(Self::WHOLE) + rest) / most)
    }

    /// From 0 to 1.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / f64::from(Self::WHOLE)
    }

    const fn rest(self) -> u64 {
        (Self::WHOLE as u64).saturating_sub(self.0 as u64)
    }
}

impl fmt::Display for Part {
    /// As JSON has it, and with three digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", u32::from(self.0) / Self::WHOLE, u32::from(self.0) % Self::WHOLE)
    }
}

impl FromStr for Part {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let number = text.parse::<f64>().ok().filter(|number| (0.0..=1.0).contains(number));
        let number = number.ok_or("expected a number from 0 to 1")?;
        Ok(Self((number * f64::from(Self::WHOLE)).round() as u16))
    }
}

/// What is unusual of an agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scores {
    /// Whether it has been seen for long enough to know what is usual of it. While it has not, `rate`
    /// and `novelty` are 0.
    pub known: bool,
    /// It calls more often.
    pub rate: Part,
    /// It uses operations that it never used.
    pub novelty: Part,
    /// It does what it may not, or what the backend refuses.
    pub failures: Part,
    /// It calls from more networks.
    pub sources: Part,
}

impl Scores {
    /// What they come to together.
    pub fn score(&self) -> Part {
        let parts = [self.rate, self.novelty, self.failures, self.sources];
        let none = parts.into_iter().fold(1_000_u64, |odds, part| odds * part.rest() / 1_000);
        Part::thousandths(1_000_u64.saturating_sub(none))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_doubling_is_a_third_and_nothing_is_more_than_one() {
        for (much, usual, part) in [
            (0, 10, "0.000"),
            (10, 10, "0.000"),
            (15, 10, "0.166"),
            (20, 10, "0.333"),
            (30, 10, "0.500"),
            (40, 10, "0.666"),
            (80, 10, "1.000"),
            (u32::MAX, 1, "1.000"),
            (u32::MAX, 0, "1.000"),
            (1, u32::MAX, "0.000"),
            (u32::MAX, u32::MAX, "0.000"),
        ] {
            assert_eq!(Part::above(much, usual).to_string(), part, "{much} of {usual}");
        }
        assert_eq!(Part::of(5, 20).to_string(), "0.250");
        assert_eq!(Part::of(u32::MAX, 1).to_string(), "1.000");
        assert_eq!(Part::of(1, 0).to_string(), "0.000");
    }

    #[test]
    fn two_half_parts_are_three_quarters() {
        let half: Part = "0.5".parse().unwrap();
        let scores = Scores { rate: half, sources: half, ..Scores::default() };
        assert_eq!(scores.score().to_string(), "0.750");
        assert_eq!(Scores::default().score().as_f64(), 0.0);
        let one = Scores { novelty: "1".parse().unwrap(), failures: half, ..Scores::default() };
        assert_eq!(one.score().as_f64(), 1.0);
    }

    #[test]
    fn a_part_is_a_number_from_0_to_1() {
        for text in ["1.1", "-0.1", "NaN", "inf", "", "x"] {
            assert!(text.parse::<Part>().is_err(), "{text}");
        }
        assert_eq!("0.9996".parse::<Part>().unwrap().to_string(), "1.000");
    }
}
