//! The paths a route answers, as a policy writes them.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use super::path::{AmbiguousPath, MAX_PATH_BYTES, MAX_SEGMENTS, NormalPath, check_segment, decode};

/// The paths a route answers, segment by segment.
///
/// | written | matches |
/// | --- | --- |
/// | `contacts` | that segment, case-sensitive |
/// | `{id}` or `*` | one segment, whatever is in it, but not an empty one |
/// | `**`, only last | all that follow, at least one, the first not empty |
/// | nothing, only last | the end of a path with a trailing slash |
///
/// So `/files/**` matches `/files/a` and `/files/a/`, but neither `/files` nor `/files/`: the
/// collection is another thing than what is in it and has to be named on its own.
///
/// Segments may be percent-encoded, `%2A` for the character `*`, and are compared decoded.
///
/// ```
/// use postern::route::Pattern;
///
/// let pattern: Pattern = "/v1/contacts/{id}/%6eotes".parse()?;
/// assert_eq!(pattern.to_string(), "/v1/contacts/{id}/notes");
/// # Ok::<(), postern::route::PatternError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    // INVARIANT: not empty; `Rest` and the empty literal only last.
    segments: Vec<Segment>,
}

/// One part of a [`Pattern`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// This segment, decoded; empty for a trailing slash.
    Literal(Box<str>),
    /// Any one segment but an empty one; with its name when it has one.
    One(Option<Box<str>>),
    /// All the others.
    Rest,
}

impl Pattern {
    /// Whether it matches a path.
    pub fn matches(&self, path: &NormalPath<'_>) -> bool {
        let mut parts = path.segments();
        for segment in &self.segments {
            let is_match = match (segment, parts.next()) {
                (_, None) => false,
                (Segment::Literal(literal), Some(part)) => **literal == *part,
                (Segment::One(_), Some(part)) => !part.is_empty(),
                (Segment::Rest, Some(part)) => return !part.is_empty(),
            };
            if !is_match {
                return false;
            }
        }
        parts.next().is_none()
    }

    /// The parts, at least one.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    /// # Errors
    ///
    /// [`PatternError`] for what is no pattern, and for one that no [`NormalPath`] could match.
    ///
    /// [`NormalPath`]: super::NormalPath
    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text.len() > MAX_PATH_BYTES {
            return Err(PatternError::Ambiguous(AmbiguousPath::TooLong));
        }
        let path = text.strip_prefix('/').ok_or_else(|| PatternError::NoSlash(text.into()))?;
        let mut segments = Vec::new();
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            let segment = read_segment(part, parts.peek().is_none())?;
            if let Segment::One(Some(name)) = &segment
                && segments.iter().any(|other| is_named(other, name))
            {
                return Err(PatternError::NameTwice(name.as_ref().into()));
            }
            segments.push(segment);
        }
        if segments.len() > MAX_SEGMENTS {
            return Err(PatternError::Ambiguous(AmbiguousPath::TooManySegments));
        }
        Ok(Self { segments })
    }
}

fn read_segment(part: &str, last: bool) -> Result<Segment, PatternError> {
    match part {
        "*" => return Ok(Segment::One(None)),
        "**" if last => return Ok(Segment::Rest),
        "**" => return Err(PatternError::RestNotLast),
        _ => {}
    }
    if let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'))
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    {
        return Ok(Segment::One(Some(name.into())));
    }
    if part.contains(['{', '}']) {
        return Err(PatternError::BadName(part.into()));
    }
    if part.contains('*') {
        return Err(PatternError::PartOfSegment(part.into()));
    }
    if part.contains(is_unwritten) {
        return Err(PatternError::NotEncoded(part.into()));
    }
    if part.contains(['?', '#']) {
        return Err(PatternError::NotAPath(part.into()));
    }
    let literal = decode(part).map_err(PatternError::Ambiguous)?;
    check_segment(&literal, last).map_err(PatternError::Ambiguous)?;
    Ok(Segment::Literal(literal.into()))
}

/// Names differ in more than case, because whoever reads the policy may fold it.
fn is_named(segment: &Segment, name: &str) -> bool {
    matches!(segment, Segment::One(Some(other)) if other.eq_ignore_ascii_case(name))
}

/// What cannot be seen in a policy is written encoded.
fn is_unwritten(char: char) -> bool {
    char.is_whitespace() || char.is_control()
}

impl fmt::Display for Pattern {
    /// The pattern in its one spelling: only what has to be is encoded.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            f.write_char('/')?;
            match segment {
                Segment::Literal(literal) => write_encoded(f, literal)?,
                Segment::One(None) => f.write_char('*')?,
                Segment::One(Some(name)) => write!(f, "{{{name}}}")?,
                Segment::Rest => f.write_str("**")?,
            }
        }
        Ok(())
    }
}

fn write_encoded(f: &mut fmt::Formatter<'_>, literal: &str) -> fmt::Result {
    for char in literal.chars() {
        if is_unwritten(char) || ['%', '*', '{', '}'].contains(&char) {
            let mut utf8 = [0; 4];
            for byte in char.encode_utf8(&mut utf8).bytes() {
                write!(f, "%{byte:02X}")?;
            }
        } else {
            f.write_char(char)?;
        }
    }
    Ok(())
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// No path that is let in could match.
    Ambiguous(AmbiguousPath),
    /// A brace outside of a well-formed `{name}`.
    BadName(String),
    /// A name for two segments.
    NameTwice(String),
    /// Does not start with `/`.
    NoSlash(String),
    /// A `?` or `#`.
    NotAPath(String),
    /// White space or a control character that is not percent-encoded.
    NotEncoded(String),
    /// A `*` beside other characters.
    PartOfSegment(String),
    /// A `**` that something follows.
    RestNotLast,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ambiguous(path) => {
                write!(f, "the pattern has {}, and no such path is let in", path.reason())
            }
            Self::BadName(part) => write!(
                f,
                "segment `{part}`: expected a name of letters, digits and `_` such as `{{id}}`, \
                 or `%7B` and `%7D` for the braces themselves"
            ),
            Self::NameTwice(name) => write!(f, "the name `{name}` is given twice"),
            Self::NoSlash(text) => write!(f, "`{text}`: expected a path that starts with `/`"),
            Self::NotAPath(part) => {
                write!(f, "segment `{part}`: expected a path without query or fragment")
            }
            Self::NotEncoded(part) => write!(
                f,
                "segment `{}`: expected white space to be percent-encoded, such as `%20`",
                part.escape_debug()
            ),
            Self::PartOfSegment(part) => write!(
                f,
                "segment `{part}`: expected `*` for a whole segment, `**` for all that follow, \
                 or `%2A` for the character itself"
            ),
            Self::RestNotLast => f.write_str("`**`: expected no segment after it"),
        }
    }
}

impl std::error::Error for PatternError {}

#[cfg(test)]
mod tests;
