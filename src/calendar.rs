//! Days and the numbers that they are written with.

/// Numbers of so many digits each.
pub(crate) fn numbers<const N: usize>(
    text: &str,
    between: char,
    digits: [usize; N],
) -> Option<[i64; N]> {
    let mut parts = text.split(between);
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next()?;
        let is_right = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = part.parse().ok().filter(|_| is_right)?;
    }
    parts.next().is_none().then_some(numbers)
}

/// How many days a month has; a month that is none has no day.
pub(crate) const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 0,
    }
}

/// Days of the Gregorian calendar, counted in years that begin in March: the leap day is their last.
pub(crate) const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let before = (153 * ((month + 9) % 12) + 2) / 5;
    365 * year + year / 4 - year / 100 + year / 400 + before + day - 1 - 719_468
}
