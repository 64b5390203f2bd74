//! An expression as it is evaluated: every name resolved, literals read.

use serde_json::Value;

use super::pattern::Pattern;
use super::value::Moment;

/// A part of an expression.
#[derive(Debug)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Box<str>),
    /// A list or a map of literals.
    Literal(Value),
    Timestamp(Moment),
    /// In nanoseconds.
    Duration(i64),
    Variable(u16),
    HasVariable(u16),
    /// What an `exists` or `all` around it is looking at.
    Local(usize),
    Field(Box<Node>, Box<str>),
    HasField(Box<Node>, Box<str>),
    Index(Box<[Node; 2]>),
    Not(Box<Node>),
    Negate(Box<Node>),
    Or(Vec<Node>),
    And(Vec<Node>),
    Choice(Box<[Node; 3]>),
    Equal(Box<[Node; 2]>),
    Unequal(Box<[Node; 2]>),
    /// A variable is this text: as most conditions are, so it is one step.
    IsText(u16, Box<str>),
    /// A variable is one of these texts.
    IsOneOf(u16, Box<[Box<str>]>),
    Ordered(Order, Box<[Node; 2]>),
    In(Box<[Node; 2]>),
    Arithmetic(Arithmetic, Box<[Node; 2]>),
    Unary(Unary, Box<Node>),
    Binary(Binary, Box<[Node; 2]>),
    Matches(Box<Node>, Pattern),
    /// Looks at each of the first with the second.
    Each(Quantifier, Box<[Node; 2]>),
}

/// Which of two comes first.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// A function of one value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unary {
    Size,
    Int,
    Double,
    Timestamp,
    Duration,
    Hours,
    Minutes,
    DayOfWeek,
}

/// A function of two strings.
#[derive(Clone, Copy, Debug)]
pub(super) enum Binary {
    Contains,
    StartsWith,
    EndsWith,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Quantifier {
    Exists,
    All,
}
