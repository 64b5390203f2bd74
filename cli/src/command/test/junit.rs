//! What became of the tests, in the form that build servers read.

use std::fmt::Write as _;

use super::suite::{Outcome, Suite};

/// All of it as JUnit's XML.
pub(super) fn xml(suites: &[Suite]) -> String {
    let sum = |count: fn(&Suite) -> usize| suites.iter().map(count).sum::<usize>();
    let (tests, failures) = (sum(|suite| suite.tests.len()), sum(Suite::failed));
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a `String` cannot fail.
    let _ = writeln!(out, "<testsuites tests=\"{tests}\" failures=\"{failures}\">");
    for suite in suites {
        let (name, count) = (escaped(&suite.file), suite.tests.len());
        let failed = suite.failed();
        let _ =
            writeln!(out, "  <testsuite name=\"{name}\" tests=\"{count}\" failures=\"{failed}\">");
        for test in &suite.tests {
            case(&mut out, &name, test);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn case(out: &mut String, suite: &str, test: &Outcome) {
    let name = escaped(&test.name);
    let _ = write!(out, "    <testcase classname=\"{suite}\" name=\"{name}\"");
    if test.passed {
        out.push_str("/>\n");
        return;
    }
    let differences = test
        .differences
        .iter()
        .map(|one| format!("{}: expected {}, found {}", one.of, one.expected, one.found));
    let message = escaped(&differences.collect::<Vec<_>>().join("; "));
    let text = anstream::adapter::strip_str(test.explanation.as_deref().unwrap_or_default());
    let text = escaped(&text.to_string());
    let _ =
        writeln!(out, ">\n      <failure message=\"{message}\">{text}</failure>\n    </testcase>");
}

/// `text` for an attribute or between tags; what XML cannot hold is left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(char),
            '\u{fffe}' | '\u{ffff}' => {}
            char if char.is_control() => {}
            char => out.push(char),
        }
    }
    out
}
