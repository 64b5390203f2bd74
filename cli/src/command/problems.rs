//! A policy as somebody wrote it, and what is wrong with it, shown in its text.

use anstyle::Style;
use postern::policy::source::de::from_value;
use postern::policy::source::document;
use postern::policy::{Path, Place, Policy, Problem, Problems, Severity};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::file::Input;
use super::output::{BAD, BOLD, DIM, HINT, ODD, paint, plain};

/// The longest part of a line that is shown, in characters.
const MAX_SHOWN: usize = 160;
/// The shortest run of letters and digits that may be a key.
const MIN_SECRET: usize = 22;

/// The text of a policy.
pub(super) struct Source {
    pub(super) name: String,
    bytes: Vec<u8>,
}

impl Source {
    /// # Errors
    ///
    /// The file cannot be read.
    pub(super) fn read(input: &Input) -> anyhow::Result<Self> {
        Ok(Self { name: input.to_string(), bytes: input.read()? })
    }

    /// The same of a text that was made from a file.
    pub(super) fn of(input: &Input, text: String) -> Self {
        Self { name: input.to_string(), bytes: text.into_bytes() }
    }

    /// The values in it, and the policy they make with what is odd about it.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, in the order of the text.
    pub(super) fn compile(&self) -> Result<(Value, Policy, Problems), Problems> {
        let (value, positions) = document::parse(&self.bytes)?;
        let place = |problems: Problems| {
            problems.map(|problem| document::narrow(positions.place(problem), &self.bytes))
        };
        match Policy::compile(&value) {
            Ok((policy, problems)) => {
                let problems = place(problems);
                Ok((value, policy, problems))
            }
            Err(problems) => Err(place(problems)),
        }
    }

    /// The policy for a command that cannot do without.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for standard error.
    pub(super) fn policy(&self) -> anyhow::Result<(Value, Policy)> {
        match self.compile() {
            Ok((value, policy, _)) => Ok((value, policy)),
            Err(problems) => {
                let shown = self.show(&problems);
                anyhow::bail!("`{}` is not a policy that can be used\n{shown}", self.name)
            }
        }
    }

    /// What is in a file that is no policy, as a `T`.
    ///
    /// # Errors
    ///
    /// The first thing that does not fit, for standard error.
    pub(super) fn typed<T: DeserializeOwned>(&self, kind: &str) -> anyhow::Result<T> {
        let read = document::parse(&self.bytes).and_then(|(value, positions)| {
            from_value(&value).map_err(|problem| positions.place(problem))
        });
        read.map_err(|problem| {
            anyhow::anyhow!("`{}` is no {kind}\n{}", self.name, self.show(&problem.into()))
        })
    }

    /// Every problem with its line.
    pub(super) fn show(&self, problems: &Problems) -> String {
        let mut out = String::new();
        for problem in in_order(problems) {
            self.show_one(&mut out, problem);
        }
        if problems.dropped() > 0 {
            out.push_str(&format!("{}: and {} more\n", self.name, problems.dropped()));
        }
        out
    }

    fn show_one(&self, out: &mut String, problem: &Problem) {
        let style = style(problem.severity);
        let place = problem.place.map(|at| format!(":{}:{}", at.line, at.column));
        let place = paint(BOLD, format!("{}{}:", self.name, place.unwrap_or_default()));
        let severity = paint(style, format!("{}:", problem.severity));
        let path = match &problem.path {
            path if *path == Path::root() => String::new(),
            path => format!("{}: ", plain(&path.to_string())),
        };
        out.push_str(&format!("{place} {severity} {path}{}\n", plain(&problem.message)));
        if let Some((number, line, caret)) = problem.place.and_then(|place| self.excerpt(place)) {
            let (bar, number) = (paint(DIM, "|"), paint(DIM, format!("{number:>5}")));
            let caret = paint(style, format!("{}^", " ".repeat(caret)));
            out.push_str(&format!("{number} {bar} {line}\n      {bar} {caret}\n"));
        }
        if let Some(help) = &problem.help {
            out.push_str(&format!("      {} {}\n", paint(HINT, "help:"), plain(help)));
        }
    }

    /// The number of a line, the line as it may be shown, and how far in the caret goes.
    fn excerpt(&self, Place { line, column }: Place) -> Option<(usize, String, usize)> {
        let bytes = self.bytes.split(|byte| *byte == b'\n').nth(line.checked_sub(1)?)?;
        let text = String::from_utf8_lossy(bytes);
        let caret = column.checked_sub(1)?;
        // One character for each, so that the caret stays where it belongs.
        let show =
            |c: char| if plain(c.encode_utf8(&mut [0; 4])).len() > c.len_utf8() { ' ' } else { c };
        let text: String = mask(text.trim_end()).chars().map(show).take(MAX_SHOWN).collect();
        (caret <= text.chars().count()).then_some((line, text, caret))
    }
}

/// Problems as they stand in the text, which is where whoever mends them will be.
fn in_order(problems: &Problems) -> Vec<&Problem> {
    let mut list: Vec<_> = problems.iter().collect();
    list.sort_by_key(|problem| problem.place);
    list
}

const fn style(severity: Severity) -> Style {
    match severity {
        Severity::Error => BAD,
        Severity::Warning => ODD,
    }
}

/// `line` with a `*` for each character of what may be key material: a policy for development can
/// hold a secret, and what is printed ends up in build logs.
fn mask(line: &str) -> String {
    let in_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '/');
    let mut out = String::with_capacity(line.len());
    let mut run = String::new();
    for c in line.chars().map(Some).chain([None]) {
        if let Some(c) = c.filter(|c| in_key(*c)) {
            run.push(c);
            continue;
        }
        let mixed = run.contains(|c: char| c.is_ascii_uppercase())
            && run.contains(|c: char| c.is_ascii_lowercase());
        match mixed && run.len() >= MIN_SECRET {
            true => out.extend(run.drain(..).map(|_| '*')),
            false => out.extend(run.drain(..)),
        }
        out.extend(c);
    }
    out
}

/// A problem for programs.
#[derive(Debug, Serialize)]
pub(super) struct ProblemJson {
    severity: &'static str,
    line: Option<usize>,
    column: Option<usize>,
    path: String,
    message: String,
    help: Option<String>,
}

/// The problems for programs, in the order of the text.
pub(super) fn to_json(problems: &Problems) -> Vec<ProblemJson> {
    let one = |problem: &Problem| ProblemJson {
        severity: name(problem.severity),
        line: problem.place.map(|place| place.line),
        column: problem.place.map(|place| place.column),
        path: match &problem.path {
            path if *path == Path::root() => String::new(),
            path => path.to_string(),
        },
        message: problem.message.clone(),
        help: problem.help.clone(),
    };
    in_order(problems).into_iter().map(one).collect()
}

const fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_key_is_masked_and_names_are_not() {
        assert_eq!(mask("k: c2VjcmV0LXNlY3JldC1zZWNyZXQ, a"), "k: ***************************, a");
        let line = "allow_symmetric_keys_for_development: https://login.example/";
        assert_eq!(mask(line), line);
    }

    #[test]
    fn the_caret_stands_under_its_character_whatever_comes_before() {
        let bytes = "a\n\té\u{1b}: x\n".as_bytes().to_vec();
        let source = Source { name: "p".to_owned(), bytes };
        let (number, line, caret) = source.excerpt(Place { line: 2, column: 4 }).unwrap();
        assert_eq!((number, line.as_str(), caret), (2, " é : x", 3));
        assert!(source.excerpt(Place { line: 9, column: 1 }).is_none());
    }
}
