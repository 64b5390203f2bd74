//! What is wrong with a policy, and where: told so that whoever wrote the line can mend it.

mod path;

use std::fmt;

pub use self::path::{Path, Place, Segment, quoted};

/// The most problems that are kept of one policy; further ones are only counted.
pub const MAX_PROBLEMS: usize = 100;

/// Whether a policy can be used in spite of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It can, and probably does not say what was meant.
    Warning,
    /// It cannot.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One thing that is wrong with a policy.
///
/// ```
/// use postern::policy::problem::Problem;
///
/// let problem = Problem::new("unknown permission `contacts:raed`")
///     .help("did you mean `contacts:read`?")
///     .under("permission")
///     .under(3)
///     .under("routes");
/// assert_eq!(
///     problem.to_string(),
///     "routes[3].permission: unknown permission `contacts:raed`; did you mean `contacts:read`?",
/// );
/// ```
///
/// It is no larger than a pointer: hundreds of places make one, and each that moves it costs the filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(Box<Content>);

/// What a [`Problem`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Whether the policy can be used all the same.
    pub severity: Severity,
    /// Which value it is about.
    pub path: Path,
    /// Where that is in the text, once somebody has looked.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where in its value it is, if that is known.
    pub inside: Option<Inside>,
}

/// A place in a value that is a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside {
    /// The value.
    pub text: String,
    /// How many bytes come before the place.
    pub at: usize,
}

impl Problem {
    /// An error at the top of the document.
    pub fn new(message: impl Into<String>) -> Self {
        Self::of(Severity::Error, message.into())
    }

    /// A warning at the top of the document.
    pub fn warning(message: impl Into<String>) -> Self {
        Self::of(Severity::Warning, message.into())
    }

    fn of(severity: Severity, message: String) -> Self {
        let path = Path::root();
        let content = Content { severity, path, place: None, message, help: None, inside: None };
        Self(Box::new(content))
    }

    /// This problem with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// This problem with the nearest known name as advice, if one is near.
    #[must_use]
    pub fn did_you_mean(self, nearest: Option<&str>) -> Self {
        match nearest {
            Some(name) => self.help(format!("did you mean {}?", quoted(name))),
            None => self,
        }
    }

    /// This problem so many bytes into a value that is this text.
    #[must_use]
    pub fn inside(mut self, text: &str, at: usize) -> Self {
        self.0.inside = Some(Inside { text: text.to_owned(), at });
        self
    }

    /// This problem at `path`, wherever it was.
    #[must_use]
    #[inline(never)]
    pub fn at(mut self, path: Path) -> Self {
        self.0.path = path;
        self
    }

    /// This problem as seen from one level further out.
    #[must_use]
    pub fn under(mut self, step: impl Into<Segment>) -> Self {
        self.0.path.0.insert(0, step.into());
        self
    }

    /// This problem with its place in the text.
    #[must_use]
    pub fn placed(mut self, place: Option<Place>) -> Self {
        self.0.place = place;
        self
    }

    /// The problem on one line as compilers print it: `policy.yaml:12:5: error: …`.
    pub fn in_file(&self, file: &str) -> String {
        let Content { severity, place, .. } = &*self.0;
        match place {
            Some(Place { line, column }) => {
                format!("{file}:{line}:{column}: {severity}: {}", self.statement())
            }
            None => format!("{file}: {severity}: {}", self.statement()),
        }
    }

    /// Path, message and help.
    fn statement(&self) -> String {
        let path = match self.place {
            Some(_) if self.path == Path::root() => String::new(),
            _ => format!("{}: ", self.path),
        };
        let help = self.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        format!("{path}{}{help}", self.message)
    }
}

impl std::ops::Deref for Problem {
    type Target = Content;

    fn deref(&self) -> &Content {
        &self.0
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.statement())
    }
}

impl std::error::Error for Problem {}

/// What was found wrong with one policy: at most [`MAX_PROBLEMS`], in the order found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    kept: Vec<Problem>,
    dropped: usize,
    fatal: bool,
}

impl Problems {
    /// None so far.
    pub const fn new() -> Self {
        Self { kept: Vec::new(), dropped: 0, fatal: false }
    }

    /// One more.
    #[inline(never)]
    pub fn add(&mut self, problem: Problem) {
        self.fatal |= problem.severity == Severity::Error;
        if self.kept.len() < MAX_PROBLEMS {
            self.kept.push(problem);
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// The value, or `None` with its problem added.
    pub fn take<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.add(problem)).ok()
    }

    /// Whether there is an error among them, kept or not.
    pub const fn fatal(&self) -> bool {
        self.fatal
    }

    /// Those that were kept.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.kept.iter()
    }

    /// The same problems, each of those kept changed by `change`: given its place in the text.
    #[must_use]
    pub fn map(self, change: impl FnMut(Problem) -> Problem) -> Self {
        Self { kept: self.kept.into_iter().map(change).collect(), ..self }
    }

    /// How many were found beyond those that were kept.
    pub const fn dropped(&self) -> usize {
        self.dropped
    }

    /// `value` with the warnings, or everything that is wrong if any of it is an error.
    ///
    /// # Errors
    ///
    /// These problems, when one of them is an error.
    pub fn settle<T>(self, value: T) -> Result<(T, Self), Self> {
        if self.fatal { Err(self) } else { Ok((value, self)) }
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        let mut problems = Self::new();
        problems.add(problem);
        problems
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.kept.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "\n" })?;
            write!(f, "{problem}")?;
        }
        if self.dropped > 0 {
            write!(f, "\nand {} more", self.dropped)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_with_its_path_its_place_and_advice() {
        let problem = Problem::new("missing field `issuer`").under(0).under("issuers");
        assert_eq!(problem.to_string(), "issuers[0]: missing field `issuer`");
        assert_eq!(problem.in_file("p.json"), "p.json: error: issuers[0]: missing field `issuer`");

        let placed = problem.help("name it").placed(Some(Place { line: 2, column: 5 }));
        assert_eq!(
            placed.to_string(),
            "line 2, column 5: issuers[0]: missing field `issuer`; name it",
        );
        assert_eq!(
            placed.at(Path::root()).in_file("p.yaml"),
            "p.yaml:2:5: error: missing field `issuer`; name it",
        );
    }

    #[test]
    fn warnings_let_a_policy_pass_and_errors_do_not() {
        let mut problems = Problems::new();
        problems.add(Problem::warning("no route is public"));
        assert_eq!(problems.clone().settle(1).unwrap().0, 1);
        assert_eq!(problems.take::<()>(Err(Problem::new("no"))), None);
        assert!(problems.settle(1).is_err());
    }

    #[test]
    fn an_error_counts_even_where_it_is_no_longer_kept() {
        let mut problems = Problems::new();
        for _ in 0..MAX_PROBLEMS {
            problems.add(Problem::warning("odd"));
        }
        problems.add(Problem::new("wrong"));
        assert!(problems.fatal());
        assert_eq!(problems.iter().count(), MAX_PROBLEMS);
        assert!(problems.to_string().ends_with("\nand 1 more"));
        assert!(problems.map(|problem| problem.under("a")).fatal());
    }
}
