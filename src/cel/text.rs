//! Strings as an expression writes them.

use std::str::CharIndices;

/// The string that `source` begins with, its quotes included, and how many bytes of it that are.
///
/// # Errors
///
/// Where it is wrong, and how.
pub(super) fn read(source: &str, is_raw: bool) -> Result<(String, usize), (usize, &'static str)> {
    let mut chars = source.char_indices();
    let quote = chars.next().map_or('"', |(_, quote)| quote);
    let mut text = String::new();
    while let Some((at, char)) = chars.next() {
        match char {
            '\n' | '\r' => break,
            '\\' if !is_raw => text.push(escaped(&mut chars).ok_or((
                at,
                "expected an escape such as `\\n`, `\\\\`, `\\x41`, `\\u00e9` or `\\101`",
            ))?),
            char if char == quote => return Ok((text, at.saturating_add(1))),
            char => text.push(char),
        }
    }
    Err((0, "the string has no end"))
}

/// What an escape stands for, after its `\`.
fn escaped(chars: &mut CharIndices<'_>) -> Option<char> {
    let (_, kind) = chars.next()?;
    let char = match kind {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        '\\' | '?' | '"' | '\'' | '`' => kind,
        'x' | 'X' => number(0, chars, 16, 2)?,
        'u' => number(0, chars, 16, 4)?,
        'U' => number(0, chars, 16, 8)?,
        '0'..='3' => number(kind.to_digit(8)?, chars, 8, 2)?,
        _ => return None,
    };
    Some(char)
}

/// The character whose number goes on with so many digits.
fn number(first: u32, chars: &mut CharIndices<'_>, radix: u32, digits: usize) -> Option<char> {
    let digit = |number: u32, (_, char): (usize, char)| {
        number.checked_mul(radix)?.checked_add(char.to_digit(radix)?)
    };
    let mut number = first;
    for _ in 0..digits {
        number = digit(number, chars.next()?)?;
    }
    char::from_u32(number)
}
