//! What becomes of an expression.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::Facts;
use super::node::{Binary, Node, Order, Quantifier};
use super::operate::{calculate, call, numbers};
use super::pattern::Pattern;
use super::value::Value;

/// How many parts of an expression, values that are compared with them, and pieces of long texts are
/// looked at before it has failed.
pub const MAX_STEPS: u32 = 20_000;

/// The length of such a piece.
const PIECE_BYTES: usize = 64;

/// Why an expression has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// A number was divided by zero.
    DividedByZero,
    /// What is asked about is not there.
    Missing,
    /// A value is not of the type that it would have to be.
    Mistyped,
    /// A result is beyond what its type holds.
    Overflow,
    /// It takes more than [`MAX_STEPS`].
    TooManySteps,
    /// A text is not what is to be read from it.
    Unreadable,
}

impl Failure {
    /// What is wrong, in words.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::DividedByZero => "a condition divides by zero",
            Self::Missing => "a condition asks about what is not there",
            Self::Mistyped => "a condition asks about what is not of the type that it should be",
            Self::Overflow => "a condition comes to a number that is too large",
            Self::TooManySteps => "a condition takes too many steps",
            Self::Unreadable => "a condition asks about a text that is no such value",
        }
    }
}

/// Whether an expression is true.
pub(super) fn truth(node: &Node, facts: &dyn Facts) -> Result<bool, Failure> {
    Evaluation { facts, local: None, steps: MAX_STEPS }.truth(node)
}

/// The value of an expression.
pub(super) fn eval<'a>(node: &'a Node, facts: &'a dyn Facts) -> Result<Value<'a>, Failure> {
    Evaluation { facts, local: None, steps: MAX_STEPS }.eval(node)
}

struct Evaluation<'a, 'l> {
    facts: &'a dyn Facts,
    /// What the innermost `exists` or `all` is looking at.
    local: Option<&'l Local<'a, 'l>>,
    steps: u32,
}

/// What an `exists` or `all` is looking at.
struct Local<'a, 'l> {
    value: Value<'a>,
    /// How many there are around it.
    place: usize,
    outer: Option<&'l Self>,
}

