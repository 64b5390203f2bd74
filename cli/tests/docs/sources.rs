//! What the documentation names: pages, files, tests and bounds that are there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::page::{PAGES, Page, code, repository};

/// Text and target of each link.
fn links(line: &str) -> Vec<(&str, &str)> {
    let mut links = Vec::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("](") {
        let (target, more) = after.split_once(')').unwrap_or((after, ""));
        let text = before.rsplit_once('[').map_or(before, |(_, text)| text);
        links.push((text, target));
        rest = more;
    }
    links
}

/// The anchor that a heading is given.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
}

fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

/// A test's name: long, and in words.
fn is_test(text: &str) -> bool {
    text.matches('_').count() > 2 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[test]
fn every_link_leads_somewhere_and_every_test_named_is_there() {
    let mut tests = 0;
    for page in Page::all() {
        let home = repository().join(page.name).parent().unwrap().to_owned();
        for line in page.lines() {
            for (text, target) in links(line) {
                if target.contains("://") {
                    continue;
                }
                let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
                let file =
                    if file.is_empty() { repository().join(page.name) } else { home.join(file) };
                assert!(file.exists(), "{}: `{target}` is not there", page.name);
                let named = text.trim_matches('`');
                if fragment.is_empty() && !is_test(named) {
                    continue;
                }
                let there = fs::read_to_string(&file).unwrap();
                if !fragment.is_empty() {
                    assert!(anchors(&there).contains(fragment), "{}: `{target}`", page.name);
                }
                if is_test(named) {
                    tests += 1;
                    let is_there = there.contains(&format!("fn {named}("));
                    assert!(is_there, "{}: no test `{named}` in {target}", page.name);
                }
            }
        }
    }
    assert!(tests > 40, "{tests}");
}

#[test]
fn every_test_that_threats_md_names_is_a_link() {
    let page = Page::read("docs/threats.md");
    for line in page.lines() {
        let linked: Vec<_> =
            links(line).into_iter().map(|(text, _)| text.trim_matches('`')).collect();
        for name in code(line).into_iter().filter(|name| is_test(name)) {
            assert!(linked.contains(&name), "`{name}` is no link");
        }
    }
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if !path.ends_with("tests.rs") && path.extension().is_some_and(|rs| rs == "rs") {
            found.push(path);
        }
    }
}

/// Products and shifts of numbers; nothing for what has names in it.
fn value(expression: &str) -> Option<u64> {
    let number = |text: &str| text.trim().replace('_', "").parse::<u64>().ok();
    match expression.split_once("<<") {
        Some((left, right)) => Some(number(left)? << number(right)?),
        None => expression.split('*').map(number).product(),
    }
}

/// The bounds of the engine and the filter: file, name and value.
fn bounds() -> BTreeMap<(String, String), Option<u64>> {
    let mut files = Vec::new();
    sources(&repository().join("src"), &mut files);
    let mut bounds = BTreeMap::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(repository()).unwrap().to_string_lossy().into_owned();
        for line in text.split("#[cfg(test)]\nmod tests {").next().unwrap().lines() {
            let Some((_, rest)) = line.split_once("const MAX_") else { continue };
            let (constant, rest) = rest.split_once(':').unwrap();
            let expression = rest.split_once('=').unwrap().1.trim().trim_end_matches(';');
            bounds.insert((name.clone(), format!("MAX_{constant}")), value(expression));
        }
    }
    bounds
}

#[test]
fn every_bound_is_told_with_its_value() {
    let mut told = BTreeMap::new();
    for row in Page::read("docs/architecture.md").table("bounds") {
        let [name, file] = code(&row[0])[..] else { panic!("expected a name and a file: {row:?}") };
        let digits = row[1].split(' ').next().unwrap().replace(',', "");
        told.insert((file.to_owned(), name.to_owned()), digits.parse::<u64>().ok());
    }
    let bounds = bounds();
    assert_eq!(told.keys().collect::<Vec<_>>(), bounds.keys().collect::<Vec<_>>());
    for (bound, value) in bounds {
        assert!(value.is_none() || told[&bound] == value, "{bound:?} is {value:?}");
    }
}

#[test]
fn every_page_is_read_here() {
    let mut there = BTreeSet::from(["README.md".to_owned()]);
    for dir in [".", "docs", "envoy", "policies"] {
        for entry in fs::read_dir(repository().join(dir)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                there.insert(if dir == "." { name } else { format!("{dir}/{name}") });
            }
        }
    }
    assert_eq!(there, PAGES.map(str::to_owned).into());
}
