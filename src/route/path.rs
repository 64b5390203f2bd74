//! A request path that can be read in one way only.

use std::borrow::Cow;
use std::fmt;

/// The longest `:path`, its query included, that is read.
pub const MAX_PATH_BYTES: usize = 8 * 1024;

/// The most segments a path may have; the empty one after a trailing slash counts.
pub const MAX_SEGMENTS: usize = 64;

/// A path in origin form (RFC 9112 §3.2.1), percent-decoded, that every server reads alike.
///
/// There is no dot segment and no empty segment in it, and decoding it once more changes nothing.
/// A trailing slash means something: `/a/` has the segments `a` and the empty one, `/a` only `a`.
/// Letters keep their case (RFC 3986 §6.2.2.1), so a server that folds case is not covered.
///
/// Borrows from the request unless something in it was percent-encoded.
///
/// ```
/// use postern::route::{AmbiguousPath, NormalPath};
///
/// let path = NormalPath::parse(b"/v1/caf%C3%A9?full=1")?;
/// assert_eq!(path.as_str(), "/v1/café");
/// assert_eq!(path.query(), Some("full=1"));
/// assert_eq!(NormalPath::parse(b"/v1/%2e%2E/x").unwrap_err(), AmbiguousPath::DotSegment);
/// # Ok::<(), AmbiguousPath>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NormalPath<'a> {
    // INVARIANT: starts with `/`; no segment but the last is empty.
    text: Cow<'a, str>,
    query: Option<&'a str>,
}

impl<'a> NormalPath<'a> {
    /// Reads the `:path` of a request, bytes as they came.
    ///
    /// # Errors
    ///
    /// [`AmbiguousPath`] when servers may disagree about what the path names.
    pub fn parse(raw: &'a [u8]) -> Result<Self, AmbiguousPath> {
        if raw.len() > MAX_PATH_BYTES {
            return Err(AmbiguousPath::TooLong);
        }
        if !raw.iter().all(u8::is_ascii_graphic) {
            return Err(AmbiguousPath::ForbiddenByte);
        }
        let target = str::from_utf8(raw).map_err(|_| AmbiguousPath::ForbiddenByte)?;
        if target.contains('#') {
            return Err(AmbiguousPath::Fragment);
        }
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        if !path.starts_with('/') {
            return Err(AmbiguousPath::NotOriginForm);
        }
        let normal = Self { text: decode(path)?, query };
        normal.check()?;
        Ok(normal)
    }

    /// The decoded path: to be looked up and written down, not to be sent on.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The decoded segments, at least one; only the last can be empty, after a trailing slash.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.after_slash().split('/')
    }

    /// What follows the first `?`, as it came.
    pub fn query(&self) -> Option<&'a str> {
        self.query
    }

    fn check(&self) -> Result<(), AmbiguousPath> {
        let mut segments = self.segments().enumerate().peekable();
        while let Some((index, segment)) = segments.next() {
            if index >= MAX_SEGMENTS {
                return Err(AmbiguousPath::TooManySegments);
            }
            check_segment(segment, segments.peek().is_none())?;
        }
        Ok(())
    }

    /// The segments in one piece.
    pub(super) fn after_slash(&self) -> &str {
        self.text.strip_prefix('/').unwrap_or_default()
    }
}

