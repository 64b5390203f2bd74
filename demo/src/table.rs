//! Rows as a person reads them.

use std::fmt::Write as _;

use crate::scenario::Row;

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// The rows as a table, a line each; a row that does not hold says in lines below what differs.
pub fn render(rows: &[Row], colors: bool) -> String {
    let paint = |color: &str, text: &str| {
        if colors { format!("{color}{text}{PLAIN}") } else { text.to_owned() }
    };
    let cells: Vec<[String; 3]> = rows
        .iter()
        .map(|row| {
            let got = row.got.as_ref().map_or("no answer".to_owned(), ToString::to_string);
            [row.who.to_owned(), row.does.to_owned(), got]
        })
        .collect();
    let widths = [0, 1, 2].map(|column| {
        let lengths =
            cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        lengths.max().unwrap_or_default()
    });
    let [first, second, third] = widths;
    let mut text = String::new();
    for (row, [who, does, got]) in rows.iter().zip(&cells) {
        let (mark, color) = if row.holds() { ("ok", GREEN) } else { ("NO", RED) };
        let got = paint(color, &format!("{got:third$}"));
        let line = format!("{who:first$}  {does:second$}  {got}  {}", paint(DIM, row.why));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}  {line}", paint(color, mark));
        if row.got.as_ref() != Some(&row.expected) {
            let _ = writeln!(text, "    expected {}", row.expected);
        }
        if let Some(objection) = &row.objection {
            let _ = writeln!(text, "    {objection}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::scenario::{Outcome, Row};

    #[test]
    fn a_row_that_differs_says_what_was_expected() {
        let expected = Outcome { status: 403, code: Some("no_route".to_owned()) };
        let row = Row {
            who: "ada",
            does: "asks",
            expected: expected.clone(),
            got: Some(Outcome { status: 200, code: None }),
            why: "because",
            objection: None,
        };
        let good = Row { got: Some(expected), ..row.clone() };
        assert_eq!(
            render(&[good, row], false),
            "ok  ada  asks  403 no_route  because\n\
             NO  ada  asks  200           because\n    expected 403 no_route\n"
        );
    }
}
