//! Timestamps as records carry them.

use crate::host::Timestamp;

/// Writes `time` as RFC 3339 in UTC, to the millisecond.
pub(super) fn write(out: &mut String, time: Timestamp) {
    let millis = time.as_nanos() / 1_000_000;
    let (seconds, millis) = (millis / 1_000, narrow(millis % 1_000));
    let (days, second) = (narrow(seconds / 86_400), narrow(seconds % 86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let mut text = *b"yyyy-mm-ddThh:mm:ss.mmmZ";
    let numbers = [year / 100, year % 100, month, day, hour, minute, second, millis / 10];
    for (at, number) in [0_usize, 2, 5, 8, 11, 14, 17, 20].into_iter().zip(numbers) {
        if let Some([tens, ones]) = text.get_mut(at..at.saturating_add(2)) {
            (*tens, *ones) = (digit(number / 10), digit(number));
        }
    }
    if let Some(last) = text.get_mut(22) {
        *last = digit(millis);
    }
    // INVARIANT: digits and what stands between them, so text.
    out.push_str(str::from_utf8(&text).unwrap_or_default());
}

/// The last decimal digit of `number`.
fn digit(number: u32) -> u8 {
    u8::try_from(number % 10).unwrap_or_default().saturating_add(b'0')
}

/// What is surely less than 2³², as that.
fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar. Counts
/// from 0000-03-01, so that the leap day is the last of its year; `Timestamp` ends in 2554.
fn civil(days: u32) -> (u32, u32, u32) {
    let days = days.saturating_add(719_468);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leap_days = day_of_era / 1_460 + day_of_era / 146_096;
    let year_of_era =
        day_of_era.saturating_sub(leap_days).saturating_add(day_of_era / 36_524) / 365;
    let before = (365 * year_of_era + year_of_era / 4).saturating_sub(year_of_era / 100);
    let day_of_year = day_of_era.saturating_sub(before);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year.saturating_sub((153 * shifted + 2) / 5).saturating_add(1);
    let month = if shifted < 10 { shifted + 3 } else { shifted.saturating_sub(9) };
    (year_of_era + era * 400 + u32::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_moments_read_as_they_should() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_000_000_000, "2001-09-09T01:46:40.000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            let mut out = String::new();
            write(&mut out, Timestamp::from_secs(seconds));
            assert_eq!(out, text);
        }
    }

    #[test]
    fn every_day_for_five_centuries_follows_the_one_before() {
        let mut last = civil(0);
        for day in 1..213_000 {
            let next = civil(day);
            let (year, month, date) = last;
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            let expected = match (month, date) {
                (12, 31) => (year + 1, 1, 1),
                (_, date) if date == length => (year, month + 1, 1),
                _ => (year, month, date + 1),
            };
            assert_eq!(next, expected);
            last = next;
        }
    }
}