/// Why servers may disagree about what a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AmbiguousPath {
    /// A `\`, which some servers take for a `/`.
    Backslash,
    /// A `%` that two hexadecimal digits do not follow.
    BadEncoding,
    /// Percent-encoded bytes that are not UTF-8, overlong forms among them.
    BadUtf8,
    /// A segment `.` or `..`, plain or encoded: whether and when it is resolved differs.
    DotSegment,
    /// What is still percent-encoded after decoding once.
    DoubleEncoding,
    /// Two slashes in a row, which some servers merge.
    EmptySegment,
    /// A percent-encoded control character; NUL ends a string in some servers.
    EncodedControl,
    /// A percent-encoded `/`, `\`, `?` or `#`, a delimiter to whoever decodes first and splits then.
    EncodedDelimiter,
    /// A byte that is not visible ASCII.
    ForbiddenByte,
    /// A `#`, where some servers end the path.
    Fragment,
    /// Not in origin form: empty, `*`, or with a scheme or host in front.
    NotOriginForm,
    /// A `;`, plain or encoded: some servers drop it with what follows.
    PathParameter,
    /// More than [`MAX_PATH_BYTES`].
    TooLong,
    /// More than [`MAX_SEGMENTS`].
    TooManySegments,
}

impl AmbiguousPath {
    /// What is in the path, for a person to read; never a part of the path itself.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Backslash => "a backslash",
            Self::BadEncoding => "a `%` without two hexadecimal digits",
            Self::BadUtf8 => "percent-encoded bytes that are not utf-8",
            Self::DotSegment => "a `.` or `..` segment",
            Self::DoubleEncoding => "characters that are percent-encoded twice",
            Self::EmptySegment => "an empty segment",
            Self::EncodedControl => "a percent-encoded control character",
            Self::EncodedDelimiter => "a percent-encoded slash, backslash, `?` or `#`",
            Self::ForbiddenByte => "a byte that is not visible ascii",
            Self::Fragment => "a `#`",
            Self::NotOriginForm => "no `/` at its start",
            Self::PathParameter => "a `;`, plain or percent-encoded",
            Self::TooLong => "more than 8192 bytes",
            Self::TooManySegments => "more than 64 segments",
        }
    }
}

impl fmt::Display for AmbiguousPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the path has {}", self.reason())
    }
}

impl std::error::Error for AmbiguousPath {}

/// Decodes once, and refuses what would mean something else decoded twice.
pub(super) fn decode(text: &str) -> Result<Cow<'_, str>, AmbiguousPath> {
    let mut encoded = false;
    for byte in text.bytes() {
        match byte {
            b'\\' => return Err(AmbiguousPath::Backslash),
            b';' => return Err(AmbiguousPath::PathParameter),
            b'%' => encoded = true,
            _ => {}
        }
    }
    if !encoded {
        return Ok(Cow::Borrowed(text));
    }

    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let byte = if byte == b'%' { escaped(&mut bytes)? } else { byte };
        decoded.push(byte);
    }
    let decoded = String::from_utf8(decoded).map_err(|_| AmbiguousPath::BadUtf8)?;
    if decoded.chars().any(char::is_control) {
        return Err(AmbiguousPath::EncodedControl);
    }
    // After decoding, because the digits may have been encoded as well.
    let is_escape = |three: &[u8]| matches!(three, [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit());
    if decoded.as_bytes().windows(3).any(is_escape) {
        return Err(AmbiguousPath::DoubleEncoding);
    }
    Ok(Cow::Owned(decoded))
}

/// The byte that the two digits after a `%` stand for, if it may be encoded at all.
fn escaped(bytes: &mut impl Iterator<Item = u8>) -> Result<u8, AmbiguousPath> {
    let mut digit = || {
        let value = char::from(bytes.next()?).to_digit(16)?;
        u8::try_from(value).ok()
    };
    let (Some(high), Some(low)) = (digit(), digit()) else {
        return Err(AmbiguousPath::BadEncoding);
    };
    match high << 4 | low {
        b'/' | b'\\' | b'?' | b'#' => Err(AmbiguousPath::EncodedDelimiter),
        b';' => Err(AmbiguousPath::PathParameter),
        byte => Ok(byte),
    }
}

/// Whether a decoded segment may stand where it stands.
pub(super) fn check_segment(segment: &str, last: bool) -> Result<(), AmbiguousPath> {
    match segment {
        "." | ".." => Err(AmbiguousPath::DotSegment),
        "" if !last => Err(AmbiguousPath::EmptySegment),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
