//! What `docs/conformance.md` says of the standards: each section has its test, each test its row.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::page::{Page, code, repository};

/// How the tests of a standard's section are called: the first words of their names.
fn begins(section: &str) -> Option<String> {
    let (standard, section) = section.split_once(" §")?;
    let standard = match standard.strip_prefix("RFC ") {
        Some(number) => format!("rfc{number}"),
        None => standard.trim_start_matches("Token ").to_lowercase().replace([' ', '-'], "_"),
    };
    let section = section.split_once(", §").map_or(section, |(first, _)| first);
    Some(format!("{standard}_{}_", section.replace(", ", "_").replace(['.', ' '], "_")))
}

/// Every file of Rust in these directories and below.
fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|rs| rs == "rs") {
            found.push(path);
        }
    }
}

/// The tests whose name begins with a section of a standard.
fn tests() -> Vec<String> {
    let mut found = Vec::new();
    for dir in ["src", "tests", "demo/src", "demo/tests", "cli/src", "cli/tests"] {
        files(&repository().join(dir), &mut found);
    }
    let mut tests = Vec::new();
    for file in found {
        let text = fs::read_to_string(file).unwrap();
        let functions = text.lines().filter_map(|line| line.trim_start().strip_prefix("fn "));
        let names = functions.filter_map(|function| function.split_once('(')).map(|(name, _)| name);
        let is_of_a_section = |name: &&str| {
            let rest =
                ["rfc", "status_list_", "jwt_svid_"].iter().find_map(|of| name.strip_prefix(of));
            rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
        };
        tests.extend(names.filter(is_of_a_section).map(str::to_owned));
    }
    tests
}

#[test]
fn every_section_has_a_test_that_is_called_so_and_every_such_test_its_row() {
    let page = Page::read("docs/conformance.md");
    let mut told = BTreeMap::new();
    for row in page.lines().filter(|line| line.contains("| must |") || line.contains("| should |"))
    {
        let cells: Vec<_> = row.trim_matches(['|', ' ']).split(" | ").collect();
        let [section, _, _, tests] = cells[..] else { panic!("expected four cells: {row}") };
        let names = code(tests);
        let first = names.first().unwrap_or_else(|| panic!("{section}: expected a test"));
        if let Some(begins) = begins(section) {
            assert!(
                first.starts_with(&begins),
                "{section}: `{first}` does not begin with {begins}"
            );
        }
        for name in names {
            *told.entry(name.to_owned()).or_insert(0) += 1;
        }
    }
    let tests = tests();
    assert!(tests.len() > 120, "{}", tests.len());
    for test in tests {
        assert_eq!(told.get(&test), Some(&1), "`{test}` has one row");
    }
}
