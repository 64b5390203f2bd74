//! What operators and functions make of values.

use std::cmp::Ordering;

use super::eval::Failure;
use super::node::{Arithmetic, Unary};
use super::time;
use super::value::Value;

/// How two numbers compare, whole or not; not at all if one is no number.
pub(super) fn numbers(one: Value<'_>, two: Value<'_>) -> Option<Ordering> {
    match (one, two) {
        (Value::Int(one), Value::Int(two)) => Some(one.cmp(&two)),
        (Value::Double(one), Value::Double(two)) => one.partial_cmp(&two),
        (Value::Int(one), Value::Double(two)) => whole_and_other(one, two),
        (Value::Double(one), Value::Int(two)) => whole_and_other(two, one).map(Ordering::reverse),
        _ => None,
    }
}

/// How they compare by value: a whole number is not rounded for it.
fn whole_and_other(whole: i64, other: f64) -> Option<Ordering> {
    if other.is_nan() {
        return None;
    }
    // Beyond the range of whole numbers a conversion saturates, and the truth is clear.
    let above = 9_223_372_036_854_775_808.0;
    if other >= above {
        return Some(Ordering::Less);
    }
    if other < -above {
        return Some(Ordering::Greater);
    }
    let floor = other.floor();
    Some(whole.cmp(&(floor as i64)).then(if other > floor {
        Ordering::Less
    } else {
        Ordering::Equal
    }))
}

/// What an operator makes of two values.
pub(super) fn calculate<'a>(
    arithmetic: Arithmetic,
    one: Value<'a>,
    two: Value<'a>,
) -> Result<Value<'a>, Failure> {
    use Arithmetic::{Add, Divide, Multiply, Remainder, Subtract};
    let result = match (one, two) {
        (Value::Int(_), Value::Int(0)) if matches!(arithmetic, Divide | Remainder) => {
            return Err(Failure::DividedByZero);
        }
        (Value::Int(one), Value::Int(two)) => match arithmetic {
            Add => one.checked_add(two),
            Subtract => one.checked_sub(two),
            Multiply => one.checked_mul(two),
            Divide => one.checked_div(two),
            Remainder => one.checked_rem(two),
        }
        .map(Value::Int),
        (Value::Double(one), Value::Double(two)) => Some(Value::Double(match arithmetic {
            Add => one + two,
            Subtract => one - two,
            Multiply => one * two,
            Divide => one / two,
            Remainder => return Err(Failure::Mistyped),
        })),
        (Value::Duration(one), Value::Duration(two)) => match arithmetic {
            Add => one.checked_add(two),
            Subtract => one.checked_sub(two),
            Multiply | Divide | Remainder => return Err(Failure::Mistyped),
        }
        .map(Value::Duration),
        (Value::Timestamp(moment), Value::Duration(span)) => match arithmetic {
            Add => time::within(i128::from(moment).saturating_add(i128::from(span))),
            Subtract => time::within(i128::from(moment).saturating_sub(i128::from(span))),
            Multiply | Divide | Remainder => return Err(Failure::Mistyped),
        }
        .map(Value::Timestamp),
        (Value::Duration(span), Value::Timestamp(moment)) if matches!(arithmetic, Add) => {
            time::within(i128::from(moment).saturating_add(i128::from(span))).map(Value::Timestamp)
        }
        (Value::Timestamp(one), Value::Timestamp(two)) if matches!(arithmetic, Subtract) => {
            let span = i128::from(one).saturating_sub(i128::from(two));
            i64::try_from(span).ok().map(Value::Duration)
        }
        _ => return Err(Failure::Mistyped),
    };
    result.ok_or(Failure::Overflow)
}

/// What a function makes of a value.
pub(super) fn call(function: Unary, of: Value<'_>) -> Result<Value<'_>, Failure> {
    let size = |size: usize| Value::Int(i64::try_from(size).unwrap_or(i64::MAX));
    Ok(match (function, of) {
        (Unary::Size, Value::Text(text)) => size(text.chars().count()),
        (Unary::Size, Value::List(list)) => size(list.len()),
        (Unary::Size, Value::Map(map)) => size(map.len()),
        (Unary::Int, Value::Int(_))
        | (Unary::Double, Value::Double(_))
        | (Unary::Timestamp, Value::Timestamp(_))
        | (Unary::Duration, Value::Duration(_)) => of,
        (Unary::Int, Value::Double(number)) => {
            // The ends are open: they are beyond what is rounded to them.
            let is_held =
                number > -9_223_372_036_854_775_808.0 && number < 9_223_372_036_854_775_808.0;
            if !is_held {
                return Err(Failure::Overflow);
            }
            Value::Int(number as i64)
        }
        (Unary::Int, Value::Timestamp(moment)) => Value::Int(moment.seconds()),
        (Unary::Double, Value::Int(number)) => Value::Double(number as f64),
        (Unary::Timestamp, Value::Text(text)) => {
            Value::Timestamp(time::timestamp(text).ok_or(Failure::Unreadable)?)
        }
        (Unary::Timestamp, Value::Int(seconds)) => {
            Value::Timestamp(time::of_seconds(seconds).ok_or(Failure::Overflow)?)
        }
        (Unary::Duration, Value::Text(text)) => {
            Value::Duration(time::duration(text).ok_or(Failure::Unreadable)?)
        }
        (Unary::Hours, Value::Timestamp(moment)) => Value::Int(time::second_of_day(moment) / 3_600),
        (Unary::Minutes, Value::Timestamp(moment)) => {
            Value::Int(time::second_of_day(moment) / 60 % 60)
        }
        (Unary::DayOfWeek, Value::Timestamp(moment)) => Value::Int(time::day_of_week(moment)),
        _ => return Err(Failure::Mistyped),
    })
}
