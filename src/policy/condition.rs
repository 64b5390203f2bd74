//! Conditions on who is calling and what for: a test of one claim, or an expression.

use serde_json::Value;

use super::problem::{Path, Problem, Problems};
use super::vocabulary::{Scope, TOKEN, TokenOnly};
use super::wire;
use crate::cel::{self, Facts, Failure, Names, Program};
use crate::token::{ClaimPath, Claims};

/// A condition.
#[derive(Debug)]
pub struct Condition {
    test: Test,
    /// Whether it asks about the request, and not only about what a token settles.
    pub is_of_request: bool,
}

#[derive(Debug)]
enum Test {
    Claim(ClaimTest),
    Expression(Program),
}

/// One claim and one test of it.
#[derive(Clone, Debug)]
struct ClaimTest {
    claim: ClaimPath,
    is: Is,
}

#[derive(Clone, Debug)]
enum Is {
    Exists(bool),
    OneOf(Vec<Value>),
    Contains(String),
    StartsWith(String),
}

impl Condition {
    fn compile(
        written: wire::Condition,
        names: &mut dyn Names,
        here: &Path,
        problems: &mut Problems,
    ) -> Option<Self> {
        let test = match written {
            wire::Condition::Claim(written) => {
                Test::Claim(ClaimTest::compile(written, here, problems)?)
            }
            wire::Condition::Expression(source) => {
                let program = Program::compile(&source, names);
                let program = program.map_err(|invalid| problem(invalid, &source).at(here.clone()));
                Test::Expression(problems.take(program)?)
            }
        };
        Some(Self { test, is_of_request: false })
    }

    /// Reads a condition on a token alone; what is wrong goes to `problems`.
    pub(super) fn of_token(
        written: wire::Condition,
        here: &Path,
        problems: &mut Problems,
    ) -> Option<Self> {
        Self::compile(written, &mut TokenOnly, here, problems)
    }

    /// The same of each of a list.
    pub(super) fn all_of_token(
        written: Vec<wire::Condition>,
        here: &Path,
        problems: &mut Problems,
    ) -> Vec<Self> {
        let numbered = written.into_iter().enumerate();
        numbered.filter_map(|(n, one)| Self::of_token(one, &here.join(n), problems)).collect()
    }

    /// Reads a list of conditions on all that `scope` knows.
    pub(super) fn all_of(
        written: Vec<wire::Condition>,
        scope: &mut Scope<'_>,
        here: &Path,
        problems: &mut Problems,
    ) -> Vec<Self> {
        let numbered = written.into_iter().enumerate();
        let read = numbered.filter_map(|(n, one)| {
            scope.asks_request = false;
            let condition = Self::compile(one, scope, &here.join(n), problems)?;
            Some(Self { is_of_request: scope.asks_request, ..condition })
        });
        read.collect()
    }

    /// Whether it holds of a token alone. What cannot be told does not.
    pub fn holds(&self, claims: &Claims) -> bool {
        self.test(claims, &OfToken(claims)) == Ok(true)
    }

    /// Whether it holds.
    ///
    /// # Errors
    ///
    /// [`Failure`] where that cannot be told.
    pub fn test(&self, claims: &Claims, facts: &dyn Facts) -> Result<bool, Failure> {
        match &self.test {
            Test::Claim(test) => Ok(test.holds(claims)),
            Test::Expression(program) => program.holds(facts),
        }
    }
}

/// The token, and nothing else.
struct OfToken<'a>(&'a Claims);

impl Facts for OfToken<'_> {
    fn value(&self, id: u16) -> Result<cel::Value<'_>, Failure> {
        if id == TOKEN { Ok(cel::Value::Map(self.0.members())) } else { Err(Failure::Missing) }
    }
}

/// What is wrong with an expression, as a problem of the policy.
pub(super) fn problem(invalid: cel::Invalid, source: &str) -> Problem {
    let before = source.get(..invalid.at).unwrap_or(source);
    let character = before.chars().count().saturating_add(1);
    let problem = Problem::new(format!("{} (at character {character})", invalid.message));
    let problem = problem.inside(source, invalid.at);
    match invalid.help {
        Some(help) => problem.help(help),
        None => problem,
    }
}

impl ClaimTest {
    fn compile(written: wire::ClaimTest, here: &Path, problems: &mut Problems) -> Option<Self> {
        let wire::ClaimTest { claim, exists, equals, one_of, contains, starts_with } = written;
        let claim = claim
            .parse()
            .map_err(|error| {
                problems.add(Problem::new(format!("{error}")).at(here.join("claim")));
            })
            .ok();
        let test = match (exists, equals, one_of, contains, starts_with) {
            (Some(exists), None, None, None, None) => Some(Is::Exists(exists)),
            (None, Some(value), None, None, None) => Some(Is::OneOf(vec![value])),
            (None, None, Some(values), None, None) => Some(Is::OneOf(values)),
            (None, None, None, Some(part), None) => Some(Is::Contains(part)),
            (None, None, None, None, Some(start)) => Some(Is::StartsWith(start)),
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
        if matches!(&test, Is::Contains(part) if part.is_empty()) {
            let message = "expected what the claim contains, and not nothing";
            problems.add(Problem::new(message).at(here.join("contains")));
        }
        if matches!(&test, Is::StartsWith(start) if start.is_empty()) {
            let message = "expected what the claim begins with, and not nothing";
            problems.add(Problem::new(message).at(here.join("starts_with")));
        }
        if let Is::OneOf(values) = &test {
            if values.is_empty() {
                problems.add(Problem::new("an empty list holds for nobody").at(here.join("in")));
            }
            if values.iter().any(|value| value.is_null() || value.is_array() || value.is_object()) {
                let message = "a claim is compared with a string, a number or a boolean";
                problems.add(Problem::new(message).at(here.clone()));
            }
        }
        Some(Self { claim: claim?, is: test })
    }

    /// Whether it holds of `claims`. A claim that is missing or `null` satisfies no test but
    /// `exists: false`.
    fn holds(&self, claims: &Claims) -> bool {
        let value = claims.get(&self.claim).filter(|value| !value.is_null());
        match (&self.is, value) {
            (Is::Exists(wanted), value) => *wanted == value.is_some(),
            (_, None) => false,
            (Is::OneOf(values), Some(value)) => values.iter().any(|one| equal(one, value)),
            (Is::Contains(part), Some(Value::Array(list))) => {
                list.iter().any(|element| element.as_str() == Some(part))
            }
            (Is::Contains(part), Some(Value::String(text))) => {
                text.split(' ').any(|word| word == part)
            }
            (Is::StartsWith(start), Some(Value::String(text))) => text.starts_with(start),
            (Is::Contains(_) | Is::StartsWith(_), Some(_)) => false,
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
