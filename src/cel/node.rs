//! An expression as it is evaluated: every name resolved, literals read.

use serde_json::Value;

use super::pattern::Pattern;
use super::value::Moment;

/// A part of an expression.
#[derive(Debug, PartialEq)]
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
    /// What settled variables alone decide.
    Settled(u16),
}

impl Node {
    /// Tells all the variables that it asks for.
    pub(super) fn each_variable(&self, tell: &mut dyn FnMut(u16)) {
        let parts = match self {
            Self::Variable(id) | Self::HasVariable(id) => return tell(*id),
            Self::IsText(id, _) | Self::IsOneOf(id, _) => return tell(*id),
            Self::Field(of, _) | Self::HasField(of, _) => std::slice::from_ref(&**of),
            Self::Not(of) | Self::Negate(of) => std::slice::from_ref(&**of),
            Self::Unary(_, of) | Self::Matches(of, _) => std::slice::from_ref(&**of),
            Self::Index(both) | Self::Equal(both) | Self::Unequal(both) => &**both,
            Self::In(both) | Self::Ordered(_, both) | Self::Arithmetic(_, both) => &**both,
            Self::Binary(_, both) | Self::Each(_, both) => &**both,
            Self::Choice(parts) => &**parts,
            Self::Or(all) | Self::And(all) => all,
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Double(_)
            | Self::Text(_)
            | Self::Literal(_)
            | Self::Timestamp(_)
            | Self::Duration(_)
            | Self::Local(_)
            | Self::Settled(_) => &[],
        };
        parts.iter().for_each(|part| part.each_variable(tell));
    }
}

/// Which of two comes first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// A function of one value.
#[derive(Clone, Copy, Debug, PartialEq)]
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
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Binary {
    Contains,
    StartsWith,
    EndsWith,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Quantifier {
    Exists,
    All,
}
