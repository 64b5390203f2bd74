//! The one way in which a number is kept, whoever read it.
//!
//! `google.protobuf.Struct` has only doubles, so the same policy can say `1` in YAML, `1.0` in
//! JSON and a double on the wire. A whole number is kept as an integer, and one beyond what a
//! double counts exactly is refused, for there two readers no longer see the same (RFC 7493 §2.2).

use serde_json::{Number, Value};

use crate::policy::problem::Problem;

/// The largest whole number that every reader sees alike: 2^53 − 1.
const MAX_WHOLE: f64 = 9_007_199_254_740_991.0;

/// `number` as it is kept.
///
/// # Errors
///
/// For what is no number or beyond ±(2^53 − 1): every double from there on is whole.
pub(super) fn number(number: f64) -> Result<Number, Problem> {
    if number.is_nan() || number.abs() > MAX_WHOLE {
        return Err(Problem::new("expected a number within ±9007199254740991"));
    }
    if number.fract() == 0.0 {
        return Ok(Number::from(number as i64));
    }
    Number::from_f64(number).ok_or_else(|| Problem::new("expected a finite number"))
}

/// Brings every number of `value` into the form in which it is kept.
///
/// # Errors
///
/// The first number that is out of range.
pub(super) fn settle(value: &mut Value) -> Result<(), Problem> {
    match value {
        Value::Number(kept) => {
            // Where an integer does not fit a double, the double is out of range as well.
            *kept = number(kept.as_f64().unwrap_or(f64::NAN))?;
            Ok(())
        }
        Value::Array(elements) => elements
            .iter_mut()
            .enumerate()
            .try_for_each(|(index, element)| settle(element).map_err(|p| p.under(index))),
        Value::Object(members) => members
            .iter_mut()
            .try_for_each(|(key, member)| settle(member).map_err(|p| p.under(key.as_str()))),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_numbers_are_integers_whoever_wrote_them() {
        let mut value = json!([1.0, -0.0, 1e3, 0.5, -9007199254740991_i64]);
        settle(&mut value).unwrap();
        assert_eq!(value, json!([1, 0, 1000, 0.5, -9007199254740991_i64]));
    }

    #[test]
    fn numbers_that_readers_see_differently_are_refused() {
        for odd in [json!(9007199254740992_u64), json!(u64::MAX), json!(i64::MIN), json!(1e300)] {
            let problem = settle(&mut json!({ "a": [odd] })).unwrap_err();
            assert_eq!(problem.to_string(), "a[0]: expected a number within ±9007199254740991");
        }
        assert!(number(f64::NAN).is_err());
        assert!(number(f64::NEG_INFINITY).is_err());
    }
}
