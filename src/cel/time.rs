//! Moments and spans of time as the language writes them.

use super::value::Moment;
use crate::calendar::{days_in, days_since_1970, numbers};

const NANOS: i128 = 1_000_000_000;

/// The first and the last moment of the language: the years 1 to 9999.
const SPAN: std::ops::RangeInclusive<i128> = -62_135_596_800 * NANOS..=253_402_300_799_999_999_999;

/// The moment so many nanoseconds after the Unix epoch, if the language has it.
pub(super) fn within(nanos: i128) -> Option<Moment> {
    let is_there = SPAN.contains(&nanos);
    let seconds = i64::try_from(nanos.div_euclid(NANOS)).ok().filter(|_| is_there)?;
    Some(Moment::new(seconds, u32::try_from(nanos.rem_euclid(NANOS)).ok()?))
}

/// The moment of a number of seconds since the Unix epoch.
pub(super) fn of_seconds(seconds: i64) -> Option<Moment> {
    within(i128::from(seconds) * NANOS)
}

/// Seconds since midnight, in UTC.
pub(super) fn second_of_day(moment: Moment) -> i64 {
    moment.seconds().rem_euclid(86_400)
}

/// The day of the week in UTC, Sunday being 0. The epoch was a Thursday.
pub(super) fn day_of_week(moment: Moment) -> i64 {
    moment.seconds().div_euclid(86_400).saturating_add(4).rem_euclid(7)
}

/// The moment of a text in the form of RFC 3339.
pub(super) fn timestamp(text: &str) -> Option<Moment> {
    let (date, time) = text.split_once('T')?;
    let split = time.find(['Z', '+', '-'])?;
    let (time, zone) = time.split_at_checked(split)?;
    let (time, fraction) = match time.split_once('.') {
        Some((time, fraction)) => (time, nanos(fraction)?),
        None => (time, 0),
    };
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let is_right = (1..=days_in(year, month)).contains(&day)
        && year >= 1
        && hour <= 23
        && minute <= 59
        && second <= 59;
    if !is_right {
        return None;
    }
    let seconds = ((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    within((i128::from(seconds) - i128::from(offset(zone)?)) * NANOS + i128::from(fraction))
}

/// The seconds that `zone` is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, time) = match (zone.strip_prefix('+'), zone.strip_prefix('-')) {
        (Some(time), _) => (1, time),
        (None, Some(time)) => (-1, time),
        (None, None) => return None,
    };
    let [hours, minutes] = numbers(time, ':', [2, 2])?;
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * 60)
}

/// The nanoseconds of a fraction of a second, of 1 to 9 digits.
fn nanos(digits: &str) -> Option<i64> {
    let is_right = (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let number: i64 = digits.parse().ok().filter(|_| is_right)?;
    Some((digits.len()..9).fold(number, |number, _| number * 10))
}

/// Nanoseconds, of a text such as `1h30m`, `-1.5s` or `0`.
pub(super) fn duration(text: &str) -> Option<i64> {
    let (sign, mut rest) = match (text.strip_prefix('-'), text.strip_prefix('+')) {
        (Some(rest), _) => (-1_i128, rest),
        (None, Some(rest)) => (1, rest),
        (None, None) => (1, text),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut sum = 0_i128;
    let mut parts = 0_usize;
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit())?;
        let (whole, after) = rest.split_at_checked(digits)?;
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => {
                let digits = after.find(|char: char| !char.is_ascii_digit())?;
                after.split_at_checked(digits)?
            }
            None => ("", after),
        };
        let unit = after.find(|char: char| char.is_ascii_digit() || char == '.');
        let (unit, after) = after.split_at_checked(unit.unwrap_or(after.len()))?;
        let unit: i128 = match unit {
            "h" => 3_600 * NANOS,
            "m" => 60 * NANOS,
            "s" => NANOS,
            "ms" => 1_000_000,
            "us" | "µs" | "μs" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        let is_right =
            whole.len() <= 19 && fraction.len() <= 18 && whole.len() + fraction.len() > 0;
        if !is_right {
            return None;
        }
        let number =
            |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<i128>().ok() };
        let parts_of_one = (0..fraction.len()).fold(1_i128, |parts, _| parts * 10);
        sum = sum.checked_add(number(whole)?.checked_mul(unit)?)?;
        sum = sum.checked_add(number(fraction)?.checked_mul(unit)? / parts_of_one)?;
        rest = after;
        parts = parts.saturating_add(1);
    }
    if parts == 0 { None } else { i64::try_from(sign * sum).ok() }
}
