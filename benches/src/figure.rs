//! The figures: measured, held against their goals, shown.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
    /// Told for what it is worth.
    None,
}

impl Goal {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
            Self::None => true,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(most) => format!("<={most}"),
            Self::AtLeast(least) => format!(">={least}"),
            Self::None => "-".to_owned(),
        }
    }
}

#[derive(Debug, Serialize)]
struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    goal: String,
    ok: bool,
}

/// The figures measured so far.
#[derive(Debug)]
pub(crate) struct Figures {
    only: String,
    measured: Vec<Figure>,
}

impl Figures {
    /// None yet; of all there are, those whose names begin with `only` are wanted.
    pub(crate) fn new(only: String) -> Self {
        Self { only, measured: Vec::new() }
    }

    /// Whether this one is to be measured.
    pub(crate) fn wants(&self, name: &str) -> bool {
        name.starts_with(&self.only)
    }

    /// Whether one whose name begins so may have to be measured.
    pub(crate) fn wants_some(&self, prefix: &str) -> bool {
        prefix.starts_with(&self.only) || self.only.starts_with(prefix)
    }

    /// One more, if it is wanted.
    pub(crate) fn add(&mut self, name: &str, value: f64, unit: &'static str, goal: Goal) {
        if self.wants(name) {
            let (name, ok) = (name.to_owned(), goal.holds(value));
            self.measured.push(Figure { name, value, unit, goal: goal.text(), ok });
        }
    }

    /// A line for each.
    pub(crate) fn table(&self) -> String {
        let verdict = |ok| if ok { "ok" } else { "short" };
        let line = |Figure { name, value, unit, goal, ok }: &Figure| {
            let (value, verdict) = (decimal(*value), verdict(*ok));
            format!("figure {name:<30} {value:>9} {unit:<12} {goal:<6} {verdict}\n")
        };
        self.measured.iter().map(line).collect()
    }

    /// Writes them as JSON.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let parent = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent)?;
        let text = serde_json::to_string_pretty(&self.measured)?;
        fs::write(path, text + "\n").with_context(|| format!("cannot write `{}`", path.display()))
    }
}

/// A number as people read it: what is large without a fraction.
fn decimal(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

/// The one in the middle; of an even number, the mean of the two.
///
/// # Errors
///
/// There is none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> anyhow::Result<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let upper = values.len() / 2;
    let lower = values.len().saturating_sub(1) / 2;
    let middle = values.get(lower).zip(values.get(upper));
    middle.map(|(lower, upper)| f64::midpoint(*lower, *upper)).context("nothing was measured")
}

#[cfg(test)]
mod tests {
    use super::{Figures, Goal, median};

    #[test]
    fn a_figure_is_one_line_with_its_goal_and_whether_it_is_met() {
        let mut figures = Figures::new(String::new());
        figures.add("engine_allow_warm", 1.234_56, "us", Goal::AtMost(2.0));
        figures.add("envoy_rps_vs_empty", 0.69, "ratio", Goal::AtLeast(0.7));
        figures.add("wasm_fuel_allow_warm", 45_123.0, "instructions", Goal::None);
        let table = figures.table();
        let words = table.lines().map(|line| line.split_whitespace().collect());
        let expected: [[&str; 6]; 3] = [
            ["figure", "engine_allow_warm", "1.235", "us", "<=2", "ok"],
            ["figure", "envoy_rps_vs_empty", "0.690", "ratio", ">=0.7", "short"],
            ["figure", "wasm_fuel_allow_warm", "45123", "instructions", "-", "ok"],
        ];
        assert_eq!(words.collect::<Vec<Vec<_>>>(), expected);
    }

    #[test]
    fn only_what_is_asked_for_is_measured() {
        let figures = Figures::new("envoy_rps".to_owned());
        assert!(figures.wants("envoy_rps_vs_none"));
        assert!(!figures.wants("envoy_ready_later"));
        assert!(figures.wants_some("envoy"));
        assert!(!figures.wants_some("wasm"));
    }

    #[test]
    fn the_median_of_nothing_is_an_error() {
        assert!(median([]).is_err());
        assert_eq!(median([3.0, 1.0, 2.0]).unwrap(), 2.0);
        assert_eq!(median([1.0, 4.0]).unwrap(), 2.5);
    }
}
