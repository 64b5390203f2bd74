//! Words -> an expression.

use super::MAX_DEPTH;
use super::ast::{Ast, Field, Kind, Operator};
use super::invalid::Invalid;
use super::word::{Word, Words, is_reserved};

/// The level of operators that bind tightest.
const TIGHTEST: usize = 4;

/// Reads an expression.
pub(super) fn parse(source: &str) -> Result<Ast<'_>, Invalid> {
    let mut words = Words::new(source);
    let (at, word) = words.next()?;
    let mut parser = Parser { words, at, word, depth: 0 };
    let ast = parser.expression()?;
    match parser.word {
        Word::End => Ok(ast),
        _ => Err(parser.unexpected("an operator, or the end")),
    }
}

struct Parser<'s> {
    words: Words<'s>,
    /// Where the next word begins.
    at: usize,
    word: Word<'s>,
    depth: usize,
}

impl<'s> Parser<'s> {
    fn advance(&mut self) -> Result<Word<'s>, Invalid> {
        let (at, next) = self.words.next()?;
        self.at = at;
        Ok(std::mem::replace(&mut self.word, next))
    }

    fn takes(&mut self, mark: u8) -> Result<bool, Invalid> {
        let is_there = self.word == Word::Mark(mark);
        if is_there {
            self.advance()?;
        }
        Ok(is_there)
    }

    fn expect(&mut self, mark: u8) -> Result<(), Invalid> {
        match self.takes(mark)? {
            true => Ok(()),
            false => Err(self.unexpected(&format!("`{}`", char::from(mark)))),
        }
    }

    fn unexpected(&self, expected: &str) -> Invalid {
        let found = match &self.word {
            Word::End => "the end".to_owned(),
            Word::Name(name) => format!("`{name}`"),
            Word::Operator(operator) => format!("`{}`", operator.text()),
            Word::Mark(mark) => format!("`{}`", char::from(*mark)),
            Word::Text(_) => "a string".to_owned(),
            Word::Int(_) | Word::Double(_) => "a number".to_owned(),
        };
        Invalid::new(self.at, format!("expected {expected}, not {found}"))
    }

    /// One level further in.
    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Invalid>,
    ) -> Result<T, Invalid> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_DEPTH {
            return Err(Invalid::new(self.at, format!("nested deeper than {MAX_DEPTH}")));
        }
        let read = read(self);
        self.depth = self.depth.saturating_sub(1);
        read
    }

    fn expression(&mut self) -> Result<Ast<'s>, Invalid> {
        self.nested(|parser| {
            let condition = parser.binary(0)?;
            if !parser.takes(b'?')? {
                return Ok(condition);
            }
            let then = parser.binary(0)?;
            parser.expect(b':')?;
            let otherwise = parser.expression()?;
            let at = condition.at;
            Ok(Ast { at, kind: Kind::Choice(Box::new((condition, then, otherwise))) })
        })
    }

    /// What binds at least as tightly as operators of `level`.
    fn binary(&mut self, level: usize) -> Result<Ast<'s>, Invalid> {
        let next = level.saturating_add(1);
        let operand = |parser: &mut Self| match level {
            TIGHTEST => parser.unary(),
            _ => parser.binary(next),
        };
        let mut left = operand(self)?;
        let mut links = 0_usize;
        while let Word::Operator(operator) = self.word
            && operator.level() == level
        {
            // A chain is as deep as it is long.
            links = links.saturating_add(1);
            if links > MAX_DEPTH {
                let message = format!("more than {MAX_DEPTH} times `{}`", operator.text());
                return Err(Invalid::new(self.at, message).help("put some of them in parentheses"));
            }
            self.advance()?;
            let right = operand(self)?;
            left = Ast { at: left.at, kind: Kind::Binary(operator, Box::new((left, right))) };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Ast<'s>, Invalid> {
        let at = self.at;
        match self.word {
            Word::Mark(b'!') => {
                self.advance()?;
                let of = self.nested(Self::unary)?;
                Ok(Ast { at, kind: Kind::Not(Box::new(of)) })
            }
            Word::Operator(Operator::Subtract) => {
                self.advance()?;
                // The smallest number has no counterpart without a sign.
                if let Word::Int(number) = self.word {
                    self.advance()?;
                    let number = 0_i64.checked_sub_unsigned(number);
                    let number = number.ok_or_else(|| too_large(at))?;
                    return self.selected(Ast { at, kind: Kind::Int(number) });
                }
                let of = self.nested(Self::unary)?;
                Ok(Ast { at, kind: Kind::Negate(Box::new(of)) })
            }
            _ => {
                let primary = self.primary()?;
                self.selected(primary)
            }
        }
    }

    /// What is selected of `of`.
    fn selected(&mut self, mut of: Ast<'s>) -> Result<Ast<'s>, Invalid> {
        let mut links = 0_usize;
        loop {
            let at = of.at;
            of = if self.takes(b'.')? {
                let (place, name) = (self.at, self.name()?);
                if self.takes(b'(')? {
                    let (of, arguments) = (Some(Box::new(of)), self.list(b')')?);
                    Ast { at: place, kind: Kind::Call { name, of, arguments } }
                } else {
                    let field = Field { at: place, name: name.into(), is_index: false };
                    Ast { at, kind: Kind::Field(Box::new(of), field) }
                }
            } else if self.takes(b'[')? {
                let index = self.expression()?;
                self.expect(b']')?;
                let kind = match index {
                    Ast { at, kind: Kind::Text(name) } => {
                        let field = Field { at, name: name.into(), is_index: true };
                        Kind::Field(Box::new(of), field)
                    }
                    index => Kind::Index(Box::new((of, index))),
                };
                Ast { at, kind }
            } else {
                return Ok(of);
            };
            links = links.saturating_add(1);
            if links > MAX_DEPTH {
                return Err(Invalid::new(self.at, format!("nested deeper than {MAX_DEPTH}")));
            }
        }
    }

    fn name(&mut self) -> Result<&'s str, Invalid> {
        let Word::Name(name) = self.word else { return Err(self.unexpected("a name")) };
        self.advance()?;
        Ok(name)
    }

    fn primary(&mut self) -> Result<Ast<'s>, Invalid> {
        let at = self.at;
        if !matches!(
            self.word,
            Word::Name(_)
                | Word::Int(_)
                | Word::Double(_)
                | Word::Text(_)
                | Word::Mark(b'(' | b'[' | b'{')
        ) {
            return Err(self.unexpected("a value"));
        }
        let kind = match self.advance()? {
            Word::Int(number) => Kind::Int(number.try_into().map_err(|_| too_large(at))?),
            Word::Double(number) => Kind::Double(number),
            Word::Text(text) => Kind::Text(text),
            Word::Name("null") => Kind::Null,
            Word::Name("true") => Kind::Bool(true),
            Word::Name("false") => Kind::Bool(false),
            Word::Name(name) if is_reserved(name) => {
                return Err(Invalid::new(at, format!("`{name}` is a word that CEL reserves")));
            }
            Word::Name(name) if self.takes(b'(')? => {
                Kind::Call { name, of: None, arguments: self.list(b')')? }
            }
            Word::Name(name) => Kind::Name(name),
            Word::Mark(b'(') => {
                let inner = self.expression()?;
                self.expect(b')')?;
                return Ok(inner);
            }
            Word::Mark(b'[') => Kind::List(self.list(b']')?),
            _ => Kind::Map(self.members()?),
        };
        Ok(Ast { at, kind })
    }

    /// Expressions parted by commas, up to `end`; a list may have a comma after the last.
    fn list(&mut self, end: u8) -> Result<Vec<Ast<'s>>, Invalid> {
        let mut list = Vec::new();
        while !self.takes(end)? {
            list.push(self.expression()?);
            if !self.takes(b',')? {
                self.expect(end)?;
                break;
            }
            if end == b')' && self.word == Word::Mark(end) {
                return Err(self.unexpected("a value"));
            }
        }
        Ok(list)
    }

    fn members(&mut self) -> Result<Vec<(Ast<'s>, Ast<'s>)>, Invalid> {
        let mut members = Vec::new();
        while !self.takes(b'}')? {
            let name = self.expression()?;
            self.expect(b':')?;
            members.push((name, self.expression()?));
            if !self.takes(b',')? {
                self.expect(b'}')?;
                break;
            }
        }
        Ok(members)
    }
}

fn too_large(at: usize) -> Invalid {
    Invalid::new(at, "expected a whole number of at most 64 bits with its sign")
}