impl<'a> Evaluation<'a, '_> {
    fn step(&mut self) -> Result<(), Failure> {
        self.steps = self.steps.checked_sub(1).ok_or(Failure::TooManySteps)?;
        Ok(())
    }

    fn steps_of(&mut self, count: usize) -> Result<(), Failure> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.steps = self.steps.checked_sub(count).ok_or(Failure::TooManySteps)?;
        Ok(())
    }

    /// A long text is as many steps as it has pieces.
    fn read(&mut self, text: &str) -> Result<(), Failure> {
        self.steps_of(text.len() / PIECE_BYTES)
    }

    /// To look for a pattern in a text is as many steps as both have pieces.
    fn search(&mut self, text: &str, pattern: &Pattern) -> Result<(), Failure> {
        self.steps_of(text.len().saturating_mul(pattern.len()) / PIECE_BYTES)
    }

    fn eval(&mut self, node: &'a Node) -> Result<Value<'a>, Failure> {
        Ok(match node {
            Node::Variable(id) => {
                self.step()?;
                self.facts.value(*id)?
            }
            Node::Text(text) => self.is(Value::Text(text))?,
            Node::Literal(value) => self.is(value.into())?,
            Node::Int(number) => self.is(Value::Int(*number))?,
            Node::Timestamp(moment) => self.is(Value::Timestamp(*moment))?,
            Node::Null => self.is(Value::Null)?,
            Node::Double(number) => self.is(Value::Double(*number))?,
            Node::Duration(span) => self.is(Value::Duration(*span))?,
            Node::Local(place) => {
                self.step()?;
                let mut locals = std::iter::successors(self.local, |local| local.outer);
                locals.find(|local| local.place == *place).ok_or(Failure::Missing)?.value
            }
            Node::Field(..)
            | Node::Index(_)
            | Node::Negate(_)
            | Node::Choice(_)
            | Node::Arithmetic(..)
            | Node::Unary(..) => self.work_out(node)?,
            _ => Value::Bool(self.truth(node)?),
        })
    }

    /// The same; of what is compared mostly, without a call.
    #[inline(always)]
    fn operand(&mut self, node: &'a Node) -> Result<Value<'a>, Failure> {
        let value = match node {
            Node::Variable(id) => self.facts.value(*id)?,
            Node::Text(text) => Value::Text(text),
            Node::Timestamp(moment) => Value::Timestamp(*moment),
            Node::Int(number) => Value::Int(*number),
            Node::Double(number) => Value::Double(*number),
            _ => return self.eval(node),
        };
        self.is(value)
    }

    fn is(&mut self, value: Value<'a>) -> Result<Value<'a>, Failure> {
        self.step()?;
        Ok(value)
    }

    /// The value of what is made of others. Apart, for it needs much room and is rare.
    #[inline(never)]
    fn work_out(&mut self, node: &'a Node) -> Result<Value<'a>, Failure> {
        self.step()?;
        match node {
            Node::Field(of, name) => Ok(self.field(of, name)?.ok_or(Failure::Missing)?.into()),
            Node::Index(both) => self.index(both),
            Node::Negate(of) => match self.eval(of)? {
                Value::Int(number) => number.checked_neg().map(Value::Int).ok_or(Failure::Overflow),
                Value::Double(number) => Ok(Value::Double(-number)),
                _ => Err(Failure::Mistyped),
            },
            Node::Choice(parts) => {
                let [condition, then, otherwise] = &**parts;
                let chosen = if self.truth(condition)? { then } else { otherwise };
                self.eval(chosen)
            }
            Node::Arithmetic(arithmetic, both) => {
                let [one, two] = &**both;
                calculate(*arithmetic, self.eval(one)?, self.eval(two)?)
            }
            Node::Unary(function, of) => {
                let of = self.eval(of)?;
                if let Value::Text(text) = of {
                    self.read(text)?;
                }
                call(*function, of)
            }
            _ => Err(Failure::Mistyped),
        }
    }

    /// The value of what is true or false. What else there is has to be so by itself.
    fn truth(&mut self, node: &'a Node) -> Result<bool, Failure> {
        match node {
            Node::And(all) => {
                self.step()?;
                self.decides(all, false)
            }
            Node::Or(all) => {
                self.step()?;
                self.decides(all, true)
            }
            Node::IsText(id, text) => {
                self.step()?;
                self.facts.is_text(*id, text)
            }
            Node::IsOneOf(id, texts) => {
                self.steps_of(texts.len())?;
                let value = self.facts.value(*id)?;
                Ok(matches!(value, Value::Text(one) if texts.iter().any(|text| *one == **text)))
            }
            Node::HasVariable(id) => {
                self.step()?;
                match self.facts.value(*id) {
                    Ok(_) => Ok(true),
                    Err(Failure::Missing) => Ok(false),
                    Err(failure) => Err(failure),
                }
            }
            Node::Settled(place) => {
                self.step()?;
                self.facts.settled(*place)
            }
            Node::Ordered(order, both) => {
                self.step()?;
                self.is_ordered(*order, both)
            }
            Node::Not(of) => {
                self.step()?;
                self.truth(of).map(|is| !is)
            }
            Node::Bool(_)
            | Node::Equal(_)
            | Node::In(_)
            | Node::Unequal(_)
            | Node::HasField(..)
            | Node::Binary(..)
            | Node::Matches(..)
            | Node::Each(..) => self.decide(node),
            _ => match self.eval(node)? {
                Value::Bool(is) => Ok(is),
                _ => Err(Failure::Mistyped),
            },
        }
    }

    #[inline(never)]
    fn decide(&mut self, node: &'a Node) -> Result<bool, Failure> {
        self.step()?;
        match node {
            Node::Bool(is) => Ok(*is),
            Node::Equal(both) => self.are_equal(both),
            Node::Unequal(both) => self.are_equal(both).map(|are| !are),
            Node::In(both) => self.is_in(both),
            Node::HasField(of, name) => Ok(self.field(of, name)?.is_some()),
            Node::Binary(function, both) => {
                let [one, two] = &**both;
                let (Value::Text(text), Value::Text(part)) = (self.eval(one)?, self.eval(two)?)
                else {
                    return Err(Failure::Mistyped);
                };
                self.read(text)?;
                Ok(match function {
                    Binary::Contains => text.contains(part),
                    Binary::StartsWith => text.starts_with(part),
                    Binary::EndsWith => text.ends_with(part),
                })
            }
            Node::Matches(of, pattern) => {
                let Value::Text(text) = self.eval(of)? else { return Err(Failure::Mistyped) };
                self.search(text, pattern)?;
                Ok(pattern.is_in(text))
            }
            Node::Each(quantifier, both) => self.each(*quantifier, both),
            _ => Err(Failure::Mistyped),
        }
    }

    /// `||` and `&&`: any of them that is `decisive` decides, whatever the others are; else the first that
    /// fails does.
    fn decides(&mut self, all: &'a [Node], decisive: bool) -> Result<bool, Failure> {
        let mut decided = Ok(!decisive);
        for one in all {
            match self.truth(one) {
                Ok(is) if is == decisive => return Ok(decisive),
                Err(failure) if decided.is_ok() => decided = Err(failure),
                Ok(_) | Err(_) => {}
            }
        }
        decided
    }

    fn field(&mut self, of: &'a Node, name: &str) -> Result<Option<&'a Json>, Failure> {
        match self.eval(of)? {
            Value::Map(map) => Ok(map.get(name)),
            _ => Err(Failure::Mistyped),
        }
    }

    fn index(&mut self, [of, index]: &'a [Node; 2]) -> Result<Value<'a>, Failure> {
        let found = match (self.eval(of)?, self.eval(index)?) {
            (Value::List(list), Value::Int(place)) => {
                usize::try_from(place).ok().and_then(|place| list.get(place))
            }
            (Value::Map(map), Value::Text(name)) => map.get(name),
            _ => return Err(Failure::Mistyped),
        };
        found.map(Value::from).ok_or(Failure::Missing)
    }

    fn are_equal(&mut self, [one, two]: &'a [Node; 2]) -> Result<bool, Failure> {
        match (self.operand(one)?, self.operand(two)?) {
            // As most are.
            (Value::Text(one), Value::Text(two)) => {
                self.step()?;
                Ok(one == two)
            }
            (one, two) => self.equal(one, two),
        }
    }

    fn equal(&mut self, one: Value<'a>, two: Value<'a>) -> Result<bool, Failure> {
        self.step()?;
        Ok(match (one, two) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(one), Value::Bool(two)) => one == two,
            (Value::Text(one), Value::Text(two)) => one == two,
            (Value::Timestamp(one), Value::Timestamp(two)) => one == two,
            (Value::Duration(one), Value::Duration(two)) => one == two,
            (Value::Int(_) | Value::Double(_), Value::Int(_) | Value::Double(_)) => {
                numbers(one, two) == Some(Ordering::Equal)
            }
            (Value::List(one), Value::List(two)) => {
                if one.len() != two.len() {
                    return Ok(false);
                }
                for (one, two) in one.iter().zip(two) {
                    if !self.equal(one.into(), two.into())? {
                        return Ok(false);
                    }
                }
                true
            }
            (Value::Map(one), Value::Map(two)) => {
                if one.len() != two.len() {
                    return Ok(false);
                }
                for (name, one) in one {
                    let Some(two) = two.get(name) else { return Ok(false) };
                    if !self.equal(one.into(), two.into())? {
                        return Ok(false);
                    }
                }
                true
            }
            _ => false,
        })
    }

    fn is_ordered(&mut self, order: Order, both: &'a [Node; 2]) -> Result<bool, Failure> {
        let ordering = match both {
            // As conditions on the time mostly are.
            [Node::Variable(id), Node::Timestamp(than)] => {
                self.steps_of(2)?;
                match self.facts.value(*id)? {
                    Value::Timestamp(moment) => moment.cmp(than),
                    _ => return Err(Failure::Mistyped),
                }
            }
            [one, two] => self.ordering(one, two)?,
        };
        Ok(match order {
            Order::Less => ordering.is_lt(),
            Order::LessOrEqual => ordering.is_le(),
            Order::Greater => ordering.is_gt(),
            Order::GreaterOrEqual => ordering.is_ge(),
        })
    }

    #[inline(never)]
    fn ordering(&mut self, one: &'a Node, two: &'a Node) -> Result<Ordering, Failure> {
        let (one, two) = (self.operand(one)?, self.operand(two)?);
        let ordering = match (one, two) {
            (Value::Bool(one), Value::Bool(two)) => Some(one.cmp(&two)),
            (Value::Text(one), Value::Text(two)) => Some(one.cmp(two)),
            (Value::Timestamp(one), Value::Timestamp(two)) => Some(one.cmp(&two)),
            (Value::Duration(one), Value::Duration(two)) => Some(one.cmp(&two)),
            (Value::Int(_) | Value::Double(_), Value::Int(_) | Value::Double(_)) => {
                numbers(one, two)
            }
            _ => return Err(Failure::Mistyped),
        };
        // What is no number comes neither before nor after anything.
        ordering.ok_or(Failure::Mistyped)
    }

    fn is_in(&mut self, [one, two]: &'a [Node; 2]) -> Result<bool, Failure> {
        match (self.eval(one)?, self.eval(two)?) {
            (one, Value::List(list)) => {
                for element in list {
                    let is_equal = match (one, element) {
                        (Value::Text(one), Json::String(two)) => {
                            self.step()?;
                            one == two
                        }
                        _ => self.equal(one, element.into())?,
                    };
                    if is_equal {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            (Value::Text(name), Value::Map(map)) => Ok(map.contains_key(name)),
            // What may be a name in other maps.
            (Value::Bool(_) | Value::Int(_) | Value::Double(_), Value::Map(_)) => Ok(false),
            _ => Err(Failure::Mistyped),
        }
    }

    fn each(&mut self, quantifier: Quantifier, [of, body]: &'a [Node; 2]) -> Result<bool, Failure> {
        match self.eval(of)? {
            Value::List(list) => self.each_of(quantifier, list.iter().map(Value::from), body),
            Value::Map(map) => {
                self.each_of(quantifier, map.keys().map(|name| Value::Text(name)), body)
            }
            _ => Err(Failure::Mistyped),
        }
    }

    /// As `||` or `&&` of them all: one that decides does, whatever failed before.
    fn each_of(
        &mut self,
        quantifier: Quantifier,
        values: impl Iterator<Item = Value<'a>>,
        body: &'a Node,
    ) -> Result<bool, Failure> {
        let decisive = matches!(quantifier, Quantifier::Exists);
        let mut failure = None;
        let place = self.local.map_or(0, |local| local.place.saturating_add(1));
        for value in values {
            let local = Local { value, place, outer: self.local };
            let mut inner =
                Evaluation { facts: self.facts, local: Some(&local), steps: self.steps };
            let truth = inner.truth(body);
            self.steps = inner.steps;
            match truth {
                Ok(is) if is == decisive => return Ok(decisive),
                Ok(_) => {}
                Err(Failure::TooManySteps) => return Err(Failure::TooManySteps),
                Err(other) => failure = failure.or(Some(other)),
            }
        }
        failure.map_or(Ok(!decisive), Err)
    }
}
