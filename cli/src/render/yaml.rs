//! JSON values as YAML that reads like a person wrote it: mappings in blocks, short lists and
//! short mappings in one line.

use serde_json::{Map, Value};

/// The longest list or mapping that stays in one line, in characters.
const LINE: usize = 80;
/// How much deeper each level goes, in columns.
const STEP: usize = 2;

/// `value` as YAML that starts at column `indent`, the first line not indented.
pub(super) fn block(value: &Value, indent: usize) -> String {
    let mut text = String::new();
    write_block(&mut text, value, indent);
    text
}

fn write_block(text: &mut String, value: &Value, indent: usize) {
    let line_start = format!("\n{:indent$}", "");
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (index, (name, value)) in members.iter().enumerate() {
                if index > 0 {
                    text.push_str(&line_start);
                }
                text.push_str(&scalar(name));
                text.push(':');
                write_member(text, value, indent);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push_str(&line_start);
                }
                text.push_str("- ");
                match short(item) {
                    Some(flow) => text.push_str(&flow),
                    None => write_block(text, item, indent.saturating_add(STEP)),
                }
            }
        }
        _ => text.push_str(&flow(value)),
    }
}

fn write_member(text: &mut String, value: &Value, indent: usize) {
    // A mapping of mappings is a table: its rows are worth a line each.
    let is_table = value
        .as_object()
        .is_some_and(|members| members.len() > 1 && members.values().any(Value::is_object));
    match short(value).filter(|_| !is_table) {
        Some(flow) => {
            text.push(' ');
            text.push_str(&flow);
        }
        None => {
            let indent = indent.saturating_add(STEP);
            text.push_str(&format!("\n{:indent$}", ""));
            write_block(text, value, indent);
        }
    }
}

fn short(value: &Value) -> Option<String> {
    let text = flow(value);
    let nested = value.is_object() || value.is_array();
    (!nested || text.chars().count() <= LINE).then_some(text)
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => format!("{{ {} }}", flow_members(members)),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

fn flow_members(members: &Map<String, Value>) -> String {
    members
        .iter()
        .map(|(name, value)| format!("{}: {}", scalar(name), flow(value)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A string, quoted unless every YAML reader takes it for that string as it is.
pub(super) fn scalar(text: &str) -> String {
    let starts_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ':');
    // What YAML 1.1 reads as a boolean or as nothing.
    let keywords = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let is_keyword = keywords.iter().any(|keyword| text.eq_ignore_ascii_case(keyword));
    if starts_plain && text.chars().all(is_plain) && !text.ends_with(':') && !is_keyword {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}
