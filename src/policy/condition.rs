//! Conditions on a verified token: the simple forms, one claim and one test.

use serde_json::Value;

use super::problem::{Path, Problem, Problems};
use super::wire;
use crate::token::{ClaimPath, Claims};

/// One claim and one test of it.
#[derive(Clone, Debug)]
pub struct Condition {
    claim: ClaimPath,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Exists(bool),
    OneOf(Vec<Value>),
    Contains(String),
    StartsWith(String),
}

impl Condition {
    /// Reads a condition; what is wrong goes to `problems`.
    pub(super) fn compile(
        written: wire::Condition,
        here: &Path,
        problems: &mut Problems,
    ) -> Option<Self> {
        let wire::Condition { claim, exists, equals, one_of, contains, starts_with } = written;
        let claim = claim
            .parse()
            .map_err(|error| {
                problems.add(Problem::new(format!("{error}")).at(here.join("claim")));
            })
            .ok();
        let test = match (exists, equals, one_of, contains, starts_with) {
            (Some(exists), None, None, None, None) => Some(Test::Exists(exists)),
            (None, Some(value), None, None, None) => Some(Test::OneOf(vec![value])),
            (None, None, Some(values), None, None) => Some(Test::OneOf(values)),
            (None, None, None, Some(part), None) => Some(Test::Contains(part)),
            (None, None, None, None, Some(start)) => Some(Test::StartsWith(start)),
            _ => None,
        };
        let Some(test) = test else {
            problems.add(
                Problem::new(
                    "expected exactly one of `exists`, `equals`, `in`, `contains` and `starts_with`",
                )
                .at(here.clone()),
            );
            return None;
        };
        if matches!(&test, Test::Contains(part) if part.is_empty()) {
            let message = "expected what the claim contains, and not nothing";
            problems.add(Problem::new(message).at(here.join("contains")));
        }
        if matches!(&test, Test::StartsWith(start) if start.is_empty()) {
            let message = "expected what the claim begins with, and not nothing";
            problems.add(Problem::new(message).at(here.join("starts_with")));
        }
        if let Test::OneOf(values) = &test {
            if values.is_empty() {
                problems.add(Problem::new("an empty list holds for nobody").at(here.join("in")));
            }
            if values.iter().any(|value| value.is_null() || value.is_array() || value.is_object()) {
                let message = "a claim is compared with a string, a number or a boolean";
                problems.add(Problem::new(message).at(here.clone()));
            }
        }
        Some(Self { claim: claim?, test })
    }

    /// Reads a list of conditions.
    pub(super) fn compile_all(
        written: Vec<wire::Condition>,
        here: &Path,
        problems: &mut Problems,
    ) -> Vec<Self> {
        let numbered = written.into_iter().enumerate();
        numbered.filter_map(|(n, one)| Self::compile(one, &here.join(n), problems)).collect()
    }

    /// Whether it holds of `claims`. A claim that is missing or `null` satisfies no test but
    /// `exists: false`.
    pub fn holds(&self, claims: &Claims) -> bool {
        let value = claims.get(&self.claim).filter(|value| !value.is_null());
        match (&self.test, value) {
            (Test::Exists(wanted), value) => *wanted == value.is_some(),
            (_, None) => false,
            (Test::OneOf(values), Some(value)) => values.iter().any(|one| equal(one, value)),
            (Test::Contains(part), Some(Value::Array(list))) => {
                list.iter().any(|element| element.as_str() == Some(part))
            }
            (Test::Contains(part), Some(Value::String(text))) => {
                text.split(' ').any(|word| word == part)
            }
            (Test::StartsWith(start), Some(Value::String(text))) => text.starts_with(start),
            (Test::Contains(_) | Test::StartsWith(_), Some(_)) => false,
        }
    }
}

/// Equality of scalars: numbers by value, so that `1` is `1.0`.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || (left.is_f64() || right.is_f64()) && left.as_f64() == right.as_f64()
        }
        _ => left == right,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::equal;

    #[test]
    fn numbers_are_equal_by_value_and_whole_ones_exactly() {
        for (left, right) in
            [(json!(1), json!(1.0)), (json!(-1), json!(-1.0)), (json!(0), json!(-0.0))]
        {
            assert!(equal(&left, &right) && equal(&right, &left), "{left} {right}");
        }
        for (left, right) in [
            (json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992_u64)),
            (json!(-9_007_199_254_740_993_i64), json!(-9_007_199_254_740_992_i64)),
            (json!(1), json!(true)),
            (json!(1), json!("1")),
        ] {
            assert!(!equal(&left, &right), "{left} {right}");
        }
    }
}
