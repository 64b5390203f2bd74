//! Names for the parts of a document, and words out of it, as messages show them.

use std::fmt;

/// The most characters of an operator's word that a message repeats.
const MAX_QUOTED: usize = 80;

/// One step into a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// Into a map, by key.
    Key(String),
    /// Into a list, counted from 0.
    Index(usize),
}

impl From<&str> for Segment {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<String> for Segment {
    fn from(key: String) -> Self {
        Self::Key(key)
    }
}

impl From<usize> for Segment {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// The way from the top of a document to one of its values, as in `routes[3].permission`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(pub(super) Vec<Segment>);

impl Path {
    /// The top of the document.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// This path and one step more.
    #[must_use]
    pub fn join(&self, step: impl Into<Segment>) -> Self {
        let mut steps = self.0.clone();
        steps.push(step.into());
        Self(steps)
    }

    /// The steps, outermost first.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }
}

impl<S: Into<Segment>> FromIterator<S> for Path {
    fn from_iter<I: IntoIterator<Item = S>>(steps: I) -> Self {
        Self(steps.into_iter().map(Into::into).collect())
    }
}

/// Keys with other than letters, digits, `_` and `-` are quoted; the top is `the policy`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the policy");
        }
        for (depth, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) => {
                    f.write_str(if depth == 0 { "" } else { "." })?;
                    write_key(f, key)?;
                }
            }
        }
        Ok(())
    }
}

fn write_key(f: &mut fmt::Formatter<'_>, key: &str) -> fmt::Result {
    let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let short = shorten(key, '"');
    if !short.is_empty() && key.chars().all(plain) {
        f.write_str(&short)
    } else {
        write!(f, "\"{short}\"")
    }
}

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// An operator's word as messages show it: in backticks, on one line, not too long.
pub fn quoted(word: &str) -> String {
    format!("`{}`", shorten(word, '`'))
}

/// What cannot be seen is escaped, and so are double quotes where they would end the word.
fn shorten(word: &str, quote: char) -> String {
    let mut short = String::new();
    for (count, c) in word.chars().enumerate() {
        match c {
            _ if count == MAX_QUOTED => {
                short.push('…');
                break;
            }
            '\'' => short.push(c),
            '"' | '\\' if quote != '"' => short.push(c),
            _ => short.extend(c.escape_debug()),
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_like_the_code_that_would_reach_the_value() {
        let path = Path::root().join("routes").join(3).join("permission");
        assert_eq!(path.to_string(), "routes[3].permission");
        assert_eq!(Path::root().to_string(), "the policy");
        let odd = Path::from_iter(["roles", "a b", "", "é-1", "x\n\"y"]);
        assert_eq!(odd.to_string(), r#"roles."a b"."".é-1."x\n\"y""#);
    }

    #[test]
    fn what_is_quoted_stays_short_and_on_one_line() {
        assert_eq!(quoted("a\u{1b}[31m\n"), r"`a\u{1b}[31m\n`");
        assert_eq!(quoted("token.a == \"it's\""), "`token.a == \"it's\"`");
        assert!(quoted(&"x".repeat(1_000_000)).chars().count() < 100);
    }
}
