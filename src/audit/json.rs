//! Members of a record, written one after the other: each begins with its comma.

use std::fmt::Write;

/// A member whose value is text.
pub(super) fn text(line: &mut String, name: &str, value: &str) {
    open(line, name);
    push_string(line, value);
}

/// A member whose value is text, if there is one.
pub(super) fn optional(line: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        text(line, name, value);
    }
}

/// A member whose value is a list of texts.
pub(super) fn list(line: &mut String, name: &str, values: &[String]) {
    open(line, name);
    line.push('[');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            line.push(',');
        }
        push_string(line, value);
    }
    line.push(']');
}

/// A member whose value is written the same in JSON and in Rust: a number, a boolean.
pub(super) fn plain(line: &mut String, name: &str, value: impl std::fmt::Display) {
    open(line, name);
    // Writing to a `String` cannot fail.
    let _ = write!(line, "{value}");
}

/// A member whose value is any JSON, in visible ASCII like the others.
pub(super) fn value(line: &mut String, name: &str, value: &serde_json::Value) {
    open(line, name);
    // What is not ASCII stands within strings, where it may be escaped.
    for char in value.to_string().chars() {
        if matches!(char, ' '..='~') {
            line.push(char);
        } else {
            push_escaped(line, char);
        }
    }
}

fn open(line: &mut String, name: &str) {
    line.push_str(",\"");
    line.push_str(name);
    line.push_str("\":");
}

fn push_string(line: &mut String, value: &str) {
    line.push('"');
    escape(line, value);
    line.push('"');
}

/// Adds what stands within a JSON string, everything in it escaped that is not visible ASCII or a
/// space: what reads the log may end a line at U+0085 or U+2028, and a terminal may obey U+009B.
pub(super) fn escape(line: &mut String, value: &str) {
    let plain = |byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    if value.bytes().all(plain) {
        line.push_str(value);
        return;
    }
    for char in value.chars() {
        match char {
            '"' | '\\' => line.extend(['\\', char]),
            ' '..='~' => line.push(char),
            _ => push_escaped(line, char),
        }
    }
}

fn push_escaped(line: &mut String, char: char) {
    for unit in char.encode_utf16(&mut [0; 2]) {
        let _ = write!(line, "\\u{unit:04x}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_read_back_as_it_was_and_is_written_in_visible_ascii(value: String) {
            let mut line = String::new();
            text(&mut line, "a", &value);
            list(&mut line, "b", &[value.clone(), value.clone()]);
            prop_assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line}");
            let read: Value = serde_json::from_str(&format!("{{\"x\":1{line}}}")).unwrap();
            prop_assert_eq!(&read["a"], &Value::from(value.clone()));
            prop_assert_eq!(&read["b"], &Value::from(vec![value.clone(), value]));
        }
    }
}
