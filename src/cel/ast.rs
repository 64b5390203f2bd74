//! An expression as it is written.

use std::borrow::Cow;

/// A part of an expression, and where it begins.
#[derive(Debug)]
pub(super) struct Ast<'s> {
    pub(super) at: usize,
    pub(super) kind: Kind<'s>,
}

/// What a part of an expression is.
#[derive(Debug)]
pub(super) enum Kind<'s> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    List(Vec<Ast<'s>>),
    Map(Vec<(Ast<'s>, Ast<'s>)>),
    Name(&'s str),
    Field(Box<Ast<'s>>, Field<'s>),
    Index(Box<(Ast<'s>, Ast<'s>)>),
    Call { name: &'s str, of: Option<Box<Ast<'s>>>, arguments: Vec<Ast<'s>> },
    Not(Box<Ast<'s>>),
    Negate(Box<Ast<'s>>),
    Binary(Operator, Box<(Ast<'s>, Ast<'s>)>),
    Choice(Box<(Ast<'s>, Ast<'s>, Ast<'s>)>),
}

/// The name of a field, and where it stands: `.name` or `["name"]`.
#[derive(Debug)]
pub(super) struct Field<'s> {
    pub(super) at: usize,
    pub(super) name: Cow<'s, str>,
    pub(super) is_index: bool,
}

/// What stands between two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    /// As it is written.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }

    /// How tightly it binds; what binds alike is taken from the left.
    pub(super) const fn level(self) -> usize {
        match self {
            Self::Or => 0,
            Self::And => 1,
            Self::Equal
            | Self::Unequal
            | Self::Less
            | Self::LessOrEqual
            | Self::Greater
            | Self::GreaterOrEqual
            | Self::In => 2,
            Self::Add | Self::Subtract => 3,
            Self::Multiply | Self::Divide | Self::Remainder => 4,
        }
    }
}
