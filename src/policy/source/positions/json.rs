//! The places in a JSON text that the JSON parser has accepted.
//!
//! The text is known to be well-formed and bounded in depth, so this reads only as much of the
//! grammar as it needs, and stops at what it does not understand.

use std::collections::BTreeMap;

use super::{Place, Positions};

/// The places of the values in `text`, or `None` if it is not well-formed after all.
pub(in crate::policy::source) fn positions(text: &str) -> Option<Positions> {
    let mut scanner = Scanner { text, at: 0, place: Place { line: 1, column: 1 } };
    scanner.value(super::super::LIMITS.depth)
}

struct Scanner<'a> {
    text: &'a str,
    /// In bytes, on a character boundary.
    at: usize,
    place: Place,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at = self.at.saturating_add(next.len_utf8());
        self.place = match (next, self.place) {
            ('\n', Place { line, .. }) => Place { line: line.saturating_add(1), column: 1 },
            (_, Place { line, column }) => Place { line, column: column.saturating_add(1) },
        };
        Some(next)
    }

    /// The next character that is not white space, not yet taken.
    fn token(&mut self) -> Option<char> {
        while self.peek().is_some_and(|c| c.is_ascii_whitespace()) {
            self.next();
        }
        self.peek()
    }

    fn value(&mut self, depth: usize) -> Option<Positions> {
        let first = self.token()?;
        let place = self.place;
        match first {
            '{' => {
                let depth = depth.checked_sub(1)?;
                let mut members = BTreeMap::new();
                self.next();
                while self.more('}')? {
                    let key_place = self.place;
                    let key = serde_json::from_str(self.string()?).ok()?;
                    (self.token()? == ':').then(|| self.next())?;
                    members.insert(key, self.value(depth)?.keyed(key_place));
                }
                Some(Positions::map(place, members))
            }
            '[' => {
                let depth = depth.checked_sub(1)?;
                let mut elements = Vec::new();
                self.next();
                while self.more(']')? {
                    elements.push(self.value(depth)?);
                }
                Some(Positions::list(place, elements))
            }
            '"' => self.string().map(|_| Positions::leaf(place)),
            _ => {
                let start = self.at;
                while self.peek().is_some_and(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) {
                    self.next();
                }
                // A value takes at least a character, so every loop here ends.
                (self.at > start).then(|| Positions::leaf(place))
            }
        }
    }

    /// Whether an element follows rather than the `end`; takes the comma or the end.
    fn more(&mut self, end: char) -> Option<bool> {
        let mut token = self.token()?;
        if token == ',' {
            self.next();
            token = self.token()?;
        }
        if token == end {
            self.next();
        }
        Some(token != end)
    }

    /// A string with its quotes.
    fn string(&mut self) -> Option<&'a str> {
        let start = self.at;
        (self.next()? == '"').then_some(())?;
        loop {
            match self.next()? {
                '"' => return self.text.get(start..self.at),
                '\\' => self.next().map(drop)?,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::problem::Path;

    #[test]
    fn places_are_counted_in_characters_whatever_the_white_space() {
        let text = "{\n\t\"é\\\"\": [1, \"ü\",\n {\"b\" :null}],\"c\":{}\r\n}";
        let positions = positions(text).unwrap();
        let at = |path: Path| positions.locate(&path).to_string();
        let list = Path::root().join("é\"");
        assert_eq!(at(Path::root()), "line 1, column 1");
        assert_eq!(at(list.clone()), "line 2, column 2");
        assert_eq!(at(list.join(0)), "line 2, column 10");
        assert_eq!(at(list.join(1)), "line 2, column 13");
        assert_eq!(at(list.join(2)), "line 3, column 2");
        assert_eq!(at(list.join(2).join("b")), "line 3, column 3");
        assert_eq!(at(Path::root().join("c")), "line 3, column 15");
    }

    proptest! {
        #[test]
        fn no_text_panics_or_goes_on_for_ever(text in "[{}\\[\\]:,\"\\\\0-9a-z.é\n ]{0,80}") {
            let _ = positions(&text);
        }
    }
}
