//! Conditions in a subset of the Common Expression Language: compiled once, evaluated without
//! allocating.
//!
//! What there is of the language is what a condition needs, and means what the language's
//! definition says:
//!
//! - literals of strings, whole and other numbers, `true`, `false`, `null`, and lists and maps of
//!   literals;
//! - fields and indexes, `has(…)`, `in`, `==`, `!=`, `<`, `<=`, `>`, `>=`;
//! - `!`, `&&`, `||` and `… ? … : …`, where an error on one side of `&&` or `||` does not matter if
//!   the other side decides;
//! - `+`, `-`, `*`, `/` and `%` of numbers, timestamps and durations, overflow being an error;
//! - `size`, `contains`, `startsWith`, `endsWith`, `matches` with a literal pattern, and `exists` and `all` over lists and the keys of
//!   maps;
//! - `timestamp`, `duration`, `int`, `double`, `getHours`, `getMinutes` and `getDayOfWeek`.
//!
//! The rest of it does not compile: unsigned numbers, bytes, strings and lists put together, lists that are not of literals. Expressions are typed as far as their variables are: what can only
//! fail does not compile either.

mod ast;
mod check;
mod eval;
mod invalid;
mod node;
mod operate;
mod parse;
mod pattern;
mod settle;
mod text;
mod time;
mod types;
mod value;
mod word;

pub use eval::{Failure, MAX_STEPS};
pub use invalid::Invalid;
pub use types::Type;
pub use value::{List, Moment, Value};

/// The longest expression, in bytes.
pub const MAX_BYTES: usize = 4_096;

/// How deep an expression may be nested; of `a + b + c`, `a + b` is one deeper.
pub const MAX_DEPTH: usize = 64;

/// How many `exists` and `all` may stand one in the other.
pub const MAX_LOCALS: usize = 4;

/// An expression that is ready to be evaluated.
#[derive(Debug, PartialEq)]
pub struct Program {
    root: node::Node,
}

/// The variables of a kind of expression.
pub trait Names {
    /// The variable that an expression means which names `first` and then, as far as it does,
    /// fields of it.
    ///
    /// # Errors
    ///
    /// What is wrong with the name.
    fn resolve(&mut self, first: &str, fields: &[&str]) -> Result<Variable, Unknown>;

    /// Whether the value of a variable is the same for many evaluations: what such variables alone decide
    /// is worked out once for them all.
    fn is_settled(&self, _id: u16) -> bool {
        false
    }

    /// Takes a part of an expression that is decided by settled variables alone: where [`Facts::settled`]
    /// finds it.
    ///
    /// # Errors
    ///
    /// The part, where there is no room for more: it is evaluated with the rest each time.
    fn settle(&mut self, part: Program) -> Result<u16, Program> {
        Err(part)
    }
}

/// A variable, and what it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// By what it is asked for.
    pub id: u16,
    /// What its values are.
    pub of: Type,
    /// How many of the fields belong to its name.
    pub fields: usize,
}

/// There is no such variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Which part of the name it is about: 0 for the first name, and then its fields.
    pub part: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// The values of variables.
pub trait Facts {
    /// The value of the variable with this `id`.
    ///
    /// # Errors
    ///
    /// [`Failure::Missing`] where there is none, and others where it is not what it should be.
    fn value(&self, id: u16) -> Result<Value<'_>, Failure>;

    /// Whether the value of a variable is this text.
    ///
    /// # Errors
    ///
    /// As of [`value`](Self::value).
    fn is_text(&self, id: u16, text: &str) -> Result<bool, Failure> {
        Ok(matches!(self.value(id)?, Value::Text(value) if value == text))
    }

    /// Whether the part that [`Names::settle`] took to this place is true.
    ///
    /// # Errors
    ///
    /// [`Failure`] where it is neither true nor false.
    fn settled(&self, _place: u16) -> Result<bool, Failure> {
        Err(Failure::Missing)
    }
}

impl Program {
    /// Compiles an expression that says yes or no.
    ///
    /// # Errors
    ///
    /// Where it is wrong first, and how.
    pub fn compile(source: &str, names: &mut dyn Names) -> Result<Self, Invalid> {
        let Self { root } = Self::compile_as(source, names, &Type::Bool, "what is true or false")?;
        Ok(Self { root: settle::settle(root, names) })
    }

    fn compile_as(
        source: &str,
        names: &mut dyn Names,
        wanted: &Type,
        described: &str,
    ) -> Result<Self, Invalid> {
        if source.len() > MAX_BYTES {
            return Err(Invalid::new(0, format!("expected at most {MAX_BYTES} bytes")));
        }
        let ast = parse::parse(source)?;
        let at = ast.at;
        let (root, of) = check::check(ast, names)?;
        if !of.may_be(wanted) {
            return Err(Invalid::new(at, format!("expected {described}, not {of}")));
        }
        Ok(Self { root })
    }

    /// Compiles an expression that comes to a whole number.
    ///
    /// # Errors
    ///
    /// Where it is wrong first, and how.
    pub fn compile_number(source: &str, names: &mut dyn Names) -> Result<Self, Invalid> {
        Self::compile_as(source, names, &Type::Int, "a whole number")
    }

    /// What it comes to of these facts.
    ///
    /// # Errors
    ///
    /// [`Failure`] where it is no whole number.
    pub fn number(&self, facts: &dyn Facts) -> Result<i64, Failure> {
        match eval::eval(&self.root, facts)? {
            Value::Int(number) => Ok(number),
            _ => Err(Failure::Mistyped),
        }
    }

    /// Whether it is true of these facts.
    ///
    /// # Errors
    ///
    /// [`Failure`] where it is neither true nor false.
    pub fn holds(&self, facts: &dyn Facts) -> Result<bool, Failure> {
        eval::truth(&self.root, facts)
    }
}

#[cfg(test)]
mod tests;
