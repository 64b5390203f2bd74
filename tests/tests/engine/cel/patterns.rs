//! The patterns of `matches` beside another implementation, on patterns and texts that nobody chose.

use postern::cel::Program;
use regex::Regex;

use super::facts;
use super::generator::Generator;

const PATTERNS: u64 = 20_000;

/// A pattern as we read it, and as the other reads it: to it `\d` and the like mean more than ASCII.
struct Both {
    ours: String,
    theirs: String,
}

impl Both {
    fn same(text: &str) -> Self {
        Self { ours: text.to_owned(), theirs: text.to_owned() }
    }

    fn add(&mut self, other: &Self) {
        self.ours.push_str(&other.ours);
        self.theirs.push_str(&other.theirs);
    }
}

fn choice(any: &mut Generator, depth: u32) -> Both {
    let mut all = Both::same("");
    for place in 0..=any.below(3).saturating_sub(1) {
        if place > 0 {
            all.add(&Both::same("|"));
        }
        for _ in 0..any.below(4) {
            all.add(&repeated(any, depth));
        }
    }
    all
}

fn repeated(any: &mut Generator, depth: u32) -> Both {
    let mut part = part(any, depth);
    let is_anchor = ["^", "$", r"\A", r"\z"].contains(&part.ours.as_str());
    if any.below(10) < 4 && !is_anchor {
        let times = any.one(&["*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "{0}", "{2,3}?"]);
        part.add(&Both::same(times));
    }
    part
}

fn part(any: &mut Generator, depth: u32) -> Both {
    match any.below(12) {
        0 if depth > 0 => {
            let mut group = Both::same(any.one(&["(", "(?:"]));
            group.add(&choice(any, depth - 1));
            group.add(&Both::same(")"));
            group
        }
        1 => Both::same(any.one(&["^", "$", r"\A", r"\z"])),
        2 | 3 => known(any),
        4 | 5 => {
            let mut class = Both::same(any.one(&["[", "[^"]));
            for _ in 0..=any.below(3) {
                match any.below(4) {
                    0 => class.add(&known(any)),
                    1 => class.add(&Both::same(any.one(&["a-c", "b-é", r"\--9", "x-x"]))),
                    _ => class.add(&Both::same(any.one(&["a", "b", r"\]", ".", "é", r"\n", "1"]))),
                }
            }
            class.add(&Both::same(any.one(&["]", "]", "]", "-]"])));
            class
        }
        6 => Both::same("."),
        _ => Both::same(any.one(&["a", "b", "ab", "1", r"\.", "é", " ", "_", r"\\", "٣", r"\n"])),
    }
}

fn known(any: &mut Generator) -> Both {
    let (ours, theirs) = any.one(&[
        (r"\d", "[0-9]"),
        (r"\D", "[^0-9]"),
        (r"\w", "[0-9A-Za-z_]"),
        (r"\W", "[^0-9A-Za-z_]"),
        (r"\s", r"[\t\n\f\r ]"),
        (r"\S", r"[^\t\n\f\r ]"),
    ]);
    Both { ours: ours.to_owned(), theirs: theirs.to_owned() }
}

fn text(any: &mut Generator) -> String {
    let pieces = ["a", "b", "c", "ab", "1", ".", "é", "\n", " ", "_", "-", "]", "\\", "٣", "\u{b}"];
    (0..any.below(9)).map(|_| any.one(&pieces)).collect()
}

/// As a literal of the language.
fn quoted(text: &str) -> String {
    let escape = |char: char| match char {
        '\n' => "\\n".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\u{b}' => "\\v".to_owned(),
        char => char.to_string(),
    };
    format!("'{}'", text.chars().map(escape).collect::<String>())
}

#[test]
fn patterns_are_found_where_another_implementation_finds_them() {
    let (mut found, mut lost) = (0_u32, 0_u32);
    for seed in 0..PATTERNS {
        let any = &mut Generator::new(seed);
        let Both { ours, theirs } = choice(any, 3);
        let other = Regex::new(&theirs).unwrap_or_else(|error| panic!("`{theirs}`: {error}"));
        for _ in 0..4 {
            let text = text(any);
            let source = format!("{}.matches({})", quoted(&text), quoted(&ours));
            let program = Program::compile(&source, &mut facts::Known);
            let program = program.unwrap_or_else(|invalid| panic!("`{ours}`: {invalid}"));
            let is_found = program.holds(&facts::Facts::of(any)).unwrap();
            assert_eq!(is_found, other.is_match(&text), "`{ours}` in {text:?}");
            if is_found { found += 1 } else { lost += 1 }
        }
    }
    assert!(found > 10_000 && lost > 10_000, "{found} found, {lost} not: too few to mean anything");
}
