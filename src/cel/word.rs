//! A text -> the words of the language.

use super::ast::Operator;
use super::invalid::Invalid;
use super::text;

/// The smallest part of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word<'s> {
    Name(&'s str),
    /// A whole number without its sign.
    Int(u64),
    Double(f64),
    Text(String),
    Operator(Operator),
    /// `!`, `?`, `:`, `.`, `,`, or a bracket.
    Mark(u8),
    End,
}

/// Words that are no names.
const RESERVED: [&str; 18] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "namespace",
    "package",
    "return",
    "var",
    "void",
    "while",
    "in",
];

/// Whether a name is one that the language keeps for itself.
pub(super) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// Reads the words of a text, one after the other.
pub(super) struct Words<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Words<'s> {
    pub(super) const fn new(source: &'s str) -> Self {
        Self { source, at: 0 }
    }

    /// The next word, and where it begins.
    pub(super) fn next(&mut self) -> Result<(usize, Word<'s>), Invalid> {
        self.skip_space();
        let at = self.at;
        let rest = self.rest();
        let Some(first) = rest.bytes().next() else { return Ok((at, Word::End)) };
        let word = match first {
            b'0'..=b'9' => self.number()?,
            b'.' if rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit) => self.number()?,
            b'"' | b'\'' => self.text(false)?,
            b'r' | b'R' if matches!(rest.as_bytes().get(1), Some(b'"' | b'\'')) => {
                self.at = at.saturating_add(1);
                self.text(true)?
            }
            b'b' | b'B' if matches!(rest.as_bytes().get(1), Some(b'"' | b'\'')) => {
                return Err(Invalid::new(at, "bytes are not part of this subset of CEL"));
            }
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                let name = self.take(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
                if name == "in" { Word::Operator(Operator::In) } else { Word::Name(name) }
            }
            _ => self.mark(rest, first)?,
        };
        Ok((at, word))
    }

    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or_default()
    }

    /// Takes the bytes of which something holds: ASCII, or all up to some that is.
    fn take(&mut self, holds: impl Fn(u8) -> bool) -> &'s str {
        let rest = self.rest();
        let length = rest.bytes().position(|byte| !holds(byte)).unwrap_or(rest.len());
        self.at = self.at.saturating_add(length);
        rest.get(..length).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        loop {
            self.take(|byte| byte.is_ascii_whitespace() || byte == 0x0b);
            if !self.rest().starts_with("//") {
                return;
            }
            self.take(|byte| byte != b'\n');
        }
    }

    fn mark(&mut self, rest: &str, first: u8) -> Result<Word<'s>, Invalid> {
        use Operator::{
            Add, And, Divide, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, Multiply, Or,
            Remainder, Subtract, Unequal,
        };
        let longest_first = [
            Or,
            And,
            Equal,
            Unequal,
            LessOrEqual,
            GreaterOrEqual,
            Less,
            Greater,
            Add,
            Subtract,
            Multiply,
            Divide,
            Remainder,
        ];
        let found = longest_first.into_iter().find(|one| rest.starts_with(one.text()));
        if let Some(operator) = found {
            self.at = self.at.saturating_add(operator.text().len());
            return Ok(Word::Operator(operator));
        }
        if b"!?:.,()[]{}".contains(&first) {
            self.at = self.at.saturating_add(1);
            return Ok(Word::Mark(first));
        }
        let char = rest.chars().next().unwrap_or_default();
        let invalid = Invalid::new(self.at, format!("unexpected `{}`", char.escape_debug()));
        Err(match char {
            '=' => invalid.help("`==` compares"),
            '&' => invalid.help("`&&` is and"),
            '|' => invalid.help("`||` is or"),
            _ => invalid,
        })
    }

    fn number(&mut self) -> Result<Word<'s>, Invalid> {
        let at = self.at;
        let invalid = |message: &str| Err(Invalid::new(at, message));
        let rest = self.rest();
        let word = if rest.starts_with("0x") || rest.starts_with("0X") {
            self.at = at.saturating_add(2);
            let digits = self.take(|byte| byte.is_ascii_hexdigit());
            let Ok(number) = u64::from_str_radix(digits, 16) else {
                return invalid("expected a number of at most 64 bits");
            };
            Word::Int(number)
        } else {
            self.decimal()?
        };
        match self.rest().bytes().next() {
            Some(b'u' | b'U') => invalid("unsigned numbers are not part of this subset of CEL"),
            Some(b'_' | b'.') => invalid("expected a number"),
            Some(byte) if byte.is_ascii_alphanumeric() => invalid("expected a number"),
            _ => Ok(word),
        }
    }

    fn decimal(&mut self) -> Result<Word<'s>, Invalid> {
        let (at, rest) = (self.at, self.rest());
        let digits = |byte: u8| byte.is_ascii_digit();
        self.take(digits);
        let mut is_whole = true;
        if self.rest().starts_with('.') {
            let before = self.at;
            self.at = before.saturating_add(1);
            if self.take(digits).is_empty() {
                return Err(Invalid::new(at, "expected digits after the point"));
            }
            is_whole = false;
        }
        if self.rest().starts_with(['e', 'E']) {
            self.at = self.at.saturating_add(1);
            if self.rest().starts_with(['+', '-']) {
                self.at = self.at.saturating_add(1);
            }
            if self.take(digits).is_empty() {
                return Err(Invalid::new(at, "expected digits after the `e`"));
            }
            is_whole = false;
        }
        let text = rest.get(..self.at.saturating_sub(at)).unwrap_or_default();
        let number = if is_whole {
            text.parse().map(Word::Int).ok()
        } else {
            text.parse().ok().filter(|number: &f64| number.is_finite()).map(Word::Double)
        };
        number.ok_or_else(|| Invalid::new(at, "expected a number of at most 64 bits"))
    }

    fn text(&mut self, is_raw: bool) -> Result<Word<'s>, Invalid> {
        let rest = self.rest();
        if rest.starts_with("\"\"\"") || rest.starts_with("'''") {
            let message = "strings in triple quotes are not part of this subset of CEL";
            return Err(Invalid::new(self.at, message));
        }
        let (text, length) = text::read(rest, is_raw)
            .map_err(|(at, message)| Invalid::new(self.at.saturating_add(at), message))?;
        self.at = self.at.saturating_add(length);
        Ok(Word::Text(text))
    }
}
