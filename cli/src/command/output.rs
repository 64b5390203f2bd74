//! What people see: colours on a terminal only, and nothing that could steer it.
//!
//! `anstream` takes the colours out where nobody would see them, and where `NO_COLOR` asks for it.

use std::fmt::Display;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(super) const HINT: Style = AnsiColor::Cyan.on_default().bold();
pub(super) const ODD: Style = AnsiColor::Yellow.on_default().bold();

/// `text` in `style`.
pub(super) fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Prints the answer.
///
/// # Errors
///
/// Standard output takes no more.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints the answer for a program to read.
///
/// # Errors
///
/// Standard output takes no more.
pub(super) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print(&format!("{}\n", json(value)?))?;
    Ok(())
}

/// JSON as people like to read it.
pub(super) fn json(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value).map(|text| visible(&text, &['\n']))
}

/// So many of what is called so.
pub(super) fn counted(count: usize, name: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {name}{plural}")
}

/// Tells, beside the answer, what a person should know.
pub(super) fn note(text: &str) {
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Says why there is no answer.
pub(super) fn complain(text: &str) {
    note(&format!("{} {text}", paint(BAD, "error:")));
}

/// `text` with what would steer a terminal, or reorder the line, written as an escape.
pub(super) fn plain(text: &str) -> String {
    visible(text, &[])
}

fn visible(text: &str, keep: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if !keep.contains(&c) && (c.is_control() || is_bidi(c)) {
            // As JSON writes it, for it may stand in a JSON string.
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Characters that change in which direction their neighbours are read.
const fn is_bidi(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_shown_can_steer_a_terminal() {
        assert_eq!(plain("a\u{1b}[31m\n\u{9b}1m\u{202e}é"), r"a\u001b[31m\u000a\u009b1m\u202eé");
        assert_eq!(json(&"\u{9b}\n").unwrap(), r#""\u009b\n""#);
    }
}
